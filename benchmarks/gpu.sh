#!/usr/bin/env bash
# What is to be measured on a GPU, into OUT: bash benchmarks/gpu.sh OUT PEAK   (TFLOP/s in bfloat16, e.g. 989 for an H100)
# Hugging Face's model makes the logits of all tokens: 16 items of 250,000 words take about 40 GB
set -euo pipefail

mkdir -p "$1"
OUT=$(cd "$1" && pwd) PEAK=$2
cd "$(dirname "$0")/.."
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH}
status=0
measure() {   # what fails, for want of memory say, leaves the rest to be measured
    local name=$1; shift
    python -m "benchmarks.$name" "$@" --results "$OUT" || { status=1; echo "failed: benchmarks.$name $*" >&2; }
}

python -m fairseq_align.cli doctor
for precision in bf16 fp16; do
    speed=(--precision "$precision" --peak "$PEAK")
    measure step --shape paper --items 64 "${speed[@]}"
    measure step --shape xlmr --items 16 --only ours fairseq "Hugging Face" "${speed[@]}"
    measure step --shape xlmr --items 32 --only ours "ours, weight 0" "ours, plain settings" "${speed[@]}"
    measure training_loop --shape paper --items 64 --update-freq 2 --updates 25 --workers 4 "${speed[@]}"   # the paper's 128
    measure training_loop --shape xlmr --items 32 --updates 25 --workers 4 "${speed[@]}"
done
measure head
measure alignment_term
measure word_retrieval --words 20000 50000
measure tuning --shape xlmr
exit "$status"
