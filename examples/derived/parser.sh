#!/usr/bin/env bash
# Train a dependency parser with spaCy on a UD treebank, for parse.py: about 25 minutes of one core on UD English-EWT.
# Usage: parser.sh [--dry-run] [FLAGS of spacy train...]. In: $TRAIN $VALID $TEST (CoNLL-U, plain or .gz),
# $PARSER_PYTHON of an environment with spaCy: python -m venv V && V/bin/pip install spacy.
# Out: $PARSER/model-best, scores on $TEST in $PARSER/test.json
set -euo pipefail
source "$(dirname "$0")/../common.sh"

PARSER=${PARSER:-runs/parser}
SOURCE=${SOURCE:-en}
UPDATES=${UPDATES:-5000}
spacy() { parser_python -m spacy "$@"; }
mkdir -p "$PARSER"
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}

for split in TRAIN VALID TEST; do
    # universal tags alone: the morphologizer would learn the other columns, too
    python "$EXAMPLES/derived/treebank.py" universal "${!split}" "$PARSER/${split,,}.conllu"
    spacy convert "$PARSER/${split,,}.conllu" "$PARSER" --converter conllu --n-sents 1
done
spacy init config "$PARSER/config.cfg" --lang "$SOURCE" --pipeline morphologizer,parser --optimize efficiency --force
spacy train "$PARSER/config.cfg" --output "$PARSER" --paths.train "$PARSER/train.spacy" \
    --paths.dev "$PARSER/valid.spacy" --training.max_steps "$UPDATES" --training.eval_frequency 250 "$@"
spacy evaluate "$PARSER/model-best" "$PARSER/test.spacy" --gold-preproc --output "$PARSER/test.json"
