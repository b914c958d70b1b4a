"""The command ``fairseq-align induce``; torch and fairseq are imported only when its files are there."""

import argparse
from dataclasses import replace
from pathlib import Path

from fairseq_align.errors import InputError
from fairseq_align.evaluation.command import Recording, add_pieces_alone, add_recording
from fairseq_align.files import check_exists


def add_parser(subparsers) -> None:
    """Add the command ``induce`` to ``fairseq-align``."""
    parser = subparsers.add_parser(
        "induce",
        help="a dictionary of the words that are nearest to each other",
        description="Pair each of the most frequent words of a language with the nearest one of another, and write the "
        "pairs with their scores, the best first, as a word list that fairseq-align lexicon words reads. With "
        "held-out pairs, score how many of the answers are right, beside spelling alone and chance.",
    )
    add_recording(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="WORDS.txt", help="word list to write")
    parser.add_argument(
        "--lang", help="target language, a folder of the data; default: the second of two that were trained on"
    )
    parser.add_argument(
        "--source-lang", help="source language, a folder of the data; default: the first other one of pre-training"
    )
    parser.add_argument("--heldout-lexicon", help="pairs kept from training, to score the answers; default: no scores")
    parser.add_argument(
        "--words",
        type=int,
        default=20_000,
        metavar="N",
        help="words of each language that are compared, the most frequent of the training text (default: %(default)s)",
    )
    parser.add_argument(
        "--similarity",
        choices=("csls", "cosine"),
        default="csls",
        help="what is nearest: csls, which counts against words that are near to everything, or cosine "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--one-way",
        action="store_true",
        help="pair every source word with its nearest one; default: only if it is the nearest of that, too",
    )
    parser.add_argument(
        "--min-score",
        type=float,
        default=0.0,
        help="write pairs with a higher score alone; 0 is where two words are as near to each other as to their "
        "neighbours (default: %(default)s)",
    )
    parser.add_argument(
        "--top", type=int, default=0, metavar="N", help="write the best N pairs alone; 0: all (default)"
    )
    parser.add_argument(
        "--layer", type=int, help="encoder layer whose states of a word on its own are compared; default: embeddings"
    )
    parser.add_argument(
        "--block",
        type=int,
        default=1024,
        metavar="N",
        help="words compared at a time; needs 16 N (N + dim) bytes beyond the model; a GPU wants more "
        "(default: %(default)s)",
    )
    add_pieces_alone(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> None:
    """Write the dictionary, and record the scores of its answers.

    Raises:
        InputError: a file is missing or unfit, or no pair has a higher score than it should.
    """
    check_exists(args.checkpoint, "a checkpoint; train one with fairseq-train")
    if args.results and not args.heldout_lexicon:
        raise InputError("fairseq-align induce: found --results without pairs to score; name --heldout-lexicon")
    if args.heldout_lexicon:
        check_exists(args.heldout_lexicon, "a lexicon; make it with fairseq-align lexicon")
    recording = Recording.of(args)
    from fairseq_align.evaluation import checkpoint as checkpoints
    from fairseq_align.evaluation import induction
    from fairseq_align.evaluation.alignment import default_source_lang
    from fairseq_align.evaluation.training_of import Training
    from fairseq_align.lexicon import wordlist
    from fairseq_align.lexicon import words as lexicon_words

    is_scored = args.heldout_lexicon is not None
    checkpoint = recording.load() if is_scored else checkpoints.load(args.checkpoint, args.data)
    if args.pieces_alone:
        checkpoint = replace(checkpoint, characters=None)
    lang = Training.of(checkpoint).target(args.lang)
    langs = args.source_lang or default_source_lang(checkpoint, lang), lang
    pairs = lexicon_words.load(args.heldout_lexicon, checkpoint.dictionary) if is_scored else None
    how = {"similarity": args.similarity, "both_ways": not args.one_way, "layer": args.layer}
    induced = induction.induce(checkpoint, langs, args.words, **how, block=args.block)
    kept = induction.word_pairs(induced, checkpoint.dictionary, args.min_score)[: args.top or None]
    if not kept:
        best = f"at most {induced.answers[0].score:.3g}" if induced.answers else "none"
        raise InputError(f"--min-score: found scores of {best}, expected higher ones than {args.min_score:g}; lower it")
    wordlist.write(args.out, kept)
    counts = (f"{len(words):,} {name}" for words, name in zip(induced.words, langs, strict=True))
    print(
        f"{args.out}: {len(kept):,} pairs of {' and '.join(counts)} words, scores from {kept[0].weight:.3f} to "
        f"{kept[-1].weight:.3f}"
    )
    if pairs is not None:
        for score in induction.precision_scores(checkpoint, langs, induced, pairs, **how):
            recording.record(score, checkpoint, args.heldout_lexicon)
