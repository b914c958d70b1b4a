#!/usr/bin/env bash
# Install torch, fairseq and fairseq_align into a virtual environment; a second run is quick and changes nothing.
#   bash install.sh                                into the activated environment, or else into .venv beside this file
#   VENV=DIR PYTHON=python3.12 bash install.sh     into DIR, made with that Python if it is not there
#   EXTRAS=hf bash install.sh                      with what setup.py lists under `hf`, too
# All versions are those of constraints.txt, but a torch >= 2.10 that is there already stays, with its GPU build.
set -euo pipefail

HERE=$(cd "$(dirname "$0")" && pwd)
ENVIRONMENT=${VENV:-${VIRTUAL_ENV:-$HERE/.venv}}
PYTHON=${PYTHON:-python3}
EXTRAS=${EXTRAS-}
PY=$ENVIRONMENT/bin/python
STAMP=$ENVIRONMENT/fairseq_align.sha256
STARTED="fairseq_cli.train, torch._dynamo, fairseq_align.evaluation.tasks, fairseq_align.evaluation.alignment, fairseq_align.results.report"

say() { printf '[%3d s] %s\n' "$SECONDS" "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }
pip() { "$PY" -m pip "$@" --disable-pip-version-check; }
pick() { grep -E "^($1)(==|\$)" <<< "$todo" || true; }  # lines of the to-do list, by name

# What is to be installed: 'name==version' of constraints.txt that the environment lacks, 'package' if fairseq_align
# is not there as it is here. An environment that installing would spoil is refused.
find_todo() {
    "$PY" - "$HERE" "$STAMP" "$EXTRAS" "$(checksum)" <<'END'
import re, sys
from importlib.metadata import distributions
from pathlib import Path

here, stamp, extras, checksum = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4]
found = {re.sub("[-_.]+", "-", distribution.name).lower(): distribution.version for distribution in distributions()}
other = "or choose another environment with VENV=DIR"
if "fairseq" in found:
    sys.exit(f"error: {sys.prefix}: found fairseq {found['fairseq']}, expected only fairseq-fixed, which installs a package of "
             f"the same name; pip uninstall fairseq fairseq-fixed, {other}")
if "torch" in found and [int(part) for part in found["torch"].split(".")[:2]] < [2, 10]:
    sys.exit(f"error: {sys.prefix}: found torch {found['torch']}, expected 2.10 or newer; upgrade it, {other}")
common, hf = (here / "constraints.txt").read_text(encoding="utf-8").split("# what the extra hf adds\n")
for pin in re.findall("^[^#\n].*", common + hf * ("hf" in extras.split(",")), re.MULTILINE):
    name, version = pin.split("==")
    if found.get(name) != version and not (name == "torch" and name in found):
        print(pin)
if "fairseq-align" not in found or not stamp.exists() or stamp.read_text(encoding="utf-8").strip() != checksum:
    print("package")
END
}

checksum() {
    "$PY" - "$HERE" <<'END'
import hashlib, sys
from pathlib import Path

here = Path(sys.argv[1])
digest = hashlib.sha256()
for path in [here / "setup.py", *sorted((here / "fairseq_align").rglob("*.py"))]:
    digest.update(b"%s\n%s\n" % (bytes(path.relative_to(here)), path.read_bytes()))
print(digest.hexdigest())
END
}

# fairseq's wheel, in half the time: debug information (-g) doubles the cost of torch's headers, and setuptools compiles
# extensions side by side unless it finds ninja, which gets them one by one. The CUDA extensions are for other tasks.
build_fairseq() {
    mkdir "$WORK/no-ninja"
    printf '#!/bin/sh\nexit 1\n' > "$WORK/no-ninja/ninja"
    chmod +x "$WORK/no-ninja/ninja"
    printf '[build_ext]\nparallel = 3\n' > "$WORK/fairseq.cfg"
    local flags='-O1 -g0 -DNDEBUG -fwrapv'
    export PATH="$WORK/no-ninja:$PATH" CFLAGS="$flags" CXXFLAGS="$flags" DIST_EXTRA_CONFIG="$WORK/fairseq.cfg"
    unset CUDA_HOME
    pip wheel --no-deps --no-build-isolation --wheel-dir "$WORK" "$1"
}

if [ ! -x "$PY" ]; then
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        die "found $("$PYTHON" --version 2>&1), expected Python 3.11 or newer; name one with PYTHON=python3.12"
    say "virtual environment $ENVIRONMENT, new"
    "$PYTHON" -m venv "$ENVIRONMENT"
fi
"$PY" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    die "$ENVIRONMENT: found $("$PY" --version 2>&1), expected Python 3.11 or newer; choose another one with VENV=DIR"
todo=$(find_todo)
if [ -z "$todo" ]; then
    say "virtual environment $ENVIRONMENT: everything is installed"
    exit 0
fi
say "virtual environment $ENVIRONMENT"
WORK=$(mktemp -d)
trap 'kill ${building-} 2> "$WORK/kill.log" || true; rm -rf "$WORK"' EXIT

first=$(pick 'torch|numpy|cython|setuptools|wheel')
if [ -n "$first" ]; then
    say "first" $first
    # with what torch needs in turn; on a terminal pip shows how far the download is
    pip install $([ -t 1 ] || echo -qq) --no-compile --constraint "$HERE/constraints.txt" $first
    todo=$(find_todo)
fi
fairseq=$(pick fairseq-fixed)
if [ -n "$fairseq" ]; then
    say "$fairseq: compiling it in the background, about a minute on two cores"
    build_fairseq "$fairseq" > "$WORK/fairseq.log" 2>&1 & building=$!
fi
rest=$(grep == <<< "$todo" | grep -v ^fairseq-fixed== || true)
if [ -n "$rest" ]; then
    say "$(wc -l <<< "$rest") packages that they need"
    pip install -qq --no-compile --no-deps --no-build-isolation $rest
fi
if [ -n "$fairseq" ]; then
    say "waiting for fairseq"
    wait "$building" || {
        tail -n 30 "$WORK/fairseq.log" >&2
        die "$fairseq did not compile, see above; it needs a C++ compiler and Python's headers (Debian: g++ python3-dev)"
    }
    pip install -qq --no-compile --no-deps "$WORK"/fairseq_fixed-*.whl
fi
if [ -n "$(pick package)" ]; then
    say "fairseq_align"
    # Not editable: fairseq looks for `--user-dir fairseq_align` beside its own folder. Built outside the clone, where no
    # file of an earlier build can slip in.
    sum=$(checksum)
    printf '[build]\nbuild_base = %s/build\n[egg_info]\negg_base = %s\n' "$WORK" "$WORK" > "$WORK/package.cfg"
    DIST_EXTRA_CONFIG=$WORK/package.cfg pip install -qq --no-compile --no-deps --no-build-isolation "$HERE"
    echo "$sum" > "$STAMP"
fi
say "bytecode of what a training imports"
# 10 seconds of every start where PYTHONDONTWRITEBYTECODE is set, as in many containers. -P: not of this clone
PYTHONDONTWRITEBYTECODE= "$PY" -P -c "import $STARTED" > "$WORK/import.log" 2>&1 || {
    tail -n 5 "$WORK/import.log" >&2
    die "what is installed does not import, see above; '$ENVIRONMENT/bin/fairseq-align doctor' looks into it"
}
say "done; 'fairseq-align doctor' shows what is installed"
