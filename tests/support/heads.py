"""Heads with dependents, random word orders, and the scores of all orders by hand."""

from itertools import permutations

import numpy as np
from hypothesis import strategies as st

from fairseq_align.derivation import word_order
from fairseq_align.derivation.word_order import FIRST, LAST, Head, WordOrder

VERB = ("@VERB", "root")
SHE, BOOK, NOW = ("PRON", "nsubj"), ("NOUN", "obj"), ("ADV", "advmod")
DEPENDENTS = [SHE, BOOK, NOW, ("NOUN", "nsubj"), ("NOUN", "obl:tmod"), ("VERB", "advcl"), ("ADP", "case")]


def head(*elements) -> Head:
    return Head(list(elements), elements.index(VERB))


def random_order(seed: int, spread: float = 1.5) -> WordOrder:
    """Weights for every feature of ``DEPENDENTS``, drawn from a normal distribution."""
    random = np.random.default_rng(seed)
    names = sorted({name for element in [*DEPENDENTS, VERB, FIRST, LAST] for name in word_order.views(element)})
    weights = {
        kind: {a: {b: float(spread * random.standard_normal()) for b in names} for a in names}
        for kind in word_order.KINDS
    }
    return WordOrder(1, 0, {word_order.universal(relation): 100 for _, relation in DEPENDENTS}, weights)


def by_hand(order: WordOrder, elements: list, column: int) -> dict[tuple[int, ...], float]:
    """Score of every permutation of the places of some elements, feature by feature."""

    def weight(kind, a, b):
        return sum(
            order.weights[kind].get(x, {}).get(y, 0.0)
            for x, y in zip(word_order.views(a), word_order.views(b), strict=True)
        )

    scores = {}
    for places in permutations(range(len(elements))):
        row, at = [elements[place] for place in places], places.index(column)
        score = sum(weight("next", a, b) for a, b in zip([FIRST, *row], [*row, LAST], strict=True))
        for i, a in enumerate(row):
            for j in range(i + 1, len(row)):
                score += weight("precede", a, row[j])
                if at not in (i, j):
                    score += weight("before" if j < at else "after" if at < i else "around", a, row[j])
        scores[places] = score
    return scores


cases = st.tuples(
    st.lists(st.sampled_from(DEPENDENTS), min_size=1, max_size=4, unique=True), st.integers(0, 4), st.integers(0, 9)
)


def placed(dependents: list, column: int) -> Head:
    column = min(column, len(dependents))
    return Head([*dependents[:column], VERB, *dependents[column:]], column)
