#!/usr/bin/env bash
# Every way of installing, each in a new environment that ends with `fairseq-align doctor` and a training of two updates
# with `--user-dir fairseq_align` from another folder: `bash tests/matrix.sh`, or `bash tests/matrix.sh ROW ...`.
# Takes half an hour and some GB of downloads; prints a table, which docs/installation.md holds. Logs: $WORK/<row>/log
set -euo pipefail

HERE=$(cd "$(dirname "$0")/.." && pwd)
WORK=${WORK:-$(mktemp -d)}
PYTHON=${PYTHON:-python3.11}  # of the rows that name none
ROWS=(python3.11 python3.12 python3.13 conda uv-venv newest-torch spaces no-bytecode offline
    pip pip-constraints pip-editable uv uv-constraints uv-editable)
unset VIRTUAL_ENV CONDA_PREFIX
constraints=$HERE/constraints.txt
env=""  # of the row

install() { VENV=$env bash "$HERE/install.sh"; }
with_torch() {
    "$PYTHON" -m venv "$env"
    "$env/bin/pip" install -q --only-binary=:all: "$@"
    torch=$("$env/bin/python" -c 'import torch; print(torch.__version__)')
}
with_build_requirements() { with_torch --constraint "$constraints" torch cython numpy setuptools wheel; }
with_pip() { "$env/bin/pip" install -q --no-build-isolation "$@"; }
with_uv() { (cd "$HERE" && uv pip install -q --python "$env/bin/python" "$@"); }

row() {
    case $1 in
        python3.*) PYTHON=$1 install ;;
        conda)
            "$PYTHON" -m venv "$env"
            mkdir "$env/conda-meta"
            CONDA_PREFIX=$env bash "$HERE/install.sh" ;;
        uv-venv)
            uv venv -q --python "$PYTHON" "$env"
            VIRTUAL_ENV=$env bash "$HERE/install.sh" ;;
        newest-torch) with_torch torch && install ;;
        spaces)
            cp -r "$HERE" "$WORK/$1/a clone"
            env="$WORK/$1/an environment"
            VENV=$env bash "$WORK/$1/a clone/install.sh" ;;
        no-bytecode) PYTHONDONTWRITEBYTECODE=1 install ;;
        offline)
            VENV=$WORK/$1/online bash "$HERE/install.sh"
            "$WORK/$1/online/bin/pip" wheel -q --no-build-isolation --wheel-dir "$WORK/$1/some wheels" -r "$constraints"
            PIP_INDEX_URL=http://127.0.0.1:9 WHEELS="$WORK/$1/some wheels" install ;;
        pip) with_build_requirements && with_pip "$HERE" ;;
        pip-constraints) with_build_requirements && with_pip --constraint "$constraints" "$HERE" ;;
        pip-editable) with_build_requirements && with_pip --constraint "$constraints" --editable "$HERE" ;;
        uv) with_build_requirements && with_uv . ;;
        uv-constraints) with_build_requirements && with_uv --constraint "$constraints" . ;;
        uv-editable) with_build_requirements && with_uv --constraint "$constraints" --editable . ;;
        *) echo "no row $1; there are: ${ROWS[*]}" >&2 && return 2 ;;
    esac
}

train() {
    cd "$1"
    python "$HERE/examples/toy_language.py" --out toy --sentences 300 --treebank 30
    fairseq-preprocess --only-source --trainpref toy/text.txt --destdir data-bin/en --workers 1
    cp data-bin/en/dict.txt data-bin/dict.txt
    awk 'NR <= 20 { print $1 "\t" $1 }' data-bin/dict.txt > lexicon.tsv
    fairseq-train data-bin --user-dir fairseq_align --task align_mlm --langs en --criterion align_mlm \
        --lexicon lexicon.tsv --arch roberta_base --encoder-layers 1 --encoder-embed-dim 16 --encoder-ffn-embed-dim 32 \
        --encoder-attention-heads 2 --tokens-per-sample 32 --max-positions 32 --batch-size 4 --max-update 2 \
        --optimizer adam --lr 1e-3 --cpu --no-save --disable-validation --log-format json --log-interval 1 | tee train.log
    grep -q '"num_updates": "2"' train.log
}

check() {
    export PATH="$env/bin:$PATH"
    if [ -n "$torch" ] && [ "$(python -c 'import torch; print(torch.__version__)')" != "$torch" ]; then
        echo "torch $torch was replaced"
        return 1
    fi
    fairseq-align doctor
    train "$1"
}

status=0
[ "$#" -gt 0 ] || set -- "${ROWS[@]}"
printf '| %s | %s | %s | %s |\n' way result 'seconds to install' 'seconds to check' --- --- ---: ---:
for name in "$@"; do
    mkdir -p "$WORK/$name/elsewhere"
    env=$WORK/$name/environment
    torch=""
    result=ok
    SECONDS=0
    set +e  # here, not with ||, which would switch it off inside the parentheses, too
    (set -e; row "$name"; declare -p env torch > "$WORK/$name/state") > "$WORK/$name/log" 2>&1
    [ "$?" = 0 ] || result="not installed"
    installed=$SECONDS
    SECONDS=0
    if [ "$result" = ok ]; then
        . "$WORK/$name/state"
        (set -e; check "$WORK/$name/elsewhere") >> "$WORK/$name/log" 2>&1
        [ "$?" = 0 ] || result="does not work"
    fi
    set -e
    [ "$result" = ok ] || { status=1; tail -n 3 "$WORK/$name/log" >&2; }
    printf '| %s | %s | %s | %s |\n' "$name" "$result" "$installed" "$SECONDS"
    [ "${KEEP-}" ] || rm -rf "$WORK/$name/environment" "$WORK/$name/an environment" "$WORK/$name/online"
done
echo "logs: $WORK"
exit "$status"
