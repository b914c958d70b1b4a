#!/usr/bin/env bash
# Train a pre-trained encoder on, align its word embeddings, both, or take it as it is.
# Usage: pretrain.sh [--dry-run] [FLAGS of fairseq-train...]. In: $PRETRAIN, $START, and what ../derived/pretrain.sh
# takes. Out: $SAVE/model.pt
set -euo pipefail
source "$(dirname "$0")/../common.sh"

WORK=${WORK:-runs/encoder}
START=${START:-$WORK/encoder/model.pt}   # made by prepare.sh
PRETRAIN=${PRETRAIN:-train}          # train, align, align+train or none; see run.sh
ALIGN_UPDATES=${ALIGN_UPDATES:-${UPDATES:-150}}   # align: of the word embeddings alone
ORTHOGONAL=${ORTHOGONAL-}            # align: 1: an orthogonal map of each target language comes first
ALIGN_FLAGS=${ALIGN_FLAGS-}          # align: more flags of fairseq-align align
case $PRETRAIN in
    train | align | align+train | none) ;;
    *) fail "found PRETRAIN $PRETRAIN, expected train, align, align+train or none" ;;
esac
[ ! -e "$SAVE/model.pt" ] || exit 0
mkdir -p "$SAVE"
if [[ $PRETRAIN = align* ]]; then
    aligned=$SAVE/aligned.pt
    # shellcheck disable=SC2086  # flags
    [ -e "$aligned" ] || fairseq-align align "$START" "$DATA" "$aligned" --lexicon "$LEXICON" --seed "${SEED:-1}" \
        --updates "$ALIGN_UPDATES" --align-pairs "${ALIGN_PAIRS:-1024}" --align-loss "${ALIGN_LOSS:-contrastive}" \
        --align-temperature "${ALIGN_TEMPERATURE:-0.1}" ${ORTHOGONAL:+--start "$LANGS"} $ALIGN_FLAGS
    START=$aligned
fi
case $PRETRAIN in
    *train) bash "$EXAMPLES/derived/pretrain.sh" --finetune-from-model "$START" "$@" ;;
    align) mv "$aligned" "$SAVE/model.pt" ;;
    none) cp "$START" "$SAVE/model.pt" ;;
esac
