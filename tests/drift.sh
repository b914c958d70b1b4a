#!/usr/bin/env bash
# Whether today's newest releases still work: resolves the requirements without constraints.txt in a new environment and
# runs the fast tests, those that train nothing. By hand, and once per release; docs/installation.md holds the last run.
set -euo pipefail

HERE=$(cd "$(dirname "$0")/.." && pwd)
PYTHON=${PYTHON:-python3.12}  # fairseq-fixed has a wheel for it, and is not compiled against any torch
ENVIRONMENT=$(mktemp -d)
trap 'rm -rf "$ENVIRONMENT"' EXIT
TESTS="alignment bitext correlation corpus derivation dictionaries doctor fuzz iob2 isomorphism lexicon results retrieval
    sentence_retrieval subword syntax tags word_order"

"$PYTHON" -m venv "$ENVIRONMENT"
export PATH="$ENVIRONMENT/bin:$PATH" OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
pip install -q torch numpy cython setuptools wheel
pip install -q --no-build-isolation "$HERE[test,plot,hf]"
if ! python -c 'import torchaudio'; then
    pip uninstall -q -y torchaudio  # as fairseq-align doctor advises
fi
echo "$(date -u +%F), $(python --version)"
pip freeze --all | sed 's/ @ .*//' | grep -v '^nvidia-' | while read -r pin; do
    grep -qix "$pin" "$HERE/constraints.txt" || echo "moved: $pin"
done
cd "$HERE"
files=()
for test in $TESTS; do
    while read -r file; do files+=("$file"); done < <(find tests -name "test_$test.py")
done
python -m pytest -q --numprocesses "${JOBS:-2}" "$@" "${files[@]}"
