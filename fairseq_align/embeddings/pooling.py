"""Vectors of words of several pieces, and how alike two of them are."""

import torch
import torch.nn.functional as F
from torch import Tensor

from fairseq_align.lexicon.words import Words

SHORTEST = 1e-8  # a shorter vector is taken to have this length, so that a zero vector has a gradient


def word_vectors(table: Tensor, words: Words) -> Tensor:
    """Vectors of words, each the mean of the vectors of its pieces.

    >>> table = torch.tensor([[1.0, 0.0], [3.0, 4.0]])
    >>> word_vectors(table, Words.of([[0], [0, 1]]))
    tensor([[1., 0.],
            [2., 2.]])

    Args:
        table: word embeddings, shape (V, C), any float type.
        words: P words, on the device of the table.

    Returns:
        shape (P, C), float32, or float64 if the table is.
    """
    return pooled(F.embedding(words.ids, table), words)


def pooled(pieces: Tensor, words: Words) -> Tensor:
    """Means over the pieces of each word.

    Args:
        pieces: vectors of all pieces in the order of ``words.ids``, shape (N, C), any float type.
        words: P words.

    Returns:
        shape (P, C), in float32 at least.
    """
    if pieces.dtype not in (torch.float32, torch.float64):
        pieces = pieces.float()
    if words.ids.numel() == len(words):  # every word is one piece
        return pieces
    order = torch.arange(words.ids.numel(), device=pieces.device)
    return F.embedding_bag(order, pieces, words.offsets, mode="mean")


def cosines(source: Tensor, target: Tensor) -> Tensor:
    """Cosine similarity of row i of ``source`` with row i of ``target``; shapes (P, C) -> (P,).

    The same as ``F.cosine_similarity``, in half its time with the gradient.

    >>> cosines(torch.tensor([[3.0, 4.0], [1.0, 0.0]]), torch.tensor([[4.0, 3.0], [0.0, 2.0]]))
    tensor([0.9600, 0.0000])
    """
    lengths = [torch.linalg.vecdot(side, side).clamp_min(SHORTEST**2).sqrt() for side in (source, target)]
    return torch.linalg.vecdot(source, target) / (lengths[0] * lengths[1])
