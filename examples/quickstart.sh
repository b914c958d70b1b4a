#!/usr/bin/env bash
# The main job on embedded data, in one command: install, make a toy language and its derived twin, pre-train with and
# without the dictionary, fine-tune a tagger, score zero-shot transfer. Out: $WORK/report/report.{md,csv,png}
set -euo pipefail

HERE=$(cd "$(dirname "$0")" && pwd)
export WORK=${WORK:-runs/quickstart}
ENVIRONMENT=${VENV:-${VIRTUAL_ENV:-${CONDA_PREFIX:-$HERE/../.venv}}}

bash "$HERE/../install.sh"
export PATH="$(cd "$ENVIRONMENT" && pwd)/bin:$PATH"
[ -e "$WORK/toy/test.conllu" ] || python "$HERE/toy_language.py" --out "$WORK/toy"
bash "$HERE/derived/grid.sh" quickstart.sh
