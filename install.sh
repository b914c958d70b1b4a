#!/usr/bin/env bash
# Install torch, fairseq and fairseq_align into an environment; a second run is quick and changes nothing.
#   bash install.sh                                into the active environment (venv, uv, conda), or else .venv beside this file
#   VENV=DIR PYTHON=python3.12 bash install.sh     into DIR, made with that Python if it is not there
#   EXTRAS=hf,docs bash install.sh                 with what the extras `hf` and `docs` list, too
#   WHEELS=DIR bash install.sh                     from the wheels in DIR alone, without a package index
# All versions are those of constraints.txt, but a torch >= 2.10 that is there already stays, with its GPU build.
# Where a step fails or is interrupted, all that it started is stopped; the next run goes on from there.
set -euo pipefail
set -m  # every step is a process group of its own, which can be stopped as a whole
export PYTHONDONTWRITEBYTECODE=  # 10 seconds of every start where it is set, as in many containers

HERE=$(cd "$(dirname "$0")" && pwd)
ENVIRONMENT=${VENV:-${VIRTUAL_ENV:-${CONDA_PREFIX:-$HERE/.venv}}}
PYTHON=${PYTHON:-python3}
EXTRAS=${EXTRAS-}
WHEELS=${WHEELS-}
FROM_SOURCE='fairseq-fixed|antlr4-python3-runtime'  # may be built where there is no wheel; all else is a wheel or an error
PY=$ENVIRONMENT/bin/python
STAMP=$ENVIRONMENT/fairseq_align.sha256
LOG=$ENVIRONMENT/fairseq_align.log
BUILD_LOG=$ENVIRONMENT/fairseq_align.build.log
IMPORTING="importing what is installed ('$ENVIRONMENT/bin/fairseq-align doctor' looks into it)"
STARTED="fairseq_cli.train, torch._dynamo, fairseq_align.evaluation.alignment, fairseq_align.results.report"
BESIDE="torch._dynamo, sacrebleu, scipy.optimize, sklearn.metrics"  # most of what these import; hydra waits for antlr4

say() { printf '[%3d s] %s\n' "$SECONDS" "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }
pip() { "$PY" -m pip "$@" --disable-pip-version-check ${WHEELS:+--no-index} ${WHEELS:+"--find-links=$WHEELS"}; }
install() { pip install --no-compile --only-binary=:all: "$@"; }
pick() { grep -E "^($1)(==|\$)" <<< "$todo" || true; }  # lines of the to-do list, by name

# Steps, each in the background and waited for, so that an interrupt is heard at once.

groups=()

start() {  # LOG COMMAND...
    "${@:2}" >> "$1" 2>&1 < /dev/null &
    groups+=($!)
}

finish() {  # GROUP LOG WHAT
    local reason
    wait "$1" 2> /dev/null && return
    reason=$(sed -nE '/(^|[^a-zA-Z])(error|ERROR|fatal):/ { s/^[0-9T:,-]+ +//; p; q; }' "$2")
    [[ $reason != *Exception: ]] || reason=$(tail -n 1 "$2")  # what Python raised stands last
    die "$3 failed: ${reason:-$(tail -n 1 "$2")}; the log is $2; mend it and run install.sh again, which goes on from here"
}

step() {  # WHAT COMMAND...
    start "$LOG" "${@:2}"
    finish "$!" "$LOG" "$1"
}

stop_all() {
    local group
    for group in ${groups[@]+"${groups[@]}"}; do
        for signal in TERM KILL; do
            kill -$signal -- "-$group" 2> /dev/null || continue 2  # nothing is left of it
            for _ in {1..50}; do
                sleep 0.1
                kill -0 -- "-$group" 2> /dev/null || continue 3
            done
        done
    done
}

clean_up() {
    trap '' INT TERM HUP
    exec 2> /dev/null  # bash would report each job that it ends
    stop_all
    rm -rf "$WORK"
}

# What is to be installed: 'name==version' of constraints.txt that the environment lacks, 'package' if fairseq_align
# is not there as it is here. An environment that installing would spoil is refused.
find_todo() {
    "$PY" - "$HERE" "$STAMP" "$EXTRAS" "$(checksum)" <<'END'
import re, shutil, sys
from importlib.metadata import distributions
from pathlib import Path

here, stamp, extras, checksum = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4]
found = {}
for distribution in distributions():
    folder = distribution._path
    cut_off = folder.suffix == ".dist-info" and not (folder / "INSTALLER").exists()  # pip writes it after all the rest
    if cut_off and folder.is_relative_to(sys.prefix):
        shutil.rmtree(folder)  # or pip would take it for complete
    else:
        found.setdefault(re.sub("[-_.]+", "-", distribution.name).lower(), distribution.version)
other = "or choose another environment with VENV=DIR"
if "fairseq" in found:
    sys.exit(f"error: {sys.prefix}: found fairseq {found['fairseq']}, expected only fairseq-fixed, which installs a package of "
             f"the same name; pip uninstall fairseq fairseq-fixed, {other}")
if "torch" in found and [int(part) for part in found["torch"].split(".")[:2]] < [2, 10]:
    sys.exit(f"error: {sys.prefix}: found torch {found['torch']}, expected 2.10 or newer; upgrade it, {other}")
common, *added = re.split(r"^# what the extra (\w+) adds$", (here / "constraints.txt").read_text("utf-8"), flags=re.M)
wanted = [pins for extra, pins in zip(added[::2], added[1::2]) if extra in extras.split(",")]
for pin in re.findall("^[^#\n].*", "".join([common, *wanted]), re.MULTILINE):
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
for path in [here / "setup.py", here / "pyproject.toml", *sorted((here / "fairseq_align").rglob("*.py"))]:
    digest.update(b"%s\n%s\n" % (bytes(path.relative_to(here)), path.read_bytes()))
print(digest.hexdigest())
END
}

check_python() {  # PYTHON ADVICE
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        die "found $("$1" --version 2>&1), expected Python 3.11 or newer; $2"
}

make_pip() {  # an environment made by uv has none
    "$PY" -m ensurepip || uv pip install --python "$PY" pip
}

check_compiler() {
    local include cxx
    include=$("$PY" -c 'import sysconfig; print(sysconfig.get_path("include"))')
    cxx=${CXX:-$("$PY" -c 'import sysconfig; print(sysconfig.get_config_var("CXX") or "c++")')}
    $cxx -x c++ -fsyntax-only "-I$include" - <<< '#include <Python.h>' > "$BUILD_LOG" 2>&1 ||
        die "$1 has no wheel for $("$PY" --version) and does not compile: found no working C++ compiler ($cxx) with Python's" \
            "headers; install both (Debian: g++ python3-dev), or use Python 3.12, which needs none"
}

# fairseq in less than half the time: debug information (-g) doubles the cost of torch's headers, its extensions need
# a part of them, and setuptools compiles side by side unless it finds ninja, which gets them one by one. The CUDA
# extensions are for other tasks.
build() {
    local header=$WORK/include/torch/torch.h
    mkdir -p "$WORK/no-ninja" "${header%/*}"
    printf '#include <torch/%s.h>\n' types csrc/utils/pybind > "$header"
    cp "$header" "${header%/*}/extension.h"
    printf '#!/bin/sh\nexit 1\n' > "$WORK/no-ninja/ninja"
    chmod +x "$WORK/no-ninja/ninja"
    printf '[build_ext]\nparallel = 3\n' > "$WORK/build.cfg"
    local flags="-O1 -g0 -DNDEBUG -fwrapv '-I$WORK/include'"
    export PATH="$WORK/no-ninja:$PATH" CFLAGS="$flags" CXXFLAGS="$flags" DIST_EXTRA_CONFIG="$WORK/build.cfg"
    unset CUDA_HOME
    pip wheel --no-deps --no-build-isolation --wheel-dir "$WORK" "$@"
}

# Not editable: fairseq_align stays as it is when the clone changes. Built outside the clone, where no file of an
# earlier build can slip in.
install_package() {
    printf '[build]\nbuild_base = %s/build\n[egg_info]\negg_base = %s\n' "$WORK" "$WORK" > "$WORK/package.cfg"
    DIST_EXTRA_CONFIG=$WORK/package.cfg install --no-deps --no-build-isolation --force-reinstall "$HERE"
}

bytecode() {  # MODULES; -P: not those of this clone
    "$PY" -P -c "import $1"
}

WORK=$(mktemp -d)
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

if [ ! -x "$PY" ]; then
    check_python "$PYTHON" "name one with PYTHON=python3.12"
    say "environment $ENVIRONMENT, new"
    mkdir -p "$ENVIRONMENT"
    : > "$LOG"
    step "making $ENVIRONMENT" "$PYTHON" -m venv "$ENVIRONMENT"
fi
check_python "$PY" "choose another environment than $ENVIRONMENT with VENV=DIR"
todo=$(find_todo)
if [ -z "$todo" ]; then
    say "environment $ENVIRONMENT: everything is installed"
    exit 0
fi
say "environment $ENVIRONMENT"
: > "$LOG"
"$PY" -m pip --version > "$WORK/pip.log" 2>&1 || step "installing pip" make_pip

sources=""
for pin in $(pick "$FROM_SOURCE"); do
    pip download --no-deps --only-binary=:all: --dest "$WORK" "$pin" > "$WORK/probe.log" 2>&1 || sources+=" $pin"
done
[[ $sources != *fairseq-fixed* ]] || check_compiler "$(pick fairseq-fixed)"

first=$(pick 'torch|numpy|cython|setuptools|wheel')
if [ -n "$first" ]; then
    say "first" $first
    command=(install --no-warn-conflicts --constraint "$HERE/constraints.txt" $first)  # with what torch needs in turn
    if [ -t 1 ]; then  # a terminal shows how far the download is
        start /dev/stdout "${command[@]}" --log "$LOG"
    else
        start "$LOG" "${command[@]}"
    fi
    finish "$!" "$LOG" "installing" $first
    todo=$(find_todo)
fi
if [ -n "$sources" ]; then
    say "building$sources in the background; fairseq takes a minute on two cores"
    : > "$BUILD_LOG"
    start "$BUILD_LOG" build $sources
    building=$!
fi
rest=$(grep == <<< "$todo" | grep -vE "^($FROM_SOURCE)==" || true)
if [ -n "$rest" ]; then
    say "$(wc -l <<< "$rest") packages that they need"
    step "installing packages" install --no-deps $rest
fi
if [ -n "$sources" ]; then
    say "waiting for$sources"
    start "$LOG" bytecode "$BESIDE"  # while a compiler has one file left, and the other core nothing to do
    importing=$!
    finish "$building" "$BUILD_LOG" "building$sources"
fi
if [ -n "$(pick "$FROM_SOURCE")" ]; then
    step "installing fairseq" install --no-deps "$WORK"/*.whl
fi
if [ -n "$(pick package)" ]; then
    say "fairseq_align"
    sum=$(checksum)
    step "installing fairseq_align" install_package
    echo "$sum" > "$STAMP"
fi
say "bytecode of what a training imports"
[ -z "${importing-}" ] || finish "$importing" "$LOG" "$IMPORTING"
step "$IMPORTING" bytecode "$STARTED"
say "done; 'fairseq-align doctor' shows what is installed"
