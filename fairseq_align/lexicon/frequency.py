"""How often pieces and words occur in binarized text."""

from collections.abc import Sequence

import numpy as np

from fairseq_align.lexicon.words import Words

FNV_BASIS, FNV_PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)  # Fowler, Noll & Vo, 64 bits
PART = 1 << 24  # tokens that are counted at a time; bounds the memory


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


def _hashes(columns: Sequence[np.ndarray]) -> np.ndarray:
    """One number for each row of the columns, uint64: FNV-1a on whole ids, each mixed by a shift."""
    total = np.full(len(columns[0]), FNV_BASIS)
    for column in columns:
        total = (total ^ column.astype(np.uint64)) * FNV_PRIME
        total ^= total >> np.uint64(32)
    return total
