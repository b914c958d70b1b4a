"""Lexicons made: of derived vocabularies, of word lists, of two lexicons that share a language; pairs held out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fairseq_align.errors import InputError
from fairseq_align.lexicon import coverage, file, formats
from fairseq_align.lexicon.file import Entry
from fairseq_align.lexicon.wordlist import Pair
from fairseq_align.text import vocabulary
from fairseq_align.text.encoder import WordEncoder
from fairseq_align.text.normalise import compose

if TYPE_CHECKING:
    from fairseq.data import Dictionary
    from sentencepiece import SentencePieceProcessor

REASONS = ("no translation", "several words", "out of vocabulary", "identical", "duplicate")  # to leave a pair out


class Lexicon(NamedTuple):
    """Training pairs and held-out pairs; they share no source word and no target word.

    Attributes:
        provenance: where the pairs come from, comment lines of the file.
        counts: those of ``encode``, with the names of the files that were read together.
        left_out: pairs in neither part, because one of their words is held out; None where none can be.
    """

    train: list[Entry]
    heldout: list[Entry]
    provenance: tuple[str, ...]
    counts: tuple[tuple[str, Counter], ...] = ()
    left_out: int | None = None


@dataclass(frozen=True)
class WordLists:
    """Dictionary files and how they become a lexicon.

    Attributes:
        files, heldout_files: dictionaries in any form of ``formats.READERS``, or word lists; the latter are held out
            whole.
        languages: codes of source and target, for files with columns of languages.
        lower, form, several_words: as ``encode``.
        heldout_rate: as ``split``; without ``heldout_files``.
        seed: of the split.
        frequency: tokenised training texts of the two languages, whose words weight the training pairs; None: unused.
        frequency_power: as ``coverage.weigh``.
    """

    files: tuple[Path, ...]
    heldout_files: tuple[Path, ...] = ()
    languages: tuple[str, str] | None = None
    lower: bool = False
    form: str = "NFC"
    several_words: bool = True
    heldout_rate: float = 0.0
    seed: int = 1
    frequency: tuple[Path, Path] | None = None
    frequency_power: float = 0.5


def of_derivation(dictionary: Dictionary, rate: float, seed: int, shared: Collection[int] = ()) -> Lexicon:
    """Pairs of each piece with its transliteration, split at random into training and held-out pairs.

    Every piece is in one pair, so the two lists share no source and no target word.

    Args:
        dictionary: a doubled vocabulary (``vocabulary.double``).
        rate: fraction of the pieces that go into the training pairs, in (0, 1].
        shared: numbers of the pieces, from 0, that the derived language has in common with its source; in no pair.

    Returns:
        training pairs and held-out pairs, each in vocabulary order.

    Example:
        >>> dictionary = vocabulary.double(vocabulary.of_symbols(["▁a", "▁b"]))
        >>> of_derivation(dictionary, rate=1, seed=1).train[0]
        Entry(source=('▁a',), target=('▁a~',), weight=1.0)
    """
    import numpy as np

    half = vocabulary.derived_size(dictionary)
    if half is None:
        raise InputError(
            "found no derived pieces in dict.txt, expected a doubled one; "
            "run fairseq-align derive with transliterate first"
        )
    if not 0 < rate <= 1:
        raise InputError(f"found rate {rate}, expected a fraction above 0 and up to 1; 0.5 is the paper's")
    symbols = vocabulary.pieces(dictionary)
    shared = set(shared)
    entries = [Entry((symbols[i],), (symbols[half + i],)) for i in range(half) if i not in shared]
    chosen = np.zeros(len(entries), dtype=bool)
    chosen[np.random.default_rng(seed).permutation(len(entries))[: round(rate * len(entries))]] = True
    return Lexicon(*_parted(entries, chosen), (f"transliteration pairs, rate {rate:g}, seed {seed}",))


def of_word_lists(lists: WordLists, processor: SentencePieceProcessor, dictionary: Dictionary) -> Lexicon:
    """The lexicon of dictionary files, its words in the pieces of a SentencePiece model.

    Args:
        dictionary: the vocabulary that the pieces have to be in.

    Raises:
        InputError: a file cannot be read, or a setting is out of its range.
    """
    counts: list[tuple[str, Counter]] = []

    def encoded(paths: tuple[Path, ...]) -> list[Entry]:
        pairs = chain.from_iterable(formats.read(path, lists.languages) for path in paths)
        entries, counted = encode(pairs, processor, dictionary, lists.lower, lists.form, lists.several_words)
        counts.append((" ".join(map(str, paths)), counted))
        return entries

    entries, left_out = encoded(lists.files), None
    if lists.heldout_files:
        heldout = encoded(lists.heldout_files)
        train = without_words_of(entries, heldout)
        left_out = len(entries) - len(train)
    else:
        train, heldout = split(entries, lists.heldout_rate, lists.seed)
    names = ", ".join(path.name for path in lists.files + lists.heldout_files)
    provenance = [f"word lists {names}, held-out rate {lists.heldout_rate:g}, seed {lists.seed}"]
    if lists.frequency:
        train = coverage.weigh(train, *map(coverage.count_words, lists.frequency), lists.frequency_power)
        provenance.append(f"weighted by frequency in the training texts to the power {lists.frequency_power:g}")
    return Lexicon(train, heldout, tuple(provenance), tuple(counts), left_out)


def of_pivot(lexicons: tuple[Path, Path], heldout_lexicons: tuple[Path, Path] | None = None) -> Lexicon:
    """The lexicon of two languages from those of a third one with each of them; the third is their source language.

    Args:
        heldout_lexicons: their held-out pairs, whose pivot is held out.
    """
    entries = pivot(*(file.read(path)[0] for path in lexicons))
    heldout = pivot(*(file.read(path)[0] for path in heldout_lexicons)) if heldout_lexicons else []
    train = without_words_of(entries, heldout)
    names = ", ".join(path.name for path in (*lexicons, *(heldout_lexicons or ())))
    return Lexicon(train, heldout, (f"pivot of {names}",), left_out=len(entries) - len(train))


def write(lexicon: Lexicon, path: Path, heldout_path: Path | None, dictionary: Dictionary) -> None:
    """Write the training pairs and the held-out pairs; without held-out pairs, their file is removed.

    Raises:
        InputError: there are no training pairs.
    """
    if not lexicon.train:
        raise InputError(f"{path}: no pair is left for training; check the counts above, the model and the dictionary")
    comments = [*lexicon.provenance, f"training pairs: {len(lexicon.train)}"]
    file.write(path, lexicon.train, dictionary, comments)
    if heldout_path is None:
        return
    if lexicon.heldout:
        comments = [*lexicon.provenance, f"held-out pairs: {len(lexicon.heldout)}"]
        file.write(heldout_path, lexicon.heldout, dictionary, comments)
    else:
        heldout_path.unlink(missing_ok=True)  # of an earlier run with another rate


def encode(
    pairs: Iterable[Pair],
    processor: SentencePieceProcessor,
    dictionary: Dictionary,
    lower: bool = False,
    form: str = "NFC",
    several_words: bool = True,
) -> tuple[list[Entry], Counter]:
    """Encode the words of translation pairs in pieces.

    Args:
        lower: in lower case.
        form: of ``normalise.compose``; the text of a corpus is in NFC, and in NFKC inside its SentencePiece model.
        several_words: keep pairs with ``ice cream`` on a side, whose vector is the mean of all its pieces.

    Returns:
        entries in the order of the pairs, and the counts ``read``, ``kept`` and those of ``REASONS``, which with
        ``kept`` sum to ``read``. ``identical`` are pairs whose sides are the same pieces, so that there is nothing to
        align.
    """
    known, encoder = set(vocabulary.pieces(dictionary)), WordEncoder(processor)
    entries: dict[tuple, Entry] = {}
    counts = Counter(dict.fromkeys(("read", "kept", *REASONS), 0))
    for pair in pairs:
        texts = [compose(text.lower() if lower else text, form) for text in (pair.source, pair.target)]
        sides = tuple(tuple(chain.from_iterable(encoder(text.split()))) for text in texts)
        if not all(texts):
            outcome = "no translation"
        elif not several_words and any(len(text.split()) > 1 for text in texts):  # U+00A0 and U+3000 are spaces, too
            outcome = "several words"
        elif not all(side and known.issuperset(side) for side in sides):
            outcome = "out of vocabulary"
        elif sides[0] == sides[1]:
            outcome = "identical"
        elif sides in entries:
            outcome = "duplicate"
        else:
            outcome = "kept"
            entries[sides] = Entry(*sides, pair.weight)
        counts.update(["read", outcome])
    return list(entries.values()), counts


def pivot(first: Iterable[Entry], second: Iterable[Entry]) -> list[Entry]:
    """Pairs of words that have a source word in common: English-French and English-Arabic give French-Arabic.

    A pair weighs the sum over its source words of the products of the two weights; words spelt alike are left out.

    Source: Tanaka & Umemura 1994, https://aclanthology.org/C94-1048

    Example:
        >>> pivot([Entry(("▁cat",), ("▁chat",), 2)], [Entry(("▁cat",), ("▁gato",), 3)])
        [Entry(source=('▁chat',), target=('▁gato',), weight=6)]
    """
    routes: dict[tuple[str, ...], list[Entry]] = {}
    for entry in second:
        routes.setdefault(entry.source, []).append(entry)
    weights: Counter[tuple[tuple[str, ...], tuple[str, ...]]] = Counter()
    for entry in first:
        for other in routes.get(entry.source, ()):
            if entry.target != other.target:
                weights[entry.target, other.target] += entry.weight * other.weight
    return [Entry(*words, weight) for words, weight in weights.items()]


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

    Returns:
        training pairs and held-out pairs, each in the order of the entries.

    Example:
        >>> entries = [Entry(("a",), ("x",)), Entry(("a",), ("y",)), Entry(("b",), ("z",))]
        >>> train, heldout = split(entries, heldout_rate=0.4, seed=1)
        >>> heldout
        [Entry(source=('b',), target=('z',), weight=1.0)]
    """
    if not 0 <= heldout_rate < 1:
        raise InputError(f"found held-out rate {heldout_rate}, expected a fraction of at least 0 and below 1")
    if not entries:
        return [], []
    import numpy as np
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

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
    return _parted(entries, ~held[component])


def _parted(entries: list[Entry], chosen: Iterable[bool]) -> tuple[list[Entry], list[Entry]]:
    """The chosen entries, and the others."""
    parts: tuple[list[Entry], list[Entry]] = [], []
    for entry, taken in zip(entries, chosen, strict=True):
        parts[not taken].append(entry)
    return parts
