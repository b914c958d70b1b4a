"""A start for alignment: rows of a language's pieces as weighted means of vectors that its words have elsewhere.

From the words that translate them, or from a file of word vectors, mapped into the space of the table. Both are what
WECHSEL (Minixhofer et al. 2022, https://arxiv.org/abs/2112.06598), FOCUS (Dobler & de Melo 2023,
https://arxiv.org/abs/2305.14481) and OFA (Liu et al. 2024, https://arxiv.org/abs/2311.08849) do for a new vocabulary;
they take similarities of word vectors for weights, here the weights of the lexicon and frequencies are.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from fairseq_align.embeddings import retrieval
from fairseq_align.embeddings.pooling import word_vectors
from fairseq_align.lexicon.words import Pairs, Words

BLOCK = 4096  # pairs at a time


class PieceMeans:
    """Weighted means, for some pieces, of the vectors of the words that hold them; sums are kept, in float64.

    A word counts for a piece as often as it holds it.

    Args:
        rows: ids of the pieces, int64, shape (R,), distinct.
        size: V, above all ids of words.
        dim: of the vectors, D.
    """

    def __init__(self, rows: Tensor, size: int, dim: int):
        self.rows = rows
        self.place = torch.full((size,), -1, device=rows.device)
        self.place[rows] = torch.arange(len(rows), device=rows.device)
        self.sums = torch.zeros(len(rows), dim, dtype=torch.float64, device=rows.device)
        self.weights = torch.zeros(len(rows), dtype=torch.float64, device=rows.device)

    def add(self, words: Words, vectors: Tensor, weights: Tensor) -> None:
        """Count words in.

        Args:
            words: P words.
            vectors, weights: of each word, shapes (P, D) and (P,); weights are positive.
        """
        word = torch.arange(len(words), device=self.rows.device).repeat_interleave(words.lengths)
        place = self.place[words.ids]
        word, place = word[place >= 0], place[place >= 0]
        weights = weights.double()
        self.sums.index_add_(0, place, vectors.double()[word] * weights[word, None])
        self.weights.index_add_(0, place, weights[word])

    def result(self) -> tuple[Tensor, Tensor]:
        """The pieces that some word holds, int64, shape (N,), and their means, float64, shape (N, D)."""
        held = self.weights > 0
        return self.rows[held], self.sums[held] / self.weights[held, None]


@torch.no_grad()
def of_translations(table: Tensor, pairs: Pairs, rows: Tensor) -> Tensor:
    """A table whose rows of a language are means of the words that translate the words that hold them.

    >>> table = torch.tensor([[1.0, 0.0], [0.0, 1.0], [9.0, 9.0], [8.0, 8.0]])
    >>> pairs = Pairs(Words.of([[0], [1]]), Words.of([[2], [2]]), torch.tensor([3.0, 1.0]))
    >>> of_translations(table, pairs, torch.tensor([2, 3]))[2:]
    tensor([[0.7500, 0.2500],
            [8.0000, 8.0000]])

    Args:
        table: word embeddings, shape (V, C), any float type.
        pairs: words of the source language and of the language, weighted; on the device of the table.
        rows: those of the language, int64, shape (R,); of these, the ones that no pair holds stay.

    Returns:
        a new tensor; rows that are not named are the same to the bit.
    """
    means = PieceMeans(rows, len(table), table.shape[1])
    for part in pairs.split(BLOCK):
        means.add(part.target, word_vectors(table, part.source), part.weights)
    return _with(table, *means.result())


class MappedVectors:
    """Rows of a language from word vectors of another space, which comes in blocks and is mapped into the table's.

    The map is the isometry (of D to C dimensions; if D is above C, onto a subspace) that brings the vectors of some
    words, of length 1, closest to those that the table has for their translations, or for themselves. For a language
    with a lexicon this is WECHSEL's alignment of two spaces.

    Args:
        table: word embeddings, shape (V, C), any float type.
        rows: of the language, int64, shape (R,), on the device of the table.
        dim: of the word vectors, D.

    Attributes:
        means: of the vectors as they are, which words of the language are to be added to.
    """

    def __init__(self, table: Tensor, rows: Tensor, dim: int):
        self.table = table
        self.means = PieceMeans(rows, len(table), dim)
        self.product = torch.zeros(dim, table.shape[1], dtype=torch.float64, device=table.device)

    @torch.no_grad()
    def learn(self, vectors: Tensor, words: Words) -> None:
        """Count pairs in from which the map is learnt: vectors, shape (P, D), and words as the table has them."""
        self.product += F.normalize(vectors.double(), dim=-1).T @ F.normalize(
            word_vectors(self.table, words).double(), dim=-1
        )

    @torch.no_grad()
    def result(self) -> Tensor:
        """A table with the mapped means, their mean length made that of the table's rows.

        Returns:
            a new tensor; other rows, and those of pieces that no word holds, are the same to the bit.
        """
        rows, means = self.means.result()
        mapped = means @ retrieval.isometry(self.product)
        length = mapped.norm(dim=-1).mean() if len(rows) else mapped.new_ones(())
        scale = self.table.float().norm(dim=-1).double().mean() / length.clamp_min(1e-30)
        return _with(self.table, rows, mapped * scale)


def _with(table: Tensor, rows: Tensor, vectors: Tensor) -> Tensor:
    """A copy of the table with other vectors in some rows."""
    return table.index_copy(0, rows, vectors.to(table.dtype))
