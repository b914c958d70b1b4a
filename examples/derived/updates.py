#!/usr/bin/env python3
"""Updates of a fine-tuning, over which its learning rate falls to 0.

    python updates.py ner-bin --task ner --lang en --positions 128 --batch 32 --epochs 10

A tagger cuts sentences that are longer than its positions, so that an epoch may have more items than sentences.
"""

import argparse
from math import ceil
from pathlib import Path

from fairseq_align.errors import status_of


def items(data: Path, task: str, lang: str, positions: int) -> int:
    """Number of items of an epoch."""
    from fairseq_align.data import binarized
    from fairseq_align.data.tagging import TaggingDataset
    from fairseq_align.text import vocabulary

    if task == "xnli":
        return len(binarized.read(data / "label" / f"train_{lang}").sizes)
    dictionaries = (vocabulary.load(path / "dict.txt") for path in (data, data / "label"))
    return len(TaggingDataset(data / lang / "train", positions, *dictionaries, seed=1))


def main(args: argparse.Namespace) -> None:
    print(args.epochs * ceil(items(args.data, args.task, args.lang, args.positions) / args.batch))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="pos-bin, ner-bin or xnli-bin")
    parser.add_argument("--task", required=True, choices=("pos", "ner", "xnli"))
    parser.add_argument("--lang", required=True, help="language of fine-tuning")
    parser.add_argument("--positions", type=int, required=True, help="of the model")
    parser.add_argument("--batch", type=int, required=True, help="items in an update")
    parser.add_argument("--epochs", type=int, required=True)
    raise SystemExit(status_of(main, parser.parse_args()))
