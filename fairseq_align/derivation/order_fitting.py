"""Learn the word order of a language from the heads of a treebank: maximum likelihood with an L2 penalty."""

import logging
from collections import Counter
from collections.abc import Iterable

import numpy as np
import torch
from scipy.optimize import minimize

from fairseq_align.derivation.lattice import Group, groups, sides
from fairseq_align.derivation.word_order import (
    EXACT,
    FIRST,
    KINDS,
    LAST,
    NONE,
    Element,
    Head,
    WordOrder,
    features,
    universal,
    views,
)

logger = logging.getLogger(__name__)

STEPS = 300  # of L-BFGS at most


def fit(heads: Iterable[Head], l2: float) -> WordOrder:
    """Learn an order: maximise the log-likelihood of the heads, in nats, less ``l2 / 2`` times the squared weights.

    The objective is concave and the sum over all orders of a head exact. Heads with more than ``EXACT`` dependents are
    left out.

    Args:
        heads: at least one with no more than ``EXACT`` dependents.
        l2: > 0.

    Example:
        >>> heads = [Head([("NOUN", "nsubj"), ("@VERB", "root")], 1)] * 9
        >>> fit(heads, l2=0.1).weights["precede"]["nsubj"]["@"] > 0
        True
    """
    heads = list(heads)
    used = [head for head in heads if len(head.elements) - 1 <= EXACT]
    elements = [*sorted({element for head in used for element in head.elements}), FIRST, LAST]
    batches = list(groups(used, elements))
    sets = [_sets(group) for group in batches]
    tables = [ids[:, :, None] * len(elements) + ids[:, None, :] for ids, _ in sets]
    pairs = np.unique(np.concatenate([table.ravel() for table in tables]))
    names, keys = _features_of_pairs(pairs, elements)
    tables = [torch.from_numpy(np.searchsorted(pairs, table)) for table in tables]
    counts = [torch.from_numpy(count) for _, count in sets]
    observed = torch.from_numpy(_observed(batches, pairs, len(elements)))

    def objective(weights: np.ndarray) -> tuple[float, np.ndarray]:
        theta = torch.from_numpy(weights).requires_grad_()
        scores = theta.view(len(KINDS), -1)[:, keys].sum(-1)
        loss = l2 / 2 * theta.square().sum() - (scores * observed).sum()
        for table, count in zip(tables, counts, strict=True):
            loss = loss + (sides(scores[:, table], torch.logsumexp)[2].logsumexp(-1) * count).sum()
        loss.backward()
        return loss.item(), theta.grad.numpy()

    start = np.zeros(len(KINDS) * len(names))
    optimum = minimize(objective, start, jac=True, method="L-BFGS-B", options={"maxiter": STEPS})
    logger.info("%d heads, %d steps: %s", len(used), optimum.nit, optimum.message)
    weights = _nested(optimum.x.reshape(len(KINDS), -1), names)
    return WordOrder(len(used), len(heads) - len(used), _relations(used), weights)


def _sets(group: Group) -> tuple[np.ndarray, np.ndarray]:
    """The different sets of elements of heads, (U, m + 3): head, dependents, edges; and their frequencies, (U,)."""
    ids = group.ids.copy()
    ids[:, 1:-2].sort(axis=1)
    return np.unique(ids, axis=0, return_counts=True)


def _features_of_pairs(pairs: np.ndarray, elements: list[Element]) -> tuple[list[tuple[str, str]], np.ndarray]:
    """Names of the features of pairs, kinds aside, and the numbers of the three features of each pair, shape (P, 3).

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


def _observed(batches: list[Group], pairs: np.ndarray, size: int) -> np.ndarray:
    """Number of times that each kind holds of each pair of ``size`` elements in the source orders: shape (5, P)."""
    counts = np.zeros((len(KINDS) + 1, len(pairs)))
    for group in batches:
        orders = np.concatenate([group.ids[:, -2:-1], np.zeros_like(group.positions), group.ids[:, -1:]], axis=1)
        np.put_along_axis(orders, group.positions + 1, group.ids[:, :-2], axis=1)
        kinds, first, second = features(orders, group.positions[:, 0] + 1)
        np.add.at(counts, (kinds, np.searchsorted(pairs, first * size + second)), 1)
    return counts[:NONE]


def _relations(heads: list[Head]) -> dict[str, int]:
    """Occurrences of each universal relation among the dependents."""
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
