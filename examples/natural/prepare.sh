#!/usr/bin/env bash
# Text, labelled data, dictionaries and parallel text of several languages -> one vocabulary, binarized data, lexicons.
# In: $SOURCE, $TARGETS, and of each language the variables below, e.g. TEXT_fr; what is not set is left out.
# Out: $WORK/{corpus,spm,data-bin,pos-bin,ner-bin,xnli-bin,lexicon,tatoeba-bin}
#   TEXT_x TOKENIZED_x     text files, raw or with words separated by spaces
#   POS_x NER_x XNLI_x     files of train, valid and test, - for one that there is not; "train" of XNLI may be a,b,c
#   LEXICON_x HELDOUT_x    word lists from the source language to train on, and to hold out
#   PARALLEL_x TATOEBA_x   tables FILE:A,B of sentences of the source language and x, for TLM, and for retrieval
set -euo pipefail

WORK=${WORK:-runs/natural}
SOURCE=${SOURCE:-en} TARGETS=${TARGETS:-fr}
VOCABULARY=${VOCABULARY:-8000}       # pieces of all languages together
SPLIT=${SPLIT:-1000}                 # sentences of valid and of test
POSITIONS=${POSITIONS:-${TOKENS:-64}}   # of the model; longer pairs of XNLI are shortened, and counted
LEXICON_FLAGS=${LEXICON_FLAGS---lower}  # of preprocess/lexicon.py words
PIVOT=${PIVOT-}                      # 1: lexicons of each two targets, too, through the source language
XNLI_FLAGS=${XNLI_FLAGS-}            # --tokenized: words stay as they are
export WORKERS=${WORKERS:-2}
HERE=$(dirname "$0")
source "$HERE/../common.sh"
mkdir -p "$WORK"

of() { local name=$1_$2; echo "${!name-}"; }   # the variable of a language

labelled() {                         # TASK LANGUAGE SCRIPT [flags...]: files of a task -> $WORK/TASK-bin
    local task=$1 lang=$2 variable=${1^^} script=$3 files train valid test flags=()
    read -r train valid test <<< "$(of "$variable" "$lang")"
    [ -n "$train" ] && [ ! -e "$WORK/$task-bin/$lang.done" ] || return 0
    [ "$train" = - ] || flags+=(--train ${train//,/ })
    [ "$valid" = - ] || flags+=(--valid "$valid")
    [ "$test" = - ] || flags+=(--test "$test")
    python "$PREPROCESS/$script" "${vocabulary[@]}" --lang "$lang" --out "$WORK/$task-bin" "${flags[@]}" "${@:4}"
    touch "$WORK/$task-bin/$lang.done"
}

parallel() {                         # LANGUAGE SPLIT TEXT DATA TABLE...: both sides, in folders <en-fr.>en and <en-fr.>fr
    [ ! -e "$4$1" ] || return 0
    python "$PREPROCESS/parallel.py" --langs "$SOURCE,$1" --split "$2" --out "$3" --input "${@:5}"
    binarize "$3/$SOURCE" "$4$SOURCE" "$2"
    binarize "$3/$1" "$4$1" "$2"
}

for lang in $SOURCE $TARGETS; do
    text=$(of TEXT "$lang") tokenized=$(of TOKENIZED "$lang")
    # shellcheck disable=SC2086  # lists of files
    [ -e "$WORK/corpus/$lang/counts.json" ] || python "$PREPROCESS/corpus.py" --lang "$lang" --out "$WORK/corpus/$lang" \
        ${text:+--input $text} ${tokenized:+--tokenized $tokenized} --max-words 100 --valid "$SPLIT" --test "$SPLIT" \
        --workers "$WORKERS"
done
[ -e "$WORK/spm/spm.model" ] || python "$PREPROCESS/subword.py" train --input "$WORK"/corpus/*/train.txt \
    --vocab-size "$VOCABULARY" --character-coverage 0.9995 --out "$WORK/spm"
vocabulary=(--model "$WORK/spm/spm.model" --dict "$WORK/spm/dict.txt")
for lang in $SOURCE $TARGETS; do
    binarize "$WORK/corpus/$lang" "$WORK/data-bin/$lang" train valid test
    labelled pos "$lang" tagging.py
    labelled ner "$lang" tagging.py --task ner
    # shellcheck disable=SC2086
    labelled xnli "$lang" xnli.py --max-tokens "$POSITIONS" $XNLI_FLAGS
done
cp "$WORK/spm/dict.txt" "$WORK/data-bin/dict.txt"
for lang in $TARGETS; do
    pair=$SOURCE-$lang
    # shellcheck disable=SC2046,SC2086  # lists of files and flags
    [ -z "$(of LEXICON "$lang")" ] || [ -e "$WORK/lexicon/$pair.tsv" ] || python "$PREPROCESS/lexicon.py" words \
        $(of LEXICON "$lang") "${vocabulary[@]}" $LEXICON_FLAGS --out "$WORK/lexicon/$pair.tsv" \
        --heldout "$WORK/lexicon/$pair.heldout.tsv" --heldout-input $(of HELDOUT "$lang")
    # shellcheck disable=SC2046
    [ -z "$(of PARALLEL "$lang")" ] || parallel "$lang" train "$WORK/parallel/$pair" "$WORK/data-bin/$pair." $(of PARALLEL "$lang")
    # shellcheck disable=SC2046
    [ -z "$(of TATOEBA "$lang")" ] || parallel "$lang" test "$WORK/tatoeba/$pair" "$WORK/tatoeba-bin/$pair/" $(of TATOEBA "$lang")
    [ ! -e "$WORK/tatoeba-bin/$pair" ] || cp "$WORK/spm/dict.txt" "$WORK/tatoeba-bin/$pair/dict.txt"
done
[ -z "$PIVOT" ] || for lang in $TARGETS; do for other in ${TARGETS#*"$lang"}; do
    [ -e "$WORK/lexicon/$lang-$other.tsv" ] || python "$PREPROCESS/lexicon.py" pivot "$WORK/lexicon/$SOURCE-"{"$lang","$other"}.tsv \
        --heldout-lexicon "$WORK/lexicon/$SOURCE-"{"$lang","$other"}.heldout.tsv --dict "$WORK/spm/dict.txt" \
        --out "$WORK/lexicon/$lang-$other.tsv" --heldout "$WORK/lexicon/$lang-$other.heldout.tsv"
done; done
