"""Nearest neighbours of all words of two languages at once, both ways, a block of similarities at a time.

``retrieval`` asks where a known translation ranks; here the nearest word is asked for, whatever a lexicon says.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from fairseq_align.embeddings.retrieval import BLOCK, TOLERANCE, Space


class Neighbours(NamedTuple):
    """The nearest word of the other language, of N words each.

    Attributes:
        row: its row, int64, shape (N,); of equal ones, within ``TOLERANCE``, the lower.
        score: float32, shape (N,).
    """

    row: Tensor
    score: Tensor


@torch.no_grad()
def nearest(
    source: Space, target: Space, mean_similarities: tuple[Tensor, Tensor] | None = None, block: int = BLOCK
) -> tuple[Neighbours, Neighbours]:
    """The nearest target word of each source word, and the nearest source word of each target word.

    The score of x and y is cos(x, y), or with ``mean_similarities`` CSLS, 2 cos(x, y) - r(x) - r(y), which is 0 where
    the two are as near to each other as, in the mean, to their neighbours.

    >>> from fairseq_align.lexicon.words import Words
    >>> rows = torch.arange(2)
    >>> one, other = (Space(torch.tensor(table), Words(rows, rows)) for table in ([[1.0, 0], [0, 1]], [[0.6, 0.8]] * 2))
    >>> [neighbours.row.tolist() for neighbours in nearest(one, other)]
    [[0, 0], [1, 1]]

    Args:
        mean_similarities: r(x) and r(y), see ``retrieval.mean_similarities``; None: cosine.
        block: words that are compared at a time; memory is that of ``retrieval.memory``.

    Returns:
        of the source words and of the target words, of both at least one; on the device of the table.

    Source: Conneau et al. 2018, https://arxiv.org/abs/1710.04087
    """
    of_source, of_target = _none(source), _none(target)
    for rows, vectors in source.blocks(block):
        for columns, others in target.blocks(block):
            scores = vectors @ others.T
            if mean_similarities is not None:
                scores.mul_(2).sub_(mean_similarities[0][rows, None]).sub_(mean_similarities[1][columns])
            _take_better(of_source, rows, scores, columns.start)
            _take_better(of_target, columns, scores.T, rows.start)
    return of_source, of_target


def _none(space: Space) -> Neighbours:
    """Neighbours that any word is nearer than."""
    row = torch.zeros(len(space), dtype=torch.int64, device=space.device)
    return Neighbours(row, torch.full((len(space),), -torch.inf, device=space.device))


def _take_better(neighbours: Neighbours, rows: slice, scores: Tensor, start: int) -> None:
    """Change the neighbours of ``rows`` where a block has better ones.

    Args:
        scores: of the rows and of the candidates from row ``start`` on.
    """
    best = scores.amax(1)
    first = (scores >= best[:, None] - TOLERANCE).byte().argmax(1)
    is_better = best > neighbours.score[rows] + TOLERANCE
    neighbours.row[rows] = torch.where(is_better, first + start, neighbours.row[rows])
    neighbours.score[rows] = torch.where(is_better, best, neighbours.score[rows])


@torch.no_grad()
def nearest_others(source: Space, target: Space, left_out: Tensor, count: int, block: int = BLOCK) -> Tensor:
    """The target words that are nearest to each source word by cosine, some pairs of words apart.

    >>> from fairseq_align.lexicon.words import Words
    >>> rows = torch.arange(3)
    >>> space = Space(torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]), Words(rows, rows))
    >>> nearest_others(space, space, torch.stack([rows, rows], dim=1), 2)  # a word is no answer to itself
    tensor([[1, 2],
            [0, 2],
            [1, 0]])

    Args:
        left_out: source and target word of each pair that does not count, rows, int64, shape (E, 2).
        count: K, at most the target words that are left for each source word.

    Returns:
        their rows, the nearest first, int64, shape (S, K), on the device of the table.
    """
    found = []
    for rows, vectors in source.blocks(block):
        own = left_out[(left_out[:, 0] >= rows.start) & (left_out[:, 0] < rows.stop)]
        best = vectors.new_full((len(vectors), count), -torch.inf)
        best_row = torch.zeros_like(best, dtype=torch.int64)
        for columns, others in target.blocks(block):
            scores = vectors @ others.T
            here = own[(own[:, 1] >= columns.start) & (own[:, 1] < columns.stop)]
            scores[here[:, 0] - rows.start, here[:, 1] - columns.start] = -torch.inf
            numbers = torch.arange(columns.start, columns.stop, device=scores.device).expand(scores.shape)
            best, places = torch.cat([best, scores], dim=1).topk(count)
            best_row = torch.cat([best_row, numbers], dim=1).gather(1, places)
        found.append(best_row)
    return torch.cat(found)


def mutual(of_source: Neighbours, of_target: Neighbours) -> Tensor:
    """Rows of the source words that are the nearest of their nearest, int64, ascending.

    >>> one, other = (Neighbours(torch.tensor(row), torch.ones(len(row))) for row in ([1, 1, 0], [2, 0]))
    >>> mutual(one, other)
    tensor([0, 2])
    """
    rows = torch.arange(len(of_source.row), device=of_source.row.device)
    return rows[of_target.row[of_source.row] == rows]
