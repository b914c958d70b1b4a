"""The command ``fairseq-align align``; imports nothing heavy, so that help and a missing file are answered at once."""

import argparse
import time
from pathlib import Path

from fairseq_align.alignment import start
from fairseq_align.errors import InputError
from fairseq_align.files import check_exists, check_free


def add_parser(subparsers) -> None:
    """Add the command ``align`` to ``fairseq-align``."""
    parser = subparsers.add_parser(
        "align",
        help="align the word embeddings of a checkpoint alone, without text and encoder",
        description="Train the word embeddings of a checkpoint with the alignment loss alone, which takes seconds to "
        "minutes, and write it as a checkpoint that can be trained on, fine-tuned and exported. Rows of words that no "
        "lexicon has stay as they are.",
    )
    parser.add_argument("checkpoint", type=Path, help="checkpoint of fairseq-train or of fairseq-align import")
    parser.add_argument("data", type=Path, help="folder of binarized data with its dict.txt")
    parser.add_argument("out", type=Path, metavar="OUT", help="checkpoint to write")
    parser.add_argument("--lexicon", required=True, help="pairs to train on; several files are separated by colons")
    parser.add_argument(
        "--align-loss",
        default="contrastive",
        help="as of fairseq-train: cosine, l2, contrastive, csls, rsim, procrustes (default: %(default)s)",
    )
    parser.add_argument(
        "--align-temperature", type=float, default=0.1, help="of the contrastive loss (default: %(default)s)"
    )
    parser.add_argument("--updates", type=int, default=150, help="steps; 0: only --start (default: %(default)s)")
    parser.add_argument(
        "--align-pairs",
        type=int,
        default=512,
        help="pairs drawn from each lexicon for a step; 0: all (default: %(default)s)",
    )
    parser.add_argument(
        "--lr",
        type=float,
        default=0.02,
        help="size of the first steps as a fraction of the root mean square of the embeddings; it falls linearly to 0 "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--anchor-weight",
        type=float,
        default=0.0,
        help="weight of the squared distance to the embeddings as they were, as a share of their squared length "
        "(default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=1, help="of the draws (default: %(default)s)")
    parser.add_argument(
        "--start",
        metavar="METHOD:LANGS",
        help="begin with other rows for each language: the source language and that of each lexicon, e.g. en,fr,hi, "
        "folders of the data; the rows that French has for itself are turned by a map learnt on its lexicon "
        "(orthogonal:en,fr,hi, or no method), or are means of the English words that translate theirs "
        "(lexicon:en,fr,hi), or of --vectors (vectors:en,fr,hi); default: off",
    )
    parser.add_argument(
        "--vectors",
        metavar="LANG=FILE,...",
        help="word vectors of some languages, the text form of word2vec and fastText; default: none",
    )
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> None:
    """Align a checkpoint and say what was written.

    Raises:
        InputError: as ``checkpoint.align``, or nothing is asked for.
    """
    lexicons = args.lexicon.split(":")
    check_exists(args.checkpoint, "a checkpoint of fairseq-train; check the path")
    for path in lexicons:
        check_exists(path, "a lexicon; make it with fairseq-align lexicon")
    check_free(args.out)
    if not args.updates and not args.start:
        raise InputError("found --updates 0 without --start, expected one of them to change anything")
    if args.vectors and not args.start:
        raise InputError("found --vectors without --start, expected both; e.g. --start vectors:en,fr")
    begin = start.parse(args.start, args.vectors, len(lexicons)) if args.start else None
    for path in begin.vectors.values() if begin else ():
        check_exists(path, "word vectors, text as of word2vec and fastText; check the path")
    from fairseq_align.alignment import checkpoint
    from fairseq_align.embeddings.alignment_loss import LOSSES
    from fairseq_align.embeddings.table_alignment import Settings

    if args.align_loss not in LOSSES:
        raise InputError(f"found --align-loss {args.align_loss}, expected one of {', '.join(LOSSES)}")
    pair_loss = LOSSES[args.align_loss](args.align_temperature)
    settings = Settings(pair_loss, args.updates, args.align_pairs, args.lr, args.anchor_weight, args.seed)
    began = time.monotonic()
    aligned = checkpoint.align(args.checkpoint, args.data, args.out, lexicons, settings, begin)
    losses = "" if aligned.losses is None else f", loss {aligned.losses[0]:.3f} to {aligned.losses[1]:.3f}"
    print(
        f"{aligned.path}: {aligned.rows:,} rows changed by {aligned.drift:.1%} of the table's length{losses}, "
        f"{args.updates} updates in {time.monotonic() - began:.0f} s"
    )
