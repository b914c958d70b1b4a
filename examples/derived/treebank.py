#!/usr/bin/env python3
"""Parts of a treebank (CoNLL-U, plain or .gz) for the recipes.

python treebank.py words train.conllu words.txt           the words of each sentence, separated by spaces
python treebank.py universal train.conllu tags.conllu     without XPOS and FEATS, which a tagger would learn, too
"""

import argparse
from pathlib import Path

from fairseq_align.downstream import conllu
from fairseq_align.errors import status_of
from fairseq_align.files import read_lines, writing

XPOS, FEATS, COLUMNS = 4, 5, 10


def words(path: Path, out: Path) -> None:
    with writing(out) as file:
        for sentence in conllu.read(path):
            file.write(" ".join(token["form"] for token in sentence if isinstance(token["id"], int)) + "\n")


def universal(path: Path, out: Path) -> None:
    with writing(out) as file:
        for _, line in read_lines(path):
            columns = line.split("\t")
            if len(columns) == COLUMNS:
                columns[XPOS] = columns[FEATS] = "_"
            file.write("\t".join(columns) + "\n")


PARTS = {"words": words, "universal": universal}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("treebank", type=Path)
    parser.add_argument("out", type=Path, help="file to write")
    args = parser.parse_args()
    raise SystemExit(status_of(PARTS[args.part], args.treebank, args.out))
