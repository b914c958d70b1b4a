#!/usr/bin/env bash
# A map of the word embeddings of a study's models, those of its first derivation and its first seed, for the report.
# Usage: map.sh [--dry-run]. In: $WORK/runs, $GRID, $SEEDS. Out: $WORK/map.json, nothing where there is no model
set -euo pipefail
source "$(dirname "$0")/../common.sh"
source "$EXAMPLES/study.sh"
shopt -s nullglob

SOURCE=${SOURCE:-en} GRID=${GRID-} SEEDS=${SEEDS-}
read -r TRANSFORMS _ <<< "$GRID"
read -r SEED _ <<< "$SEEDS"
TARGET=$(derived_language "$TRANSFORMS")
MOST=8                               # maps side by side
models=()
for objective in mlm tlm dict_mlm align_mlm; do
    models+=("$WORK/runs/$objective-"*"-${TARGET#*-}-$SEED"{,-*}/pretrain/model.pt)
done
[ ${#models[@]} -gt 0 ] || exit 0
CELL=${models[0]%/pretrain/model.pt}
HELDOUT=$CELL/lexicon.heldout.tsv
[ -e "$HELDOUT" ] || HELDOUT=        # the whole vocabulary is in the lexicon
logged "$WORK/map.log" 'rror:' fairseq-align map "${models[@]:0:MOST}" --data "$WORK/data-bin" --lang "$TARGET" \
    --lexicon "$CELL/lexicon.tsv" ${HELDOUT:+--heldout-lexicon "$HELDOUT"} --out "$WORK/map.json"
