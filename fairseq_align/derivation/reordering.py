"""New orders of heads and their dependents, the best ones or samples, under the word order of another language."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import torch

from fairseq_align.derivation.lattice import Side, groups, lattice, sides
from fairseq_align.derivation.word_order import (
    EXACT,
    FIRST,
    IN_SEQUENCE,
    KEEP,
    LAST,
    PRECEDE,
    Element,
    Head,
    WordOrder,
    features,
    universal,
)

SWEEPS = 10  # of the search for heads with more than EXACT dependents
PIN = 20.0  # log odds with which dependents of ``WordOrder.fixes_side`` stay on their side of the head
TIE = 1e-6  # log odds of the source order in any case, so that no two orders tie


def draws_of(dependents: int) -> int:
    """Number of random numbers that sampling an order of so many dependents takes."""
    return dependents + 1 if dependents <= EXACT else SWEEPS * dependents


def reorder(
    heads: list[Head], order: WordOrder, draws: list[np.ndarray] | None = None, keep: float = KEEP
) -> list[list[int]]:
    """New orders of heads.

    Up to ``EXACT`` dependents the order is the best one, or an exact sample. Beyond, it comes from a search: dependents
    are added to the head one by one at the best position, or at one drawn from its distribution given the order of the
    others, then each in turn is taken out and put back in the same way (Gibbs sampling), for ``SWEEPS`` sweeps in all
    or until nothing changes.

    Dependents with the same tag and relation, or the same relation of ``IN_SEQUENCE``, keep their order among each
    other; those of ``WordOrder.fixes_side`` stay on their side of the head.

    Args:
        draws: ``draws_of`` numbers in [0, 1) for each head, to sample; None: the best orders.
        keep: log odds by which each pair of elements prefers its order in the source. It decides where the model knows
            too little, in place of the source language's own weights that Galactic Dependencies mix in. 0: none, the
            source order stays only where the model has no preference at all.

    Returns:
        for each head the source positions of its elements, in the new order.

    Example:
        Weights of 9 nats for objects before the verb:

        >>> order = WordOrder(9, 0, {"obj": 9}, {"precede": {"obj": {"@": 9.0}}})
        >>> reorder([Head([("@VERB", "root"), ("NOUN", "obj")], 0)], order)
        [[1, 0]]
    """
    elements = [*sorted({element for head in heads for element in head.elements}), FIRST, LAST]
    pairs = order.scores(elements)
    fixed = np.array([*(order.fixes_side(element) for element in elements[:-2]), False, False])
    results: list[list[int]] = [[]] * len(heads)
    for group in groups(heads, elements):
        scores = pairs[:, group.ids[:, :, None], group.ids[:, None, :]]
        scores[PRECEDE, :, :-2, :-2] += _source_order(group.positions, fixed[group.ids[:, :-2]], keep)
        group_draws = [None if draws is None else draws[index] for index in group.indices]
        if group.dependents <= EXACT:
            orders = _exact(scores, group_draws)
        else:
            orders = [_search(scores[:, row], draw) for row, draw in enumerate(group_draws)]
        for index, positions, new in zip(group.indices, group.positions, orders, strict=True):
            results[index] = _in_sequence(positions[new].tolist(), heads[index].elements)
    return results


def _source_order(positions: np.ndarray, fixed: np.ndarray, keep: float) -> np.ndarray:
    """Scores of pairs for keeping the source order, (U, m + 1, m + 1).

    Args:
        positions: of the elements in the source, the head's first, shape (U, m + 1).
        fixed: elements that stay on their side of the head, bool, shape (U, m + 1).
    """
    scores = (keep + TIE) * (positions[:, :, None] < positions[:, None, :])
    scores[:, 0] += PIN * (fixed & (positions[:, :1] < positions))
    scores[:, :, 0] += PIN * (fixed & (positions < positions[:, :1]))
    return scores


def _pick(scores: np.ndarray, draw: float | None) -> int:
    """The best alternative, or one drawn with probability proportional to ``exp(score)``."""
    if draw is None:
        return int(scores.argmax())
    mass = np.exp(scores - scores.max()).cumsum()
    return int(mass.searchsorted(draw * mass[-1], side="right"))


def _exact(scores: np.ndarray, draws: list[np.ndarray | None]) -> list[list[int]]:
    """The best order of each head, or a sample of it, as numbers of its elements; 0 is the head."""
    m = scores.shape[-1] - 3
    reduce = torch.amax if draws[0] is None else torch.logsumexp
    before, after, splits = sides(torch.from_numpy(scores), reduce)
    orders = []
    for row, (split, draw) in enumerate(zip(splits.numpy(), draws, strict=True)):
        steps = iter([None] * (m + 1) if draw is None else draw.tolist())
        chosen = _pick(split, next(steps))
        left = _walk(before, row, chosen, steps)
        orders.append([*reversed(left), 0, *_walk(after, row, len(split) - 1 - chosen, steps)])
    return orders


def _walk(side: Side, row: int, chosen: int, draws: Iterator[float | None]) -> list[int]:
    """The order of a set of dependents on one side of a head, from the head outwards; numbers from 1."""
    sets, walked = lattice(side.inner.shape[1]), []
    link, links = side.inner[row].numpy(), side.link[row].numpy()
    while chosen:
        k, rank = chosen.bit_count() - 1, sets.rank[chosen]
        members = sets.layers[k].members[rank]
        nearest = int(members[_pick(side.states[k][row, rank].numpy() + link[members], next(draws))])
        walked.append(nearest + 1)
        chosen ^= 1 << nearest
        link = links[:, nearest]
    return walked


def _search(scores: np.ndarray, draws: np.ndarray | None) -> list[int]:
    """As ``_exact`` for one head, by the search that ``reorder`` describes; scores of pairs (6, m + 3, m + 3)."""
    order, count = [0], scores.shape[-1] - 3
    steps = [None] * (SWEEPS * count) if draws is None else draws.tolist()
    for sweep in range(SWEEPS):
        before_sweep = order
        for dependent in range(1, count + 1):
            rest = [element for element in order if element != dependent]
            choices = [[*rest[:index], dependent, *rest[index:]] for index in range(len(rest) + 1)]
            step = steps[sweep * count + dependent - 1]
            order = choices[_pick(_score(scores, np.array(choices)), step)]
        if draws is None and order == before_sweep:
            break
    return order


def _score(scores: np.ndarray, orders: np.ndarray) -> np.ndarray:
    """Scores of orders (I, n) of some elements of one head, from those of pairs (6, m + 3, m + 3); shape (I,)."""
    first, last = (np.full((len(orders), 1), scores.shape[-1] - edge) for edge in (2, 1))
    framed = np.concatenate([first, orders, last], axis=1)
    return scores[features(framed, (framed == 0).argmax(1))].sum(1)


def _in_sequence(order: list[int], elements: list[Element]) -> list[int]:
    """An order of source positions, changed so that elements of one kind follow each other as in the source."""
    kinds = [
        ("", universal(relation)) if universal(relation) in IN_SEQUENCE else (tag, relation)
        for tag, relation in elements
    ]
    waiting = defaultdict(list)  # positions of each kind, the first one last
    for position in sorted(order, reverse=True):
        waiting[kinds[position]].append(position)
    return [waiting[kinds[position]].pop() for position in order]
