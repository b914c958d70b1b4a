"""The command ``fairseq-align map``; torch and fairseq are imported only when its files are there."""

import argparse
from pathlib import Path

from fairseq_align.errors import InputError
from fairseq_align.files import check_exists
from fairseq_align.results import embedding_map


def add_parser(subparsers) -> None:
    """Add the command ``map`` to ``fairseq-align``."""
    parser = subparsers.add_parser(
        "map",
        help="a map of the word embeddings of two languages",
        description="Words of two languages and their translations in a plane, in one checkpoint or in several, such "
        "as one before and one after alignment; fairseq-align report draws the map beside the results.",
    )
    parser.add_argument("checkpoints", nargs="+", type=Path, metavar="CHECKPOINT", help="checkpoints of fairseq-train")
    parser.add_argument("--data", type=Path, required=True, help="folder of binarized data with dict.txt")
    parser.add_argument("--lang", help="target language; default: the other one of two of pre-training")
    parser.add_argument(
        "--source-lang", help="source language, a folder of the data; default: the first other one of pre-training"
    )
    parser.add_argument("--lexicon", type=Path, help="pairs seen in training; default: as the first checkpoint says")
    parser.add_argument("--heldout-lexicon", type=Path, help="pairs kept from training; default: likewise")
    parser.add_argument(
        "--pairs",
        type=int,
        default=60,
        metavar="N",
        help="pairs in the map, the most frequent (default: %(default)s)",
    )
    parser.add_argument(
        "--method",
        choices=embedding_map.METHODS,
        default="pca",
        help="pca: the first two principal components; umap: UMAP, which keeps neighbours together and wants the "
        "package umap-learn (default: %(default)s)",
    )
    parser.add_argument(
        "--names", type=lambda text: text.split(","), default=[], metavar="NAME,...",
        help="names of the checkpoints in the figure; default: what they were trained with",
    )  # fmt: skip
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="MAP.json",
        help="file to write; map.json beside results.jsonl is where fairseq-align report looks for it",
    )
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> None:
    """Make the map and say how far apart the words of the pairs are.

    Raises:
        InputError: a file is missing or unfit.
    """
    files = {split: path for split, path in (("seen", args.lexicon), ("heldout", args.heldout_lexicon)) if path}
    if len(args.checkpoints) > embedding_map.MOST_PANELS:
        raise InputError(
            f"fairseq-align map: found {len(args.checkpoints)} checkpoints, expected at most "
            f"{embedding_map.MOST_PANELS}; draw several maps"
        )
    if args.names and len(args.names) != len(args.checkpoints):
        raise InputError(
            f"--names: found {len(args.names)} names, expected one for each of {len(args.checkpoints)} checkpoints"
        )
    for path in args.checkpoints:
        check_exists(path, "a checkpoint; train one with fairseq-train")
    for path in files.values():
        check_exists(path, "a lexicon; make it with fairseq-align lexicon")
    from fairseq_align.evaluation.embedding_map import map_embeddings

    made = map_embeddings(
        args.checkpoints, args.data, args.lang, files, args.source_lang, args.pairs, args.method, args.names
    )
    embedding_map.write(args.out, made)
    for panel in made.panels:
        mean = sum(panel.cosines) / len(panel.cosines)
        print(f"{panel.name}: mean cosine {mean:.3f} of {len(made.pairs)} pairs")
    print(args.out)
