"""A baseline of bilingual lexicon induction that trains nothing: words are alike if their character n-grams are.

words -> ``vectors`` (unit vectors of n-gram counts, sparse) -> ``ranks``, as those of ``retrieval``
                                                             -> ``nearest``, the most alike candidate of each word
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from fairseq_align.embeddings.retrieval import TOLERANCE, Ranks

if TYPE_CHECKING:
    from scipy.sparse import csr_array

LENGTHS = (2, 3)  # of the n-grams; with single characters most words share something, which costs time and tells little
SCORES = 1 << 23  # that are held at a time, 64 MB
END = "\u2581"  # as SentencePiece marks the beginning of a word


def ngrams(word: str) -> Counter[str]:
    """Character n-grams of a word, its beginning and end included, and how often each occurs.

    Example:
        >>> list(ngrams("\u2581if"))
        ['▁i', 'if', 'f▁', '▁if', 'if▁']
    """
    text = word.casefold() + END
    return Counter(text[i : i + n] for n in LENGTHS for i in range(len(text) - n + 1))


def vectors(words: Sequence[str], columns: dict[str, int]) -> csr_array:
    """Unit vectors of n-gram counts, shape (N, G).

    Args:
        words: N words, none of them empty, the beginning of one marked as SentencePiece does.
        columns: number of each n-gram; those of the words are added, so that lists of words can share it.
    """
    from scipy import sparse

    counts = [ngrams(word) for word in words]
    indices = [columns.setdefault(ngram, len(columns)) for count in counts for ngram in count]
    values = np.array([value for count in counts for value in count.values()], dtype=np.float64)
    sizes = np.array([len(count) for count in counts])
    norms = np.sqrt(np.add.reduceat(values**2, np.cumsum(sizes) - sizes))
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    return sparse.csr_array((values / norms.repeat(sizes), indices, offsets), shape=(len(words), len(columns)))


def ranks(queries: Sequence[str], candidates: Sequence[str], gold: Tensor) -> Ranks:
    """Rank of the first gold translation of each query by the cosine of n-gram counts.

    Ties are won by the lower row of candidates, as in ``retrieval.ranks``, and are common: many words share nothing.

    Example:
        >>> ranks(["\u2581nation"], ["\u2581maison", "\u2581nation"], torch.tensor([[0, 1]])).rank
        tensor([1])

    Args:
        gold: pairs of a query and a candidate that translates it, int64, shape (G, 2); every query has one.
    """
    pairs = gold.cpu().numpy()
    is_gold = np.zeros(len(candidates), dtype=bool)
    rank = np.empty(len(queries), dtype=np.int64)
    tied = np.empty(len(queries), dtype=bool)
    for row, own in enumerate(_cosines(queries, candidates)):
        translations = pairs[pairs[:, 0] == row, 1]
        best = own[translations].max()
        equal = np.abs(own - best) <= TOLERANCE
        first = translations[equal[translations]].min()
        is_gold[translations] = True
        rank[row] = 1 + np.count_nonzero(own > best + TOLERANCE) + np.count_nonzero(equal[:first])
        tied[row] = bool((equal & ~is_gold).any())
        is_gold[translations] = False
    return Ranks(torch.from_numpy(rank), torch.from_numpy(tied))


def nearest(queries: Sequence[str], candidates: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The candidate whose n-gram counts are most like those of each query, of equal ones the first, and the cosine.

    Example:
        >>> row, score = nearest(["\u2581nation"], ["\u2581maison", "\u2581nation"])
        >>> row.tolist(), score.round(6).tolist()
        ([1], [1.0])

    Returns:
        rows of the candidates, int64, and cosines in [0, 1], float64, each of shape (Q,).
    """
    row, score = np.empty(len(queries), dtype=np.int64), np.empty(len(queries))
    for number, own in enumerate(_cosines(queries, candidates)):
        row[number] = np.argmax(own >= own.max() - TOLERANCE)
        score[number] = own[row[number]]
    return row, score


def _cosines(queries: Sequence[str], candidates: Sequence[str]) -> Iterator[np.ndarray]:
    """Of one query after the other its cosines to all candidates, shape (N,)."""
    columns: dict[str, int] = {}
    targets = vectors(candidates, columns).T.tocsr()
    known = len(columns)
    sources = vectors(queries, columns)[:, :known]  # what no candidate has only lengthens a query, the same for all
    block = max(1, SCORES // len(candidates))
    for start in range(0, len(queries), block):
        yield from (sources[start : start + block] @ targets).toarray()
