#!/usr/bin/env python3
"""Named entities and sentence pairs in the word order of another language, as preprocess/syntax.py makes text.

    python labelled.py text --task ner --input panx-en-train.iob2 --output ner.train.txt
    python parse.py MODEL ner.train.txt ner.train.conllu.gz
    python labelled.py reorder --task ner --input panx-en-train.iob2 --trees ner.train.conllu.gz \\
        --nouns fr.order.json --verbs fr.order.json --output ner.train.iob2

Task ner reads and writes IOB2; xnli reads what preprocess/xnli.py reads and writes tokenised pairs (TSV) for its
--tokenized, several files as one.
"""

import argparse
from pathlib import Path

from fairseq_align.derivation import labelled, word_order
from fairseq_align.derivation.syntax import HEADS
from fairseq_align.errors import status_of
from fairseq_align.files import check_exists, writing


def text(args: argparse.Namespace) -> None:
    with writing(args.output) as file:
        file.writelines(f"{line}\n" for line in labelled.lines(args.input, args.task, args.lang, args.tokenized))


def reorder(args: argparse.Namespace) -> None:
    check_exists(args.trees)
    paths = {name: getattr(args, name) for name in HEADS}
    orders = {name: word_order.load(path, name) for name, path in paths.items() if path}
    trees = labelled.Trees(args.trees, orders, args.seed, args.keep)
    count = labelled.reorder(args.input, args.output, args.task, trees, args.lang, args.tokenized)
    print(f"{args.output}: {count:,} {'sentences' if args.task == 'ner' else 'pairs'} in another order")


def run(args: argparse.Namespace) -> None:
    for path in args.input:
        check_exists(path)
    args.run(args)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="text|reorder")
    parts = {
        "text": commands.add_parser("text", help="data -> its sentences, one a line, to be parsed"),
        "reorder": commands.add_parser("reorder", help="data and trees of its sentences -> the data in another order"),
    }
    for name, part in parts.items():
        part.add_argument("--task", required=True, choices=labelled.TASKS)
        part.add_argument("--input", type=Path, nargs="+", required=True, metavar="FILE")
        part.add_argument("--output", type=Path, required=True, metavar="FILE", help="file to write")
        part.add_argument("--lang", default="en", help="ISO 639-1 code of the pairs (default: %(default)s)")
        part.add_argument("--tokenized", action="store_true", help="words of the pairs are separated by spaces already")
        part.set_defaults(run=globals()[name])
    parts["reorder"].add_argument("--trees", type=Path, required=True, metavar="FILE", help="of the sentences, CoNLL-U")
    for name in HEADS:
        parts["reorder"].add_argument(f"--{name}", type=Path, metavar="JSON", help="as preprocess/syntax.py apply")
    parts["reorder"].add_argument("--seed", type=int, default=1, help="as preprocess/syntax.py (default: %(default)s)")
    parts["reorder"].add_argument("--keep", type=float, default=word_order.KEEP, help="as there (default: %(default)s)")
    raise SystemExit(status_of(run, parser.parse_args()))
