#!/usr/bin/env bash
# Text and treebank -> binarized text and POS data of a language and of the languages derived from it.
# In: $TEXT $TOKENIZED (text files), $TRAIN $VALID $TEST (CoNLL-U), transforms as arguments; for those that begin with
# syntax (syntax,transliterate) also what syntax.sh reads. Out: $WORK/{data-bin,pos-bin}
set -euo pipefail

WORK=${WORK:-runs/derived}
SOURCE=${SOURCE:-en}                 # language of text and treebank
TEXT=${TEXT-}                        # raw text files, separated by spaces, plain or .gz
TOKENIZED=${TOKENIZED-}              # text files whose words are separated by spaces already
VOCABULARY=${VOCABULARY:-2000}       # pieces before derivation
SPLIT=${SPLIT:-2000}                 # sentences of valid and of test
OVERLAP=${OVERLAP:-0}                # fraction of the pieces that a language shares with those derived from it
WORKERS=${WORKERS:-2}
HERE=$(dirname "$0")
source "$HERE/../common.sh"
mkdir -p "$WORK"

tag() {  # a language, and the three parts of its treebank
    [ -e "$WORK/pos-bin/$1/test.idx" ] || python "$PREPROCESS/tagging.py" --model "$WORK/spm/spm.model" \
        --dict "$WORK/spm/dict.txt" --lang "$1" --out "$WORK/pos-bin" --train "$2" --valid "$3" --test "$4"
}

if [ ! -e "$WORK/corpus/counts.json" ]; then
    # the words of the treebank's training part are text, too; its tags are not used here
    gzip -cdf "$TRAIN" | awk -F'\t' '$1 ~ /^[0-9]+$/ {printf "%s%s", s, $2; s = " "} !NF {print ""; s = ""} END {print ""}' > "$WORK/treebank.txt"
    # shellcheck disable=SC2086  # lists of files
    python "$PREPROCESS/corpus.py" ${TEXT:+--input $TEXT} --tokenized $TOKENIZED "$WORK/treebank.txt" \
        --lang "$SOURCE" --max-words 100 --valid "$SPLIT" --test "$SPLIT" --workers "$WORKERS" --out "$WORK/corpus"
fi
[ -e "$WORK/spm/spm.model" ] || python "$PREPROCESS/subword.py" train --input "$WORK/corpus/train.txt" \
    --vocab-size "$VOCABULARY" --character-coverage 0.9999 --out "$WORK/spm"
binarize "$WORK/corpus" "$WORK/data-bin/$SOURCE" train valid test
[ -e "$WORK/data-bin/dict.txt" ] || cp "$WORK/spm/dict.txt" "$WORK/data-bin/dict.txt"
tag "$SOURCE" "$TRAIN" "$VALID" "$TEST"
for transforms; do
    source=$SOURCE target=$SOURCE-${transforms//,/+}
    [ "$OVERLAP" = 0 ] || target=$target-overlap$OVERLAP
    if [ "${transforms%%,*}" = syntax ]; then
        source=$SOURCE-syntax
        WORK=$WORK bash "$HERE/syntax.sh"
        binarize "$WORK/syntax" "$WORK/data-bin/$source" train valid test
        tag "$source" "$WORK"/syntax/{train,valid,test}.treebank.conllu
    fi
    [ -e "$WORK/data-bin/$target" ] || python "$PREPROCESS/derive.py" "$WORK/data-bin/$source" "$WORK/data-bin/$target" \
        --transforms "${transforms#syntax,}" --overlap "$OVERLAP"
    [ -e "$WORK/pos-bin/$target" ] || python "$PREPROCESS/derive.py" "$WORK/pos-bin/$source" "$WORK/pos-bin/$target" \
        --like "$WORK/data-bin/$target/derivation.json"
done
