"""Bilingual lexicon induction: ranks of translations by cosine and by CSLS, a block of similarities at a time.

Each distinct source word of a lexicon is a query; any of its translations counts as correct.

    Space (unit vectors, made a block at a time) -> ``mean_similarities`` (the r(x) of CSLS) -> ``ranks``

No similarity matrix and no second table of vectors is ever held. With blocks of B words of one piece, the memory
beyond the tables is at most ``memory(B, C)`` bytes and a few numbers a word: 34 MB for blocks of 1,024 words of
dimension 1,024. 250,000 words against 250,000 take that, and two tables of 1 GB in float32.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from fairseq_align.embeddings import pooling
from fairseq_align.embeddings.characters import Characters, composed
from fairseq_align.embeddings.pooling import word_vectors
from fairseq_align.lexicon import words as lexicon_words
from fairseq_align.lexicon.words import Pairs, Words

BLOCK = 1024  # words; on a CPU half again as fast as 4,096, whose cosines leave the cache
NEIGHBOURS = 10  # of CSLS, as in its paper
TOLERANCE = 1e-6  # scores that differ by no more are tied: float32 rounds equal vectors differently in different blocks


def memory(block: int, dim: int) -> int:
    """Bytes that scoring needs beyond its tables, with blocks of that many words of one piece, in float32."""
    return 4 * (4 * block * block + 4 * block * dim)


class Space:
    """Words as unit vectors, which are made from a table a block at a time, when they are needed.

    Args:
        table: vectors of pieces, shape (V, C), any float type.
        words: N words, on the device of the table.
        mapping: matrix that is applied to the unit vectors, shape (C, C), orthogonal; None: the identity.
    """

    def __init__(self, table: Tensor, words: Words, mapping: Tensor | None = None):
        self.table, self.words, self.mapping = table, words, mapping

    @classmethod
    @torch.no_grad()
    def of(cls, table: Tensor, words: Words, characters: Characters | None = None) -> "Space":
        """Words by their pieces, or by these and their characters: then in a table of their own, of N rows."""
        if characters is None:
            return cls(table, words)
        rows = torch.arange(len(words), device=table.device)
        return cls(composed(table, words, characters), Words(rows, rows))

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

    def mapped(self, mapping: Tensor) -> "Space":
        """The same words, with another mapping."""
        return Space(self.table, self.words, mapping)

    def blocks(self, size: int) -> Iterator[tuple[slice, Tensor]]:
        """All vectors, ``size`` at a time, each block with the rows of its words."""
        for start in range(0, len(self), size):
            stop = min(start + size, len(self))
            yield slice(start, stop), self.take(torch.arange(start, stop, device=self.device))


@torch.no_grad()
def mean_similarities(
    source: Space, target: Space, neighbours: int = NEIGHBOURS, block: int = BLOCK
) -> tuple[Tensor, Tensor]:
    """Mean cosine of each word to its k nearest words of the other language, the r(x) of CSLS; high for hubs.

    Args:
        neighbours: k; where the other language has fewer words, all of them are taken.

    Returns:
        of the source words, shape (S,), and of the target words, shape (T,), in [-1, 1].

    Source: Conneau et al. 2018, https://arxiv.org/abs/1710.04087
    """
    source_nearest = torch.full((len(source), min(neighbours, len(target))), -torch.inf, device=source.device)
    target_nearest = torch.full((len(target), min(neighbours, len(source))), -torch.inf, device=source.device)
    for rows, vectors in source.blocks(block):
        for columns, others in target.blocks(block):
            similarities = vectors @ others.T
            source_nearest[rows] = _nearest(source_nearest[rows], similarities)
            target_nearest[columns] = _nearest(target_nearest[columns], similarities.T)
    return source_nearest.mean(-1), target_nearest.mean(-1)


def _nearest(nearest: Tensor, similarities: Tensor) -> Tensor:
    """The K highest cosines: of the highest so far, shape (B, K), and of a block of them, shape (B, N)."""
    k = nearest.shape[-1]
    best = similarities.topk(min(k, similarities.shape[-1])).values
    return torch.cat([nearest, best], dim=-1).topk(k).values


@torch.no_grad()
def pair_cosines(queries: Space, candidates: Space, gold: Tensor, block: int = BLOCK) -> Tensor:
    """Cosine of each pair of a query and a candidate (rows, int64, shape (G, 2)); float32, shape (G,)."""
    return torch.cat([(queries.take(part[:, 0]) * candidates.take(part[:, 1])).sum(-1) for part in gold.split(block)])


class Queries(NamedTuple):
    """Queries of bilingual lexicon induction and their gold translations.

    Attributes:
        rows: the distinct source words, int64, shape (Q,), ascending.
        gold: distinct pairs of the number of a query, below Q, and a candidate that translates it, int64, shape (G, 2).
    """

    rows: Tensor
    gold: Tensor

    @classmethod
    def of(cls, pairs: Tensor) -> "Queries":
        """Make each distinct source word a query; all words that it is paired with are its gold translations.

        >>> Queries.of(torch.tensor([[7, 1], [5, 0], [7, 3], [7, 1]]))
        Queries(rows=tensor([5, 7]), gold=tensor([[0, 0],
                [1, 1],
                [1, 3]]))

        Args:
            pairs: rows of a source word and of a candidate that translate each other, int64, shape (P, 2).
        """
        rows, numbers = pairs[:, 0].unique(return_inverse=True)
        return cls(rows, torch.stack([numbers, pairs[:, 1]], dim=1).unique(dim=0))


class Ranks(NamedTuple):
    """Rank of the first gold translation of each query among the candidates.

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
def ranks(
    queries: Space, candidates: Space, gold: Tensor, mean_similarity: Tensor | None = None, block: int = BLOCK
) -> Ranks:
    """Rank of the first gold translation of each query, from the nearest candidate to the farthest.

    The score of a candidate y for a query x is cos(x, y), or with ``mean_similarity`` the cross-domain similarity local
    scaling (CSLS) of Conneau et al. 2018 (https://arxiv.org/abs/1710.04087), 2 cos(x, y) - r(x) - r(y), whose r(x) is
    left out as it is the same for all candidates. Scores within ``TOLERANCE`` are ties, won by the lower row of
    candidates.

    >>> rows = torch.arange(2)
    >>> space = Space(torch.tensor([[1.0, 0.0], [0.6, 0.8]]), Words(rows, rows))
    >>> ranks(space, space, torch.tensor([[0, 1], [1, 1]])).rank
    tensor([2, 1])

    Args:
        gold: pairs of a query and a candidate that translates it, int64, shape (G, 2); every query has one.
        mean_similarity: r(y) of the candidates, see ``mean_similarities``, shape (N,); None: cosine.
    """
    best, best_row = _best_translations(queries, candidates, gold, mean_similarity, block)
    better, before, tied = (torch.zeros(len(queries), dtype=torch.int64, device=queries.device) for _ in range(3))
    for rows, vectors in queries.blocks(block):
        for columns, others in candidates.blocks(block):
            scores = vectors @ others.T
            if mean_similarity is not None:
                scores.mul_(2).sub_(mean_similarity[columns])
            scores.sub_(best[rows, None])
            better[rows] += (scores > TOLERANCE).sum(-1)
            equal = scores.abs_() <= TOLERANCE
            tied[rows] += equal.sum(-1)
            equal &= torch.arange(columns.start, columns.stop, device=queries.device) < best_row[rows, None]
            before[rows] += equal.sum(-1)
    gold_scores = _gold_scores(queries, candidates, gold, mean_similarity, block)
    own = (gold_scores - best[gold[:, 0]]).abs() <= TOLERANCE
    tied.index_add_(0, gold[:, 0], -own.long())
    return Ranks(1 + better + before, tied > 0)


def _gold_scores(queries: Space, candidates: Space, gold: Tensor, mean_similarity: Tensor | None, block: int) -> Tensor:
    """Scores of the gold translations, shape (G,)."""
    scores = pair_cosines(queries, candidates, gold, block)
    return scores if mean_similarity is None else 2 * scores - mean_similarity[gold[:, 1]]


def _best_translations(
    queries: Space, candidates: Space, gold: Tensor, mean_similarity: Tensor | None, block: int
) -> tuple[Tensor, Tensor]:
    """Score and row of the first gold translation of each query, each of shape (Q,)."""
    scores = _gold_scores(queries, candidates, gold, mean_similarity, block)
    best = scores.new_full((len(queries),), -torch.inf).scatter_reduce_(0, gold[:, 0], scores, "amax")
    first = gold[scores >= best[gold[:, 0]] - TOLERANCE]
    best_row = gold.new_full((len(queries),), len(candidates)).scatter_reduce_(0, first[:, 0], first[:, 1], "amin")
    return best, best_row


@torch.no_grad()
def mean_cosine(embeddings: Tensor, pairs: Pairs, characters: Characters | None = None) -> Tensor:
    """Mean cosine similarity of translation pairs, unweighted; scalar in [-1, 1]."""
    sides = (composed(embeddings, words, characters) for words in (pairs.source, pairs.target))
    return pooling.cosines(*sides).mean()


@torch.no_grad()
def precision_at_1(embeddings: Tensor, pairs: Pairs, candidates: Words, characters: Characters | None = None) -> Tensor:
    """Share of distinct source words whose nearest candidate by cosine similarity is one of their translations.

    Args:
        embeddings: word embedding table, shape (V, C).
        pairs: the lexicon; a source word with several translations is one query, and any of them is correct.
        candidates: distinct words, those of ``pairs.target`` among them.
        characters: whose vectors are added to those of the words; None: none.

    Returns:
        scalar in [0, 1], float32.
    """
    source = lexicon_words.unique(pairs.source)
    rows = [lexicon_words.rows(pairs.source, source), lexicon_words.rows(pairs.target, candidates)]
    gold = Queries.of(torch.stack(rows, dim=1)).gold
    queries, others = (Space.of(embeddings, words, characters) for words in (source, candidates))
    return ranks(queries, others, gold).precision(1).mean()


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
    return isometry(product).float()


def isometry(product: Tensor) -> Tensor:
    """The matrix W with orthonormal columns, or rows if it is wide, that brings x closest to y: min sum |x W - y|^2.

    >>> isometry(torch.tensor([[0.0, 2.0, 0.0], [3.0, 0.0, 0.0]], dtype=torch.float64))
    tensor([[0., 1., 0.],
            [1., 0., 0.]], dtype=torch.float64)

    Args:
        product: sum of the products x^T y, shape (D, C).
    """
    left, _, right = torch.linalg.svd(product, full_matrices=False)
    return left @ right
