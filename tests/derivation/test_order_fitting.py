"""Learnt word orders: distributions that are known by hand."""

import math

import pytest

from fairseq_align.derivation import order_fitting, word_order
from tests.support.heads import BOOK, NOW, SHE, VERB, by_hand, head


def test_the_learnt_distribution_is_that_of_the_treebank():
    # 3 of 4 subjects before the verb, and nothing else to tell them apart: p(before) = 3/4 but for the l2 term
    heads = [head(SHE, VERB)] * 30 + [head(VERB, SHE)] * 10
    order = order_fitting.fit(heads, l2=1e-3)
    scores = by_hand(order, [SHE, VERB], 1)
    assert scores[0, 1] - scores[1, 0] == pytest.approx(math.log(3), abs=0.01)
    assert (order.heads, order.skipped, order.relations) == (40, 0, {"nsubj": 40})


def test_expected_features_are_the_observed_ones():
    # the gradient vanishes at the optimum: the model's share of adverbs before verbs, over all the heads, is 3 in 6
    heads = [head(SHE, NOW, VERB, BOOK)] * 2 + [head(SHE, VERB, BOOK, NOW)] * 3 + [head(NOW, VERB, BOOK)]
    order = order_fitting.fit(heads, l2=1e-4)
    expected = 0.0
    for each in heads:
        scores = by_hand(order, *each)
        total = sum(map(math.exp, scores.values()))
        now = each.elements.index(NOW)
        expected += sum(math.exp(s) / total for p, s in scores.items() if p.index(now) < p.index(each.column))
    assert expected == pytest.approx(3, abs=0.02)


def test_order_is_learnt_from_heads_that_are_not_too_large():
    large = head(*[SHE] * word_order.EXACT, VERB, BOOK)
    order = order_fitting.fit([head(SHE, VERB)] * 5 + [large], l2=0.1)
    assert (order.heads, order.skipped, order.relations) == (5, 1, {"nsubj": 5})
