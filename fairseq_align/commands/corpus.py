"""Make a corpus of raw text: one tokenised sentence a line, no duplicates, in train, valid and test.

    fairseq-align corpus --input novels.txt.gz --tokenized wikitext.txt.gz --lang en --out corpus/en

Writes <out>/{train,valid,test}.txt and counts.json. The split depends on the seed and the sentences alone.
"""

import argparse
from pathlib import Path

from fairseq_align.commands.progress import progress
from fairseq_align.errors import InputError
from fairseq_align.files import check_exists
from fairseq_align.text import corpus


def add_parser(subparsers) -> None:
    """Add the command ``corpus`` to ``fairseq-align``."""
    parser = subparsers.add_parser(
        "corpus",
        help="raw text -> sentences in train, valid and test",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--input",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="raw text, UTF-8, plain or .gz, .bz2, .xz, or - (standard input); Parquet, or a folder of a dataset of "
        "Hugging Face",
    )
    parser.add_argument(
        "--column", default="text", help="column of the text in Parquet and datasets (default: %(default)s)"
    )
    parser.add_argument(
        "--tokenized",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="text whose words are separated by spaces already (WikiText): split into sentences, words left alone",
    )
    parser.add_argument(
        "--lang", required=True, help="ISO 639-1 code of the language, for tokenisation and abbreviations"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    parser.add_argument(
        "--valid", type=int, default=1000, help="sentences in valid; 0: no such file (default: %(default)s)"
    )
    parser.add_argument(
        "--test", type=int, default=1000, help="sentences in test; 0: no such file (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="chooses the sentences of valid and test (default: %(default)s)"
    )
    parser.add_argument(
        "--split-sentences",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="cut lines into sentences; --no-split-sentences where every line is a sentence (default: cut)",
    )
    parser.add_argument(
        "--min-words", type=int, default=1, help="drop sentences of fewer words; 1: none (default: %(default)s)"
    )
    parser.add_argument(
        "--max-words", type=int, default=0, help="drop sentences of more words; 0: none (default: %(default)s)"
    )
    parser.add_argument(
        "--workers", type=int, default=1, help="processes; the output does not depend on it (default: %(default)s)"
    )
    parser.set_defaults(func=build)


def build(args) -> None:
    files = [(path, False) for path in args.input] + [(path, True) for path in args.tokenized]
    if not files:
        raise InputError("found no text, expected --input FILE or --tokenized FILE; name at least one file")
    for path, _ in files:
        check_exists(path)
    cleaning = corpus.Cleaning(args.lang, args.split_sentences, args.min_words, args.max_words)
    with progress(args.out, "sentences") as bar:
        sizes = args.valid, args.test
        counts = corpus.build(files, args.out, cleaning, *sizes, args.seed, args.workers, bar, args.column)
    for split, count in counts.items():
        print(f"{split}: {count['sentences']:,} sentences, {count['words']:,} words")
