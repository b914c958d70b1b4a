#!/usr/bin/env bash
# What is to be known of a GPU, into OUT, within MOST seconds (default 540): bash benchmarks/gpu.sh OUT PEAK [MOST]
# PEAK: TFLOP/s in bfloat16, e.g. 989 for an H100. What matters most comes first; what the time does not allow is named.
# DRY=1: all of it, tiny, on any machine. PRECISIONS: some of bf16 fp16 fp32
# Hugging Face's model makes the logits of all tokens: 16 items of 250,000 words take about 40 GB
set -euo pipefail

mkdir -p "$1"
OUT=$(cd "$1" && pwd) PEAK=$2 MOST=${3:-540} DRY=${DRY:-}
PRECISIONS=${PRECISIONS:-bf16 $([ "$DRY" ] && echo fp32 || echo fp16)}   # a CPU has no --fp16
EACH=$([ "$DRY" ] && echo 600 || echo 120)   # seconds at most of one: one that hangs leaves time for the others
cd "$(dirname "$0")/.."
case :${PYTHONPATH-}: in
    *:$PWD:*) ;;
    *) export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH} ;;
esac
declare -A tiny=(   # the last flag of a name counts
    [training_loop]="--shape tiny --tokens 8 --items 2 --pairs 9 --updates 1 --windows 1 --workers 1"
    [kernels]="--shape tiny --tokens 8 --items 2 --pairs 9 --rounds 1"
    [step]="--shape tiny --tokens 8 --items 2 --pairs 9 --rounds 1"
    [head]="--words 2000 --dim 8 --tokens 2000 --rounds 1 --ways plain 64"
    [alignment_term]="--vocabulary 90 --tokens 8 --items 2 --pairs 9 --rounds 1"
    [word_retrieval]="--words 300 --dim 8"
    [tuning]="--shape tiny --tokens 8 --items 2 --rounds 1"
)
declare -A small_done   # in small all shapes of a benchmark are one
status=0
bounded() {   # what fails, for want of memory or time say, leaves the rest to be done
    local left=$((MOST - SECONDS))
    if ((left < 1)); then
        status=1; echo "left out: ${*:3}" >&2
    else
        timeout --kill-after=5 "$((left < EACH ? left : EACH))" "$@" || { status=1; echo "failed: ${*:3}" >&2; }
    fi
}
measure() {
    local name=$1 small=${DRY:+${tiny[$1]}}; shift
    if [ "$DRY" ]; then
        [ -z "${small_done[$name $precision]-}" ] || return 0
        small_done[$name $precision]=1
    fi
    # shellcheck disable=SC2086  # several flags
    bounded python -m "benchmarks.$name" "$@" $small --results "$OUT"
}

python -m fairseq_align.cli doctor
bounded python -m pytest -q -p no:cacheprovider -m cuda tests/criterions/test_precision.py tests/training/test_gpu.py
for precision in $PRECISIONS; do
    speed=(--precision "$precision" --peak "$PEAK")
    measure training_loop --shape paper --items 64 --update-freq 2 --updates 25 --workers 4 "${speed[@]}"   # the paper's 128
    measure step --shape paper --items 64 "${speed[@]}"
    measure step --shape xlmr --items 16 --only ours fairseq "Hugging Face" "${speed[@]}"
    measure training_loop --shape xlmr --items 32 --updates 25 --workers 4 "${speed[@]}"
done
for precision in $PRECISIONS; do measure kernels --shape paper --items 64 --tokens 512 --precision "$precision"; done
precision=
measure head
measure alignment_term
for precision in $PRECISIONS; do
    measure step --shape xlmr --items 32 --only ours "ours, weight 0" "ours, plain settings" --precision "$precision" --peak "$PEAK"
done
precision=
measure word_retrieval --words 20000 50000
measure tuning --shape xlmr
exit "$status"
