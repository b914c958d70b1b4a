#!/usr/bin/env bash
# NER and XNLI data of a language and of the languages derived from it; the end of prepare.sh, of which POS is a part.
# Usage: prepare_tasks.sh [--dry-run] DERIVED_LANGUAGE... In: $NER_TRAIN $NER_VALID $NER_TEST (IOB2), $XNLI_TRAIN
# $XNLI_VALID $XNLI_TEST (TSV, JSONL); a task without files is left out. For a language in another word order
# (en-syntax+transliterate) the labelled data of en-syntax must be there. Out: $WORK/{ner-bin,xnli-bin}
set -euo pipefail
source "$(dirname "$0")/../common.sh"
source "$EXAMPLES/study.sh"

WORK=${WORK:-runs/derived}
SOURCE=${SOURCE:-en}
NER_TRAIN=${NER_TRAIN-} NER_VALID=${NER_VALID-} NER_TEST=${NER_TEST-}
XNLI_TRAIN=${XNLI_TRAIN-}            # several files, separated by spaces, become one
XNLI_VALID=${XNLI_VALID-} XNLI_TEST=${XNLI_TEST-}
XNLI_TOKENS=${XNLI_TOKENS:-${POSITIONS:-${TOKENS:-64}}}   # longer pairs are shortened, and counted
vocabulary=(--model "$WORK/spm/spm.model" --dict "$WORK/spm/dict.txt" --lang "$SOURCE")

if [ -n "$NER_TRAIN" ] && [ ! -e "$WORK/ner-bin/$SOURCE/test.idx" ]; then
    python "$PREPROCESS/tagging.py" --task ner "${vocabulary[@]}" --out "$WORK/ner-bin" \
        --train "$NER_TRAIN" --valid "$NER_VALID" --test "$NER_TEST"
fi
if [ -n "$XNLI_TRAIN" ] && [ ! -e "$WORK/xnli-bin/label/test_$SOURCE.idx" ]; then
    # shellcheck disable=SC2086  # a list of files
    python "$PREPROCESS/xnli.py" "${vocabulary[@]}" --out "$WORK/xnli-bin" --max-tokens "$XNLI_TOKENS" \
        --train $XNLI_TRAIN --valid "$XNLI_VALID" --test "$XNLI_TEST"
fi
for target; do
    for task in ${NER_TRAIN:+ner} ${XNLI_TRAIN:+xnli}; do
        data=$WORK/$task-bin
        source=$(labelled_source "$task" "$target")
        [ -e "$data/$target" ] || python "$PREPROCESS/derive.py" "$data/$source" "$data/$target" \
            --like "$WORK/data-bin/$target/derivation.json"
    done
done
