#!/usr/bin/env bash
# A study of natural languages: prepare the data, run every model, report. Usage: grid.sh PRESET   (a file of presets/)
# Out: $WORK/results.jsonl, $WORK/report/report.{md,csv,png}. Started again, it goes on where it stopped
set -euo pipefail

HERE=$(dirname "$0")
set -a
# shellcheck disable=SC1090
source "$HERE/presets/${1:?name a preset: $(ls "$HERE/presets")}"
set +a
export WORK=${WORK:-runs/natural-${1%.sh}}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}   # one thread a model, JOBS models side by side

bash "$HERE/prepare.sh"
cells | xargs -P "${JOBS:-2}" -L 1 bash -c 'set -o pipefail; bash "$0/run.sh" "$@" 2>&1 | sed -u "s/^/[$*] /"' "$HERE"
fairseq-align report "$WORK/results.jsonl" --out "$WORK/report"
