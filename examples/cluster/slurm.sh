#!/usr/bin/env bash
# Train on the GPUs of a Slurm job.
# Usage: sbatch [--nodes=4 ...] slurm.sh [--dry-run] DATA FLAGS... of fairseq-train
# Two minutes before its time is up, or when it is preempted, the job saves a checkpoint, queues again, and goes on
# from it
#SBATCH --job-name=align-mlm --nodes=1 --ntasks-per-node=8 --gpus-per-node=8 --cpus-per-task=6 --time=24:00:00
#SBATCH --requeue --signal=USR1@120 --open-mode=append
set -euo pipefail

recipe=$0
if [ -n "${SLURM_JOB_ID-}" ]; then   # Slurm runs a copy of the recipe
    recipe=$(scontrol show job "$SLURM_JOB_ID" | sed -n 's/^ *Command=\([^ ]*\).*/\1/p')
fi
source "$(dirname "$recipe")/../common.sh"

[ -n "${SLURM_JOB_ID-}" ] || fail "found no job of Slurm, expected one; start this recipe with sbatch"
MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
export MASTER_ADDR MASTER_PORT=${MASTER_PORT:-29500}
status=0
srun bash "$EXAMPLES/cluster/rank.sh" "$@" || status=$?
[ "$status" != 75 ] || scontrol requeue "$SLURM_JOB_ID"   # 75: told to go, and saved
exit "$status"
