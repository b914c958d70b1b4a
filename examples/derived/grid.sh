#!/usr/bin/env bash
# A study: prepare the data, run every cell, report. Usage: grid.sh PRESET   (a file of settings in presets/)
# Out: $WORK/results.jsonl, $WORK/report/report.{md,csv,png}. Started again, it goes on where it stopped
set -euo pipefail

HERE=$(dirname "$0")
set -a
# shellcheck disable=SC1090
source "$HERE/presets/${1:?name a preset: $(ls "$HERE/presets")}"
set +a
export WORK=${WORK:-runs/${1%.sh}}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}   # one thread a cell, JOBS cells side by side
JOBS=${JOBS:-2}
read -ra transforms <<< "$GRID"

bash "$HERE/prepare.sh" "${transforms[@]}"
for seed in $SEEDS; do
    for derivation in "${transforms[@]}"; do
        echo "mlm 0.5 $derivation $seed"
        for rate in $RATES; do echo "align_mlm $rate $derivation $seed"; done
    done
done | xargs -P "$JOBS" -L 1 bash -c 'RATE=$2 SEED=$4 bash "$0/run.sh" "$1" "$3" 2>&1 | sed -u "s/^/[$1 $2 seed $4] /"' "$HERE"
fairseq-align report "$WORK/results.jsonl" --out "$WORK/report"
