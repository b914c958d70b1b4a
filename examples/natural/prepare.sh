#!/usr/bin/env bash
# Text, labelled data, dictionaries and parallel text of several languages -> one vocabulary, binarized data, lexicons.
# Usage: prepare.sh [--dry-run]. In: $SOURCE, $TARGETS, and of each language the variables below, e.g. TEXT_fr; what is
# not set is left out. Out: $WORK/{corpus,spm,data-bin,pos-bin,ner-bin,xnli-bin,lexicon,tatoeba-bin}
#   TEXT_x TOKENIZED_x     text files, raw or with words separated by spaces
#   POS_x NER_x XNLI_x     files of train, valid and test, - for one that there is not; "train" of XNLI may be a,b,c
#   LEXICON_x HELDOUT_x    word lists from the source language to train on, and to hold out
#   PARALLEL_x TATOEBA_x   tables FILE:A,B of sentences of the source language and x, for TLM, and for retrieval
set -euo pipefail
source "$(dirname "$0")/../common.sh"
source "$EXAMPLES/study.sh"

export WORK=${WORK:-runs/natural} SOURCE=${SOURCE:-en} TARGETS=${TARGETS:-fr}
VOCABULARY=${VOCABULARY:-8000}       # pieces of all languages together
SPLIT=${SPLIT:-1000}                 # sentences of valid and of test
export WORKERS=${WORKERS:-2}
for lang in $SOURCE $TARGETS; do
    missing=
    [[ -n $(of TEXT "$lang")$(of TOKENIZED "$lang") ]] || missing=TEXT_$lang
    [[ $lang = "$SOURCE" || -n $(of LEXICON "$lang") ]] || missing+=${missing:+ and }LEXICON_$lang
    [[ -n $DRY_RUN || -z $missing ]] || fail "found no $missing, expected files; docs/walk.md shows how to give them"
done
# shellcheck disable=SC2046  # names of variables
need_files $(for lang in $SOURCE $TARGETS; do
    printf "%s_$lang " TEXT TOKENIZED POS NER XNLI LEXICON HELDOUT PARALLEL TATOEBA
done)
[ -z "${CHECK-}" ] || exit 0         # whether it can begin is all that is asked
mkdir -p "$WORK"

for lang in $SOURCE $TARGETS; do
    text=$(of TEXT "$lang") tokenized=$(of TOKENIZED "$lang")
    # shellcheck disable=SC2086  # lists of files
    [ -e "$WORK/corpus/$lang/counts.json" ] || python "$PREPROCESS/corpus.py" --lang "$lang" --max-words 100 \
        ${text:+--input $text} ${tokenized:+--tokenized $tokenized} --valid "$SPLIT" --test "$SPLIT" \
        --workers "$WORKERS" --out "$WORK/corpus/$lang"
done
readarray -t texts < <(printf "$WORK/corpus/%s/train.txt\n" $SOURCE $TARGETS | sort)
[ -e "$WORK/spm/spm.model" ] || python "$PREPROCESS/subword.py" train --vocab-size "$VOCABULARY" \
    --input "${texts[@]}" --character-coverage 0.9995 --out "$WORK/spm"
for lang in $SOURCE $TARGETS; do binarize "$WORK/corpus/$lang" "$WORK/data-bin/$lang" train valid test; done
cp "$WORK/spm/dict.txt" "$WORK/spm/spm.model" "$WORK/data-bin"   # the model's checksum goes into checkpoints
bash "$EXAMPLES/natural/prepare_tasks.sh"
bash "$EXAMPLES/natural/prepare_pairs.sh"
