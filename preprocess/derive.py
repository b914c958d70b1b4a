#!/usr/bin/env python3
"""Make a derived language from a binarized one: same sentences in another script, another order, or both.

    python preprocess/derive.py data-bin/en data-bin/en-x --transforms transliterate,invert
    python preprocess/derive.py pos-bin/en pos-bin/en-x --like data-bin/en-x/derivation.json
    python preprocess/derive.py xnli-bin/en xnli-bin/en-x --like data-bin/en-x/derivation.json

The vocabulary is dict.txt in the folder that holds the languages; it is doubled once, by the first transliteration. The
new folder gets every split of the source, labels that stand beside it, and derivation.json, which says what was done.
In a folder of sentence pairs (preprocess/xnli.py), where a language is a subset, the subsets are derived.
"""

import argparse
import shutil
from pathlib import Path

from fairseq.data import Dictionary
from tqdm import tqdm

from fairseq_align.derivation.transforms import RECORD, TRANSFORMS, UNITS, Derivation, derive_corpus
from fairseq_align.downstream import nli
from fairseq_align.errors import InputError, status_of
from fairseq_align.text import vocabulary


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="folder of the binarized source language, <data>/<lang>")
    parser.add_argument("target", type=Path, help="folder to make, in the same <data>")
    parser.add_argument(
        "--transforms",
        help=f"comma-separated, applied in this order, out of: {', '.join(TRANSFORMS)}",
    )
    parser.add_argument("--unit", choices=UNITS, default="word", help="what invert reverses (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="seed of random transforms (default: %(default)s)")
    parser.add_argument(
        "--overlap",
        type=float,
        default=0.0,
        help="fraction of the pieces that transliterate leaves in the source script; 0: none (default)",
    )
    parser.add_argument("--like", type=Path, help="derivation.json of a language: do the same to this data")
    return parser.parse_args()


def splits(source: Path) -> list[str]:
    """Names of the splits of a language, labels not counted."""
    found = sorted(
        path.name.removesuffix(".idx") for path in source.glob("*.idx") if not path.name.endswith(".label.idx")
    )
    if not found:
        raise InputError(
            f"{source}: found no binarized data, expected train.bin and train.idx; run fairseq-preprocess first"
        )
    return found


def dictionaries(data: Path, source: Path, doubled: bool) -> tuple[Dictionary, Dictionary]:
    """Vocabulary before and after the derivation; the second is not yet written."""
    current = vocabulary.load(data / "dict.txt")
    half = vocabulary.derived_size(current)
    before = current if half is None else vocabulary.head(current, half)
    own = source / "dict.txt"
    if own.exists() and vocabulary.checksum(vocabulary.load(own)) not in map(vocabulary.checksum, (before, current)):
        raise InputError(
            f"{own}: found another dictionary than {data}/dict.txt, expected the same pieces; binarize {source} with it"
        )
    return before, vocabulary.double(before) if doubled and half is None else current


def planned(args, before: Dictionary, after: Dictionary) -> Derivation:
    """What to do, from the flags or from the record of another derivation."""
    if args.like is None:
        return Derivation(
            source=args.source.name,
            transforms=tuple(args.transforms.split(",")),
            unit=args.unit,
            seed=args.seed,
            source_pieces=len(vocabulary.pieces(before)),
            pieces=len(vocabulary.pieces(after)),
            dictionary=vocabulary.checksum(before),
            overlap=args.overlap,
        )
    record = Derivation.load(args.like)
    if record.dictionary != vocabulary.checksum(before):
        raise InputError(
            f"{args.target.parent}/dict.txt: found dictionary {vocabulary.checksum(before)}, "
            f"expected {record.dictionary} of {args.like}; binarize this data with the dictionary of that"
        )
    return record


def derive(args) -> None:
    if (args.transforms is None) == (args.like is None):
        raise InputError(
            "found none or both of --transforms and --like, expected one of them; say what to do, or whom to follow"
        )
    data = args.target.parent
    if args.source.parent.resolve() != data.resolve():
        raise InputError(
            f"{args.target}: found another folder than that of {args.source}, expected its sibling; they share dict.txt"
        )
    if args.target.exists() and not (args.target / RECORD).exists():
        raise InputError(
            f"{args.target}: found a folder without {RECORD}, expected a new name or a derived language to replace"
        )
    transforms = args.transforms.split(",") if args.like is None else Derivation.load(args.like).transforms
    pairs = nli.is_data(data)
    home = data / nli.INPUTS[0] if pairs else data  # of dict.txt
    before, after = dictionaries(home, args.source, doubled="transliterate" in transforms)
    plan = planned(args, before, after)
    (derive_pairs if pairs else derive_folder)(args, plan, after, home / "dict.txt")


def derive_folder(args, plan: Derivation, after: Dictionary, dictionary: Path) -> None:
    """Derive the splits of a folder; the new one appears under its name when it is complete."""
    data = args.target.parent
    part = data / f"{args.target.name}.part"
    label_path = data / "label" / "dict.txt"
    labels = vocabulary.load(label_path) if label_path.exists() else None
    shutil.rmtree(part, ignore_errors=True)
    try:
        for split in splits(args.source):
            with progress(args, split) as bar:
                tokens = derive_corpus(args.source / split, part / split, plan, after, bar.update, labels)
            report(args, split, tokens, plan)
        vocabulary.save(after, part / "dict.txt")
        plan.save(part / RECORD)
        vocabulary.save(after, dictionary)
        if args.target.exists():
            shutil.rmtree(args.target)
        part.rename(args.target)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def derive_pairs(args, plan: Derivation, after: Dictionary, dictionary: Path) -> None:
    """Derive the subsets of sentence pairs; the folder of the record, made last, says that all are there."""
    found = nli.splits(args.source.parent, args.source.name)
    if not found:
        raise InputError(
            f"{args.source.parent}: found no subset of {args.source.name}, expected train_{args.source.name} or the "
            "like; run preprocess/xnli.py first"
        )
    shutil.rmtree(args.target, ignore_errors=True)
    for split in found:
        with progress(args, split) as bar:
            tokens = nli.derive(args.source.parent, split, args.source.name, args.target.name, plan, after, bar.update)
        report(args, split, tokens, plan)
    vocabulary.save(after, dictionary)
    args.target.mkdir()
    plan.save(args.target / RECORD)


def progress(args, split: str) -> tqdm:
    return tqdm(desc=f"{args.target.name} {split}", unit=" tokens", unit_scale=True, disable=None)


def report(args, split: str, tokens: int, plan: Derivation) -> None:
    print(f"{args.target / split}: {tokens:,} tokens, {' then '.join(plan.transforms)}")


if __name__ == "__main__":
    raise SystemExit(status_of(derive, parse_args()))
