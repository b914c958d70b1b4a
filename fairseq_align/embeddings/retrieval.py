"""Finding translations among the words of a language: ranks by cosine and by CSLS, a block of similarities at a time.

    Space (unit vectors, made a block at a time) -> ``neighbourhoods`` (how crowded each word is) -> ``ranks``

No similarity matrix and no second table of vectors is ever held. With blocks of B words of one piece, the memory
beyond the tables is at most ``memory(B, C)`` bytes and a few numbers a word: 34 MB for blocks of 1,024 words of
dimension 1,024. 250,000 words against 250,000 take that, and two tables of 1 GB in float32.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from fairseq_align.lexicon.words import Words

BLOCK = 1024  # words; on a CPU half again as fast as 4,096, whose cosines leave the cache
NEIGHBOURS = 10  # of CSLS, as in its paper
TOLERANCE = 1e-6  # scores that differ by no more are tied: float32 rounds equal vectors differently in different blocks


def memory(block: int, dim: int) -> int:
    """Bytes that scoring needs beyond its tables, with blocks of that many words of one piece, in float32."""
    return 4 * (4 * block * block + 4 * block * dim)


def word_vectors(table: Tensor, words: Words) -> Tensor:
    """Vectors of words, each the mean of the vectors of its pieces.

    Args:
        table: word embeddings, shape (V, C), any float type.
        words: P words, on the device of the table.

    Returns:
        shape (P, C), float32, or float64 if the table is.
    """
    return pooled(F.embedding(words.ids, table), words)


def pooled(pieces: Tensor, words: Words) -> Tensor:
    """Vectors of words, shape (P, C), in float32 at least: means of those of their pieces, (N, C), in order."""
    if pieces.dtype not in (torch.float32, torch.float64):
        pieces = pieces.float()
    if words.ids.numel() == len(words):  # every word is one piece
        return pieces
    order = torch.arange(words.ids.numel(), device=pieces.device)
    return F.embedding_bag(order, pieces, words.offsets, mode="mean")


class Space:
    """Words as unit vectors, made from a table whenever a block of them is asked for.

    Args:
        table: vectors of pieces, shape (V, C), any float type.
        words: N words, on the device of the table.
        mapping: matrix that is applied to the unit vectors, shape (C, C), orthogonal; None: the identity.
    """

    def __init__(self, table: Tensor, words: Words, mapping: Tensor | None = None):
        self.table, self.words, self.mapping = table, words, mapping

    def __len__(self) -> int:
        return len(self.words)

    @property
    def device(self) -> torch.device:
        return self.table.device

    def take(self, rows: Tensor) -> Tensor:
        """Vectors of the words at ``rows`` (int64, shape (R,)), shape (R, C); a zero vector stays zero."""
        vectors = F.normalize(word_vectors(self.table, self.words.take(rows)), dim=-1)
        return vectors if self.mapping is None else vectors @ self.mapping

    def subspace(self, rows: Tensor) -> "Space":
        return Space(self.table, self.words.take(rows), self.mapping)

    def blocks(self, size: int) -> Iterator[tuple[slice, Tensor]]:
        """All vectors, ``size`` at a time, each with where it stands."""
        for start in range(0, len(self), size):
            stop = min(start + size, len(self))
            yield slice(start, stop), self.take(torch.arange(start, stop, device=self.device))


@torch.no_grad()
def neighbourhoods(
    source: Space, target: Space, neighbours: int = NEIGHBOURS, block: int = BLOCK
) -> tuple[Tensor, Tensor]:
    """Mean cosine of each word with its nearest words of the other language; high for hubs.

    Args:
        neighbours: nearest words taken; all, where the other language has fewer.

    Returns:
        of the source words, shape (S,), and of the target words, shape (T,), in [-1, 1].
    """
    of_source = torch.full((len(source), min(neighbours, len(target))), -torch.inf, device=source.device)
    of_target = torch.full((len(target), min(neighbours, len(source))), -torch.inf, device=source.device)
    for rows, vectors in source.blocks(block):
        for columns, others in target.blocks(block):
            similar = vectors @ others.T
            of_source[rows] = _nearest(of_source[rows], similar)
            of_target[columns] = _nearest(of_target[columns], similar.T)
    return of_source.mean(-1), of_target.mean(-1)


def _nearest(found: Tensor, similar: Tensor) -> Tensor:
    """The highest of those found before, shape (B, K), and of the cosines ``similar``, shape (B, N)."""
    wanted = found.shape[-1]
    best = similar.topk(min(wanted, similar.shape[-1])).values
    return torch.cat([found, best], dim=-1).topk(wanted).values


@torch.no_grad()
def cosines(asked: Space, candidates: Space, gold: Tensor, block: int = BLOCK) -> Tensor:
    """Cosine of each pair of an asked word and a candidate (rows, int64, shape (G, 2)); float32, shape (G,)."""
    return torch.cat([(asked.take(part[:, 0]) * candidates.take(part[:, 1])).sum(-1) for part in gold.split(block)])


class Ranks(NamedTuple):
    """Where the first translation of each asked word stands among the candidates.

    Attributes:
        rank: from 1, int64, shape (Q,).
        tied: whether a candidate that is no translation has the same score, so that only the order of candidates
            decides between them; bool, shape (Q,).
    """

    rank: Tensor
    tied: Tensor

    def take(self, rows: Tensor) -> "Ranks":
        return Ranks(self.rank[rows.to(self.rank.device)], self.tied[rows.to(self.tied.device)])

    def precision(self, k: int) -> Tensor:
        """Whether a translation is among the first ``k`` candidates; float32, shape (Q,)."""
        return (self.rank <= k).float()

    @property
    def reciprocal(self) -> Tensor:
        return 1 / self.rank.float()


@torch.no_grad()
def ranks(asked: Space, candidates: Space, gold: Tensor, crowd: Tensor | None = None, block: int = BLOCK) -> Ranks:
    """Rank of the first translation of each asked word, from the nearest candidate to the farthest.

    The score of a candidate y for an asked word x is cos(x, y), or with ``crowd`` the cross-domain similarity local
    scaling of Conneau et al. 2018 (https://arxiv.org/abs/1710.04087), 2 cos(x, y) - r(x) - r(y), whose r(x) is left
    out as it is the same for all candidates. Scores within ``TOLERANCE`` are ties, won by the lower row of candidates.

    Args:
        gold: pairs of an asked word and a candidate that translates it, int64, shape (G, 2); every asked word has one.
        crowd: r(y) of the candidates, see ``neighbourhoods``, shape (N,); None: cosine.
    """
    best, place = _best_translations(asked, candidates, gold, crowd, block)
    better, before, tied = (torch.zeros(len(asked), dtype=torch.int64, device=asked.device) for _ in range(3))
    for rows, vectors in asked.blocks(block):
        for columns, others in candidates.blocks(block):
            scores = vectors @ others.T
            if crowd is not None:
                scores.mul_(2).sub_(crowd[columns])
            scores.sub_(best[rows, None])
            better[rows] += (scores > TOLERANCE).sum(-1)
            equal = scores.abs_() <= TOLERANCE
            tied[rows] += equal.sum(-1)
            equal &= torch.arange(columns.start, columns.stop, device=asked.device) < place[rows, None]
            before[rows] += equal.sum(-1)
    own = (_gold_scores(asked, candidates, gold, crowd, block) - best[gold[:, 0]]).abs() <= TOLERANCE
    tied.index_add_(0, gold[:, 0], -own.long())
    return Ranks(1 + better + before, tied > 0)


def _gold_scores(asked: Space, candidates: Space, gold: Tensor, crowd: Tensor | None, block: int) -> Tensor:
    """Scores of the translations, shape (G,)."""
    found = cosines(asked, candidates, gold, block)
    return found if crowd is None else 2 * found - crowd[gold[:, 1]]


def _best_translations(
    asked: Space, candidates: Space, gold: Tensor, crowd: Tensor | None, block: int
) -> tuple[Tensor, Tensor]:
    """Score and row of the first translation of each asked word, each of shape (Q,)."""
    scores = _gold_scores(asked, candidates, gold, crowd, block)
    best = scores.new_full((len(asked),), -torch.inf).scatter_reduce_(0, gold[:, 0], scores, "amax")
    first = gold[scores >= best[gold[:, 0]] - TOLERANCE]
    place = gold.new_full((len(asked),), len(candidates)).scatter_reduce_(0, first[:, 0], first[:, 1], "amin")
    return best, place


@torch.no_grad()
def procrustes(source: Space, target: Space, block: int = BLOCK) -> Tensor:
    """The orthogonal matrix W that brings the source vectors x closest to their targets y: min sum |x W - y|^2.

    Args:
        source, target: P translation pairs, row by row.

    Returns:
        shape (C, C), float32.

    Source: Schoenemann 1966; for word vectors Xing et al. 2015 and Artetxe et al. 2016.
    """
    dim = source.table.shape[-1]
    product = torch.zeros(dim, dim, dtype=torch.float64, device=source.device)
    for (_, vectors), (_, others) in zip(source.blocks(block), target.blocks(block), strict=True):
        product += (vectors.T @ others).double()
    left, _, right = torch.linalg.svd(product)
    return (left @ right).float()
