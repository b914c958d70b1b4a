"""How a language orders a head and its dependents: a log-linear distribution over orders, its file and its features.

A head and its dependents are *elements*, each a tag and a relation. The model is that of Galactic Dependencies (Wang &
Eisner 2016, https://aclanthology.org/Q16-1035/). ``order_fitting`` learns it, ``reordering`` applies it; sentences and
trees belong to ``syntax``.

    p(order) = exp(score(order)) / Z        score(order) = sum of the weights of the features that hold of it

Features hold of pairs of elements (a, b), a before b, in three views of each element: its tag (``NOUN``), its relation
(``nmod``), and both with the relation's subtype (``NOUN nmod:poss``). The head is seen as ``@VERB``, ``@`` and
``@VERB advcl`` (with its own relation); ``^`` and ``$`` are the edges of the phrase. A pair counts as

    precede   always                       before   if both are before the head
    next      if they are neighbours,      after    if both are after it
              edges included               around   if a is before it and b after it

so that ``she/nsubj reads/@ books/obj`` has (precede, nsubj, @), (precede, nsubj, obj), (around, nsubj, obj),
(next, ^, nsubj) and so on.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from fairseq_align.errors import InputError
from fairseq_align.files import read_json, writing
from fairseq_align.lazy import np

KINDS = ("precede", "before", "around", "after", "next")
PRECEDE, BEFORE, AROUND, AFTER, NEXT, NONE = range(6)
FIRST, LAST = ("^", "^"), ("$", "$")  # the edges of a phrase
IN_SEQUENCE = frozenset({"conj", "fixed", "flat", "goeswith", "list"})  # UD puts the head first: a, b and c

FORMAT = "fairseq_align word order, version 1"
MOST_SYMBOLS = 1500  # 110 MB of weights; all treebanks of UD together have some hundred tags with relations
MOST_WEIGHT = 1e6  # nats
EXACT = 8  # dependents up to which all orders are counted; 99.9 % of the nouns and verbs of UD treebanks have no more
KNOWN = 5  # occurrences from which on a relation has an order of its own
KEEP = 0.3  # default log odds by which a pair of elements prefers its order in the source

Element = tuple[str, str]  # tag and relation; of a head "@" + tag and its own universal relation


class Head(NamedTuple):
    """A head and its dependents.

    Attributes:
        elements: in the order of the sentence, at least two.
        column: index of the head among them.
    """

    elements: list[Element]
    column: int


def universal(relation: str) -> str:
    """A relation without its subtype.

    Example:
        >>> universal("nmod:poss")
        'nmod'
    """
    return relation.partition(":")[0]


def views(element: Element) -> tuple[str, str, str]:
    """The symbols of an element: tag, relation, and both.

    Example:
        >>> views(("NOUN", "nmod:poss")), views(("@VERB", "advcl"))
        (('NOUN', 'nmod', 'NOUN nmod:poss'), ('@VERB', '@', '@VERB advcl'))
    """
    tag, relation = element
    if element in (FIRST, LAST):
        return tag, tag, tag
    return tag, "@" if tag.startswith("@") else universal(relation), f"{tag} {relation}"


@dataclass(frozen=True)
class WordOrder:
    """How one class of heads, the nouns or the verbs of a language, orders its dependents.

    Attributes:
        heads: number of heads that it was learnt from.
        skipped: number of heads left out because they have more than ``EXACT`` dependents.
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
        """Number of each symbol; weights as an array (kind, first, second), with a last row and column of 0.

        Raises:
            ValueError: there are more than ``MOST_SYMBOLS``, or a weight is no number.
        """
        names = sorted({name for rows in self.weights.values() for first in rows for name in (first, *rows[first])})
        if len(names) > MOST_SYMBOLS:
            raise ValueError(f"{len(names):,} symbols, more than {MOST_SYMBOLS:,}")
        number = {name: index for index, name in enumerate(names)}
        dense = np.zeros((len(KINDS) + 1, len(names) + 1, len(names) + 1))
        for kind, rows in self.weights.items():
            for first, row in rows.items():
                for second, weight in row.items():
                    if isinstance(weight, bool) or not isinstance(weight, int | float) or not abs(weight) < MOST_WEIGHT:
                        raise ValueError(f"the weight {weight!r:.40} of {first:.40} and {second:.40}")
                    dense[KINDS.index(kind), number[first], number[second]] = weight
        return number, dense

    def scores(self, elements: list[Element]) -> np.ndarray:
        """Score of each kind and ordered pair of elements: shape (6, E, E), in nats; 0 for the kind ``NONE``."""
        number, dense = self._dense
        rows = np.array([[number.get(symbol, len(number)) for symbol in views(element)] for element in elements])
        return sum(dense[:, row[:, None], row[None, :]] for row in rows.T)


def save(orders: dict[str, WordOrder], path: str | Path, **provenance) -> None:
    """Write orders under their names as JSON, after the fields of ``provenance``, which ``load`` does not read."""
    content = {"format": FORMAT, **provenance} | {name: asdict(order) for name, order in orders.items()}
    with writing(path) as file:
        file.write(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def load(path: str | Path, name: str) -> WordOrder:
    """Read the order of a name, ``nouns`` or ``verbs``.

    Raises:
        InputError: the file cannot be read, or is not one of ``save`` with an order of that name.

    Example:
        >>> save({"nouns": WordOrder(heads=9, skipped=0, relations={"amod": 9}, weights={})}, "fr.order.json")
        >>> load("fr.order.json", "nouns").relations
        {'amod': 9}
    """
    content = read_json(path, f"the order of {name}; write the file with fairseq-align syntax learn")
    try:
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']!r:.40}")
        order = WordOrder(**content[name])
        order.scores([FIRST])
        order.fixes_side(FIRST)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}: found {error!r}, expected the order of {name}; write the file with fairseq-align syntax learn"
        ) from error
    return order


def features(orders: np.ndarray, heads: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The features of orders of n elements.

    Args:
        orders: each order between the edges of the phrase, shape (I, n + 2), any integers.
        heads: column of the head in each, shape (I,).

    Returns:
        kinds, first elements and second elements, each of shape (I, F). A pair that includes the head is on no side of
        it: the kind ``NONE``.
    """
    count, width = orders.shape
    first, second = np.stack(np.triu_indices(width - 2, 1)) + 1
    head = heads[:, None]
    side = np.select([second < head, (first < head) & (head < second), head < first], [BEFORE, AROUND, AFTER], NONE)
    steps = np.arange(width - 1)
    kinds = [np.full((count, len(first)), PRECEDE), side, np.full((count, len(steps)), NEXT)]
    firsts, seconds = np.concatenate([first, first, steps]), np.concatenate([second, second, steps + 1])
    return np.concatenate(kinds, axis=1), orders[:, firsts], orders[:, seconds]
