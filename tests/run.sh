#!/usr/bin/env bash
# Install what is needed and run the tests, two at a time (JOBS=1: one by one, for a debugger); arguments go to pytest,
# e.g. `bash tests/run.sh -k lexicon`.
set -euo pipefail

HERE=$(cd "$(dirname "$0")/.." && pwd)
EXTRAS=${EXTRAS-hf,parquet,shell,characters} bash "$HERE/install.sh"   # EXTRAS=: without them; their tests are skipped
ENVIRONMENT=${VENV:-${VIRTUAL_ENV:-${CONDA_PREFIX:-$HERE/.venv}}}  # the one that install.sh uses
export PATH="$(cd "$ENVIRONMENT" && pwd)/bin:$PATH"
cd "$HERE"
export PYTHONDONTWRITEBYTECODE=      # else every process of the tests compiles anew what it imports
# Each test has a limit of its own (pyproject.toml); that of the whole, in seconds, names the test before which it came.
tests() {
    python -m pytest -q --durations=10 --session-timeout "${LIMIT:-7200}" --numprocesses "${JOBS:-2}" --dist worksteal "$@"
}
status=0
tests -m forks "$@" || status=$?     # in processes of their own: a fork has what went before, threads and all
[ "$status" != 5 ] || status=0       # 5: no test was asked for
tests -m "not forks" "$@" || { other=$?; [ "$other" = 5 ] || status=$other; }
exit "$status"
