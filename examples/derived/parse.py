#!/usr/bin/env python3
"""Parse tokenised text, one sentence a line, with spaCy: dependency trees as CoNLL-U, one a line of the text.

    python parse.py MODEL corpus/train.txt train.conllu.gz

Runs where spaCy is, which fairseq_align does not need: nothing else is imported. parser.sh trains a model. The columns
are ID, FORM, UPOS, HEAD and DEPREL, the words those of the text. A tree has one root: where the parser finds several
sentences in a line, the roots of the later ones depend on the first as ``parataxis``, and all stays projective.
"""

import argparse
import gzip
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import spacy
from spacy.tokens import Doc
from tqdm import tqdm

BATCH = 256  # sentences


def opened(path: Path, mode: str, name: Path):
    """A text file, gzipped if ``name`` ends so; only "\\n" ends a line."""
    how = {"mode": mode, "encoding": "utf-8", "newline": "\n"}
    return gzip.open(path, **how, compresslevel=6) if name.suffix == ".gz" else open(path, **how)


def sentences(path: Path, vocabulary: spacy.Vocab) -> Iterator[Doc]:
    """The sentences of a file, their words as they are; each is told to be one.

    Raises:
        ValueError: a line is empty, for which CoNLL-U has no sentence.
    """
    with opened(path, "rt", path) as file:
        for number, line in enumerate(file, 1):
            words = line.split()
            if not words:
                raise ValueError(f"{path}:{number}: found an empty line, expected a tokenised sentence; leave it out")
            yield Doc(vocabulary, words=words, sent_starts=[True] + [False] * (len(words) - 1))


def conllu(tree: Doc) -> str:
    """A parsed sentence in CoNLL-U, with one root."""
    root = next(token.i for token in tree if token.head.i == token.i)
    rows = []
    for token in tree:
        head, relation = token.head.i + 1, token.dep_ or "dep"
        if token.head.i == token.i:
            head, relation = (0, "root") if token.i == root else (root + 1, "parataxis")
        rows.append(f"{token.i + 1}\t{token.text}\t_\t{token.pos_ or 'X'}\t_\t_\t{head}\t{relation}\t_\t_\n")
    return "".join(rows) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="folder of a spaCy model with UPOS tags and UD relations")
    parser.add_argument("input", type=Path, help="tokenised text, one sentence a line, plain or .gz")
    parser.add_argument("output", type=Path, help="CoNLL-U to write, plain or .gz")
    parser.add_argument("--workers", type=int, default=1, help="processes (default: %(default)s)")
    args = parser.parse_args()
    args.output.parent.mkdir(parents=True, exist_ok=True)
    part = args.output.with_name(args.output.name + ".part")
    try:
        model = spacy.load(args.model)
        trees = model.pipe(sentences(args.input, model.vocab), batch_size=BATCH, n_process=args.workers)
        with opened(part, "wt", args.output) as file:
            for tree in tqdm(trees, desc=str(args.output), unit=" sentences", mininterval=10, disable=None):
                file.write(conllu(tree))
        os.replace(part, args.output)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    finally:
        part.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
