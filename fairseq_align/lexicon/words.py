"""Words and translation pairs as token ids: flat tensors of ids with the offsets of the words."""

from __future__ import annotations

import logging
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from fairseq_align.errors import InputError
from fairseq_align.lexicon import file
from fairseq_align.text import vocabulary

if TYPE_CHECKING:
    from fairseq.data import Dictionary

logger = logging.getLogger(__name__)


class Words(NamedTuple):
    """Words as token ids, one after the other in one tensor.

    Attributes:
        ids: ids of all pieces, int64, shape (N,).
        offsets: start of each word in ``ids``, int64, shape (P,); every word has at least one piece.
    """

    ids: Tensor
    offsets: Tensor

    @classmethod
    def of(cls, words: Iterable[Iterable[int]]) -> Words:
        """The words of lists of token ids.

        Example:
            >>> Words.of([[4], [5, 6]])
            Words(ids=tensor([4, 5, 6]), offsets=tensor([0, 1]))
        """
        growing = _Growing()
        for word in words:
            growing.add(word)
        return growing.words()

    @classmethod
    def cat(cls, parts: Sequence[Words]) -> Words:
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
        for start, end in zip(starts, [*starts, len(ids)][1:], strict=True):
            yield tuple(ids[start:end])

    def part(self, rows: slice) -> Words:
        """The words, on the CPU, from ``rows.start`` on and before ``rows.stop``."""
        offsets = self.offsets.numpy()
        start, end = offsets[rows.start], offsets[rows.stop] if rows.stop < len(self) else len(self.ids)
        return Words(self.ids[start:end], self.offsets[rows] - int(start))

    def drawn(self, rows: np.ndarray) -> Words:
        """The words, on the CPU, at ``rows`` (int64, shape (R,)), in that order; as ``take``, in less time for few."""
        offsets = self.offsets.numpy()
        starts = offsets[rows]
        after = np.where(rows + 1 < len(self), rows + 1, 0)  # the word that follows; 0: there is none
        lengths = np.where(after > 0, offsets[after], len(self.ids)) - starts
        begins = lengths.cumsum() - lengths
        places = np.arange(lengths.sum()) + (starts - begins).repeat(lengths)
        return Words(torch.from_numpy(self.ids.numpy()[places]), torch.from_numpy(begins))

    def take(self, rows: Tensor) -> Words:
        """The words at ``rows`` (int64, shape (R,)), in that order, on any device; a GPU is waited for."""
        if self.ids.numel() == len(self):
            return Words(self.ids[rows], torch.arange(len(rows), device=rows.device))
        after = torch.where(rows + 1 < len(self), rows + 1, 0)  # the word that follows; 0: there is none
        lengths = torch.where(after > 0, self.offsets[after], self.ids.numel()) - self.offsets[rows]
        offsets = lengths.cumsum(0) - lengths
        within = torch.arange(int(lengths.sum()), device=rows.device) - offsets.repeat_interleave(lengths)
        return Words(self.ids[self.offsets[rows].repeat_interleave(lengths) + within], offsets)

    def to(self, device: torch.device) -> Words:
        return Words(sent(self.ids, device), sent(self.offsets, device))

    def kinds(self) -> Kinds:
        """Which of the words are the same."""
        ids, lengths = self.ids.cpu().numpy(), self.lengths.cpu().numpy()
        pieces = np.full((len(self), lengths.max()), -1)
        pieces[np.arange(pieces.shape[1]) < lengths[:, None]] = ids
        order = np.lexsort(pieces.T[::-1])  # stable: of words that are the same the first one stays the first
        begins = np.append(True, (np.diff(pieces[order], axis=0) != 0).any(1))[: len(self)]
        numbers = np.empty_like(order)
        numbers[order] = begins.cumsum() - 1
        kinds = Kinds(torch.from_numpy(numbers), torch.from_numpy(order[begins]))
        return kinds.to(self.ids.device)


class Kinds(NamedTuple):
    """Which words of a list are the same.

    Attributes:
        numbers: of each word, the same for the same pieces; int64, shape (P,), from 0, without gaps.
        first: row of the first word of each number, int64, shape (D,).
    """

    numbers: Tensor
    first: Tensor

    def to(self, device: torch.device) -> Kinds:
        return Kinds(sent(self.numbers, device), sent(self.first, device))


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor on a device; what goes from the CPU to a GPU, goes without waiting for what is under way there."""
    if tensor.device.type == "cpu" and device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


class _Growing:
    """Words that come one after the other, in as many bytes as their ids and offsets take."""

    def __init__(self):
        self.ids, self.offsets = array("q"), array("q")

    def add(self, word: Iterable[int]) -> None:
        self.offsets.append(len(self.ids))
        self.ids.extend(word)

    def words(self) -> Words:
        return Words(*(torch.from_numpy(np.array(part, dtype=np.int64)) for part in (self.ids, self.offsets)))


@dataclass(frozen=True)
class Pairs:
    """Translation pairs as token ids: word ``i`` of ``source`` pairs with word ``i`` of ``target``.

    Attributes:
        source, target: P words each.
        weights: positive, float32, shape (P,); 1 where the file names none.
        oov: number of pairs that were left out, because a piece of theirs is out of the vocabulary.
        kinds: which source words are the same, and which target words, if that was asked.
        negatives: wrong answers, K to each pair: target words that its source word is told apart from, P * K of them,
            and source words for its target word; None: none are named.
        lexicons: number of the lexicon that each pair is of, int64, shape (P,), on the CPU wherever the words are;
            None: all are of one.
    """

    source: Words
    target: Words
    weights: Tensor
    oov: int = 0
    kinds: tuple[Kinds, Kinds] | None = None
    negatives: tuple[Words, Words] | None = None
    lexicons: Tensor | None = None

    def __len__(self) -> int:
        return len(self.source)

    @property
    def words(self) -> tuple[Words, ...]:
        """All words: of the source, of the target, and the wrong answers to either."""
        return self.source, self.target, *(self.negatives or ())

    def take(self, rows: np.ndarray) -> Pairs:
        """The pairs, on the CPU, at ``rows`` (int64, shape (R,)), in that order."""
        weights = torch.from_numpy(self.weights.numpy()[rows])
        negatives = self.negatives and tuple(self._of_pairs(words, rows) for words in self.negatives)
        lexicons = None if self.lexicons is None else torch.from_numpy(self.lexicons.numpy()[rows])
        sides = self.source.drawn(rows), self.target.drawn(rows)
        return Pairs(*sides, weights, negatives=negatives, lexicons=lexicons)

    def _of_pairs(self, words: Words, rows: np.ndarray) -> Words:
        """Of as many words to each pair those of the pairs at ``rows``."""
        count = len(words) // len(self)
        return words.drawn((rows[:, None] * count + np.arange(count)).ravel())

    def to(self, device: torch.device) -> Pairs:
        kinds, negatives = (part and tuple(side.to(device) for side in part) for part in (self.kinds, self.negatives))
        sides = self.source.to(device), self.target.to(device)
        weights = sent(self.weights, device)
        return Pairs(*sides, weights, kinds=kinds, negatives=negatives, lexicons=self.lexicons)

    def with_kinds(self) -> Pairs:
        """The same pairs, which know which of their words are the same."""
        return self if self.kinds else replace(self, kinds=(self.source.kinds(), self.target.kinds()))

    def split(self, size: int) -> Iterator[Pairs]:
        """Blocks of ``size`` pairs without negatives, the last one perhaps smaller; all on the CPU."""
        for start in range(0, len(self), size):
            rows = slice(start, start + size)
            yield Pairs(self.source.part(rows), self.target.part(rows), self.weights[rows])

    @classmethod
    def cat(cls, parts: Sequence[Pairs]) -> Pairs:
        """The pairs of several lexicons without negatives, one after the other."""
        lexicons = [part.lexicons for part in parts]
        return cls(
            Words.cat([part.source for part in parts]),
            Words.cat([part.target for part in parts]),
            torch.cat([part.weights for part in parts]),
            sum(part.oov for part in parts),
            lexicons=None if any(numbers is None for numbers in lexicons) else torch.cat(lexicons),
        )


def load(path: str | Path, dictionary: Dictionary) -> Pairs:
    """Read a lexicon as token ids of a vocabulary.

    Pairs with a piece out of the vocabulary are left out, counted and logged.

    Raises:
        InputError: as ``file.read``; the lexicon was made for another vocabulary; none of its pairs is in this one.
    """
    present = vocabulary.checksum(dictionary)
    made_for: list[str] = []
    known = set(vocabulary.pieces(dictionary))
    left = Counter()  # by whether the source and the target are known

    def kept() -> Iterator[file.Entry]:
        for entry in file.stream(path, made_for.append):
            there = known.issuperset(entry.source), known.issuperset(entry.target)
            if all(there):
                yield entry
            else:
                left[there] += 1

    read = pairs(kept(), dictionary)
    total = len(read) + left.total()
    if made_for and made_for[-1] != present:
        raise InputError(
            f"{path}: made for dictionary {made_for[-1]}, found {present} with the data; make the lexicon again with "
            "fairseq-align lexicon and the dict.txt of this data"
        )
    report = (
        f"kept {len(read)} of {total} pairs; {left[False, True] + left[False, False]} source and "
        f"{left[True, False] + left[False, False]} target words out of vocabulary"
    )
    if not len(read):
        raise InputError(f"{path}: {report}; make the lexicon with fairseq-align lexicon and the dict.txt of this data")
    logger.log(logging.WARNING if len(read) < total / 2 else logging.INFO, "lexicon %s: %s", path, report)
    return replace(read, oov=left.total())


def pairs(entries: Iterable[file.Entry], dictionary: Dictionary) -> Pairs:
    """Token ids of entries whose pieces are all in the vocabulary; one entry at a time is in memory."""
    target, weights = _Growing(), array("f")

    def source() -> Iterator[Iterable[int]]:
        for entry in entries:
            target.add(map(dictionary.index, entry.target))
            weights.append(entry.weight)
            yield map(dictionary.index, entry.source)

    read = Words.of(source())
    return Pairs(read, target.words(), torch.from_numpy(np.array(weights, dtype=np.float32)))


def unique(*words: Words) -> Words:
    """The distinct words of several lists, in order of first appearance.

    Example:
        >>> list(unique(Words.of([[4], [5, 6]]), Words.of([[5, 6], [7]])).tuples())
        [(4,), (5, 6), (7,)]
    """
    seen = dict.fromkeys(word for part in words for word in part.tuples())
    return Words.of(seen).to(words[0].ids.device)


def rows(words: Words, among: Words) -> Tensor:
    """Row index of each word in ``among``, which contains all of them: int64, shape (P,).

    Example:
        >>> rows(Words.of([[7], [4]]), Words.of([[4], [5, 6], [7]]))
        tensor([2, 0])
    """
    row_of = {word: row for row, word in enumerate(among.tuples())}
    return torch.tensor([row_of[word] for word in words.tuples()], device=words.ids.device)
