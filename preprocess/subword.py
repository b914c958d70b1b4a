#!/usr/bin/env python3
"""Train a SentencePiece model for all languages, write text in its pieces, and add mask symbols to a vocabulary.

    python preprocess/subword.py train --input en/train.txt fr/train.txt --vocab-size 4000 --out spm
    python preprocess/subword.py apply --model spm/spm.model --input en/train.txt --output en/train.sp
    python preprocess/subword.py masks --dict data-bin/dict.txt --langs en,fr

train writes <out>/spm.model and <out>/dict.txt, the vocabulary for fairseq-preprocess --srcdict.
"""

import argparse
import sys
from pathlib import Path

from fairseq_align.errors import status_of
from fairseq_align.files import check_exists
from fairseq_align.text import encoder, subword, vocabulary


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="text -> spm.model, dict.txt")
    train.add_argument(
        "--input", type=Path, nargs="+", required=True, metavar="FILE", help="one sentence a line, plain or .gz"
    )
    train.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    train.add_argument(
        "--vocab-size", type=int, required=True, help="pieces, <unk> <s> </s> included; fairseq has <pad> besides"
    )
    train.add_argument(
        "--character-coverage",
        type=float,
        default=0.9995,
        help="share of characters with a piece; 1: all (default: %(default)s)",
    )
    train.add_argument("--model-type", choices=subword.MODEL_TYPES, default="unigram", help="(default: %(default)s)")
    train.add_argument(
        "--input-sentences",
        type=int,
        default=0,
        help="train on so many sentences, drawn at random; 0: all (default: %(default)s)",
    )
    train.add_argument(
        "--seed",
        type=int,
        default=1,
        help="draws the sentences; no effect without --input-sentences (default: %(default)s)",
    )
    apply = commands.add_parser("apply", help="text -> pieces separated by spaces")
    apply.add_argument("--model", type=Path, required=True, help="spm.model")
    apply.add_argument("--input", type=Path, required=True, metavar="FILE", help="one sentence a line, plain or .gz")
    apply.add_argument(
        "--output", type=Path, required=True, metavar="FILE", help="file to write, as many lines as the input"
    )
    masks = commands.add_parser("masks", help="dict.txt -> dict.txt with <mask:LANG>, for DICT-MLM in mode target")
    masks.add_argument("--dict", type=Path, required=True, help="dict.txt of the data that training reads; replaced")
    masks.add_argument("--langs", required=True, help="comma-separated languages")
    return parser.parse_args()


def train(args) -> None:
    for path in args.input:
        check_exists(path)
    dictionary = subword.train(
        args.input,
        args.out,
        args.vocab_size,
        character_coverage=args.character_coverage,
        model_type=args.model_type,
        input_sentences=args.input_sentences,
        seed=args.seed,
        verbose=sys.stderr.isatty(),
    )
    print(
        f"{args.out / 'dict.txt'}: {len(dictionary) - dictionary.nspecial:,} pieces, {len(dictionary):,} with specials"
    )


def apply(args) -> None:
    processor = subword.load(args.model)
    check_exists(args.input)
    from tqdm import tqdm

    with tqdm(desc=str(args.output), unit=" sentences", unit_scale=True, disable=None) as bar:
        counts = encoder.encode_file(processor, args.input, args.output, bar.update)
    unknown = 100 * counts["unknown"] / max(counts["pieces"], 1)
    print(
        f"{args.output}: {counts['sentences']:,} sentences, {counts['words']:,} words, {counts['pieces']:,} pieces, "
        f"{unknown:.3f} % <unk>"
    )


def add_masks(args) -> None:
    dictionary = vocabulary.load(args.dict)
    extended = vocabulary.with_language_masks(dictionary, args.langs.split(","))
    vocabulary.save(extended, args.dict)
    print(f"{args.dict}: {len(extended) - len(dictionary)} mask symbols added, {len(extended):,} symbols")


def main() -> int:
    args = parse_args()
    return status_of({"train": train, "apply": apply, "masks": add_masks}[args.command], args)


if __name__ == "__main__":
    raise SystemExit(main())
