#!/usr/bin/env bash
# Bring in a pre-trained encoder, then prepare the data of a study in its vocabulary.
# Usage: prepare.sh [--dry-run]. In: $ENCODER, and the data in the variables of ../natural/prepare.sh.
# Out: $WORK/encoder/{model.pt,dict.txt,spm.model}, $WORK/spm, and what ../natural/prepare.sh makes
set -euo pipefail
source "$(dirname "$0")/../common.sh"

export WORK=${WORK:-runs/encoder} SOURCE=${SOURCE:-en} TARGETS=${TARGETS:-fr}
ENCODER=${ENCODER:-FacebookAI/xlm-roberta-base}   # name on the hub, folder of Hugging Face, or fairseq's archive
KEEP=${KEEP-}                        # 1: only the rows of the vocabulary that the files of the study need
IMPORT_FLAGS=${IMPORT_FLAGS-}        # e.g. --extend-vocab pieces.txt --extend-lexicon words.tsv
CHECKSUMS=${CHECKSUMS-}              # lines of sha256sum over what was downloaded; they are checked first

needed() {                           # the files of the study, one a line; of FILE:1,2 and of a,b,c each file once
    local lang kind word
    for lang in $SOURCE $TARGETS; do
        for kind in TEXT TOKENIZED POS NER XNLI LEXICON HELDOUT PARALLEL TATOEBA; do
            for word in $(of $kind "$lang"); do
                [ "$word" = - ] || tr , '\n' <<< "${word%:[0-9]*}"
            done
        done
    done | sort -u
}
[ -z "${CHECK-}" ] || exec bash "$EXAMPLES/natural/prepare.sh"
[ -z "$CHECKSUMS" ] || sha256sum --check --quiet "$CHECKSUMS"
mkdir -p "$WORK/spm"
keep=()
[ -z "$KEEP" ] || { readarray -t keep < <(needed); keep=(--keep-vocab "${keep[@]}"); }
# shellcheck disable=SC2086  # flags
[ -e "$WORK/encoder" ] || fairseq-align import "$ENCODER" "$WORK/encoder" $IMPORT_FLAGS "${keep[@]}"
cp "$WORK/encoder/dict.txt" "$WORK/encoder/spm.model" "$WORK/spm/"
bash "$EXAMPLES/natural/prepare.sh"
