"""Coverage of a text by the words of a lexicon: types and tokens by frequency, and the pieces of the words."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from fairseq_align.errors import InputError
from fairseq_align.files import read_lines
from fairseq_align.lexicon.file import Entry
from fairseq_align.text.vocabulary import WORD_START

BANDS = (1, 10, 100, 1000)  # lower ends, in occurrences
PIECES = 4  # words of so many pieces and more are counted together
Word = tuple[str, ...]  # in pieces


class Band(NamedTuple):
    """The words of a text that occur about equally often.

    Attributes:
        name: occurrences, ``10-99``; ``all``.
        types, covered_types: distinct words, and those of them that are in the lexicon.
        tokens, covered_tokens: their occurrences.
    """

    name: str
    types: int
    covered_types: int
    tokens: int
    covered_tokens: int


def band(count: int) -> str:
    """Name of the band of a number of occurrences.

    Example:
        >>> band(0), band(12), band(5000)
        ('0', '10-99', '1000+')
    """
    if count >= BANDS[-1]:
        return f"{BANDS[-1]}+"
    ends = (0, *BANDS)
    low, high = next((low, high) for low, high in zip(ends, ends[1:], strict=False) if count < high)
    return f"{low}-{high - 1}" if high - 1 > low else f"{low}"


def count_words(path: str | Path) -> Counter[str]:
    """Occurrences of the words of a tokenised text, as fairseq-align corpus writes it.

    Raises:
        InputError: the file cannot be read.
    """
    return Counter(word for _, line in read_lines(path) for word in line.split())


def bands(counts: Counter[str], words: Iterable[Word]) -> list[Band]:
    """Coverage of the most frequent words, of the less frequent ones ..., and of all.

    Args:
        counts: occurrences of the words of a text.
        words: those of a lexicon; ``ice cream`` covers no word.
    """
    covered = {"".join(word).removeprefix(WORD_START) for word in words}
    names = [*map(band, reversed(BANDS)), "all"]
    totals = {name: [0, 0, 0, 0] for name in names}
    for word, count in counts.items():
        is_covered = word in covered
        for name in (band(count), "all"):
            for column, number in enumerate((1, is_covered, count, is_covered * count)):
                totals[name][column] += number
    return [Band(name, *numbers) for name, numbers in totals.items()]


def weigh(entries: Iterable[Entry], source: Counter[str], target: Counter[str], power: float) -> list[Entry]:
    """Multiply the weight of each pair by ``((1 + s) (1 + t)) ** (power / 2)``, its words occurring s and t times.

    Args:
        source, target: occurrences of the words of the two languages; ``ice cream`` occurs as often as its rarer word.
        power: from 0, where frequency has no effect, to 1, where a word that occurs twice as often counts twice.

    Raises:
        InputError: ``power`` is not from 0 to 1.
    """
    if not 0 <= power <= 1:
        raise InputError(f"found power {power} of the frequency, expected a number from 0 to 1, e.g. 0.5")

    def often(counts: Counter[str], word: Word) -> int:
        return 1 + min(counts[part] for part in spelling(word).split(" "))

    return [
        entry._replace(weight=entry.weight * (often(source, entry.source) * often(target, entry.target)) ** (power / 2))
        for entry in entries
    ]


def pieces_band(count: int) -> str:
    """``2`` for a word of two pieces; ``4+`` for four and more."""
    return f"{count}" if count < PIECES else f"{PIECES}+"


def lengths(words: Iterable[Word]) -> Counter[str]:
    """Distinct words by their number of pieces, the shortest first."""
    return Counter(map(pieces_band, sorted(map(len, set(words)))))


def in_characters(words: Iterable[Word]) -> list[Word]:
    """The distinct words that are split into single characters, in order: the vocabulary holds no part of them."""
    return [
        word
        for word in dict.fromkeys(words)
        if len(word) > 1 and all(len(piece.removeprefix(WORD_START)) <= 1 for piece in word)
    ]


def spelling(word: Sequence[str]) -> str:
    """A word as it is written.

    Example:
        >>> spelling(("▁ice", "▁cre", "am"))
        'ice cream'
    """
    return "".join(word).replace(WORD_START, " ").strip()
