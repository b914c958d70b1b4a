#!/usr/bin/env bash
# What is to be measured on a GPU, into OUT, within MOST seconds (default 540): bash benchmarks/gpu.sh OUT PEAK [MOST]
# PEAK: TFLOP/s in bfloat16, e.g. 989 for an H100. What matters most comes first; what the time does not allow is named.
# Hugging Face's model makes the logits of all tokens: 16 items of 250,000 words take about 40 GB
set -euo pipefail

mkdir -p "$1"
OUT=$(cd "$1" && pwd) PEAK=$2 MOST=${3:-540}
EACH=120   # seconds at most of one measurement: one that hangs leaves time for the others
cd "$(dirname "$0")/.."
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH}
status=0
measure() {   # what fails, for want of memory or time say, leaves the rest to be measured
    local name=$1 left=$((MOST - SECONDS)); shift
    if ((left < 1)); then
        status=1; echo "left out: benchmarks.$name $*" >&2
    else
        timeout --kill-after=5 "$((left < EACH ? left : EACH))" python -m "benchmarks.$name" "$@" --results "$OUT" ||
            { status=1; echo "failed: benchmarks.$name $*" >&2; }
    fi
}

python -m fairseq_align.cli doctor
for precision in bf16 fp16; do
    speed=(--precision "$precision" --peak "$PEAK")
    measure training_loop --shape paper --items 64 --update-freq 2 --updates 25 --workers 4 "${speed[@]}"   # the paper's 128
    measure step --shape paper --items 64 "${speed[@]}"
    measure step --shape xlmr --items 16 --only ours fairseq "Hugging Face" "${speed[@]}"
    measure training_loop --shape xlmr --items 32 --updates 25 --workers 4 "${speed[@]}"
done
measure head
measure alignment_term
for precision in bf16 fp16; do
    measure step --shape xlmr --items 32 --only ours "ours, weight 0" "ours, plain settings" --precision "$precision" --peak "$PEAK"
done
measure word_retrieval --words 20000 50000
measure tuning --shape xlmr
exit "$status"
