#!/usr/bin/env bash
# Labelled data of several languages: POS, NER, XNLI. A part of prepare.sh, whose head says what the variables hold.
# Usage: prepare_tasks.sh [--dry-run]. In: $WORK/spm, POS_x NER_x XNLI_x of each language. Out: $WORK/{pos,ner,xnli}-bin
set -euo pipefail
source "$(dirname "$0")/../common.sh"

WORK=${WORK:-runs/natural} SOURCE=${SOURCE:-en} TARGETS=${TARGETS:-fr}
XNLI_TOKENS=${XNLI_TOKENS:-${POSITIONS:-${TOKENS:-64}}}   # longer pairs of XNLI are shortened, and counted
XNLI_FLAGS=${XNLI_FLAGS-}            # --tokenized: words stay as they are

labelled() {                         # TASK LANGUAGE SCRIPT [flags...]: files of a task -> $WORK/TASK-bin
    local data=$WORK/$1-bin lang=$2 train valid test flags=()
    read -r train valid test <<< "$(of "${1^^}" "$lang")"
    [ -n "$train" ] && [ ! -e "$data/$lang.done" ] || return 0
    # shellcheck disable=SC2206  # a list of files
    [ "$train" = - ] || flags+=(--train ${train//,/ })
    [ "$valid" = - ] || flags+=(--valid "$valid")
    [ "$test" = - ] || flags+=(--test "$test")
    python "$PREPROCESS/$3" --model "$WORK/spm/spm.model" --dict "$WORK/spm/dict.txt" --lang "$lang" --out "$data" \
        "${flags[@]}" "${@:4}"
    touch "$data/$lang.done"
}

for lang in $SOURCE $TARGETS; do
    labelled pos "$lang" tagging.py
    labelled ner "$lang" tagging.py --task ner
    # shellcheck disable=SC2086  # flags
    labelled xnli "$lang" xnli.py --max-tokens "$XNLI_TOKENS" $XNLI_FLAGS
done
