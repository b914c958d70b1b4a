"""Train a SentencePiece model for all languages, write text in its pieces, and add mask symbols to a vocabulary.

    fairseq-align subword train --input en/train.txt fr/train.txt --vocab-size 4000 --out spm
    fairseq-align subword apply --model spm/spm.model --input en/train.txt --output en/train.sp
    fairseq-align subword masks --dict data-bin/dict.txt --langs en,fr

train writes <out>/spm.model and <out>/dict.txt, the vocabulary for fairseq-preprocess --srcdict.
"""

import argparse
import logging
from pathlib import Path

from fairseq_align.commands.progress import progress
from fairseq_align.files import check_exists, is_standard
from fairseq_align.text import encoder, subword, vocabulary


def add_parser(subparsers) -> None:
    """Add the command ``subword`` to ``fairseq-align``."""
    parser = subparsers.add_parser(
        "subword",
        help="SentencePiece: train a model, apply it",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="train|apply|masks")
    train = commands.add_parser("train", help="text -> spm.model, dict.txt")
    train.add_argument(
        "--input",
        type=Path,
        nargs="+",
        required=True,
        metavar="FILE",
        help="one sentence a line, plain or .gz, .bz2, .xz; -: standard input",
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
    train.add_argument("--lower-case", action="store_true", help="put all that the model encodes in lower case first")
    train.set_defaults(func=run_train)
    apply = commands.add_parser("apply", help="text -> pieces separated by spaces")
    apply.add_argument("--model", type=Path, required=True, help="spm.model")
    apply.add_argument(
        "--input",
        type=Path,
        required=True,
        metavar="FILE",
        help="one sentence a line, plain or .gz, .bz2, .xz; -: standard input",
    )
    apply.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help="file to write, as many lines as the input; -: standard output",
    )
    apply.set_defaults(func=run_apply)
    masks = commands.add_parser("masks", help="dict.txt -> dict.txt with <mask:LANG>, for DICT-MLM in mode target")
    masks.add_argument("--dict", type=Path, required=True, help="dict.txt of the data that training reads; replaced")
    masks.add_argument("--langs", required=True, help="comma-separated languages")
    masks.set_defaults(func=run_masks)


def run_train(args) -> None:
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
        lower_case=args.lower_case,
        verbose=logging.getLogger("fairseq_align").isEnabledFor(logging.DEBUG),
    )
    print(
        f"{args.out / 'dict.txt'}: {len(dictionary) - dictionary.nspecial:,} pieces, {len(dictionary):,} with specials"
    )


def run_apply(args) -> None:
    processor = subword.load(args.model)
    check_exists(args.input)
    with progress(args.output, "sentences") as bar:
        counts = encoder.encode_file(processor, args.input, args.output, bar)
    unknown = 100 * counts["unknown"] / max(counts["pieces"], 1)
    summary = (
        f"{args.output}: {counts['sentences']:,} sentences, {counts['words']:,} words, {counts['pieces']:,} pieces, "
        f"{unknown:.3f} % <unk>"
    )
    if is_standard(args.output):
        logging.getLogger(__name__).info(summary)
    else:
        print(summary)


def run_masks(args) -> None:
    dictionary = vocabulary.load(args.dict)
    extended = vocabulary.with_language_masks(dictionary, args.langs.split(","))
    vocabulary.save(extended, args.dict)
    print(f"{args.dict}: {len(extended) - len(dictionary)} mask symbols added, {len(extended):,} symbols")
