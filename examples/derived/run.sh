#!/usr/bin/env bash
# One cell of a study: pre-train, score the alignment; for each task fine-tune on the source language and score both
# languages, and for comparison fine-tune on the derived language, too.
# Usage: run.sh OBJECTIVE TRANSFORMS [SETTING=VALUE...], e.g. run.sh align_mlm transliterate,invert RATE=0.25 SEED=2
# In: $WORK, made by prepare.sh. Out: $WORK/runs/<cell>/, scores appended to $WORK/results.jsonl; what is done is not repeated
set -euo pipefail

OBJECTIVE=$1 TRANSFORMS=$2           # mlm, tlm, dict_mlm or align_mlm; e.g. transliterate,invert
[ $# -lt 3 ] || export "${@:3}"
export WORK=${WORK:-runs/derived} SOURCE=${SOURCE:-en} SEED=${SEED:-1}
RATE=${RATE:-0.5}                    # fraction of the vocabulary in the lexicon; mlm and tlm are only scored on it
TLM_RATE=${TLM_RATE:-0.25}           # tlm: items of an epoch as a fraction of the pairs of sentences
OVERLAP=${OVERLAP:-0}                # fraction of the pieces that both languages share
TASKS=${TASKS-pos}                   # to fine-tune: pos, ner, xnli
HERE=$(dirname "$0")
source "$HERE/../common.sh"
TARGET=$SOURCE-${TRANSFORMS//,/+}
[ "$OVERLAP" = 0 ] || TARGET=$TARGET-overlap$OVERLAP
CELL=$WORK/runs/$OBJECTIVE-$RATE-${TARGET#*-}-$SEED
[ "$OBJECTIVE" != tlm ] || CELL=$CELL-tlm$TLM_RATE
export DATA=$WORK/data-bin LANGS=$SOURCE,$TARGET LEXICON=$CELL/lexicon.tsv MODEL=$CELL/pretrain/model.pt
about=(--objective "$OBJECTIVE" --derivation "${TARGET#*-}")
flags=()
case $OBJECTIVE in
    mlm) export WEIGHT=0 ;;
    tlm) export WEIGHT=0; flags=(--tlm-pairs "$SOURCE:$TARGET" --tlm-rate "$TLM_RATE") ;;
    dict_mlm) export WEIGHT=0; about+=(--lexicon-rate "$RATE"); flags=(--dict-mlm "$SOURCE:$TARGET:$LEXICON") ;;
    align_mlm) about+=(--lexicon-rate "$RATE") ;;
    *) echo "error: found objective $OBJECTIVE, expected mlm, tlm, dict_mlm or align_mlm" >&2; exit 1 ;;
esac

pretrain() {
    python "$PREPROCESS/lexicon.py" derived --dict "$DATA/dict.txt" --rate "$RATE" --seed "$SEED" \
        --derivation "$DATA/$TARGET/derivation.json" --out "$LEXICON" --heldout "$CELL/lexicon.heldout.tsv"
    export HELDOUT=$CELL/lexicon.heldout.tsv
    [ -e "$HELDOUT" ] || HELDOUT=     # the whole vocabulary is in the lexicon
    SAVE=$CELL/pretrain bash "$HERE/pretrain.sh" "${flags[@]}" ${PRETRAIN_FLAGS-}
    score evaluate "$MODEL" "$DATA" --subset "valid_$SOURCE,valid_$TARGET"
    score alignment "$MODEL" "$DATA" --lexicon "$LEXICON" ${HELDOUT:+--heldout-lexicon "$HELDOUT"} --lang "$TARGET"
}

transfer() {                         # TASK
    finetune "$1" "$SOURCE" "test_$SOURCE,test_$TARGET"
    [ "$1" != pos ] || finetune "$1" "$SOURCE" "test_$SOURCE,test_$TARGET" --freeze-embeddings
    finetune "$1" "$TARGET" "test_$TARGET"
}

step pretrain pretrain
for task in $TASKS; do step "$task" transfer "$task"; done
