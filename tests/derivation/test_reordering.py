"""New orders of heads: the best of all permutations, samples, what stays in the source order."""

import math

import numpy as np
import pytest
from hypothesis import given

from fairseq_align.derivation import order_fitting, reordering, word_order
from fairseq_align.derivation.word_order import WordOrder
from tests.support.heads import (
    BOOK,
    DEPENDENTS,
    NOW,
    SHE,
    VERB,
    by_hand,
    cases,
    head,
    placed,
    random_order,
)


@given(cases)
def test_the_best_order_has_the_highest_score_of_all_permutations(case):
    dependents, column, seed = case
    order, each = random_order(seed), placed(dependents, column)
    scores = by_hand(order, *each)
    (found,) = reordering.reorder([each], order, keep=0)
    assert scores[tuple(found)] == pytest.approx(max(scores.values()), abs=1e-4)  # the source order breaks ties


def test_samples_follow_the_distribution():
    order, each = random_order(3, spread=0.5), head(SHE, VERB, BOOK, NOW)
    scores = by_hand(order, *each)
    total = sum(map(math.exp, scores.values()))
    draws = np.random.default_rng(1).random((4_000, reordering.draws_of(3)))
    found = reordering.reorder([each] * len(draws), order, list(draws), keep=0)
    places, counts = np.unique(np.array(found), axis=0, return_counts=True)
    for place, count in zip(places.tolist(), counts, strict=True):
        probability = math.exp(scores[tuple(place)]) / total
        assert count / len(draws) == pytest.approx(probability, abs=4 * math.sqrt(probability / len(draws)))


def test_large_heads_are_ordered_by_a_search():
    # a language of the order book, now, she, verb; nine dependents are more than EXACT
    order = order_fitting.fit([head(BOOK, NOW, SHE, VERB)] * 50, l2=0.01)
    dependents = [SHE, BOOK, NOW] * 3
    large = head(VERB, *dependents)
    (found,) = reordering.reorder([large], order)
    assert [large.elements[place] for place in found] == [BOOK] * 3 + [NOW] * 3 + [SHE] * 3 + [VERB]
    assert found == [2, 5, 8, 3, 6, 9, 1, 4, 7, 0]  # those alike as in the source
    draws = [np.random.default_rng(seed).random(reordering.draws_of(9)) for seed in range(3)]
    sampled = reordering.reorder([large] * 3, order, draws)
    assert all(sorted(each) == list(range(10)) for each in sampled)
    assert sampled == reordering.reorder([large] * 3, order, draws)


def test_a_pair_prefers_its_order_in_the_source():
    # no weights, so the odds of the subject before the verb are exp(keep): 0.622 of the samples for 0.5
    draws = list(np.random.default_rng(1).random((4_000, 2)))
    order = WordOrder(0, 0, {"nsubj": 100}, {})
    for keep, share in ((0.5, 0.622), (0, 0.5)):
        found = reordering.reorder([head(SHE, VERB)] * len(draws), order, draws, keep)
        assert found.count([0, 1]) / len(draws) == pytest.approx(share, abs=0.03)


@given(cases)
def test_nothing_moves_where_the_model_has_no_preference(case):
    each = placed(*case[:2])
    relations = {word_order.universal(relation): 100 for _, relation in DEPENDENTS}
    assert reordering.reorder([each], WordOrder(0, 0, relations, {})) == [list(range(len(each.elements)))]


def test_a_dependent_stays_on_its_side_if_its_relation_is_unknown_or_ud_fixes_it():
    order = order_fitting.fit([head(BOOK, SHE, VERB)] * 50, l2=0.01)
    unknown, conj = ("NOUN", "dislocated"), ("VERB", "conj")
    draws = [np.random.default_rng(seed).random(reordering.draws_of(4)) for seed in range(20)]
    each = head(SHE, VERB, unknown, BOOK, conj)
    for found in [*reordering.reorder([each] * 20, order, draws), *reordering.reorder([each], order)]:
        assert found.index(1) < found.index(2) and found.index(1) < found.index(4)
        assert found.index(3) < found.index(0) < found.index(1)


def test_dependents_that_are_alike_or_form_a_sequence_keep_their_order():
    conjuncts = [("NOUN", "conj"), ("PROPN", "conj"), ("NOUN", "conj")]
    order = random_order(5)
    order.relations["conj"] = 100
    draws = [np.random.default_rng(seed).random(reordering.draws_of(5)) for seed in range(50)]
    for found in reordering.reorder([head(SHE, VERB, *conjuncts, SHE)] * 50, order, draws):
        assert [place for place in found if place in (2, 3, 4)] == [2, 3, 4]
        assert found.index(0) < found.index(5)
