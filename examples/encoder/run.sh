#!/usr/bin/env bash
# One model of a study that starts from a pre-trained encoder: as ../natural/run.sh, and for transformers in
# $WORK/hf/<cell>.
# Usage: run.sh [--dry-run] OBJECTIVE TARGETS [SETTING=VALUE...], e.g. run.sh align_mlm fr,ar SEED=2
#   PRETRAIN=align   the word embeddings alone are aligned, without text: align_mlm PRETRAIN=align VARIANT=alone
#   PRETRAIN=align+train   first that, then as without it: align_mlm PRETRAIN=align+train VARIANT=aligned-first
#   PRETRAIN=none    the encoder as it was imported: mlm PRETRAIN=none VARIANT=imported
set -euo pipefail
source "$(dirname "$0")/../common.sh"
export PRETRAIN_RECIPE=$EXAMPLES/encoder/pretrain.sh
EXPORT=${EXPORT-1} bash "$EXAMPLES/natural/run.sh" "$@"
