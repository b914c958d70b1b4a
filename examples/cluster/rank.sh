#!/usr/bin/env bash
# One rank of a training that torchrun or srun starts on every GPU.
# Usage: rank.sh [--dry-run] DATA FLAGS... of fairseq-train
# fairseq would look for ranks and GPUs itself; told outright, it does the same on any launcher, and on machines
# without GPU
set -euo pipefail
source "$(dirname "$0")/../common.sh"

[ $# -gt 0 ] || fail "found no arguments, expected DATA FLAGS...; see rank.sh --help"
export RANK=${RANK:-$SLURM_PROCID} LOCAL_RANK=${LOCAL_RANK:-$SLURM_LOCALID} WORLD_SIZE=${WORLD_SIZE:-$SLURM_NTASKS}
exec fairseq-train "$1" --user-dir "$PLUGIN" --ddp-backend pytorch_ddp "${@:2}" \
    --distributed-init-method env:// --distributed-no-spawn --device-id "$LOCAL_RANK" \
    --distributed-world-size "$WORLD_SIZE" --distributed-rank "$RANK"
