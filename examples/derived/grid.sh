#!/usr/bin/env bash
# A study: prepare the data, run every cell, report. Usage: grid.sh PRESET   (a file of settings in presets/)
# Out: $WORK/results.jsonl, $WORK/report/report.{md,csv,png}. Started again, it goes on where it stopped
set -euo pipefail

HERE=$(dirname "$0")
cells() {                            # a line each: OBJECTIVE TRANSFORMS [SETTING=VALUE...]; a preset may define its own
    local seed derivation objective rate
    for seed in $SEEDS; do for derivation in $GRID; do for objective in $OBJECTIVES; do
        case $objective in
            mlm | tlm) echo "$objective $derivation SEED=$seed" ;;
            *) for rate in $RATES; do echo "$objective $derivation SEED=$seed RATE=$rate"; done ;;
        esac
    done; done; done
}
set -a
# shellcheck disable=SC1090
source "$HERE/presets/${1:?name a preset: $(ls "$HERE/presets")}"
set +a
export WORK=${WORK:-runs/${1%.sh}}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}   # one thread a cell, JOBS cells side by side
JOBS=${JOBS:-2}
read -ra transforms <<< "$GRID"

bash "$HERE/prepare.sh" "${transforms[@]}"
targets=("${transforms[@]/#/${SOURCE:-en}-}")
bash "$HERE/prepare_tasks.sh" "${targets[@]//,/+}"
cells | xargs -P "$JOBS" -L 1 bash -c 'set -o pipefail; bash "$0/run.sh" "$@" 2>&1 | sed -u "s/^/[$*] /"' "$HERE"
fairseq-align report "$WORK/results.jsonl" --out "$WORK/report"
