"""Labels of words as numbers: IOB2 spans, counts of true positives, predicted and gold units, and F1 of these counts.

Named entities are tagged in IOB2: ``B-PER I-PER O B-LOC`` is a person of two words, and a place. An entity begins with
``B-`` and goes on with ``I-`` of the same type; a stray ``I-`` belongs to none. Parts of speech have no spans: every
word is a unit of its own.

Counts are an int64 array (K, 3) of ``tp`` (true positives), ``predicted`` and ``gold`` units, one row a type. Counts of
batches, and of ranks, add up to those of the whole, which scores of batches do not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from fairseq_align.lazy import np

OUTSIDE = "O"
BEGIN, INSIDE = "B-", "I-"


class Scheme(NamedTuple):
    """The meaning of label numbers; ``L`` labels, ``K`` types.

    Attributes:
        types: names of the types, sorted: of the entities, or the labels themselves where they are no IOB2 tags.
        spans: whether the labels are IOB2 tags.
        type_of: the type of each label, -1 for ``O``; int64, shape (L,).
        begins: labels that begin a unit: ``B-``, or every label without spans; bool, shape (L,).
        begin, inside: label ``B-`` and ``I-`` of each type, shape (K,); the label itself without spans.
    """

    types: tuple[str, ...]
    spans: bool
    type_of: np.ndarray
    begins: np.ndarray
    begin: np.ndarray
    inside: np.ndarray


def is_iob2(labels: Sequence[str]) -> bool:
    """Whether a set of labels is ``O`` and, for each of its types, ``B-`` and ``I-``."""
    types = {label[2:] for label in labels if label.startswith((BEGIN, INSIDE))}
    return set(labels) == {OUTSIDE}.union(*({BEGIN + name, INSIDE + name} for name in types))


def iob2_labels(types: Sequence[str]) -> tuple[str, ...]:
    """``O``, then ``B-`` and ``I-`` of each type in alphabetical order."""
    return OUTSIDE, *(prefix + name for name in sorted(set(types)) for prefix in (BEGIN, INSIDE))


def scheme(labels: Sequence[str]) -> Scheme:
    """The scheme of the labels of a label/dict.txt, given in their order.

    Example:
        >>> scheme(["O", "B-LOC", "I-LOC"]).types, scheme(["NOUN", "VERB"]).types
        (('LOC',), ('NOUN', 'VERB'))
    """
    if not is_iob2(labels):
        own = np.arange(len(labels))
        return Scheme(tuple(labels), False, own, np.ones(len(labels), dtype=bool), own, own)
    types = tuple(sorted({label[2:] for label in labels} - {""}))
    return Scheme(
        types,
        True,
        np.array([types.index(label[2:]) if label != OUTSIDE else -1 for label in labels]),
        np.array([label.startswith(BEGIN) for label in labels]),
        np.array([labels.index(BEGIN + name) for name in types]),
        np.array([labels.index(INSIDE + name) for name in types]),
    )


def unit_ends(labels: np.ndarray, first: np.ndarray, scheme: Scheme) -> np.ndarray:
    """The word after the last one of the unit that begins at each word, 0 where none begins; int64, shape (W,).

    ``B-PER I-PER I-LOC B-LOC O`` -> ``2 0 0 4 0``.

    Args:
        labels: label numbers of words, sentences one after the other, shape (W,).
        first: words that begin a sentence, bool, shape (W,).
    """
    words = np.arange(len(labels))
    begins = scheme.begins[labels]
    if not scheme.spans:
        return words + 1
    types = scheme.type_of[labels]
    goes_on = ~first & ~begins & (types >= 0) & (types == np.roll(types, 1))
    stops = np.append(words[~goes_on], len(labels))
    return np.where(begins, stops[np.searchsorted(stops, words, side="right")], 0)


def counts(predicted: np.ndarray, gold: np.ndarray, first: np.ndarray, scheme: Scheme) -> np.ndarray:
    """True positives (same words, same type), predicted and gold units, by type; int64, shape (K, 3).

    With spans this is the strict IOB2 mode of seqeval (https://github.com/chakki-works/seqeval).

    Args:
        predicted, gold: label numbers of the same words, sentences one after the other, shape (W,).
        first: words that begin a sentence, bool, shape (W,).

    Example:
        Labels 0, 1, 2 are ``O B-LOC I-LOC``: the first of two places is found whole.

        >>> gold, predicted, first = np.array([1, 2, 1, 2]), np.array([1, 2, 1, 0]), np.arange(4) == 0
        >>> counts(predicted, gold, first, scheme(["O", "B-LOC", "I-LOC"])).tolist()
        [[1, 2, 2]]
    """
    ends = [unit_ends(labels, first, scheme) for labels in (predicted, gold)]
    types = [scheme.type_of[labels] for labels in (predicted, gold)]
    tp = (ends[0] > 0) & (ends[0] == ends[1]) & (types[0] == types[1])
    units = [types[1][tp], types[0][ends[0] > 0], types[1][ends[1] > 0]]  # types of the units to count
    return np.stack([np.bincount(unit_types, minlength=len(scheme.types)) for unit_types in units], axis=1)


def lenient_spans(sentences: Iterable[Sequence[str]]) -> set[tuple[str, int, int]]:
    """Type, first and last word of the spans of any tags, as seqeval's default mode finds them.

    A tag is its first letter and the type after it: ``B-PER``, ``PER`` where it is ``I-PER`` alone, and also ``NOUN``,
    which is ``N`` and ``OUN``. A span begins where the type changes, so that ``I-PER`` may begin one and neighbours of
    one part of speech are one; ``B`` and ``S`` begin, ``E`` and ``S`` end one in any case. What this does to tags of no
    scheme is seqeval's, since published scores count it: ``X`` has the type of ``O``, so a span of it neither begins
    nor ends at the edge of a sentence.

    Args:
        sentences: tags of words; words are numbered through, with one number between two sentences.

    Source: ``get_entities`` of seqeval 1.2.2, after conlleval, https://www.cnts.ua.ac.be/conll2000/chunking/output.html
    """
    spans = set()
    first, previous, previous_type = 0, OUTSIDE, ""
    for index, tag in enumerate(tag for sentence in sentences for tag in (*sentence, OUTSIDE)):
        letter, kind = tag[0], tag[1:].split("-", maxsplit=1)[-1] or "_"
        changed = kind != previous_type
        if previous in "ES" or (previous in "BI" and letter in "BSO") or (previous not in "O." and changed):
            spans.add((previous_type, first, index - 1))
        if letter in "BS" or (previous in "ESO" and letter in "EI") or (letter not in "O." and changed):
            first = index
        previous, previous_type = letter, kind
    return spans


def lenient_counts(predicted: Iterable[Sequence[str]], gold: Iterable[Sequence[str]]) -> np.ndarray:
    """Spans that are true positives, predicted and gold, by type in alphabetical order; int64, shape (K, 3).

    Args:
        predicted, gold: tags of the same words, sentence by sentence.
    """
    spans = lenient_spans(predicted), lenient_spans(gold)
    columns = [Counter(kind for kind, _, _ in units) for units in (spans[0] & spans[1], *spans)]
    types = sorted({kind for kind, _, _ in spans[0] | spans[1]})
    return np.array([[column[kind] for column in columns] for kind in types], dtype=np.int64).reshape(-1, 3)


def micro_f1(counts: np.ndarray) -> float:
    """F1 of the units of all types together, in [0, 1]; 0 if there are none.

    Example:
        >>> micro_f1(np.array([[1, 2, 1], [0, 0, 1]]))  # of LOC and PER; 2 * 1 / (2 + 2)
        0.5
    """
    tp, predicted, gold = np.asarray(counts).sum(0)
    return float(2 * tp / (predicted + gold)) if predicted + gold else 0.0


def macro_f1(counts: np.ndarray) -> float:
    """Mean F1 of the types that have a predicted or a gold unit, in [0, 1]; 0 if there are none.

    Example:
        >>> macro_f1(np.array([[2, 2, 2], [0, 1, 1], [0, 0, 0]]))
        0.5
    """
    tp, predicted, gold = np.asarray(counts, dtype=np.float64).T
    present = predicted + gold > 0
    return float((2 * tp[present] / (predicted + gold)[present]).mean()) if present.any() else 0.0


def well_formed(labels: np.ndarray, order: np.ndarray, scheme: Scheme) -> np.ndarray:
    """IOB2 labels of words that have been reordered within their sentences.

    Words of one entity that are still neighbours stay one entity, whatever their order; an entity that other words
    divide becomes several. Every word keeps its type::

        Mary Ann met Bob      ->  Bob met Ann Mary
        B-P  I-P O   B-P          B-P O   B-P I-P

    Args:
        labels: label numbers in the old order, well formed, shape (W,).
        order: the old index of each word of the new order, a permutation of ``arange(W)``.

    Returns:
        label numbers in the new order.
    """
    types = scheme.type_of[labels][order]
    entity = np.cumsum(scheme.begins[labels])[order]
    entity[types < 0] = -1
    goes_on = np.append(False, entity[1:] == entity[:-1])[: len(labels)]
    return np.where(types < 0, labels[order], np.where(goes_on, scheme.inside[types], scheme.begin[types]))
