#!/usr/bin/env bash
# NER and XNLI data of a language and of the languages derived from it; the end of prepare.sh, of which POS is a part.
# Usage: prepare_tasks.sh [--dry-run] DERIVED_LANGUAGE... In: $NER_TRAIN $NER_VALID $NER_TEST (IOB2), $XNLI_TRAIN
# $XNLI_VALID $XNLI_TEST (TSV, JSONL); a task without files is left out. For a language in another word order
# (en-syntax+transliterate) these are parsed by $PARSER and reordered as syntax.sh does with text, by the orders that it
# has learnt, unless $SYNTAX_TREES has {ner,xnli}.{train,valid,test}.conllu.gz. Out: $WORK/{ner-bin,xnli-bin}
set -euo pipefail
source "$(dirname "$0")/../common.sh"
source "$EXAMPLES/study.sh"

WORK=${WORK:-runs/derived}
SOURCE=${SOURCE:-en}
NER_TRAIN=${NER_TRAIN-} NER_VALID=${NER_VALID-} NER_TEST=${NER_TEST-}
XNLI_TRAIN=${XNLI_TRAIN-}            # several files, separated by spaces, become one
XNLI_VALID=${XNLI_VALID-} XNLI_TEST=${XNLI_TEST-}
XNLI_TOKENS=${XNLI_TOKENS:-${POSITIONS:-${TOKENS:-64}}}   # longer pairs are shortened, and counted
SYNTAX_TREES=${SYNTAX_TREES-}
vocabulary=(--model "$WORK/spm/spm.model" --dict "$WORK/spm/dict.txt")

binarize_task() {                    # TASK LANGUAGE TRAIN VALID TEST [FLAGS...], once; TRAIN may be several files
    [ ! -e "$(made "$1" "$2")" ] || return 0
    # shellcheck disable=SC2206  # a list of files
    local flags=(--train $3 --valid "$4" --test "$5" --lang "$2" "${vocabulary[@]}" --out "$WORK/$1-bin" "${@:6}")
    case $1 in
        ner) python "$PREPROCESS/tagging.py" --task ner "${flags[@]}" ;;
        xnli) python "$PREPROCESS/xnli.py" --max-tokens "$XNLI_TOKENS" "${flags[@]}" ;;
    esac
}

# shellcheck disable=SC2046,SC2206   # flags, lists of files
reorder() {                          # TASK SPLIT FILES: $WORK/syntax/TASK.SPLIT.tsv
    local name=$WORK/syntax/$1.$2 trees=$SYNTAX_TREES/$1.$2.conllu.gz data=(--task "$1" --lang "$SOURCE" --input $3)
    if [[ -z $SYNTAX_TREES || ! -e $trees && -n ${PARSER-} ]]; then
        trees=$name.conllu.gz
        if [ ! -e "$trees" ]; then
            python "$EXAMPLES/derived/labelled.py" text "${data[@]}" --output "$name.txt"
            parser_python "$EXAMPLES/derived/parse.py" "$PARSER" "$name.txt" "$trees" --workers "${PARSER_WORKERS:-1}"
        fi
    fi
    python "$EXAMPLES/derived/labelled.py" reorder "${data[@]}" --trees "$trees" $(syntax_orders) --output "$name.tsv"
}

of_task() { local name=${1^^}_$2; echo "${!name}"; }   # TASK SPLIT: its files, e.g. those of $NER_TRAIN
reordered() {                        # TASK: its data in the word order of $SOURCE-syntax
    [ ! -e "$(made "$1" "$SOURCE-syntax")" ] || return 0
    local split out=$WORK/syntax/$1
    for split in train valid test; do reorder "$1" $split "$(of_task "$1" "${split^^}")"; done
    binarize_task "$1" "$SOURCE-syntax" "$out.train.tsv" "$out.valid.tsv" "$out.test.tsv" \
        $([ "$1" = ner ] || echo --tokenized)
}

for task in ${NER_TRAIN:+ner} ${XNLI_TRAIN:+xnli}; do
    binarize_task "$task" "$SOURCE" "$(of_task "$task" TRAIN)" "$(of_task "$task" VALID)" "$(of_task "$task" TEST)"
done
for target; do
    for task in ${NER_TRAIN:+ner} ${XNLI_TRAIN:+xnli}; do
        data=$WORK/$task-bin
        source=$(labelled_source "$task" "$target")
        [ "$source" = "$SOURCE" ] || reordered "$task"
        [ -e "$data/$target" ] || python "$PREPROCESS/derive.py" "$data/$source" "$data/$target" \
            --like "$WORK/data-bin/$target/derivation.json"
    done
done
