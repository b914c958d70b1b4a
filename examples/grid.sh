#!/usr/bin/env bash
# A study: prepare the data, make every cell of a grid of models, report.
# Usage: grid.sh [--dry-run] STUDY PRESET, e.g. grid.sh derived small; started again, it goes on where it stopped
# STUDY is derived (a language and those derived from it), natural (several languages) or encoder (these, from XLM-R);
# PRESET a file of settings in STUDY/presets, each of which may be given from outside instead. The grid:
#   GRID         what a model learns beside the source language: transforms (derived), other languages (fr,ar)
#   OBJECTIVES   mlm, tlm, dict_mlm, align_mlm, or several at once: align_mlm+tlm
#   RATES        fractions of the vocabulary in the lexicon (derived), for the objectives that use one
#   SEEDS
#   EXPERIMENTS  names of several grids in one study, e.g. "table overlap" (derived paper): GRID_overlap and so on
# A word of GRID or OBJECTIVES may be followed by settings of its cells alone:
#   OBJECTIVES="mlm tlm SEED=1 align_mlm ALIGN_LOSS=contrastive VARIANT=contrastive"
# Out: $WORK/results.jsonl, $WORK/report/report.{html,md,csv,png}; what is done meanwhile in $WORK/{data,models}.log
set -euo pipefail
source "$(dirname "$0")/common.sh"
source "$EXAMPLES/objectives.sh"
source "$EXAMPLES/cells.sh"

names() { basename --multiple --suffix .sh "$@" | xargs; }
known() {                            # KIND NAME FILE NAMES
    [[ $2 =~ ^[a-z0-9_-]+$ && -e $3 ]] || fail "found $1 '$2', expected one of: $4; see grid.sh --help"
}
NAME=${1-} PRESET=${2-}
PRESET=${PRESET%.sh} STUDY=$EXAMPLES/$NAME
known study "$NAME" "$STUDY/presets" "$(for presets in "$EXAMPLES"/*/presets; do names "${presets%/*}"; done | xargs)"
known preset "$PRESET" "$STUDY/presets/$PRESET.sh" "$(names "$STUDY"/presets/*)"
export WORK=${WORK:-runs/$NAME-$PRESET}
set -a
# shellcheck disable=SC1090
source "$STUDY/presets/$PRESET.sh"
set +a
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}   # one thread a cell, JOBS cells side by side

list=$(set -e; cells)                # refuses an unknown objective before anything is made
if [ -n "$DRY_RUN" ]; then
    bash "$STUDY/prepare.sh"
    while read -r cell; do echo "# $cell"; xargs bash "$STUDY/run.sh" <<< "$cell"; done <<< "$list"
else
    CHECK=1 bash "$STUDY/prepare.sh"
    watch() { fairseq-align watch "$WORK/runs" --title "$1" --output "$WORK/$1.log" -- "${@:2}"; }
    watch data bash "$STUDY/prepare.sh"
    watch models xargs -P "${JOBS:-2}" -L 1 bash -c 'set -o pipefail; bash "$0" "$@" 2>&1 | sed -u "s|^|[$*] |"' \
        "$STUDY/run.sh" <<< "$list"
fi
[ "$NAME" != derived ] || bash "$STUDY/map.sh"
fairseq-align report "$WORK/results.jsonl" --out "$WORK/report" --brief
