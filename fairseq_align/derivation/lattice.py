"""All orders of a head and its dependents: exact sums and maxima of their scores.

They run over the sets of dependents that are on one side of the head, not over permutations.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from fairseq_align.derivation.word_order import (
    AFTER,
    AROUND,
    BEFORE,
    EXACT,
    FIRST,
    LAST,
    NEXT,
    PRECEDE,
    Element,
    Head,
)

BATCH = 1 << 20  # numbers in the largest array of a batch


class Group(NamedTuple):
    """Heads with m dependents each.

    Attributes:
        indices: numbers of these heads.
        positions: of the elements in the source, that of the head and then those of its dependents, shape (U, m + 1).
        ids: numbers of the elements: the head, its dependents in the order of the source, the two edges; (U, m + 3).
    """

    indices: list[int]
    positions: np.ndarray
    ids: np.ndarray

    @property
    def dependents(self) -> int:
        return self.positions.shape[1] - 1


def groups(heads: list[Head], elements: list[Element]) -> Iterator[Group]:
    """Heads by their number of dependents, ascending, in batches whose arrays stay small.

    Args:
        elements: all elements in the order of their numbers, the edges ``FIRST`` and ``LAST`` among them.
    """
    number = {element: index for index, element in enumerate(elements)}
    by_size = defaultdict(list)
    for index, head in enumerate(heads):
        by_size[len(head.elements) - 1].append(index)
    for m, indices in sorted(by_size.items()):
        size = max(1, BATCH // (m * m << min(m, EXACT)))
        for start in range(0, len(indices), size):
            batch = indices[start : start + size]
            ids = np.array([[number[element] for element in heads[index].elements] for index in batch])
            positions = np.array([_head_first(heads[index]) for index in batch])
            edges = np.tile([number[FIRST], number[LAST]], (len(batch), 1))
            yield Group(batch, positions, np.concatenate([np.take_along_axis(ids, positions, 1), edges], axis=1))


def _head_first(head: Head) -> list[int]:
    """Positions of the elements of a head: its own, then those of its dependents."""
    positions = [*range(len(head.elements))]
    return [positions.pop(head.column), *positions]


class Layer(NamedTuple):
    """All sets of k dependents; a *state* is a set and the member of it that is nearest to the head.

    Attributes:
        members: the dependents of each set, ascending, shape (n, k); state (i, j) has ``members[i, j]`` nearest.
        rests: the set without that member, as a bit mask, shape (n, k).
        others: the members of the rest, shape (n, k, k - 1).
        previous: the states of the rest, numbered in the layer before, shape (n, k, k - 1).
    """

    members: np.ndarray
    rests: np.ndarray
    others: np.ndarray
    previous: np.ndarray


class Lattice(NamedTuple):
    """All sets of m dependents, as bit masks.

    Attributes:
        layers: sets of 1, 2, ..., m dependents.
        rank: index of each set within its layer, shape (2^m,).
        index: of each set in the concatenation of the empty set and all layers, shape (2^m,).
        has: membership, 0 or 1, shape (2^m, m).
    """

    layers: list[Layer]
    rank: np.ndarray
    index: np.ndarray
    has: Tensor


@cache
def lattice(count: int) -> Lattice:
    """All sets of ``count`` dependents."""
    sets = np.arange(1 << count)
    has = (sets[:, None] >> np.arange(count)) & 1
    size = has.sum(1)
    index = np.argsort(np.lexsort((sets, size)))
    rank = index - np.searchsorted(np.sort(size), size)
    layers = []
    for k in range(1, count + 1):
        own = sets[size == k]
        members = np.nonzero(has[own])[1].reshape(-1, k)
        rests = own[:, None] ^ (1 << members)
        others = np.nonzero(has[rests])[2].reshape(*rests.shape, k - 1)
        layers.append(Layer(members, rests, others, rank[rests][:, :, None] * (k - 1) + np.arange(k - 1)))
    return Lattice(layers, rank, index, torch.from_numpy(has.astype(float)))


class Side(NamedTuple):
    """One side of U heads with m dependents each.

    Attributes:
        states: for k = 1..m the scores of all states of k dependents, reduced over the orders of the rest, (U, n, k);
            what they have with the head is left out.
        link: score of i next to j, j nearer to the head, (U, m, m).
        inner: score of each dependent next to the head, (U, m).
        totals: score of each set of dependents on this side, reduced over its orders, (U, 2^m).
    """

    states: list[Tensor]
    link: Tensor
    inner: Tensor
    totals: Tensor


def side_of(
    edge: Tensor, link: Tensor, pair: Tensor, inner: Tensor, side: Tensor, bare: Tensor, reduce: Callable
) -> Side:
    """Build up one side of heads from the edge of the phrase inwards.

    Args:
        edge: score of each dependent at the edge, (U, m).
        link, pair: scores of dependents i and j, j nearer to the head, as neighbours and as any pair, (U, m, m).
        inner, side: score of each dependent next to the head, and anywhere on this side of it, (U, m).
        bare: score of the head at the edge, (U,).
        reduce: ``torch.logsumexp`` or ``torch.amax``.
    """
    sets = lattice(edge.shape[1])
    beyond = sets.has @ pair  # (U, 2^m, m): a set and a dependent nearer to the head than all of it
    states, totals = [edge[:, sets.layers[0].members]], [bare[:, None]]
    for layer in sets.layers[1:]:
        steps = states[-1].flatten(1)[:, layer.previous] + link[:, layer.others, layer.members[:, :, None]]
        states.append(reduce(steps, -1) + beyond[:, layer.rests, layer.members])
    for layer, state in zip(sets.layers, states, strict=True):
        totals.append(reduce(state + inner[:, layer.members], -1))
    return Side(states, link, inner, torch.cat(totals, 1)[:, sets.index] + side @ sets.has.T)


def sides(scores: Tensor, reduce: Callable) -> tuple[Side, Side, Tensor]:
    """All orders of U heads with m dependents each.

    The set of dependents before the head determines all scores of pairs across the two sides, so that each side is
    summed on its own: 2^m m^2 steps instead of (m + 1)!.

    Args:
        scores: of pairs, shape (5 or 6, U, m + 3, m + 3); elements are the head, its dependents and the two edges.
        reduce: over orders, ``torch.logsumexp`` or ``torch.amax``.

    Returns:
        the sides before and after the head, and the score of each set as the one before it, shape (U, 2^m).
    """
    m = scores.shape[-1] - 3
    head, own, first, last = 0, slice(1, m + 1), m + 1, m + 2
    near, precede, among = scores[NEXT], scores[PRECEDE], scores[:, :, own, own]
    before = side_of(
        edge=near[:, first, own],
        link=among[NEXT],
        pair=among[PRECEDE] + among[BEFORE],
        inner=near[:, own, head],
        side=precede[:, own, head],
        bare=near[:, first, head],
        reduce=reduce,
    )
    after = side_of(
        edge=near[:, own, last],
        link=among[NEXT].mT,
        pair=(among[PRECEDE] + among[AFTER]).mT,
        inner=near[:, head, own],
        side=precede[:, head, own],
        bare=near[:, head, last],
        reduce=reduce,
    )
    has = lattice(m).has
    around = ((has @ (among[PRECEDE] + among[AROUND])) * (1 - has)).sum(-1)
    return before, after, before.totals + after.totals.flip(1) + around  # all but the set s is the set 2^m - 1 - s
