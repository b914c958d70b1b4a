"""How a language orders a head and its dependents: a log-linear distribution over orders, learnt and applied.

A head and its dependents are *elements*, each a tag and a relation. The model is that of Galactic Dependencies (Wang &
Eisner 2016, https://aclanthology.org/Q16-1035/); sentences and trees are the business of ``syntax.py``.

    p(order) = exp(score(order)) / Z        score(order) = sum of the weights of the features that hold of it

Features hold of pairs of elements (a, b), a before b, in three views of each element: its tag (``NOUN``), its relation
(``nmod``), and both with the relation's subtype (``NOUN nmod:poss``). The head is seen as ``@VERB``, ``@`` and
``@VERB advcl`` (with its own relation); ``^`` and ``$`` are the edges of the phrase. A pair counts as

    precede   always                       before   if both stand before the head
    next      if they are neighbours,      after    if both stand after it
              edges included               around   if a stands before it and b after it

so that ``she/nsubj reads/@ books/obj`` has (precede, nsubj, @), (precede, nsubj, obj), (around, nsubj, obj),
(next, ^, nsubj) and so on. Sums and maxima over all orders are exact: they run over sets of dependents, not over
permutations.
"""

import json
import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor

from fairseq_align.errors import InputError
from fairseq_align.files import writing

logger = logging.getLogger(__name__)

KINDS = ("precede", "before", "around", "after", "next")
PRECEDE, BEFORE, AROUND, AFTER, NEXT, NONE = range(6)
FIRST, LAST = ("^", "^"), ("$", "$")  # the edges of a phrase
IN_SEQUENCE = frozenset({"conj", "fixed", "flat", "goeswith", "list"})  # UD puts the head first: a, b and c

FORMAT = "fairseq_align word order, version 1"
STEPS = 300  # of L-BFGS at most
EXACT = 8  # dependents up to which all orders count; 99.9 % of the nouns and verbs of UD treebanks have no more
SWEEPS = 10  # of the search beyond
KNOWN = 5  # occurrences from which on a relation has an order of its own
PIN = 20.0  # log odds with which the dependents of other relations stay on their side of the head
KEEP = 0.3  # log odds by which a pair prefers its order in the source, unless told otherwise
TIE = 1e-6  # log odds of the source order in any case, so that no two orders tie
BATCH = 1 << 20  # numbers in the largest array of a batch

Element = tuple[str, str]  # tag and relation; of a head "@" + tag and its own universal relation


class Head(NamedTuple):
    """A head and its dependents.

    Attributes:
        elements: in the order of the sentence, at least two.
        column: place of the head among them.
    """

    elements: list[Element]
    column: int


def universal(relation: str) -> str:
    """A relation without its subtype: ``nmod`` of ``nmod:poss``."""
    return relation.partition(":")[0]


def views(element: Element) -> tuple[str, str, str]:
    """The symbols of an element: tag, relation, and both."""
    tag, relation = element
    if element in (FIRST, LAST):
        return tag, tag, tag
    return tag, "@" if tag.startswith("@") else universal(relation), f"{tag} {relation}"


@dataclass(frozen=True)
class WordOrder:
    """How one class of heads, the nouns or the verbs of a language, orders its dependents.

    Attributes:
        heads: how many heads it was learnt from.
        skipped: how many were left out for more than ``EXACT`` dependents.
        relations: occurrences of each universal relation among the dependents.
        weights: kind (one of ``KINDS``) -> symbol of the first element -> symbol of the second -> weight in nats.
    """

    heads: int
    skipped: int
    relations: dict[str, int]
    weights: dict[str, dict[str, dict[str, float]]]

    def fixes_side(self, element: Element) -> bool:
        """Whether a dependent stays on its side of the head: UD fixes it, or too little is known of the relation."""
        tag, relation = element[0], universal(element[1])
        return not tag.startswith("@") and (relation in IN_SEQUENCE or self.relations.get(relation, 0) < KNOWN)

    @cached_property
    def _dense(self) -> tuple[dict[str, int], np.ndarray]:
        """Number of each symbol; weights as an array (kind, first, second), with a last row and column of 0."""
        names = sorted({name for rows in self.weights.values() for first in rows for name in (first, *rows[first])})
        number = {name: index for index, name in enumerate(names)}
        dense = np.zeros((len(KINDS) + 1, len(names) + 1, len(names) + 1))
        for kind, rows in self.weights.items():
            for first, row in rows.items():
                for second, weight in row.items():
                    dense[KINDS.index(kind), number[first], number[second]] = weight
        return number, dense

    def scores(self, elements: list[Element]) -> np.ndarray:
        """Score of each kind and ordered pair of elements: shape (6, E, E), in nats; 0 for the kind ``NONE``."""
        number, dense = self._dense
        rows = np.array([[number.get(symbol, len(number)) for symbol in views(element)] for element in elements])
        return sum(dense[:, row[:, None], row[None, :]] for row in rows.T)


def save(orders: dict[str, WordOrder], path: str | Path, **provenance) -> None:
    """Write orders under their names as JSON; ``provenance`` stands before them and is not read."""
    content = {"format": FORMAT, **provenance} | {name: asdict(order) for name, order in orders.items()}
    with writing(path) as file:
        file.write(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def load(path: str | Path, name: str) -> WordOrder:
    """Read the order of a name, ``nouns`` or ``verbs``.

    Raises:
        InputError: the file cannot be read, or is not one of ``save`` with an order of that name.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']!r}")
        order = WordOrder(**content[name])
        order.scores([FIRST])
        order.fixes_side(FIRST)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{path}: found {error!r}, expected the order of {name}; write the file with preprocess/syntax.py learn"
        ) from error
    return order


def features(orders: np.ndarray, heads: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The features of orders of n elements.

    Args:
        orders: each order with the edges of the phrase around it, shape (I, n + 2), any integers.
        heads: column of the head in each, shape (I,).

    Returns:
        kinds, first elements and second elements, each of shape (I, F). A pair with the head is on no side of it; that
        is the kind ``NONE``.
    """
    count, width = orders.shape
    first, second = np.stack(np.triu_indices(width - 2, 1)) + 1
    head = heads[:, None]
    side = np.select([second < head, (first < head) & (head < second), head < first], [BEFORE, AROUND, AFTER], NONE)
    steps = np.arange(width - 1)
    kinds = [np.full((count, len(first)), PRECEDE), side, np.full((count, len(steps)), NEXT)]
    firsts, seconds = np.concatenate([first, first, steps]), np.concatenate([second, second, steps + 1])
    return np.concatenate(kinds, axis=1), orders[:, firsts], orders[:, seconds]


class _Group(NamedTuple):
    """Heads with m dependents each.

    Attributes:
        indices: which heads these are.
        places: of the elements in the source, the head's own and then its dependents', shape (U, m + 1).
        ids: numbers of the elements, the head, its dependents in the order of the source and the two edges, (U, m + 3).
    """

    indices: list[int]
    places: np.ndarray
    ids: np.ndarray

    @property
    def dependents(self) -> int:
        return self.places.shape[1] - 1


def _groups(heads: list[Head], elements: list[Element]) -> Iterator[_Group]:
    """Heads by their number of dependents, ascending, in batches whose arrays stay small; edges are numbered last."""
    number = {element: index for index, element in enumerate(elements)}
    by_size = defaultdict(list)
    for index, head in enumerate(heads):
        by_size[len(head.elements) - 1].append(index)
    for m, indices in sorted(by_size.items()):
        size = max(1, BATCH // (m * m << min(m, EXACT)))
        for start in range(0, len(indices), size):
            batch = indices[start : start + size]
            ids = np.array([[number[element] for element in heads[index].elements] for index in batch])
            places = np.array([_head_first(heads[index]) for index in batch])
            edges = np.tile([number[FIRST], number[LAST]], (len(batch), 1))
            yield _Group(batch, places, np.concatenate([np.take_along_axis(ids, places, 1), edges], axis=1))


def _head_first(head: Head) -> list[int]:
    places = [*range(len(head.elements))]
    return [places.pop(head.column), *places]


class _Layer(NamedTuple):
    """All sets of k dependents; a *state* is a set and the member of it that stands nearest to the head.

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


class _Lattice(NamedTuple):
    """All sets of m dependents, as bit masks.

    Attributes:
        layers: sets of 1, 2, ..., m dependents.
        rank: place of each set within its layer, shape (2^m,).
        place: of each set when the empty set and the layers follow each other, shape (2^m,).
        has: membership, 0 or 1, shape (2^m, m).
    """

    layers: list[_Layer]
    rank: np.ndarray
    place: np.ndarray
    has: Tensor


@cache
def _lattice(count: int) -> _Lattice:
    sets = np.arange(1 << count)
    has = (sets[:, None] >> np.arange(count)) & 1
    size = has.sum(1)
    place = np.argsort(np.lexsort((sets, size)))
    rank = place - np.searchsorted(np.sort(size), size)
    layers = []
    for k in range(1, count + 1):
        own = sets[size == k]
        members = np.nonzero(has[own])[1].reshape(-1, k)
        rests = own[:, None] ^ (1 << members)
        others = np.nonzero(has[rests])[2].reshape(*rests.shape, k - 1)
        layers.append(_Layer(members, rests, others, rank[rests][:, :, None] * (k - 1) + np.arange(k - 1)))
    return _Lattice(layers, rank, place, torch.from_numpy(has.astype(float)))


class _Side(NamedTuple):
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


def _side(edge, link, pair, inner, side, bare, reduce: Callable) -> _Side:
    """Build up one side of heads from the edge of the phrase inwards.

    Args:
        edge: score of each dependent at the edge, (U, m).
        link, pair: scores of dependents i and j, j nearer to the head, as neighbours and as any pair, (U, m, m).
        inner, side: score of each dependent next to the head, and anywhere on this side of it, (U, m).
        bare: score of the head at the edge, (U,).
        reduce: ``torch.logsumexp`` or ``torch.amax``.
    """
    lattice = _lattice(edge.shape[1])
    beyond = lattice.has @ pair  # (U, 2^m, m): a set and a dependent nearer to the head than all of it
    states, totals = [edge[:, lattice.layers[0].members]], [bare[:, None]]
    for layer in lattice.layers[1:]:
        steps = states[-1].flatten(1)[:, layer.previous] + link[:, layer.others, layer.members[:, :, None]]
        states.append(reduce(steps, -1) + beyond[:, layer.rests, layer.members])
    for layer, state in zip(lattice.layers, states, strict=True):
        totals.append(reduce(state + inner[:, layer.members], -1))
    return _Side(states, link, inner, torch.cat(totals, 1)[:, lattice.place] + side @ lattice.has.T)


def _sides(scores: Tensor, reduce: Callable) -> tuple[_Side, _Side, Tensor]:
    """All orders of U heads with m dependents each.

    Which dependents stand before the head fixes what is shared by the two sides, so that each side is summed on its
    own: 2^m m^2 steps instead of (m + 1)!.

    Args:
        scores: of pairs, shape (5 or 6, U, m + 3, m + 3); elements are the head, its dependents and the two edges.
        reduce: over orders, ``torch.logsumexp`` or ``torch.amax``.

    Returns:
        the sides before and after the head, and the score of each set as the one before it, shape (U, 2^m).
    """
    m = scores.shape[-1] - 3
    own, first, last = slice(1, m + 1), m + 1, m + 2
    near, precede, among = scores[NEXT], scores[PRECEDE], scores[:, :, own, own]
    before = _side(
        near[:, first, own], among[NEXT], among[PRECEDE] + among[BEFORE],
        near[:, own, 0], precede[:, own, 0], near[:, first, 0], reduce,
    )  # fmt: skip
    after = _side(
        near[:, own, last], among[NEXT].mT, (among[PRECEDE] + among[AFTER]).mT,
        near[:, 0, own], precede[:, 0, own], near[:, 0, last], reduce,
    )  # fmt: skip
    has = _lattice(m).has
    around = ((has @ (among[PRECEDE] + among[AROUND])) * (1 - has)).sum(-1)
    return before, after, before.totals + after.totals.flip(1) + around  # all but the set s is the set 2^m - 1 - s


def fit(heads: Iterable[Head], l2: float) -> WordOrder:
    """Learn an order: maximise the log-likelihood of the heads, in nats, less ``l2 / 2`` times the squared weights.

    The objective is concave and the sum over all orders of a head exact. Heads with more than ``EXACT`` dependents are
    left out.

    Args:
        heads: at least one with no more than ``EXACT`` dependents.
        l2: > 0.
    """
    heads = list(heads)
    used = [head for head in heads if len(head.elements) - 1 <= EXACT]
    elements = [*sorted({element for head in used for element in head.elements}), FIRST, LAST]
    groups = list(_groups(used, elements))
    sets = [_sets(group) for group in groups]
    tables = [ids[:, :, None] * len(elements) + ids[:, None, :] for ids, _ in sets]
    pairs = np.unique(np.concatenate([table.ravel() for table in tables]))
    names, keys = _features_of_pairs(pairs, elements)
    tables = [torch.from_numpy(np.searchsorted(pairs, table)) for table in tables]
    counts = [torch.from_numpy(count) for _, count in sets]
    observed = torch.from_numpy(_observed(groups, pairs, len(elements)))

    def objective(weights: np.ndarray) -> tuple[float, np.ndarray]:
        theta = torch.from_numpy(weights).requires_grad_()
        scores = theta.view(len(KINDS), -1)[:, keys].sum(-1)
        loss = l2 / 2 * theta.square().sum() - (scores * observed).sum()
        for table, count in zip(tables, counts, strict=True):
            loss = loss + (_sides(scores[:, table], torch.logsumexp)[2].logsumexp(-1) * count).sum()
        loss.backward()
        return loss.item(), theta.grad.numpy()

    start = np.zeros(len(KINDS) * len(names))
    found = minimize(objective, start, jac=True, method="L-BFGS-B", options={"maxiter": STEPS})
    logger.info("%d heads, %d steps: %s", len(used), found.nit, found.message)
    weights = _nested(found.x.reshape(len(KINDS), -1), names)
    return WordOrder(len(used), len(heads) - len(used), _relations(used), weights)


def _sets(group: _Group) -> tuple[np.ndarray, np.ndarray]:
    """The different sets of elements of heads, (U, m + 3): head, dependents, edges; and how often each occurs, (U,)."""
    ids = group.ids.copy()
    ids[:, 1:-2].sort(axis=1)
    return np.unique(ids, axis=0, return_counts=True)


def _features_of_pairs(pairs: np.ndarray, elements: list[Element]) -> tuple[list[tuple[str, str]], np.ndarray]:
    """Names of the features of pairs, kinds aside, and for each pair the numbers of its three, shape (P, 3).

    Args:
        pairs: number of the first element times E plus that of the second, shape (P,).
    """
    symbols = [views(element) for element in elements]
    numbers: dict[tuple[str, str], int] = {}
    keys = [
        [numbers.setdefault(name, len(numbers)) for name in zip(symbols[first], symbols[second], strict=True)]
        for first, second in zip(*(part.tolist() for part in np.divmod(pairs, len(elements))), strict=True)
    ]
    return list(numbers), np.array(keys)


def _observed(groups: list[_Group], pairs: np.ndarray, size: int) -> np.ndarray:
    """How often each kind holds of each pair of ``size`` elements in the orders of the source: shape (5, P)."""
    counts = np.zeros((len(KINDS) + 1, len(pairs)))
    for group in groups:
        orders = np.concatenate([group.ids[:, -2:-1], np.zeros_like(group.places), group.ids[:, -1:]], axis=1)
        np.put_along_axis(orders, group.places + 1, group.ids[:, :-2], axis=1)
        kinds, first, second = features(orders, group.places[:, 0] + 1)
        np.add.at(counts, (kinds, np.searchsorted(pairs, first * size + second)), 1)
    return counts[:NONE]


def _relations(heads: list[Head]) -> dict[str, int]:
    dependents = (element for head in heads for element in head.elements if not element[0].startswith("@"))
    return dict(sorted(Counter(universal(relation) for _, relation in dependents).items()))


def _nested(weights: np.ndarray, names: list[tuple[str, str]]) -> dict[str, dict[str, dict[str, float]]]:
    """Weights (kind, feature) as ``WordOrder`` holds them, to three decimals, without those that round to 0."""
    nested = {kind: {} for kind in KINDS}
    for index, (first, second) in sorted(enumerate(names), key=lambda item: item[1]):
        for kind, weight in zip(KINDS, weights[:, index].round(3).tolist(), strict=True):
            if weight:
                nested[kind].setdefault(first, {})[second] = weight
    return nested


def draws_of(dependents: int) -> int:
    """How many random numbers it takes to sample an order of so many dependents."""
    return dependents + 1 if dependents <= EXACT else SWEEPS * dependents


def reorder(
    heads: list[Head], order: WordOrder, draws: list[np.ndarray] | None = None, keep: float = KEEP
) -> list[list[int]]:
    """New orders of heads.

    Up to ``EXACT`` dependents the order is the best one, or an exact sample. Beyond, it comes from a search: dependents
    are added to the head one by one where they are best, or at a place drawn from its distribution given the order of
    the others, then each in turn is taken out and put back so (Gibbs sampling), for ``SWEEPS`` sweeps in all or until
    nothing changes.

    Dependents with the same tag and relation, or the same relation of ``IN_SEQUENCE``, keep their order among each
    other; those of ``WordOrder.fixes_side`` stay on their side of the head.

    Args:
        draws: for each head as many numbers in [0, 1) as ``draws_of`` says, to sample; None: the best orders.
        keep: log odds by which each pair of elements prefers its order in the source. It decides where the model knows
            too little, in place of the source language's own weights that Galactic Dependencies mix in. 0: none, the
            source order stays only where the model has no preference at all.

    Returns:
        for each head the places of its elements in the source, in the new order.
    """
    elements = [*sorted({element for head in heads for element in head.elements}), FIRST, LAST]
    pairs = order.scores(elements)
    fixed = np.array([*(order.fixes_side(element) for element in elements[:-2]), False, False])
    results: list[list[int]] = [[]] * len(heads)
    for group in _groups(heads, elements):
        scores = pairs[:, group.ids[:, :, None], group.ids[:, None, :]]
        scores[PRECEDE, :, :-2, :-2] += _source_order(group.places, fixed[group.ids[:, :-2]], keep)
        own = [None if draws is None else draws[index] for index in group.indices]
        if group.dependents <= EXACT:
            found = _exact(scores, own)
        else:
            found = [_search(scores[:, row], each) for row, each in enumerate(own)]
        for index, places, new in zip(group.indices, group.places, found, strict=True):
            results[index] = _in_sequence(places[new].tolist(), heads[index].elements)
    return results


def _source_order(places: np.ndarray, fixed: np.ndarray, keep: float) -> np.ndarray:
    """Scores of pairs for keeping to the source, (U, m + 1, m + 1); places and what stays on its side, (U, m + 1)."""
    scores = (keep + TIE) * (places[:, :, None] < places[:, None, :])
    scores[:, 0] += PIN * (fixed & (places[:, :1] < places))
    scores[:, :, 0] += PIN * (fixed & (places < places[:, :1]))
    return scores


def _pick(scores: np.ndarray, draw: float | None) -> int:
    """The best alternative, or one drawn with probability proportional to ``exp(score)``."""
    if draw is None:
        return int(scores.argmax())
    mass = np.exp(scores - scores.max()).cumsum()
    return int(mass.searchsorted(draw * mass[-1], side="right"))


def _exact(scores: np.ndarray, draws: list[np.ndarray | None]) -> list[list[int]]:
    """The best order of each head, or a sample: numbers of its elements, 0 the head."""
    m = scores.shape[-1] - 3
    reduce = torch.amax if draws[0] is None else torch.logsumexp
    before, after, splits = _sides(torch.from_numpy(scores), reduce)
    orders = []
    for row, (split, draw) in enumerate(zip(splits.numpy(), draws, strict=True)):
        steps = iter([None] * (m + 1) if draw is None else draw.tolist())
        chosen = _pick(split, next(steps))
        left = _walk(before, row, chosen, steps)
        orders.append([*reversed(left), 0, *_walk(after, row, len(split) - 1 - chosen, steps)])
    return orders


def _walk(side: _Side, row: int, chosen: int, draws: Iterator[float | None]) -> list[int]:
    """The order of a set of dependents on one side of a head, from the head outwards; numbers from 1."""
    lattice, walked = _lattice(side.inner.shape[1]), []
    link, links = side.inner[row].numpy(), side.link[row].numpy()
    while chosen:
        k, rank = chosen.bit_count() - 1, lattice.rank[chosen]
        members = lattice.layers[k].members[rank]
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
        old = order
        for dependent in range(1, count + 1):
            rest = [element for element in order if element != dependent]
            choices = [[*rest[:place], dependent, *rest[place:]] for place in range(len(rest) + 1)]
            step = steps[sweep * count + dependent - 1]
            order = choices[_pick(_score(scores, np.array(choices)), step)]
        if draws is None and order == old:
            break
    return order


def _score(scores: np.ndarray, orders: np.ndarray) -> np.ndarray:
    """Scores of orders (I, n) of some elements of one head, from those of pairs (6, m + 3, m + 3); shape (I,)."""
    first, last = (np.full((len(orders), 1), scores.shape[-1] - edge) for edge in (2, 1))
    framed = np.concatenate([first, orders, last], axis=1)
    return scores[features(framed, (framed == 0).argmax(1))].sum(1)


def _in_sequence(order: list[int], elements: list[Element]) -> list[int]:
    """An order of places in which elements that are alike follow each other as in the source."""
    alike = [
        ("", universal(relation)) if universal(relation) in IN_SEQUENCE else (tag, relation)
        for tag, relation in elements
    ]
    places = defaultdict(list)
    for place in sorted(order, reverse=True):
        places[alike[place]].append(place)
    return [places[alike[place]].pop() for place in order]
