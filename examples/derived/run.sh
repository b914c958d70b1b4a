#!/usr/bin/env bash
# One cell of a study: pre-train, score the alignment; for each task fine-tune on the source language and score both
# languages, and for comparison fine-tune on the derived language, too.
# Usage: run.sh [--dry-run] OBJECTIVE TRANSFORMS [SETTING=VALUE...], e.g. run.sh align_mlm invert RATE=0.25
# In: $WORK, made by prepare.sh. Out: $WORK/runs/<cell>/, scores appended to $WORK/results.jsonl; what is done is not
# repeated
set -euo pipefail
source "$(dirname "$0")/../common.sh"
source "$EXAMPLES/study.sh"
source "$EXAMPLES/objectives.sh"

[ $# -ge 2 ] || fail "found $# arguments, expected OBJECTIVE TRANSFORMS; see run.sh --help"
OBJECTIVE=$1 TRANSFORMS=$2           # e.g. align_mlm+tlm; e.g. transliterate,invert
[ $# -lt 3 ] || export "${@:3}"
export WORK=${WORK:-runs/derived} SOURCE=${SOURCE:-en} SEED=${SEED:-1}
RATE=${RATE:-0.5}                    # fraction of the vocabulary in the lexicon; mlm and tlm are only scored on it
TLM_RATE=${TLM_RATE:-0.25}           # tlm: items of an epoch as a fraction of the pairs of sentences
VARIANT=${VARIANT-}                  # name of a model with other settings than those of the study, for the report
TASKS=${TASKS-pos}                   # to fine-tune: pos, ner, xnli
TARGET=$(derived_language "$TRANSFORMS")
CELL=$WORK/runs/$OBJECTIVE-$RATE-${TARGET#*-}-$SEED
[[ $OBJECTIVE != *tlm* ]] || CELL+=-tlm$TLM_RATE
CELL+=${VARIANT:+-$VARIANT}
export DATA=$WORK/data-bin LANGS=$SOURCE,$TARGET LEXICON=$CELL/lexicon.tsv MODEL=$CELL/pretrain/model.pt
words=$(objective_flags "$OBJECTIVE" "$SOURCE:$TARGET" "$SOURCE:$TARGET:$LEXICON")
readarray -t flags <<< "$words"
readarray -t about <<< "$(objective_about "$OBJECTIVE" "$VARIANT" 0.25)"
about+=(--derivation "${TARGET#*-}")
! uses_lexicon "$OBJECTIVE" || about+=(--lexicon-rate "$RATE")

pretrain() {
    python "$PREPROCESS/lexicon.py" derived --dict "$DATA/dict.txt" --rate "$RATE" --seed "$SEED" \
        --derivation "$DATA/$TARGET/derivation.json" --out "$LEXICON" --heldout "$CELL/lexicon.heldout.tsv"
    export HELDOUT=$CELL/lexicon.heldout.tsv
    [[ -e $HELDOUT || -n $DRY_RUN && $RATE != 1 ]] || HELDOUT=   # the whole vocabulary is in the lexicon
    # shellcheck disable=SC2086  # flags
    SAVE=$CELL/pretrain bash "$EXAMPLES/derived/pretrain.sh" "${flags[@]}" ${PRETRAIN_FLAGS-}
    score evaluate "$MODEL" "$DATA" --subset "valid_$SOURCE,valid_$TARGET"
    score alignment "$MODEL" "$DATA" --lexicon "$LEXICON" ${HELDOUT:+--heldout-lexicon "$HELDOUT"} --lang "$TARGET" \
        --by frequency
}

transfer() {                         # TASK
    finetune "$1" "$SOURCE" "test_$SOURCE,test_$TARGET"
    [ "$1" != pos ] || finetune "$1" "$SOURCE" "test_$SOURCE,test_$TARGET" --freeze-embeddings
    finetune "$1" "$TARGET" "test_$TARGET"
}

step pretrain pretrain
for task in $TASKS; do step "$task" transfer "$task"; done
