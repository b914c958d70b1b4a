#!/usr/bin/env bash
# One cell of a study: pre-train, score the alignment, fine-tune on the source language, score both languages.
# Usage: run.sh mlm|align_mlm TRANSFORMS   e.g. RATE=0.5 SEED=1 run.sh align_mlm transliterate,invert
# In: $WORK, made by prepare.sh. Out: $WORK/runs/<cell>/, scores appended to $WORK/results.jsonl; a cell that is done is skipped
set -euo pipefail

OBJECTIVE=$1 TRANSFORMS=$2
export WORK=${WORK:-runs/derived} SOURCE=${SOURCE:-en} SEED=${SEED:-1}
RATE=${RATE:-0.5}                    # fraction of the vocabulary in the lexicon; plain MLM is only scored on it
HERE=$(dirname "$0")
TARGET=$SOURCE-${TRANSFORMS//,/+}
CELL=$WORK/runs/$OBJECTIVE-$RATE-${TRANSFORMS//,/+}-$SEED
[ -e "$CELL/done" ] && exit
[ "$OBJECTIVE" = mlm ] && export WEIGHT=0
about=(--objective "$OBJECTIVE" --derivation "${TRANSFORMS//,/+}" --results "$CELL/results.jsonl")
[ "$OBJECTIVE" = mlm ] || about+=(--lexicon-rate "$RATE")
rm -f "$CELL/results.jsonl"

python "$HERE/../../preprocess/lexicon.py" derived --dict "$WORK/data-bin/dict.txt" --rate "$RATE" --seed "$SEED" \
    --out "$CELL/lexicon.tsv" --heldout "$CELL/lexicon.heldout.tsv"
export DATA=$WORK/data-bin LANGS=$SOURCE,$TARGET LEXICON=$CELL/lexicon.tsv HELDOUT=
[ ! -e "$CELL/lexicon.heldout.tsv" ] || HELDOUT=$CELL/lexicon.heldout.tsv
SAVE=$CELL/pretrain bash "$HERE/pretrain.sh" ${PRETRAIN_FLAGS-}
fairseq-align evaluate "$CELL/pretrain/model.pt" "$DATA" --subset "valid_$SOURCE,valid_$TARGET" "${about[@]}"
fairseq-align alignment "$CELL/pretrain/model.pt" "$DATA" --lexicon "$LEXICON" ${HELDOUT:+--heldout-lexicon "$HELDOUT"} \
    --lang "$TARGET" "${about[@]}"
for freeze in '' --freeze-embeddings; do
    tuned=$CELL/pos${freeze#-}
    MODEL=$CELL/pretrain/model.pt POS=$WORK/pos-bin FREEZE=$freeze SAVE=$tuned bash "$HERE/finetune.sh" ${FINETUNE_FLAGS-}
    fairseq-align evaluate "$tuned/model.pt" "$WORK/pos-bin" --subset "test_$SOURCE,test_$TARGET" "${about[@]}"
done
cat "$CELL/results.jsonl" >> "$WORK/results.jsonl"
touch "$CELL/done"
