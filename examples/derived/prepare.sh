#!/usr/bin/env bash
# Text and treebank -> binarized text and POS data of a language and of the languages derived from it.
# In: $TEXT $TOKENIZED (text files), $TRAIN $VALID $TEST (CoNLL-U), transforms as arguments. Out: $WORK/{data-bin,pos-bin}
set -euo pipefail

WORK=${WORK:-runs/derived}
SOURCE=${SOURCE:-en}                 # language of text and treebank
TEXT=${TEXT-}                        # raw text files, separated by spaces, plain or .gz
TOKENIZED=${TOKENIZED-}              # text files whose words are separated by spaces already
VOCABULARY=${VOCABULARY:-2000}       # pieces before derivation
SPLIT=${SPLIT:-2000}                 # sentences of valid and of test
OVERLAP=${OVERLAP:-0}                # fraction of the pieces that a language shares with those derived from it
WORKERS=${WORKERS:-2}
HERE=$(dirname "$0"); PREPROCESS=$HERE/../../preprocess
mkdir -p "$WORK"

if [ ! -e "$WORK/corpus/counts.json" ]; then
    # the words of the treebank's training part are text, too; its tags are not used here
    gzip -cdf "$TRAIN" | awk -F'\t' '$1 ~ /^[0-9]+$/ {printf "%s%s", s, $2; s = " "} !NF {print ""; s = ""} END {print ""}' > "$WORK/treebank.txt"
    # shellcheck disable=SC2086  # lists of files
    python "$PREPROCESS/corpus.py" ${TEXT:+--input $TEXT} --tokenized $TOKENIZED "$WORK/treebank.txt" \
        --lang "$SOURCE" --max-words 100 --valid "$SPLIT" --test "$SPLIT" --workers "$WORKERS" --out "$WORK/corpus"
fi
[ -e "$WORK/spm/spm.model" ] || python "$PREPROCESS/subword.py" train --input "$WORK/corpus/train.txt" \
    --vocab-size "$VOCABULARY" --character-coverage 0.9999 --out "$WORK/spm"
if [ ! -e "$WORK/data-bin/$SOURCE" ]; then
    for split in train valid test; do
        python "$PREPROCESS/subword.py" apply --model "$WORK/spm/spm.model" \
            --input "$WORK/corpus/$split.txt" --output "$WORK/corpus/$split.sp"
    done
    fairseq-preprocess --only-source --srcdict "$WORK/spm/dict.txt" --workers "$WORKERS" --trainpref "$WORK/corpus/train.sp" \
        --validpref "$WORK/corpus/valid.sp" --testpref "$WORK/corpus/test.sp" --destdir "$WORK/data-bin/$SOURCE.part"
    mv "$WORK/data-bin/$SOURCE.part" "$WORK/data-bin/$SOURCE"
    cp "$WORK/spm/dict.txt" "$WORK/data-bin/dict.txt"
fi
[ -e "$WORK/pos-bin/$SOURCE/test.idx" ] || python "$PREPROCESS/tagging.py" --model "$WORK/spm/spm.model" \
    --dict "$WORK/spm/dict.txt" --lang "$SOURCE" --out "$WORK/pos-bin" --train "$TRAIN" --valid "$VALID" --test "$TEST"
for transforms; do
    target=$SOURCE-${transforms//,/+}
    [ "$OVERLAP" = 0 ] || target=$target-overlap$OVERLAP
    [ -e "$WORK/data-bin/$target" ] || python "$PREPROCESS/derive.py" "$WORK/data-bin/$SOURCE" "$WORK/data-bin/$target" \
        --transforms "$transforms" --overlap "$OVERLAP"
    [ -e "$WORK/pos-bin/$target" ] || python "$PREPROCESS/derive.py" "$WORK/pos-bin/$SOURCE" "$WORK/pos-bin/$target" \
        --like "$WORK/data-bin/$target/derivation.json"
done
