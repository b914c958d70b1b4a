"""The bilingual dictionary: the file that holds it, and its pairs as token ids.

A file is TSV, one translation pair a line, ``source pieces<TAB>target pieces[<TAB>weight]``; the pieces of a word are
separated by spaces. Many-to-many is normal. A line that starts with ``#`` and holds no tab is a comment; comments carry
provenance, and ``# dictionary: <checksum>`` names the vocabulary that the pieces belong to (``vocabulary.checksum``).

    # dictionary: 52f1c0a8d3e7
    \u2581house\t\u2581maison
    \u2581cat\t\u2581ch at\t0.5
"""

import logging
import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from fairseq.data import Dictionary
from torch import Tensor

from fairseq_align.errors import InputError
from fairseq_align.files import writing
from fairseq_align.text import vocabulary

logger = logging.getLogger(__name__)

DICTIONARY_COMMENT = "# dictionary: "


class Entry(NamedTuple):
    """One translation pair, in pieces."""

    source: tuple[str, ...]
    target: tuple[str, ...]
    weight: float = 1.0


class Words(NamedTuple):
    """Words as token ids, laid one after the other.

    Attributes:
        ids: ids of all pieces, int64, shape (N,).
        offsets: start of each word in ``ids``, int64, shape (P,); every word has at least one piece.
    """

    ids: Tensor
    offsets: Tensor

    @classmethod
    def of(cls, words: Iterable[Iterable[int]]) -> "Words":
        words = [list(word) for word in words]
        lengths = torch.tensor([len(word) for word in words], dtype=torch.int64)
        ids = torch.tensor([index for word in words for index in word], dtype=torch.int64)
        return cls(ids, lengths.cumsum(0) - lengths)

    @classmethod
    def cat(cls, parts: Sequence["Words"]) -> "Words":
        """The words of several lists, one after the other; all on one device."""
        starts = np.cumsum([0, *(part.ids.numel() for part in parts)])
        offsets = [part.offsets + int(start) for part, start in zip(parts, starts, strict=False)]
        return cls(torch.cat([part.ids for part in parts]), torch.cat(offsets))

    def __len__(self) -> int:
        return self.offsets.numel()

    @property
    def lengths(self) -> Tensor:
        """Number of pieces of each word, int64, shape (P,)."""
        return torch.diff(self.offsets, append=self.offsets.new_tensor([self.ids.numel()]))

    def tuples(self) -> Iterator[tuple[int, ...]]:
        """The piece ids of one word after the other."""
        ids, starts = self.ids.tolist(), self.offsets.tolist()
        for start, end in zip(starts, [*starts[1:], len(ids)], strict=True):
            yield tuple(ids[start:end])

    def part(self, rows: slice) -> "Words":
        """The words from ``rows.start`` on and before ``rows.stop``."""
        offsets = self.offsets[rows]
        end = int(self.offsets[rows.stop]) if rows.stop < len(self) else len(self.ids)
        start = int(offsets[0])
        return Words(self.ids[start:end], offsets - start)

    def take(self, rows: Tensor) -> "Words":
        """The words at ``rows`` (int64, shape (R,)), in that order."""
        if self.ids.numel() == len(self):
            return Words(self.ids[rows], torch.arange(len(rows), device=rows.device))
        after = torch.where(rows + 1 < len(self), rows + 1, 0)  # the word that follows; 0: there is none
        lengths = torch.where(after > 0, self.offsets[after], self.ids.numel()) - self.offsets[rows]
        offsets = lengths.cumsum(0) - lengths
        within = torch.arange(int(lengths.sum()), device=rows.device) - offsets.repeat_interleave(lengths)
        return Words(self.ids[self.offsets[rows].repeat_interleave(lengths) + within], offsets)

    def to(self, device: torch.device) -> "Words":
        return Words(self.ids.to(device), self.offsets.to(device))

    def numbers(self) -> Tensor:
        """A number for each word, the same for the same pieces, int64, shape (P,); from 0, without gaps."""
        if self.ids.numel() == len(self):
            return self.ids.unique(return_inverse=True)[1]
        lengths = self.lengths
        rows = self.ids.new_full((len(self), int(lengths.max())), -1)
        rows[torch.arange(rows.shape[1], device=rows.device) < lengths[:, None]] = self.ids
        return rows.unique(dim=0, return_inverse=True)[1]


@dataclass(frozen=True)
class Pairs:
    """Translation pairs as token ids: word ``i`` of ``source`` pairs with word ``i`` of ``target``.

    Attributes:
        source, target: P words each.
        weights: positive, float32, shape (P,); 1 where the file names none.
        oov: number of pairs that were left out, because a piece of theirs is out of the vocabulary.
    """

    source: Words
    target: Words
    weights: Tensor
    oov: int = 0

    def __len__(self) -> int:
        return len(self.source)

    def take(self, rows: Tensor) -> "Pairs":
        return Pairs(self.source.take(rows), self.target.take(rows), self.weights[rows])

    def to(self, device: torch.device) -> "Pairs":
        return Pairs(self.source.to(device), self.target.to(device), self.weights.to(device))

    def split(self, size: int) -> Iterator["Pairs"]:
        """Blocks of ``size`` pairs, the last one perhaps smaller."""
        for start in range(0, len(self), size):
            rows = slice(start, start + size)
            yield Pairs(self.source.part(rows), self.target.part(rows), self.weights[rows])

    @classmethod
    def cat(cls, parts: Sequence["Pairs"]) -> "Pairs":
        """The pairs of several lexicons, one after the other."""
        return cls(
            Words.cat([part.source for part in parts]),
            Words.cat([part.target for part in parts]),
            torch.cat([part.weights for part in parts]),
            sum(part.oov for part in parts),
        )


def read(path: str | Path) -> tuple[list[Entry], str | None]:
    """Read a lexicon.

    Returns:
        its entries in file order, and the checksum of the vocabulary it was made for, if it says so.

    Raises:
        InputError: the file is missing, empty, not UTF-8, or a line is not a pair.
    """
    entries, made_for = [], None
    for number, line in _lines(path):
        if line.startswith("#") and "\t" not in line:
            if line.startswith(DICTIONARY_COMMENT):
                made_for = line.removeprefix(DICTIONARY_COMMENT).strip()
        elif line.strip():
            entries.append(_entry(path, number, line))
    if not entries:
        raise InputError(
            f"{path}: found no translation pair, expected 'source<TAB>target' lines; make it with preprocess/lexicon.py"
        )
    return entries, made_for


def _lines(path: str | Path) -> Iterator[tuple[int, str]]:
    try:
        with open(path, encoding="utf-8", newline="\n") as file:
            for number, line in enumerate(file, 1):
                yield number, line.rstrip("\r\n")
    except FileNotFoundError as error:
        raise InputError(
            f"{path}: found no such file, expected a lexicon; make it with preprocess/lexicon.py"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {error}, expected a lexicon in UTF-8; make it with preprocess/lexicon.py") from error


def _entry(path: str | Path, number: int, line: str) -> Entry:
    fields = line.split("\t")
    source, target = (tuple(field.split(" ")) for field in (fields + ["", ""])[:2])
    if len(fields) not in (2, 3) or "" in source or "" in target:
        raise InputError(
            f"{path}:{number}: found {line!r}, expected 'source<TAB>target[<TAB>weight]'; "
            "separate the two words by one tab and the pieces of a word by one space"
        )
    weight = 1.0
    if len(fields) == 3:
        try:
            weight = float(fields[2])
        except ValueError:
            weight = math.nan
        if not (weight > 0 and math.isfinite(weight)):
            raise InputError(
                f"{path}:{number}: found weight {fields[2]!r}, expected a positive number; "
                "the third column is for weights only"
            )
    return Entry(source, target, weight)


def write(path: str | Path, entries: Iterable[Entry], dictionary: Dictionary, provenance: Iterable[str] = ()) -> None:
    """Write a lexicon for a vocabulary; the file appears under its name only when it is complete.

    Args:
        entries: translation pairs; weights of 1 are left out of the file.
        dictionary: the vocabulary of the pieces, named in a comment.
        provenance: comment lines without the ``#``; a tab would make them data.
    """
    with writing(path) as file:
        file.writelines("# " + line.replace("\t", " ") + "\n" for line in provenance)
        file.write(f"{DICTIONARY_COMMENT}{vocabulary.checksum(dictionary)}\n")
        for entry in entries:
            weight = "" if entry.weight == 1 else f"\t{entry.weight:g}"
            file.write(f"{' '.join(entry.source)}\t{' '.join(entry.target)}{weight}\n")


def load(path: str | Path, dictionary: Dictionary) -> Pairs:
    """Read a lexicon as token ids of a vocabulary.

    Pairs with a piece out of the vocabulary are left out, counted and logged.

    Raises:
        InputError: as ``read``; or the lexicon was made for another vocabulary; or none of its pairs is in this one.
    """
    entries, made_for = read(path)
    present = vocabulary.checksum(dictionary)
    if made_for is not None and made_for != present:
        raise InputError(
            f"{path}: made for dictionary {made_for}, found {present} with the data; make the lexicon again with "
            "preprocess/lexicon.py and the dict.txt of this data"
        )
    known = set(vocabulary.pieces(dictionary))
    source_oov = sum(not known.issuperset(entry.source) for entry in entries)
    target_oov = sum(not known.issuperset(entry.target) for entry in entries)
    kept = [entry for entry in entries if known.issuperset(entry.source) and known.issuperset(entry.target)]
    report = (
        f"kept {len(kept)} of {len(entries)} pairs; {source_oov} source and {target_oov} target words out of vocabulary"
    )
    if not kept:
        raise InputError(f"{path}: {report}; make the lexicon with preprocess/lexicon.py and the dict.txt of this data")
    logger.log(logging.WARNING if len(kept) < len(entries) / 2 else logging.INFO, "lexicon %s: %s", path, report)
    return replace(pairs(kept, dictionary), oov=len(entries) - len(kept))


def pairs(entries: list[Entry], dictionary: Dictionary) -> Pairs:
    """Token ids of entries whose pieces are all in the vocabulary."""
    return Pairs(
        Words.of(map(dictionary.index, entry.source) for entry in entries),
        Words.of(map(dictionary.index, entry.target) for entry in entries),
        torch.tensor([entry.weight for entry in entries], dtype=torch.float32),
    )


def of_derivation(
    dictionary: Dictionary, rate: float, seed: int, shared: Collection[int] = ()
) -> tuple[list[Entry], list[Entry]]:
    """Pairs of each piece with its transliteration, split at random into training and held-out pairs.

    Every piece is in one pair, so the two lists share no source and no target word.

    Args:
        dictionary: a doubled vocabulary (``vocabulary.double``).
        rate: fraction of the pieces that go into the training pairs, in (0, 1].
        shared: numbers of the pieces, from 0, that the derived language has in common with its source; in no pair.

    Returns:
        training pairs and held-out pairs, each in vocabulary order.
    """
    half = vocabulary.derived_size(dictionary)
    if half is None:
        raise InputError(
            "found no derived pieces in dict.txt, expected a doubled one; "
            "run preprocess/derive.py with transliterate first"
        )
    if not 0 < rate <= 1:
        raise InputError(f"found rate {rate}, expected a fraction above 0 and up to 1; 0.5 is the paper's")
    symbols = vocabulary.pieces(dictionary)
    shared = set(shared)
    entries = [Entry((symbols[i],), (symbols[half + i],)) for i in range(half) if i not in shared]
    chosen = np.zeros(len(entries), dtype=bool)
    chosen[np.random.default_rng(seed).permutation(len(entries))[: round(rate * len(entries))]] = True
    train = [entry for entry, taken in zip(entries, chosen, strict=True) if taken]
    heldout = [entry for entry, taken in zip(entries, chosen, strict=True) if not taken]
    return train, heldout


def pivot(first: Iterable[Entry], second: Iterable[Entry]) -> list[Entry]:
    """Pairs of words that have a source word in common: English-French and English-Arabic give French-Arabic.

    A pair weighs the sum over its source words of the products of the two weights; words spelt alike are left out.

    Source: Tanaka & Umemura 1994, https://aclanthology.org/C94-1048
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


def unique(*words: Words) -> Words:
    """The distinct words of several lists, in order of first appearance."""
    seen = dict.fromkeys(word for some in words for word in some.tuples())
    return Words.of(seen).to(words[0].ids.device)


def rows(words: Words, among: Words) -> Tensor:
    """Where each word stands in a list that holds them all: int64, shape (P,)."""
    place = {word: row for row, word in enumerate(among.tuples())}
    return torch.tensor([place[word] for word in words.tuples()], device=words.ids.device)
