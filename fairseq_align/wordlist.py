"""Word lists, the form in which bilingual dictionaries are given away, and their way into a lexicon.

Two forms, told apart line by line: MUSE's ``source target`` (one space) and TSV, ``source<TAB>target[<TAB>weight]``.
Words go through the SentencePiece model of the corpus, so a word is one piece or several.
"""

import gzip
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

from fairseq_align import subword, vocabulary
from fairseq_align.errors import InputError
from fairseq_align.lexicon import Entry

logger = logging.getLogger(__name__)


class Pair(NamedTuple):
    """One line of a word list, NFC."""

    source: str
    target: str
    weight: float = 1.0


def read(path: str | Path) -> Iterator[Pair]:
    """Pairs of a word list, plain or gzipped, in file order.

    Raises:
        InputError: the file is missing or not UTF-8, or a line is neither ``source target`` nor TSV.
    """
    opened = gzip.open if str(path).endswith(".gz") else open
    try:
        with opened(path, "rt", encoding="utf-8", newline="\n") as file:
            for number, line in enumerate(file, 1):
                line = unicodedata.normalize("NFC", line.strip("\r\n "))
                if line:
                    yield _pair(path, number, line)
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {error}, expected a word list in UTF-8; see the README for its form") from error


def _pair(path: str | Path, number: int, line: str) -> Pair:
    fields = [field.strip() for field in (line.split("\t") if "\t" in line else line.split(" "))]
    expected = "expected 'source target' or 'source<TAB>target[<TAB>weight]'; separate words of several tokens by a tab"
    if not 2 <= len(fields) <= (3 if "\t" in line else 2) or "" in fields[:2]:
        raise InputError(f"{path}:{number}: found {line!r}, {expected}")
    try:
        weight = float(fields[2]) if len(fields) == 3 else 1.0
    except ValueError:
        weight = math.nan
    if not (weight > 0 and math.isfinite(weight)):
        raise InputError(f"{path}:{number}: found weight {fields[2]!r}, expected a positive number")
    return Pair(fields[0], fields[1], weight)


def encode(
    pairs: Iterable[Pair], processor: SentencePieceProcessor, dictionary: Dictionary
) -> tuple[list[Entry], Counter]:
    """Write the words of a list in pieces.

    Returns:
        entries in list order, and the counts ``read``, ``kept``, ``out of vocabulary``, ``duplicate`` and
        ``identical`` (both sides the same pieces: nothing to align); the last four sum to the first.
    """
    known = set(vocabulary.pieces(dictionary))
    entries, seen, counts = (
        [],
        set(),
        Counter({name: 0 for name in ("read", "kept", "out of vocabulary", "duplicate", "identical")}),
    )
    for pair in pairs:
        counts["read"] += 1
        source, target = (
            tuple(piece for word in subword.encode_words(processor, text.split(" ")) for piece in word)
            for text in (pair.source, pair.target)
        )
        if not (source and target and known.issuperset(source) and known.issuperset(target)):
            counts["out of vocabulary"] += 1
        elif source == target:
            counts["identical"] += 1
        elif (source, target) in seen:
            counts["duplicate"] += 1
        else:
            seen.add((source, target))
            entries.append(Entry(source, target, pair.weight))
            counts["kept"] += 1
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
