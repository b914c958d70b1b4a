"""A start for alignment: an orthogonal map learnt on a lexicon, applied to the rows that one language has alone."""

import torch
from torch import Tensor

from fairseq_align.embeddings.retrieval import Space, procrustes
from fairseq_align.lexicon.words import Pairs

OWN = 10  # times as frequent in the language as in the source language


def own_rows(counts: Tensor, source_counts: Tensor, pairs: Pairs) -> Tensor:
    """Rows of the pieces that are a language's own, ascending, int64.

    A piece is its own if it makes up at least ``OWN`` times as much of its text and its words in the lexicon as of
    those of the source language; a piece that is in neither is nobody's.

    >>> from fairseq_align.lexicon.words import Words
    >>> pairs = Pairs(Words.of([[0]]), Words.of([[3]]), torch.ones(1))
    >>> own_rows(torch.tensor([0, 50, 50, 0]), torch.tensor([50, 50, 0, 0]), pairs)
    tensor([2, 3])

    Args:
        counts, source_counts: occurrences of each piece in text of the language and of the source language, shape (V,).
        pairs: words of the source language and of the language.
    """
    shares = []
    for text, words in ((counts, pairs.target), (source_counts, pairs.source)):
        total = text.double() + words.ids.bincount(minlength=len(text)).double()
        shares.append(total / total.sum().clamp_min(1))
    own, source = shares
    return ((own > 0) & (own >= OWN * source)).nonzero().flatten()


@torch.no_grad()
def mapped(table: Tensor, pairs: Pairs, rows: Tensor) -> Tensor:
    """A table whose rows of a language are turned to those of the source language; lengths and angles among them stay.

    The map is ``retrieval.procrustes`` of the target words to the source words: row t becomes t W.

    Args:
        table: word embeddings, shape (V, C), any float type.
        pairs: words of the source language and of the language, on the device of the table.
        rows: those of the language, int64, shape (R,).

    Returns:
        a new tensor; rows that are not named are the same to the bit.
    """
    mapping = procrustes(Space(table, pairs.target), Space(table, pairs.source))
    turned = table.clone()
    turned[rows] = (table[rows].float() @ mapping).to(table.dtype)
    return turned
