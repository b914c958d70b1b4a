"""A dictionary of ten pieces, sentences of them, and derivations of it."""

import numpy as np
from fairseq.data import Dictionary

from fairseq_align.derivation.record import Derivation
from fairseq_align.derivation.transforms import Chunk

PIECES = ["▁the", "▁small", "▁cat", "s", "▁sleep", "▁.", "▁?", "!", "▁", "~"]
EOS, UNK = 2, 3


def make_dictionary(pieces=PIECES) -> Dictionary:
    dictionary = Dictionary()
    for number, piece in enumerate(pieces):
        dictionary.add_symbol(piece, n=100 - number)
    return dictionary


def chunk(dictionary: Dictionary, *sentences: str) -> Chunk:
    rows = [[dictionary.index(piece) for piece in sentence.split()] + [EOS] for sentence in sentences]
    return Chunk(
        np.array([index for row in rows for index in row], dtype=np.int64), np.array([len(row) for row in rows])
    )


def text(dictionary: Dictionary, tokens: np.ndarray) -> str:
    return " ".join(dictionary[index] for index in tokens)


def plan(*transforms: str, **fields) -> Derivation:
    """The record of a derivation of ``make_dictionary()`` with these transforms."""
    fields = {"unit": "word", "seed": 1, "pieces": 2 * len(PIECES), **fields}
    return Derivation("en", transforms, source_pieces=len(PIECES), dictionary="", **fields)
