"""Word lists, the form in which bilingual dictionaries are given away, and their way into a lexicon.

Three forms, told apart line by line: MUSE's ``source target`` (one space); TSV, ``source<TAB>target[<TAB>weight]``; and
PanLex's columns, ``eng-000<TAB>house<TAB>fra-000<TAB>maison[<TAB>weight]``, which name the languages and may hold
others. ``dictd.py`` and ``tei.py`` read other files into the same pairs. Words go through the SentencePiece model of
the corpus, so a word is one piece or several.
"""

import logging
import math
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from fairseq.data import Dictionary
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sentencepiece import SentencePieceProcessor

from fairseq_align.errors import InputError
from fairseq_align.files import read_lines
from fairseq_align.lexicon.file import Entry
from fairseq_align.text import subword, vocabulary

logger = logging.getLogger(__name__)


class Pair(NamedTuple):
    """A word and one translation; empty: there is none."""

    source: str
    target: str
    weight: float = 1.0


def read(path: str | Path, languages: tuple[str, str] | None = None) -> Iterator[Pair]:
    """Pairs of a word list, plain or gzipped, in file order.

    Args:
        languages: codes of source and target, ``eng`` or ``eng-000``, for PanLex's columns; pairs that stand the other
            way round are turned, those of other languages come without a translation.

    Raises:
        InputError: the file is missing or not UTF-8, or a line has none of the three forms.
    """
    for number, line in read_lines(path):
        line = line.strip("\r ")
        if line:
            yield from _pair(f"{path}:{number}", line, languages)


def _pair(where: str, line: str, languages: tuple[str, str] | None) -> Iterator[Pair]:
    fields = [field.strip() for field in (line.split("\t") if "\t" in line else line.split(" "))]
    if "" in fields[:4] or len(fields) not in ((2, 3, 4, 5) if "\t" in line else (2,)):
        raise InputError(
            f"{where}: found {line!r}, expected 'source target', 'source<TAB>target[<TAB>weight]' or "
            "'language<TAB>source<TAB>language<TAB>target[<TAB>weight]'; separate words of several tokens by a tab"
        )
    weight = _weight(where, fields[-1]) if len(fields) % 2 else 1.0
    if len(fields) < 4:
        yield Pair(fields[0], fields[1], weight)
        return
    first, source, second, target = fields[:4]
    if languages is None:
        raise InputError(f"{where}: found columns of languages, {first} and {second}; name the two with --languages")
    if _speaks(first, languages[0]) and _speaks(second, languages[1]):
        yield Pair(source, target, weight)
    elif _speaks(first, languages[1]) and _speaks(second, languages[0]):
        yield Pair(target, source, weight)
    else:
        yield Pair(source, "")


def _speaks(found: str, wanted: str) -> bool:
    """Whether ``eng-000`` is the language ``eng`` or ``eng-000``."""
    return wanted in (found, found.partition("-")[0])


def _weight(where: str, text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = math.nan
    if not (weight > 0 and math.isfinite(weight)):
        raise InputError(f"{where}: found weight {text!r}, expected a positive number")
    return weight


REASONS = ("no translation", "several words", "out of vocabulary", "identical", "duplicate")  # to leave a pair out


def encode(
    pairs: Iterable[Pair],
    processor: SentencePieceProcessor,
    dictionary: Dictionary,
    lower: bool = False,
    form: str = "NFC",
    several_words: bool = True,
) -> tuple[list[Entry], Counter]:
    """Write the words of a list in pieces.

    Args:
        lower: in lower case.
        form: of Unicode normalisation; the text of a corpus is in NFC, and in NFKC inside its SentencePiece model.
        several_words: keep pairs with ``ice cream`` on a side, whose vector is the mean of all its pieces.

    Returns:
        entries in list order, and the counts ``read``, ``kept`` and those of ``REASONS``, which with ``kept`` sum to
        ``read``. ``identical`` are pairs whose sides are the same pieces, so that there is nothing to align.
    """
    known = set(vocabulary.pieces(dictionary))
    entries, seen, counts = [], set(), Counter(dict.fromkeys(("read", "kept", *REASONS), 0))

    def reason(source: str, target: str, weight: float) -> str:
        if not (source and target):
            return "no translation"
        if not several_words and (" " in source or " " in target):
            return "several words"
        pieces = tuple(
            tuple(piece for word in subword.encode_words(processor, text.split(" ")) for piece in word)
            for text in (source, target)
        )
        if not all(side and known.issuperset(side) for side in pieces):
            return "out of vocabulary"
        if pieces[0] == pieces[1]:
            return "identical"
        if pieces in seen:
            return "duplicate"
        seen.add(pieces)
        entries.append(Entry(*pieces, weight))
        return "kept"

    for pair in pairs:
        counts["read"] += 1
        source, target = (unicodedata.normalize(form, text.lower() if lower else text) for text in pair[:2])
        counts[reason(source, target, pair.weight)] += 1
    return entries, counts


def without_words_of(entries: list[Entry], heldout: list[Entry]) -> list[Entry]:
    """Entries that share no source and no target word with the held-out ones."""
    sources = {entry.source for entry in heldout}
    targets = {entry.target for entry in heldout}
    return [entry for entry in entries if entry.source not in sources and entry.target not in targets]


def split(entries: list[Entry], heldout_rate: float, seed: int) -> tuple[list[Entry], list[Entry]]:
    """Hold out a fraction of a many-to-many lexicon so that the two parts share no source and no target word.

    Words that are linked through translations stay together: whole connected components are drawn, in random order,
    until the held-out part has its share; one that would overshoot it is left in the training part.

    Args:
        heldout_rate: fraction of the entries to hold out, in [0, 1).
    """
    if not 0 <= heldout_rate < 1:
        raise InputError(f"found held-out rate {heldout_rate}, expected a fraction of at least 0 and below 1")
    if not entries:
        return [], []
    sources = {word: index for index, word in enumerate(dict.fromkeys(entry.source for entry in entries))}
    targets = {word: index for index, word in enumerate(dict.fromkeys(entry.target for entry in entries))}
    rows = np.array([sources[entry.source] for entry in entries])
    columns = np.array([targets[entry.target] for entry in entries]) + len(sources)
    nodes = len(sources) + len(targets)
    _, component = connected_components(
        coo_array((np.ones(len(rows)), (rows, columns)), shape=(nodes, nodes)), directed=False
    )
    component = component[rows]  # of each entry
    sizes = np.bincount(component)
    wanted, held = round(heldout_rate * len(entries)), np.zeros(len(sizes), dtype=bool)
    for index in np.random.default_rng(seed).permutation(len(sizes)):
        if sizes[index] <= wanted:
            held[index] = True
            wanted -= sizes[index]
    train = [entry for entry, index in zip(entries, component, strict=True) if not held[index]]
    return train, [entry for entry, index in zip(entries, component, strict=True) if held[index]]
