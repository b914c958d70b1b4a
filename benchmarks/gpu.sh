#!/usr/bin/env bash
# What is to be measured on a GPU, into OUT: bash benchmarks/gpu.sh OUT PEAK   (TFLOP/s in bfloat16, e.g. 989 for an H100)
set -euo pipefail

OUT=$1 PEAK=$2
cd "$(dirname "$0")/.."
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH}
python -m fairseq_align.cli doctor
for precision in bf16 fp16; do
    python benchmarks/step.py --shape paper --items 64 --precision "$precision" --peak "$PEAK" --results "$OUT"
    python benchmarks/step.py --shape xlmr --items 32 --precision "$precision" --peak "$PEAK" --results "$OUT"
done
python benchmarks/head.py --results "$OUT"
python benchmarks/alignment.py --results "$OUT"
python benchmarks/scoring.py --words 20000 50000 --results "$OUT"
python benchmarks/tuning.py --shape xlmr --results "$OUT"
