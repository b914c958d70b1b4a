#!/usr/bin/env bash
# What pairs two languages: lexicons, parallel text for TLM and for retrieval. A part of prepare.sh, whose head says
# what the variables hold.
# Usage: prepare_pairs.sh [--dry-run]. In: $WORK/spm, LEXICON_x HELDOUT_x PARALLEL_x TATOEBA_x of each target language.
# Out: $WORK/lexicon, $WORK/data-bin/<en-fr.en>, $WORK/tatoeba-bin/<en-fr>
set -euo pipefail
source "$(dirname "$0")/../common.sh"
source "$EXAMPLES/study.sh"

WORK=${WORK:-runs/natural} SOURCE=${SOURCE:-en} TARGETS=${TARGETS:-fr}
LEXICON_FLAGS=${LEXICON_FLAGS---lower}  # of fairseq-align lexicon words
PARALLEL_FLAGS=${PARALLEL_FLAGS-}    # of fairseq-align parallel, e.g. --tokenized for raw text
PIVOT=${PIVOT-}                      # 1: lexicons of each two targets, too, through the source language
LEXICONS=$WORK/lexicon

parallel() {                         # LANGUAGE SPLIT TEXT DATA TABLE...: both sides, binarized in DATAen and DATAfr
    [ $# -gt 4 ] && [ ! -e "$4$1" ] || return 0
    # shellcheck disable=SC2086  # flags
    python "$PREPROCESS/parallel.py" --langs "$SOURCE,$1" --split "$2" --out "$3" --input "${@:5}" \
        $PARALLEL_FLAGS
    binarize "$3/$SOURCE" "$4$SOURCE" "$2"
    binarize "$3/$1" "$4$1" "$2"
}

for lang in $TARGETS; do
    pair=$SOURCE-$lang words=$(of LEXICON "$lang") heldout=$(of HELDOUT "$lang") table=$(of TATOEBA "$lang")
    # shellcheck disable=SC2046,SC2086  # lists of files and flags
    {
        [ -z "$words" ] || [ -e "$LEXICONS/$pair.tsv" ] || python "$PREPROCESS/lexicon.py" words $words $LEXICON_FLAGS \
            --model "$WORK/spm/spm.model" --dict "$WORK/spm/dict.txt" --out "$LEXICONS/$pair.tsv" \
            --heldout "$LEXICONS/$pair.heldout.tsv" ${heldout:+--heldout-input $heldout}
        parallel "$lang" train "$WORK/parallel/$pair" "$WORK/data-bin/$pair." $(of PARALLEL "$lang")
        parallel "$lang" test "$WORK/tatoeba/$pair" "$WORK/tatoeba-bin/$pair/" $table
    }
    [ -z "$table" ] || cp "$WORK/spm/dict.txt" "$WORK/tatoeba-bin/$pair/dict.txt"
done
[ -z "$PIVOT" ] || for lang in $TARGETS; do
    for other in ${TARGETS#*"$lang"}; do
        [ -e "$LEXICONS/$lang-$other.tsv" ] || python "$PREPROCESS/lexicon.py" pivot \
            "$LEXICONS/$SOURCE-$lang.tsv" "$LEXICONS/$SOURCE-$other.tsv" --dict "$WORK/spm/dict.txt" --heldout-lexicon \
            "$LEXICONS/$SOURCE-$lang.heldout.tsv" "$LEXICONS/$SOURCE-$other.heldout.tsv" \
            --out "$LEXICONS/$lang-$other.tsv" --heldout "$LEXICONS/$lang-$other.heldout.tsv"
    done
done
