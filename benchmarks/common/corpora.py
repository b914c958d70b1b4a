"""Random corpora, batches and lexicons: sentences of 5 to 45 tokens, a vocabulary of which 70 % begin a word."""

import os
from pathlib import Path

import numpy as np
import torch
from fairseq.data import Dictionary

from benchmarks.common.shapes import MASKED
from fairseq_align.data import binarized
from fairseq_align.text import vocabulary


def dictionary_of(pieces: int) -> Dictionary:
    dictionary = Dictionary()
    for number in range(pieces):
        dictionary.add_symbol(f"{vocabulary.WORD_START if number % 10 < 7 else ''}p{number}")
    return dictionary


def write_corpus(prefix: Path, tokens: int, pieces: int, shift: int = 0) -> None:
    """Binarized, at least so many tokens of so many pieces; with a shift, each piece is the one so much further on."""
    rng = np.random.default_rng(1)
    with binarized.writer(prefix, 4 + pieces) as out:
        while tokens > 0:
            sizes = rng.integers(5, 46, min(40000, 1 + tokens // 5))
            ids = 4 + (rng.integers(0, pieces, sizes.sum()) + shift) % pieces
            ids[np.cumsum(sizes) - 1] = 2  # </s>
            out.add(ids, sizes)
            tokens -= len(ids)


def prepare(folder: Path, tokens: int, pieces: int) -> None:
    write_corpus(folder / "en" / "train", tokens, pieces)
    dictionary_of(pieces).save(str(folder / "dict.txt"))
    for suffix in ("bin", "idx"):  # fairseq's masked_lm looks beside dict.txt
        os.link(folder / "en" / f"train.{suffix}", folder / f"train.{suffix}")


def write_lexicon(path: Path, pieces: int, pairs: int) -> None:
    """Random pairs of pieces that are whole words."""
    whole = [piece for piece in dictionary_of(pieces).symbols if piece.startswith(vocabulary.WORD_START)]
    drawn = torch.randint(len(whole), (pairs, 2)).tolist()
    path.write_text("".join(f"{whole[one]}\t{whole[other]}\n" for one, other in drawn), encoding="utf-8")


def sample(words: int, items: int, tokens: int) -> dict:
    """A batch of random words as the loader makes it; all items are full, as in pre-training."""
    inputs = torch.randint(4, words, (items, tokens))
    predicted = torch.rand(items, tokens) < MASKED
    target = inputs.masked_fill(~predicted, 1)
    net_input = {"src_tokens": inputs, "src_lengths": torch.full((items,), tokens)}
    return {
        "id": torch.arange(items),
        "net_input": net_input,
        "target": target,
        "ntokens": items * tokens,
        "nsentences": items,
        "predicted": predicted.flatten().nonzero().flatten(),
        "padded": False,
    }
