import json
import math
from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fairseq_align.derivation import word_order
from fairseq_align.derivation.word_order import FIRST, LAST, Head, WordOrder
from fairseq_align.errors import InputError

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


def test_features_of_an_order_by_hand():
    # ^ she @ book now $ as numbers 8 0 1 2 3 9, head in column 2
    kinds, first, second = word_order.features(np.array([[8, 0, 1, 2, 3, 9]]), np.array([2]))
    found = sorted(zip(kinds[0].tolist(), first[0].tolist(), second[0].tolist(), strict=True))
    assert [feature for feature in found if feature[0] != word_order.NONE] == [
        *((word_order.PRECEDE, a, b) for a, b in [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]),
        *((word_order.AROUND, a, b) for a, b in [(0, 2), (0, 3)]),
        (word_order.AFTER, 2, 3),
        *((word_order.NEXT, a, b) for a, b in [(0, 1), (1, 2), (2, 3), (3, 9), (8, 0)]),
    ]


@given(cases)
def test_the_sum_over_sets_of_dependents_is_that_over_permutations(case):
    dependents, column, seed = case
    order, each = random_order(seed), placed(dependents, column)
    group = next(word_order._groups([each], [*sorted(each.elements), FIRST, LAST]))
    scores = order.scores([*sorted(each.elements), FIRST, LAST])[:, group.ids[:, :, None], group.ids[:, None, :]]
    found = word_order._sides(torch.from_numpy(scores), torch.logsumexp)[2].logsumexp(-1).item()
    assert found == pytest.approx(np.logaddexp.reduce([*by_hand(order, *each).values()]), abs=1e-9)


@given(cases)
def test_the_best_order_has_the_highest_score_of_all_permutations(case):
    dependents, column, seed = case
    order, each = random_order(seed), placed(dependents, column)
    scores = by_hand(order, *each)
    (found,) = word_order.reorder([each], order, keep=0)
    assert scores[tuple(found)] == pytest.approx(max(scores.values()), abs=1e-4)  # the source order breaks ties


def test_samples_follow_the_distribution():
    order, each = random_order(3, spread=0.5), head(SHE, VERB, BOOK, NOW)
    scores = by_hand(order, *each)
    total = sum(map(math.exp, scores.values()))
    draws = np.random.default_rng(1).random((4_000, word_order.draws_of(3)))
    found = word_order.reorder([each] * len(draws), order, list(draws), keep=0)
    places, counts = np.unique(np.array(found), axis=0, return_counts=True)
    for place, count in zip(places.tolist(), counts, strict=True):
        probability = math.exp(scores[tuple(place)]) / total
        assert count / len(draws) == pytest.approx(probability, abs=4 * math.sqrt(probability / len(draws)))


def test_the_learnt_distribution_is_that_of_the_treebank():
    # 3 of 4 subjects before the verb, and nothing else to tell them apart: p(before) = 3/4 but for the l2 term
    heads = [head(SHE, VERB)] * 30 + [head(VERB, SHE)] * 10
    order = word_order.fit(heads, l2=1e-3)
    scores = by_hand(order, [SHE, VERB], 1)
    assert scores[0, 1] - scores[1, 0] == pytest.approx(math.log(3), abs=0.01)
    assert (order.heads, order.skipped, order.relations) == (40, 0, {"nsubj": 40})


def test_expected_features_are_the_observed_ones():
    # the gradient vanishes at the optimum: the model's share of adverbs before verbs, over all the heads, is 3 in 6
    heads = [head(SHE, NOW, VERB, BOOK)] * 2 + [head(SHE, VERB, BOOK, NOW)] * 3 + [head(NOW, VERB, BOOK)]
    order = word_order.fit(heads, l2=1e-4)
    expected = 0.0
    for each in heads:
        scores = by_hand(order, *each)
        total = sum(map(math.exp, scores.values()))
        now = each.elements.index(NOW)
        expected += sum(math.exp(s) / total for p, s in scores.items() if p.index(now) < p.index(each.column))
    assert expected == pytest.approx(3, abs=0.02)


def test_order_is_learnt_from_heads_that_are_not_too_large():
    large = head(*[SHE] * word_order.EXACT, VERB, BOOK)
    order = word_order.fit([head(SHE, VERB)] * 5 + [large], l2=0.1)
    assert (order.heads, order.skipped, order.relations) == (5, 1, {"nsubj": 5})


def test_large_heads_are_ordered_by_a_search():
    # a language of the order book, now, she, verb; nine dependents are more than EXACT
    order = word_order.fit([head(BOOK, NOW, SHE, VERB)] * 50, l2=0.01)
    dependents = [SHE, BOOK, NOW] * 3
    large = head(VERB, *dependents)
    (found,) = word_order.reorder([large], order)
    assert [large.elements[place] for place in found] == [BOOK] * 3 + [NOW] * 3 + [SHE] * 3 + [VERB]
    assert found == [2, 5, 8, 3, 6, 9, 1, 4, 7, 0]  # those alike as in the source
    draws = [np.random.default_rng(seed).random(word_order.draws_of(9)) for seed in range(3)]
    sampled = word_order.reorder([large] * 3, order, draws)
    assert all(sorted(each) == list(range(10)) for each in sampled)
    assert sampled == word_order.reorder([large] * 3, order, draws)


def test_a_pair_prefers_its_order_in_the_source():
    # no weights, so the odds of the subject before the verb are exp(keep): 0.622 of the samples for 0.5
    draws = list(np.random.default_rng(1).random((4_000, 2)))
    order = WordOrder(0, 0, {"nsubj": 100}, {})
    for keep, share in ((0.5, 0.622), (0, 0.5)):
        found = word_order.reorder([head(SHE, VERB)] * len(draws), order, draws, keep)
        assert found.count([0, 1]) / len(draws) == pytest.approx(share, abs=0.03)


@given(cases)
def test_nothing_moves_where_the_model_has_no_preference(case):
    each = placed(*case[:2])
    relations = {word_order.universal(relation): 100 for _, relation in DEPENDENTS}
    assert word_order.reorder([each], WordOrder(0, 0, relations, {})) == [list(range(len(each.elements)))]


def test_a_dependent_stays_on_its_side_if_its_relation_is_unknown_or_ud_fixes_it():
    order = word_order.fit([head(BOOK, SHE, VERB)] * 50, l2=0.01)
    unknown, conj = ("NOUN", "dislocated"), ("VERB", "conj")
    draws = [np.random.default_rng(seed).random(word_order.draws_of(4)) for seed in range(20)]
    each = head(SHE, VERB, unknown, BOOK, conj)
    for found in [*word_order.reorder([each] * 20, order, draws), *word_order.reorder([each], order)]:
        assert found.index(1) < found.index(2) and found.index(1) < found.index(4)
        assert found.index(3) < found.index(0) < found.index(1)


def test_dependents_that_are_alike_or_form_a_sequence_keep_their_order():
    conjuncts = [("NOUN", "conj"), ("PROPN", "conj"), ("NOUN", "conj")]
    order = random_order(5)
    order.relations["conj"] = 100
    draws = [np.random.default_rng(seed).random(word_order.draws_of(5)) for seed in range(50)]
    for found in word_order.reorder([head(SHE, VERB, *conjuncts, SHE)] * 50, order, draws):
        assert [place for place in found if place in (2, 3, 4)] == [2, 3, 4]
        assert found.index(0) < found.index(5)


def test_an_order_is_written_and_read_back(tmp_path):
    order = word_order.fit([head(SHE, VERB, ("NOUN", "obl:tmod"))] * 9 + [head(VERB, SHE)], l2=0.1)
    path = tmp_path / "fr.order.json"
    word_order.save({"verbs": order}, path, treebank=["fr.conllu"])
    first = path.read_bytes()
    assert word_order.load(path, "verbs") == order
    assert json.loads(first)["treebank"] == ["fr.conllu"]
    word_order.save({"verbs": word_order.load(path, "verbs")}, path, treebank=["fr.conllu"])
    assert path.read_bytes() == first


def written(**change) -> str:
    order = {"heads": 1, "skipped": 0, "relations": {}, "weights": {}} | change
    return json.dumps({"format": word_order.FORMAT, "nouns": order})


@pytest.mark.parametrize(
    "content",
    [
        "not json",
        "[]",
        "{}",
        '{"format": "another"}',
        json.dumps({"format": word_order.FORMAT, "verbs": {"weights": {}}}),
        written(relations=[]),
        written(weights={"x": {"a": {"b": 1}}}),
    ],
)
def test_a_file_that_holds_no_order_is_refused(tmp_path, content):
    path = tmp_path / "order.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match="order.json: found .*expected the order of nouns; write the file with"):
        word_order.load(path, "nouns")
    with pytest.raises(InputError, match="none.json: found .*No such file"):
        word_order.load(tmp_path / "none.json", "nouns")
