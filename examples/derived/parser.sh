#!/usr/bin/env bash
# Train a dependency parser with spaCy on a UD treebank, for parse.py: about 25 minutes of one core on UD English-EWT.
# In: $TRAIN $VALID $TEST (CoNLL-U, plain or .gz). Out: $PARSER/model-best, scores on $TEST in $PARSER/test.json
set -euo pipefail

PARSER=${PARSER:-runs/parser}
SOURCE=${SOURCE:-en}
UPDATES=${UPDATES:-5000}
PARSER_PYTHON=${PARSER_PYTHON:-python}   # of an environment with spaCy: python -m venv V && V/bin/pip install spacy
spacy() { "$PARSER_PYTHON" -m spacy "$@"; }
mkdir -p "$PARSER"
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}

for split in TRAIN VALID TEST; do
    # universal tags alone: the morphologizer would learn the other columns, too
    gzip -cdf "${!split}" | awk 'BEGIN {FS = OFS = "\t"} NF == 10 {$5 = $6 = "_"} {print}' > "$PARSER/${split,,}.conllu"
    spacy convert "$PARSER/${split,,}.conllu" "$PARSER" --converter conllu --n-sents 1
done
spacy init config "$PARSER/config.cfg" --lang "$SOURCE" --pipeline morphologizer,parser --optimize efficiency --force
spacy train "$PARSER/config.cfg" --output "$PARSER" --paths.train "$PARSER/train.spacy" \
    --paths.dev "$PARSER/valid.spacy" --training.max_steps "$UPDATES" --training.eval_frequency 250 "$@"
spacy evaluate "$PARSER/model-best" "$PARSER/test.spacy" --gold-preproc --output "$PARSER/test.json"
