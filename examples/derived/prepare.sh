#!/usr/bin/env bash
# Text and treebank -> binarized text, POS, NER and XNLI data of a language and of the languages derived from it.
# Usage: prepare.sh [--dry-run] [TRANSFORMS...], by default those of $GRID. In: $TEXT $TOKENIZED (text files), $TRAIN
# $VALID $TEST (CoNLL-U), what prepare_tasks.sh reads, and for transforms that begin with syntax
# (syntax,transliterate) what syntax.sh reads. Out: $WORK/{data-bin,pos-bin,ner-bin,xnli-bin}
set -euo pipefail
source "$(dirname "$0")/../common.sh"
source "$EXAMPLES/study.sh"
source "$EXAMPLES/cells.sh"

export WORK=${WORK:-runs/derived}
export SOURCE=${SOURCE:-en}          # language of text and treebank
TEXT=${TEXT-}                        # raw text files, separated by spaces, plain or .gz
TOKENIZED=${TOKENIZED-}              # text files whose words are separated by spaces already
VOCABULARY=${VOCABULARY:-2000}       # pieces before derivation
SPLIT=${SPLIT:-2000}                 # sentences of valid and of test
SUBWORD_FLAGS=${SUBWORD_FLAGS-}      # more flags of fairseq-align subword train
MIN_WORDS=${MIN_WORDS:-1} MAX_WORDS=${MAX_WORDS:-100}   # of a sentence of the text; others are left out
OVERLAP=${OVERLAP:-0}                # fraction of the pieces that a language shares with those derived from it, or a
                                     # setting of some of them: GRID="transliterate transliterate OVERLAP=0.25"
[ $# = 0 ] || GRID=$* EXPERIMENTS=
grid=$(places) targets=() all=$OVERLAP

overlap() {                          # SETTINGS: the overlap among them, or that of all
    local setting found=$all
    for setting in $1; do [[ $setting != OVERLAP=* ]] || found=${setting#*=}; done
    echo "$found"
}

tag() {                              # LANGUAGE TRAIN VALID TEST
    [ -e "$WORK/pos-bin/$1/test.idx" ] || python "$PREPROCESS/tagging.py" --model "$WORK/spm/spm.model" \
        --dict "$WORK/spm/dict.txt" --lang "$1" --out "$WORK/pos-bin" --train "$2" --valid "$3" --test "$4"
}

derive() {                           # DATA SOURCE TARGET [flags...]
    [ -e "$WORK/$1/$3" ] || python "$PREPROCESS/derive.py" "$WORK/$1/$2" "$WORK/$1/$3" "${@:4}"
}

need_files TEXT TOKENIZED TRAIN VALID TEST {NER,XNLI}_{TRAIN,VALID,TEST}
[[ $grid != *syntax* ]] || need_files SYNTAX_{NOUNS,VERBS,OTHERS}
while read -r transforms _ <&3; do   # refuses what can have no labelled data before anything is made
    for task in ${NER_TRAIN:+ner} ${XNLI_TRAIN:+xnli}; do
        labelled_source "$task" "$(derived_language "$transforms")" > /dev/null
    done
done 3<<< "$grid"
[ -z "${CHECK-}" ] || exit 0         # whether it can begin is all that is asked
if [ ! -e "$WORK/corpus/counts.json" ]; then
    # the words of the treebank's training part are text, too; its tags are not used here
    python "$EXAMPLES/derived/treebank.py" words "$TRAIN" "$WORK/treebank.txt"
    # shellcheck disable=SC2086  # lists of files
    python "$PREPROCESS/corpus.py" ${TEXT:+--input $TEXT} --tokenized $TOKENIZED "$WORK/treebank.txt" \
        --min-words "$MIN_WORDS" --max-words "$MAX_WORDS" --lang "$SOURCE" --valid "$SPLIT" --test "$SPLIT" \
        --workers "${WORKERS:-2}" --out "$WORK/corpus"
fi
# shellcheck disable=SC2086  # flags
[ -e "$WORK/spm/spm.model" ] || python "$PREPROCESS/subword.py" train --input "$WORK/corpus/train.txt" \
    --vocab-size "$VOCABULARY" --character-coverage 0.9999 --out "$WORK/spm" $SUBWORD_FLAGS
binarize "$WORK/corpus" "$WORK/data-bin/$SOURCE" train valid test
[ -e "$WORK/data-bin/dict.txt" ] || cp "$WORK/spm/dict.txt" "$WORK/data-bin/dict.txt"
cp "$WORK/spm/spm.model" "$WORK/data-bin/spm.model"   # its checksum goes into checkpoints
tag "$SOURCE" "$TRAIN" "$VALID" "$TEST"
while read -r transforms settings <&3; do
    [ -n "$transforms" ] || continue
    OVERLAP=$(overlap "$settings")
    source=$SOURCE target=$(derived_language "$transforms")
    [[ " ${targets[*]} " != *" $target "* ]] || continue
    if [ "${transforms%%,*}" = syntax ]; then
        source=$SOURCE-syntax
        bash "$EXAMPLES/derived/syntax.sh"
        binarize "$WORK/syntax" "$WORK/data-bin/$source" train valid test
        tag "$source" "$WORK"/syntax/{train,valid,test}.treebank.conllu
    fi
    derive data-bin "$source" "$target" --transforms "${transforms#syntax,}" --overlap "$OVERLAP"
    derive pos-bin "$source" "$target" --like "$WORK/data-bin/$target/derivation.json"
    targets+=("$target")
done 3<<< "$grid"
bash "$EXAMPLES/derived/prepare_tasks.sh" "${targets[@]}"
