"""What makes a translation easy to find: a name, a word that is spelt the same, or nearly.

Such words align by their spelling alone, without any training; names fill a quarter of MUSE's test dictionaries
(Kementchedjhieva et al. 2019, https://arxiv.org/abs/1909.05708).

    a text -> ``capitals``;  the spelling of a pair, and the capitals of both languages -> ``kind``
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from fairseq_align.lazy import np
from fairseq_align.lexicon import coverage, frequency
from fairseq_align.text import vocabulary
from fairseq_align.text.latin import latin

if TYPE_CHECKING:
    from fairseq.data import Dictionary

AROUND = re.compile(r"^\W+|\W+$")  # punctuation at the ends of a word
KINDS = ("name", "same", "alike", "other")  # a pair is of the first one that it can be
# edit distance that words spelt alike have at most, as a share of the longer one: 27 % of the translations of FreeDict
# and xling-eval (en-fr), 0.12 % of their words paired at random; of MUSE, en-hi, in Latin letters 19 and 0.09 %
ALIKE = 0.4


def kind(source: str, target: str, capitals: tuple[Mapping[str, bool], Mapping[str, bool]]) -> str:
    """The kind of a pair of words.

    ``name``: its text writes one of them with a capital letter, and that of the other one likewise, as far as its
    script has capitals and its text the word; of two that are in no text the pair's own letters count. ``same``: the
    same letters. ``alike``: an edit distance of at most ``ALIKE`` in Latin letters without marks. ``other``: none of
    these.

    Example:
        >>> [kind(*pair, ({"paris": True}, {})) for pair in (("paris", "parigi"), ("radio", "radio"))]
        ['name', 'same']
        >>> [kind(*pair, ({}, {})) for pair in (("nation", "nación"), ("dog", "perro"))]
        ['alike', 'other']

    Args:
        capitals: of the language of each word, see ``capitals``.
    """
    known = {text.get(word.casefold()) for word, text in zip((source, target), capitals, strict=True)}
    if known == {None}:
        known = {is_capital(source), is_capital(target)}
    if True in known and False not in known:
        return "name"
    if source.casefold() == target.casefold():
        return "same"
    return "alike" if distance(latin(source), latin(target)) <= ALIKE else "other"


def is_capital(word: str) -> bool | None:
    """Whether a word begins with a capital letter; None: with neither a capital nor a small one.

    Example:
        >>> is_capital("Paris"), is_capital("city"), is_capital("लंदन")
        (True, False, None)
    """
    return word[:1].isupper() if word[:1].isupper() or word[:1].islower() else None


def capitals(tokens: np.ndarray, dictionary: Dictionary) -> dict[str, bool]:
    """Of the words of a text, in lower case, whether they begin with a capital letter more often than without.

    A word counts inside a sentence: behind a piece that ends with a letter. Words without upper and lower case are
    left out. It is how truecasing tells names (Lita et al. 2003, https://aclanthology.org/P03-1020).

    Args:
        tokens: ids of the text, shape (N,), may be memory-mapped; sentences end with a symbol.
    """
    starts = vocabulary.word_starts(dictionary)
    starts[dictionary.unk()] = False  # a word goes on behind it
    letters = np.array([symbol[-1:].isalpha() for symbol in dictionary.symbols])
    letters[: dictionary.nspecial] = False
    more = Counter()  # occurrences with a capital letter, less those without
    for word, count in frequency.whole_words(tokens, starts, behind=letters).items():
        spelt = AROUND.sub("", coverage.spelling([dictionary[piece] for piece in word]))
        capital = is_capital(spelt)
        if capital is not None and min(word) >= dictionary.nspecial:
            more[spelt.casefold()] += count if capital else -count
    return {word: number > 0 for word, number in more.items()}


def distance(one: str, other: str) -> float:
    """Edit distance (insertions, deletions, changes; Levenshtein 1966) as a share of the longer word's length.

    Example:
        >>> distance("water", "wasser"), distance("same", "same"), distance("", "")
        (0.3333333333333333, 0.0, 0.0)
    """
    row = list(range(len(other) + 1))
    for number, char in enumerate(one, 1):
        diagonal, row[0] = row[0], number
        for column, opposite in enumerate(other, 1):
            cost = min(diagonal + (char != opposite), row[column] + 1, row[column - 1] + 1)
            diagonal, row[column] = row[column], cost
    return row[-1] / max(len(one), len(other), 1)
