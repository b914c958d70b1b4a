"""How much of a text the words of a lexicon cover, how often they occur, and what they look like in pieces."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from fairseq_align.errors import InputError
from fairseq_align.files import read_lines
from fairseq_align.lexicon import frequency
from fairseq_align.lexicon.file import Entry
from fairseq_align.text.vocabulary import WORD_START

PIECES = 4  # words of so many pieces and more are counted together
Word = tuple[str, ...]  # in pieces


class Band(NamedTuple):
    """The words of a text that occur about equally often.

    Attributes:
        name: occurrences, ``10-99``; ``all``.
        words, covered: distinct words, and those of them that are in the lexicon.
        running, covered_running: their occurrences.
    """

    name: str
    words: int
    covered: int
    running: int
    covered_running: int


def count_words(path: str | Path) -> Counter[str]:
    """Occurrences of the words of a tokenised text, as preprocess/corpus.py writes it.

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
    names = [*map(frequency.band, reversed(frequency.BANDS)), "all"]
    found = {name: [0, 0, 0, 0] for name in names}
    for word, count in counts.items():
        inside = word in covered
        for name in (frequency.band(count), "all"):
            for place, number in enumerate((1, inside, count, inside * count)):
                found[name][place] += number
    return [Band(name, *numbers) for name, numbers in found.items()]


def weigh(entries: Iterable[Entry], source: Counter[str], target: Counter[str], power: float) -> list[Entry]:
    """Multiply the weight of each pair by ``((1 + s) (1 + t)) ** (power / 2)``, its words occurring s and t times.

    Args:
        source, target: occurrences of the words of the two languages; ``ice cream`` occurs as often as its rarer word.
        power: 0: frequency is of no account; 1: a word that occurs twice as often counts twice.

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
    """``2`` for a word of two pieces; ``4+``."""
    return f"{count}" if count < PIECES else f"{PIECES}+"


def lengths(words: Iterable[Word]) -> Counter[str]:
    """Distinct words by their number of pieces, the shortest first."""
    return Counter(map(pieces_band, sorted(map(len, set(words)))))


def in_characters(words: Iterable[Word]) -> list[Word]:
    """The distinct words that fall into single characters, in order: the vocabulary knows no part of them."""
    return [
        word
        for word in dict.fromkeys(words)
        if len(word) > 1 and all(len(piece.removeprefix(WORD_START)) <= 1 for piece in word)
    ]


def spelling(word: Sequence[str]) -> str:
    """``ice cream`` of its pieces."""
    return "".join(word).replace(WORD_START, " ").strip()
