#!/usr/bin/env bash
# Train on the GPUs of one machine or several, without a scheduler.
# Usage: torchrun.sh [--dry-run] DATA FLAGS... of fairseq-train
# On several, start it on each: NODES=2 NODE=0 HOST=first-machine bash torchrun.sh ..., and NODE=1 on the second
set -euo pipefail
source "$(dirname "$0")/../common.sh"

GPUS=${GPUS:-$(command python -c 'import torch; print(torch.cuda.device_count())')}   # of each machine
NODES=${NODES:-1}
NODE=${NODE:-0}                      # number of this machine
HOST=${HOST:-127.0.0.1}              # machine 0, as the others reach it
PORT=${PORT:-29500}                  # free on machine 0
if [ "$GPUS" = 0 ]; then
    fail "found no GPU, expected one or more; on CPUs: GPUS=2 torchrun.sh DATA ... --cpu" \
        "--distributed-backend gloo --ddp-backend legacy_ddp"
fi
torchrun --nnodes "$NODES" --node-rank "$NODE" --nproc-per-node "$GPUS" --master-addr "$HOST" --master-port "$PORT" \
    --no-python bash "$EXAMPLES/cluster/rank.sh" "$@"
