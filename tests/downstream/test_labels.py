"""Counts, F1 and spans: by hand, against figures of seqeval and scikit-learn, and after reordering."""

import json

import numpy as np
import pytest
import torch
from fairseq.logging import metrics
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score

from fairseq_align.criterions.sequence_tagging import SequenceTaggingLoss
from fairseq_align.downstream import labels as tags
from fairseq_align.errors import InputError
from fairseq_align.evaluation import predictions
from tests.golden import spans

NER = tags.iob2_labels(["PER", "LOC", "ORG"])
POS = ("ADJ", "NOUN", "VERB", "X")


def numbers(labels, words: str) -> np.ndarray:
    return np.array([labels.index(word) for word in words.split()], dtype=np.int64)


def firsts(lengths) -> np.ndarray:
    """Words that begin a sentence, of sentences of these lengths."""
    first = np.zeros(sum(lengths), dtype=bool)
    first[np.cumsum(lengths) - lengths] = True
    return first


def names(labels, values: np.ndarray, lengths) -> list[list[str]]:
    return [[labels[value] for value in part] for part in np.split(values, np.cumsum(lengths)[:-1])]


def random_sequences(labels, count: int):
    """Sentences of random tags, predictions right in about half of the words, lengths."""
    rng = np.random.default_rng(1)
    for _ in range(count):
        lengths = rng.integers(1, 12, size=rng.integers(1, 5))
        reference = rng.integers(0, len(labels), lengths.sum())
        predicted = np.where(rng.random(len(reference)) < 0.5, reference, rng.integers(0, len(labels), len(reference)))
        yield reference, predicted, lengths


def test_labels_of_entities_have_a_fixed_order():
    assert NER == ("O", "B-LOC", "I-LOC", "B-ORG", "I-ORG", "B-PER", "I-PER")
    assert tags.is_iob2(NER) and not tags.is_iob2(POS) and not tags.is_iob2(["O", "B-LOC"])


def test_spans_by_hand():
    words = numbers(NER, "B-PER I-PER I-LOC B-LOC O I-PER B-ORG B-ORG I-ORG I-ORG")
    first = firsts([9, 1])  # the last word begins a sentence, where I- continues nothing
    assert tags.unit_ends(words, first, tags.scheme(NER)).tolist() == [2, 0, 0, 4, 0, 0, 7, 9, 0, 0]


def test_counts_and_f1_by_hand():
    reference = numbers(NER, "B-PER I-PER O B-LOC B-ORG")
    predicted = numbers(NER, "B-PER O     O B-LOC B-LOC")
    found = tags.counts(predicted, reference, firsts([5]), tags.scheme(NER))
    assert found.tolist() == [[1, 2, 1], [0, 0, 1], [0, 1, 1]]  # LOC, ORG, PER: tp, predicted, gold
    assert tags.micro_f1(found) == pytest.approx(2 * 1 / (3 + 3))
    assert tags.macro_f1(found) == pytest.approx((2 / 3 + 0 + 0) / 3)
    assert tags.micro_f1(np.zeros((3, 3))) == tags.macro_f1(np.zeros((3, 3))) == 0


@pytest.fixture(scope="module")
def golden() -> dict[str, list]:
    """What seqeval 1.2.2 says of the cases of ``spans.cases``, see there."""
    return json.loads(spans.FIGURES.read_text())


def test_lenient_spans_by_hand():
    """``I-`` and ``E-`` may begin a span, other letters are a part of speech, of which neighbours are one span."""
    one, other = "I-PER I-PER B-PER O E-LOC".split(), "NOUN NOUN VERB".split()
    assert tags.lenient_spans([one, other]) == {
        ("PER", 0, 1), ("PER", 2, 2), ("LOC", 4, 4), ("OUN", 6, 7), ("ERB", 8, 8),
    }  # fmt: skip
    # X has the type of O, which stands between sentences: seqeval lets its span go on there
    assert tags.lenient_spans([["NOUN", "X"], ["X", "VERB"]]) == {("OUN", 0, 0), ("_", 1, 3), ("ERB", 4, 4)}
    assert tags.lenient_counts([], []).shape == (0, 3) and tags.micro_f1(tags.lenient_counts([], [])) == 0


@pytest.mark.parametrize("name", spans.SCHEMES)
def test_lenient_f1_is_that_of_seqeval(golden, name):
    cases = list(spans.cases(name))
    assert len(cases) == len(golden[name]) == spans.CASES
    for (gold, predicted), (tp, found, there, micro, macro, *_) in zip(cases, golden[name], strict=True):
        counts = tags.lenient_counts(predicted, gold)
        assert counts.sum(0).tolist() == [tp, found, there]
        assert tags.micro_f1(counts) == pytest.approx(micro, abs=1e-6)
        assert tags.macro_f1(counts) == pytest.approx(macro, abs=1e-6)


def test_strict_f1_is_that_of_seqeval(golden):
    scheme = tags.scheme(NER)
    for (gold, predicted), (*_, strict) in zip(spans.cases("IOB2"), golden["IOB2"], strict=True):
        reference, found = (numbers(NER, " ".join(sum(rows, []))) for rows in (gold, predicted))
        counts = tags.counts(found, reference, firsts([len(row) for row in gold]), scheme)
        assert tags.micro_f1(counts) == pytest.approx(strict, abs=1e-6)


def test_macro_f1_is_that_of_scikit_learn():
    for reference, predicted, lengths in random_sequences(POS, 300):
        counts = tags.counts(predicted, reference, firsts(lengths), tags.scheme(POS))
        expected = f1_score(reference, predicted, average="macro", zero_division=0)
        assert tags.macro_f1(counts) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("labels", "name"), [(NER, "IOB2"), (spans.SCHEMES["UPOS"], "UPOS")])
def test_scores_of_a_subset_are_those_of_seqeval_and_scikit_learn(golden, labels, name):
    """Each ``f1`` with its own sentences' boundaries; the number of entities or words stands beside it."""
    for (gold, predicted), (*_, micro, _, strict) in zip(
        spans.cases(name), [row if name == "IOB2" else [*row, None] for row in golden[name]], strict=True
    ):
        reference, words = sum(gold, []), sum(predicted, [])
        units = sum(tag.startswith("B-") for tag in reference) if name == "IOB2" else len(reference)
        sentences = [predictions.Sentence(["w"] * len(r), r, p) for r, p in zip(gold, predicted, strict=True)]
        if not units:
            with pytest.raises(InputError, match="found no entity or word in the subset"):
                predictions.scores(sentences, labels)
            continue
        found = {metric: (value, n) for metric, value, n in predictions.scores(sentences, labels)}
        assert found["accuracy"] == (pytest.approx(accuracy_score(reference, words)), len(reference))
        assert found["seqeval_f1"] == (pytest.approx(micro, abs=1e-6), units)
        if strict is None:
            strict = f1_score(reference, words, average="macro", zero_division=0)
        assert found["f1"] == (pytest.approx(strict, abs=1e-6), units)


@pytest.mark.parametrize(("labels", "name", "score"), [(NER, "span", tags.micro_f1), (POS, "label", tags.macro_f1)])
def test_f1_of_batches_is_that_of_the_whole(labels, name, score):
    """What fairseq logs over several batches is the F1 of all counts, not a mean of F1s."""
    scheme = tags.scheme(labels)
    logs, batches = [], list(random_sequences(labels, 5))
    for reference, predicted, lengths in batches:
        counts = torch.from_numpy(tags.counts(predicted, reference, firsts(lengths), scheme))
        logs.append({f"{name}_counts": counts, "loss": 1.0, "ncorrect": 1, "sample_size": len(reference)})
    lengths = np.concatenate([batch[2] for batch in batches])
    reference, predicted = (np.concatenate([batch[i] for batch in batches]) for i in (0, 1))
    whole = score(tags.counts(predicted, reference, firsts(lengths), scheme))
    with metrics.aggregate(new_root=True) as logged:
        SequenceTaggingLoss.reduce_metrics(logs[:2])  # two ranks, or two batches of one update
        SequenceTaggingLoss.reduce_metrics(logs[2:])
    assert logged.get_smoothed_values()["f1"] == round(100 * whole, 2)
    assert score(sum(log[f"{name}_counts"] for log in logs).numpy()) == whole


def test_entities_stay_well_formed_by_hand():
    labels = numbers(NER, "B-PER I-PER O B-PER B-LOC I-LOC I-LOC")  # Mary Ann met Bob New York City
    backwards = tags.well_formed(labels, np.arange(7)[::-1], tags.scheme(NER))
    assert [NER[i] for i in backwards] == "B-LOC I-LOC I-LOC B-PER O B-PER I-PER".split()
    torn = tags.well_formed(labels, np.array([0, 2, 1, 3, 5, 6, 4]), tags.scheme(NER))  # Mary met Ann Bob York City New
    assert [NER[i] for i in torn] == "B-PER O B-PER B-PER B-LOC I-LOC I-LOC".split()


@st.composite
def reordered(draw):
    """Well-formed labels of sentences, and an order that moves words within their sentences only."""
    lengths, labels, order = [], [], []
    for _ in range(draw(st.integers(1, 4))):
        sentence = []
        for size, kind in draw(
            st.lists(st.tuples(st.integers(1, 3), st.sampled_from(["O", "PER", "LOC"])), min_size=1)
        ):
            sentence += ["O"] * size if kind == "O" else ["B-" + kind] + ["I-" + kind] * (size - 1)
        order += [len(labels) + place for place in draw(st.permutations(range(len(sentence))))]
        labels += sentence
        lengths.append(len(sentence))
    return numbers(NER, " ".join(labels)), np.array(order), lengths


@given(reordered())
def test_any_order_gives_well_formed_labels_and_keeps_every_type(case):
    labels, order, lengths = case
    scheme = tags.scheme(NER)
    moved = tags.well_formed(labels, order, scheme)
    assert (scheme.type_of[moved] == scheme.type_of[labels][order]).all()
    covered = tags.unit_ends(moved, firsts(lengths), scheme)
    inside = sum(end - start for start, end in enumerate(covered) if end)
    assert inside == (scheme.type_of[labels] >= 0).sum()  # no stray I-
    assert (tags.well_formed(labels, np.arange(len(labels)), scheme) == labels).all()
