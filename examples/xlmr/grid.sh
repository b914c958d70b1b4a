#!/usr/bin/env bash
# A study that starts from XLM-R: prepare, continue pre-training, fine-tune, report. Usage: grid.sh PRESET   (a file of presets/)
# Out: $WORK/results.jsonl, $WORK/report/, $WORK/hf/<cell> for transformers. Started again, it goes on where it stopped
set -euo pipefail

HERE=$(dirname "$0")
export WORK=${WORK:-runs/xlmr-${1%.sh}}
set -a
# shellcheck disable=SC1090
source "$HERE/presets/${1:?name a preset: $(ls "$HERE/presets")}"
set +a

bash "$HERE/prepare.sh"
cells | xargs -L 1 bash "$HERE/../natural/run.sh"   # one after the other, on all GPUs
fairseq-align report "$WORK/results.jsonl" --out "$WORK/report"
for cell in "$WORK"/runs/*; do
    [ -e "$WORK/hf/${cell##*/}" ] || fairseq-align export "$cell/pretrain/model.pt" "$WORK/hf/${cell##*/}" \
        --model "$WORK/spm/spm.model" --data "$WORK/data-bin" --results "$WORK/results.jsonl"
done
