#!/usr/bin/env bash
# Text and treebank in the word order of other languages, line by line and sentence by sentence.
# Usage: syntax.sh [--dry-run]. In: $WORK/corpus, made by prepare.sh; $TRAIN $VALID $TEST (CoNLL-U); the treebanks and
# trees named below.
# Out: $WORK/syntax/{train,valid,test}.txt, parallel to the corpus, and {train,valid,test}.treebank.conllu
set -euo pipefail
source "$(dirname "$0")/../common.sh"
source "$EXAMPLES/study.sh"

SYNTAX_NOUNS=${SYNTAX_NOUNS-}        # treebanks (CoNLL-U) whose order nouns take; empty: theirs stays
SYNTAX_VERBS=${SYNTAX_VERBS-}        # ... the verbs
SYNTAX_OTHERS=${SYNTAX_OTHERS-}      # ... all other words
SYNTAX_TREES=${SYNTAX_TREES-}        # folder of {train,valid,test}.conllu.gz of the corpus; empty: PARSER makes them
PARSER_WORKERS=${PARSER_WORKERS:-1}
OUT=$WORK/syntax
[ ! -e "$OUT/test.txt" ] || exit 0
: "${SYNTAX_TREES:-${PARSER:?model of spaCy to parse the corpus with, e.g. made by parser.sh; or set SYNTAX_TREES}}"
mkdir -p "$OUT"

learn() {                            # WORDS TREEBANK...: whose order they take
    [ $# -gt 1 ] || return 0
    [ -e "$OUT/$1.json" ] || python "$PREPROCESS/syntax.py" learn --treebank "${@:2}" --output "$OUT/$1.json"
}
# shellcheck disable=SC2086  # lists of files
{ learn nouns $SYNTAX_NOUNS; learn verbs $SYNTAX_VERBS; learn others $SYNTAX_OTHERS; }
read -r -a orders <<< "$(syntax_orders | xargs)"
[ -e "$OUT/test.treebank.conllu" ] || python "$PREPROCESS/syntax.py" apply "${orders[@]}" \
    --input "$TRAIN" "$VALID" "$TEST" --output "$OUT"/{train,valid,test}.treebank.conllu
if [ -z "$SYNTAX_TREES" ]; then
    SYNTAX_TREES=$OUT/trees
    for split in train valid test; do
        [ -e "$SYNTAX_TREES/$split.conllu.gz" ] || parser_python "$EXAMPLES/derived/parse.py" "$PARSER" \
            "$WORK/corpus/$split.txt" "$SYNTAX_TREES/$split.conllu.gz" --workers "$PARSER_WORKERS"
    done
fi
python "$PREPROCESS/syntax.py" apply "${orders[@]}" --input "$SYNTAX_TREES"/{train,valid,test}.conllu.gz \
    --like "$WORK"/corpus/{train,valid,test}.txt --text "$OUT"/{train,valid,test}.txt
