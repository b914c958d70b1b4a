#!/usr/bin/env bash
# Text and treebank in the word order of other languages, line by line and sentence by sentence.
# In: $WORK/corpus, made by prepare.sh; $TRAIN $VALID $TEST (CoNLL-U); the treebanks and trees named below.
# Out: $WORK/syntax/{train,valid,test}.txt, parallel to the corpus, and {train,valid,test}.treebank.conllu
set -euo pipefail

SYNTAX_NOUNS=${SYNTAX_NOUNS-}        # treebanks (CoNLL-U) whose order nouns take; empty: theirs stays
SYNTAX_VERBS=${SYNTAX_VERBS-}        # ... the verbs
SYNTAX_OTHERS=${SYNTAX_OTHERS-}      # ... all other words
SYNTAX_TREES=${SYNTAX_TREES-}        # folder of {train,valid,test}.conllu.gz, trees of the corpus; empty: PARSER makes them
PARSER_PYTHON=${PARSER_PYTHON:-python}   # of an environment with spaCy, see parser.sh
PARSER_WORKERS=${PARSER_WORKERS:-1}
HERE=$(dirname "$0"); SYNTAX=$HERE/../../preprocess/syntax.py
OUT=$WORK/syntax
[ ! -e "$OUT/test.txt" ] || exit 0
: "${SYNTAX_TREES:-${PARSER:?model of spaCy to parse the corpus with, e.g. made by parser.sh; or set SYNTAX_TREES}}"
mkdir -p "$OUT"

orders=()
for words in nouns verbs others; do
    treebanks=SYNTAX_${words^^}
    [ -n "${!treebanks}" ] || continue
    # shellcheck disable=SC2086  # lists of files
    [ -e "$OUT/$words.json" ] || python "$SYNTAX" learn --treebank ${!treebanks} --output "$OUT/$words.json"
    orders+=("--$words" "$OUT/$words.json")
done
[ -e "$OUT/test.treebank.conllu" ] || python "$SYNTAX" apply "${orders[@]}" --input "$TRAIN" "$VALID" "$TEST" \
    --output "$OUT"/{train,valid,test}.treebank.conllu
if [ -z "$SYNTAX_TREES" ]; then
    SYNTAX_TREES=$OUT/trees
    for split in train valid test; do
        [ -e "$SYNTAX_TREES/$split.conllu.gz" ] || "$PARSER_PYTHON" "$HERE/parse.py" "$PARSER" \
            "$WORK/corpus/$split.txt" "$SYNTAX_TREES/$split.conllu.gz" --workers "$PARSER_WORKERS"
    done
fi
python "$SYNTAX" apply "${orders[@]}" --input "$SYNTAX_TREES"/{train,valid,test}.conllu.gz \
    --like "$WORK"/corpus/{train,valid,test}.txt --text "$OUT"/{train,valid,test}.txt
