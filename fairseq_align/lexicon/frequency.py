"""How often pieces and words occur in binarized text."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from fairseq_align.lexicon.words import Words

FNV_BASIS, FNV_PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)  # Fowler, Noll & Vo, 64 bits
PART = 1 << 24  # tokens that are counted at a time; bounds the memory
LONGEST = 16  # pieces of a word; longer ones are addresses, and what a vocabulary has no letters of


def unigrams(tokens: np.ndarray, size: int) -> np.ndarray:
    """Occurrences of each id below ``size`` in a text, which may be memory-mapped; int64, shape (size,).

    Example:
        >>> unigrams(np.array([4, 5, 5]), size=6).tolist()
        [0, 0, 0, 0, 1, 2]
    """
    counts = np.zeros(size, dtype=np.int64)
    for start in range(0, len(tokens), PART):
        counts += np.bincount(tokens[start : start + PART], minlength=size)[:size]
    return counts


def occurrences(tokens: np.ndarray, words: Words) -> np.ndarray:
    """Number of occurrences of each word's sequence of pieces in a text.

    A word of one piece is counted inside longer words, too. Sequences are told apart by a hash of 64 bits.

    Args:
        tokens: ids, shape (N,), may be memory-mapped; sentences end with a symbol that is in no word.
        words: P words.

    Returns:
        int64, shape (P,).

    Example:
        >>> occurrences(np.array([4, 5, 2, 5, 2]), Words.of([[5], [4, 5]])).tolist()
        [2, 1]
    """
    ids, offsets = words.ids.cpu().numpy(), words.offsets.cpu().numpy()
    lengths = np.diff(offsets, append=len(ids))
    counts = np.zeros(len(words), dtype=np.int64)
    for length in np.unique(lengths):
        rows = np.flatnonzero(lengths == length)
        wanted = _hashes(ids[offsets[rows][:, None] + np.arange(length)].T)
        distinct, inverse = np.unique(wanted, return_inverse=True)
        totals = np.zeros(len(distinct), dtype=np.int64)
        for start in range(0, len(tokens) - length + 1, PART):
            part = tokens[start : start + PART + length - 1]
            count = len(part) - length + 1
            hashes = _hashes([part[shift : shift + count] for shift in range(length)])
            nearest = np.minimum(np.searchsorted(distinct, hashes), len(distinct) - 1)
            totals += np.bincount(nearest[distinct[nearest] == hashes], minlength=len(distinct))
        counts[rows] = totals[inverse]
    return counts


def whole_words(
    tokens: np.ndarray, starts: np.ndarray, part: int = PART, behind: np.ndarray | None = None
) -> Counter[tuple[int, ...]]:
    """Occurrences of each whole word of a text, from one piece that begins a word to the next.

    Beyond the distinct words, memory is bounded by ``part``. Words of more than ``LONGEST`` pieces are left out.

    Args:
        tokens: ids, shape (N,), may be memory-mapped.
        starts: whether each id begins a word, bool, shape (V,); specials do.
        part: tokens that are counted at a time, more than ``LONGEST``.
        behind: whether a word counts behind each id, bool, shape (V,); of the first word the last id. None: always.

    Example:
        >>> starts = np.array([True] * 5 + [False])  # 5 goes on with a word
        >>> sorted(whole_words(np.array([4, 5, 4, 4, 5]), starts).items())
        [((4,), 1), ((4, 5), 2)]
    """
    counts: Counter[tuple[int, ...]] = Counter()
    begin = 0
    while begin < len(tokens):
        block = np.asarray(tokens[begin : begin + part])
        firsts = np.flatnonzero(starts[block])
        if begin + len(block) < len(tokens) and len(firsts) and firsts[-1]:  # the last word may go on
            block, firsts = block[: firsts[-1]], firsts[:-1]
        lengths = np.diff(firsts, append=len(block))
        if behind is not None:
            previous = np.append(tokens[begin - 1], block)[firsts]
            firsts, lengths = firsts[behind[previous]], lengths[behind[previous]]
        for length in range(1, LONGEST + 1):
            rows = block[firsts[lengths == length][:, None] + np.arange(length)]
            _, where, numbers = np.unique(_hashes(rows.T), return_index=True, return_counts=True)
            for word, number in zip(rows[where].tolist(), numbers.tolist(), strict=True):
                counts[tuple(word)] += number
        begin += len(block)
    return counts


def _hashes(columns: Sequence[np.ndarray]) -> np.ndarray:
    """One number for each row of the columns, uint64: FNV-1a on whole ids, each mixed by a shift."""
    total = np.full(len(columns[0]), FNV_BASIS)
    for column in columns:
        total = (total ^ column.astype(np.uint64)) * FNV_PRIME
        total ^= total >> np.uint64(32)
    return total
