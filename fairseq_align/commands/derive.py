"""Make a derived language from a binarized one: same sentences in another script, another order, or both.

    fairseq-align derive data-bin/en data-bin/en-x --transforms transliterate,invert
    fairseq-align derive pos-bin/en pos-bin/en-x --like data-bin/en-x/derivation.json
    fairseq-align derive xnli-bin/en xnli-bin/en-x --like data-bin/en-x/derivation.json

The vocabulary is dict.txt in the folder that holds the languages; it is doubled once, by the first transliteration. The
new folder gets every split of the source, labels that stand beside it, and derivation.json, which says what was done.
In a folder of sentence pairs (fairseq-align xnli), where a language is a subset, the subsets are derived.
"""

import argparse
from pathlib import Path

from fairseq_align.commands.progress import progress
from fairseq_align.derivation.corpus import derive
from fairseq_align.derivation.record import UNITS
from fairseq_align.derivation.transforms import TRANSFORMS


def add_parser(subparsers) -> None:
    """Add the command ``derive`` to ``fairseq-align``."""
    parser = subparsers.add_parser(
        "derive",
        help="a language in another script or order, from a binarized one",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", type=Path, help="folder of the binarized source language, <data>/<lang>")
    parser.add_argument("target", type=Path, help="folder to make, in the same <data>")
    parser.add_argument(
        "--transforms",
        help=f"comma-separated, applied in this order, out of: {', '.join(TRANSFORMS)}",
    )
    parser.add_argument(
        "--unit",
        choices=UNITS,
        default="word",
        help="what invert and permute move: whole words, or subwords, which permute scatters over a sentence: no "
        "word stays whole (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of random transforms (default: %(default)s)")
    parser.add_argument(
        "--overlap",
        type=float,
        default=0.0,
        help="fraction of the pieces that transliterate leaves in the source script; 0: none (default)",
    )
    parser.add_argument(
        "--like",
        type=Path,
        help="derivation.json of a language: do the same to this data, which is of the same source language",
    )
    parser.set_defaults(func=run)


def run(args) -> None:
    with progress(args.target.name, "tokens") as bar:

        def update(split: str, tokens: int) -> None:
            bar(tokens, f"{args.target.name} {split}")

        transforms = () if args.transforms is None else args.transforms.split(",")
        derived = derive(
            args.source, args.target, transforms, args.like, args.unit, args.seed, args.overlap, progress=update
        )
    for split, tokens in derived.tokens.items():
        print(f"{args.target / split}: {tokens:,} tokens, {' then '.join(derived.derivation.transforms)}")
