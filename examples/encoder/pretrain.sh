#!/usr/bin/env bash
# Train a pre-trained encoder on, align its word embeddings alone, or take it as it is.
# Usage: pretrain.sh [--dry-run] [FLAGS of fairseq-train...]. In: $PRETRAIN, $START, and what ../derived/pretrain.sh
# takes. Out: $SAVE/model.pt
set -euo pipefail
source "$(dirname "$0")/../common.sh"

WORK=${WORK:-runs/encoder}
START=${START:-$WORK/encoder/model.pt}   # made by prepare.sh
PRETRAIN=${PRETRAIN:-train}          # train, align or none; see run.sh
ORTHOGONAL=${ORTHOGONAL-}            # align: 1: an orthogonal map of each target language comes first
ALIGN_FLAGS=${ALIGN_FLAGS-}          # align: more flags of fairseq-align align
case $PRETRAIN in
    train) bash "$EXAMPLES/derived/pretrain.sh" --finetune-from-model "$START" "$@"; exit ;;
    align | none) ;;
    *) fail "found PRETRAIN $PRETRAIN, expected train, align or none" ;;
esac
[ ! -e "$SAVE/model.pt" ] || exit 0
mkdir -p "$SAVE"
if [ "$PRETRAIN" = none ]; then
    cp "$START" "$SAVE/model.pt"
else
    # shellcheck disable=SC2086  # flags
    fairseq-align align "$START" "$DATA" "$SAVE/model.pt" --lexicon "$LEXICON" --seed "${SEED:-1}" \
        --updates "${UPDATES:-150}" --align-pairs "${ALIGN_PAIRS:-1024}" --align-loss "${ALIGN_LOSS:-contrastive}" \
        --align-temperature "${ALIGN_TEMPERATURE:-0.1}" ${ORTHOGONAL:+--start "$LANGS"} $ALIGN_FLAGS
fi
