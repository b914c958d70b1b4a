#!/usr/bin/env bash
# The main job on embedded data, in one command: install, make a toy language and its derived twin, pre-train with and
# without the dictionary, fine-tune a tagger, score zero-shot transfer.
# Usage: quickstart.sh [--dry-run]. Out: $WORK/report/report.{html,md,csv,png}
set -euo pipefail
source "$(dirname "$0")/common.sh"

export WORK=${WORK:-runs/quickstart}
ENVIRONMENT=${VENV:-${VIRTUAL_ENV:-${CONDA_PREFIX:-$(dirname "$EXAMPLES")/.venv}}}

if [ -n "$DRY_RUN" ]; then
    show bash "$(dirname "$EXAMPLES")/install.sh"
else
    bash "$(dirname "$EXAMPLES")/install.sh"
    PATH=$(cd "$ENVIRONMENT" && pwd)/bin:$PATH
fi
[ -e "$WORK/toy/test.conllu" ] || python "$EXAMPLES/toy_language.py" --out "$WORK/toy"
bash "$EXAMPLES/grid.sh" derived quickstart
[ -n "$DRY_RUN" ] || cat << END
next: three seeds                               SEEDS="1 2 3" bash examples/quickstart.sh
      your own text, dictionary and treebank    docs/walk.md
END
