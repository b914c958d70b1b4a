#!/usr/bin/env python3
"""Give a model that has read short items positions for longer ones: python positions.py short.pt long.pt --learnt 32

The rows of its table of positions that were learnt are repeated over those that were not, as Longformer does with
RoBERTa's (Beltagy, Peters & Cohan 2020, https://arxiv.org/abs/2004.05150): what is beside a word stays beside it.
"""

import argparse
from pathlib import Path

import torch

from fairseq_align.errors import InputError, status_of
from fairseq_align.files import replacing
from fairseq_align.huggingface import fairseq_checkpoint as roberta
from fairseq_align.huggingface.architecture import OFFSET

TABLE = "encoder.sentence_encoder.embed_positions.weight"


def main(args: argparse.Namespace) -> None:
    state = roberta.read_torch(args.model)
    table = state.get("model", {}).get(TABLE)
    if table is None or not 0 < args.learnt <= len(table) - OFFSET:
        found = "no table of positions" if table is None else f"{len(table) - OFFSET} positions"
        raise InputError(f"{args.model}: found {found}, expected at least the {args.learnt} of --learnt")
    table[OFFSET:] = table[OFFSET + torch.arange(len(table) - OFFSET) % args.learnt]
    with replacing(args.out) as part:
        torch.save(state, part)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("model", type=Path, help="checkpoint of fairseq-train")
    parser.add_argument("out", type=Path, help="checkpoint to write")
    parser.add_argument("--learnt", type=int, required=True, help="positions that the model was trained with")
    raise SystemExit(status_of(main, parser.parse_args()))
