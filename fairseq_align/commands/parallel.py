"""Make parallel text of tables of sentences: two files, tokenised, in which line i translates line i.

    fairseq-align parallel --input quran.tsv.gz:1,2 help.tsv:1,2 --langs en,fr --out parallel/en-fr

Writes <out>/<lang>/<split>.txt for both languages; binarized with fairseq-preprocess, they are what --tlm-pairs names.
"""

import argparse
from pathlib import Path

from fairseq_align.commands.progress import progress
from fairseq_align.errors import InputError
from fairseq_align.files import check_exists
from fairseq_align.text import bitext


def add_parser(subparsers) -> None:
    """Add the command ``parallel`` to ``fairseq-align``."""
    parser = subparsers.add_parser(
        "parallel",
        help="tables of sentences -> parallel text",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--input",
        nargs="+",
        required=True,
        metavar="FILE:A,B",
        help="TSV, plain or .gz, .bz2, .xz, and the columns of the two languages, from 1",
    )
    parser.add_argument("--langs", required=True, help="ISO 639-1 codes of the two, e.g. en,fr")
    parser.add_argument("--split", default="train", help="name of the files (default: %(default)s)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    parser.add_argument(
        "--max-words", type=int, default=0, help="drop pairs with a longer sentence; 0: none (default: %(default)s)"
    )
    parser.add_argument(
        "--tokenized",
        action="store_true",
        help="words stay as they stand between spaces, as in raw text for a pre-trained model; default: tokenised",
    )
    parser.set_defaults(func=build)


def columns_of(text: str) -> tuple[Path, tuple[int, int]]:
    """``quran.tsv.gz:1,2`` -> the path and the columns."""
    path, _, numbers = text.rpartition(":")
    columns = numbers.split(",")
    if not path or len(columns) != 2 or not all(column.isdecimal() and int(column) for column in columns):
        raise InputError(f"--input: found {text!r}, expected a file and two of its columns, e.g. quran.tsv.gz:1,2")
    return Path(path), (int(columns[0]), int(columns[1]))


def build(args) -> None:
    langs = tuple(args.langs.split(","))
    if len(langs) != 2 or "" in langs:
        raise InputError(f"--langs: found {args.langs!r}, expected two, e.g. en,fr")
    files = [columns_of(text) for text in args.input]
    for path, _ in files:
        check_exists(path)
    out = tuple(args.out / lang / f"{args.split}.txt" for lang in langs)
    with progress(args.out, "pairs") as bar:
        counts = bitext.build(files, out, langs, args.max_words, bar, args.tokenized)
    print(f"{args.out}: {', '.join(f'{count:,} {name}' for name, count in counts.items())}")
