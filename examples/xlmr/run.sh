#!/usr/bin/env bash
# One model of a study that starts from XLM-R: as ../natural/run.sh, and for transformers in $WORK/hf/<cell>.
# Usage: run.sh [--dry-run] OBJECTIVE TARGETS [SETTING=VALUE...], e.g. run.sh align_mlm fr,ar SEED=2
set -euo pipefail
source "$(dirname "$0")/../common.sh"
EXPORT=1 bash "$EXAMPLES/natural/run.sh" "$@"
