#!/usr/bin/env bash
# Install what is needed and run the tests; arguments go to pytest, e.g. `bash tests/run.sh -k lexicon`.
set -euo pipefail

HERE=$(cd "$(dirname "$0")/.." && pwd)
bash "$HERE/install.sh"
. "${VENV:-${VIRTUAL_ENV:-$HERE/.venv}}/bin/activate"  # the one that install.sh uses
cd "$HERE"
exec python -m pytest -q --durations=10 "$@"
