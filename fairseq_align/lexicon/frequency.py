"""How often pieces and words occur in binarized text."""

from collections.abc import Sequence

import numpy as np

from fairseq_align.lexicon.file import Words

FNV_BASIS, FNV_PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)  # Fowler, Noll & Vo, 64 bits
BANDS = (1, 10, 100, 1000)  # lower ends, in occurrences
PART = 1 << 24  # tokens looked at together; bounds the memory


def band(count: int) -> str:
    """``10-99`` for what occurs 12 times."""
    if count >= BANDS[-1]:
        return f"{BANDS[-1]}+"
    ends = (0, *BANDS)
    low, high = next((low, high) for low, high in zip(ends, ends[1:], strict=False) if count < high)
    return f"{low}-{high - 1}" if high - 1 > low else f"{low}"


def unigrams(tokens: np.ndarray, size: int) -> np.ndarray:
    """How often each id below ``size`` occurs in a text, which may be memory-mapped; int64, shape (size,)."""
    counts = np.zeros(size, dtype=np.int64)
    for start in range(0, len(tokens), PART):
        counts += np.bincount(tokens[start : start + PART], minlength=size)[:size]
    return counts


def occurrences(tokens: np.ndarray, words: Words) -> np.ndarray:
    """How often the pieces of each word stand side by side in a text.

    A word of one piece is counted inside longer words, too. Sequences are told apart by a hash of 64 bits.

    Args:
        tokens: ids, shape (N,), may be memory-mapped; sentences end with a symbol that is in no word.
        words: P words.

    Returns:
        int64, shape (P,).
    """
    ids, offsets = words.ids.cpu().numpy(), words.offsets.cpu().numpy()
    lengths = np.diff(offsets, append=len(ids))
    counts = np.zeros(len(words), dtype=np.int64)
    for length in np.unique(lengths):
        rows = np.flatnonzero(lengths == length)
        wanted = _hashes(ids[offsets[rows][:, None] + np.arange(length)].T)
        distinct, place = np.unique(wanted, return_inverse=True)
        found = np.zeros(len(distinct), dtype=np.int64)
        for start in range(0, len(tokens) - length + 1, PART):
            part = tokens[start : start + PART + length - 1]
            count = len(part) - length + 1
            hashes = _hashes([part[shift : shift + count] for shift in range(length)])
            nearest = np.minimum(np.searchsorted(distinct, hashes), len(distinct) - 1)
            found += np.bincount(nearest[distinct[nearest] == hashes], minlength=len(distinct))
        counts[rows] = found[place]
    return counts


def _hashes(columns: Sequence[np.ndarray]) -> np.ndarray:
    """One number for each row of the columns, uint64: FNV-1a on whole ids, each mixed by a shift."""
    total = np.full(len(columns[0]), FNV_BASIS)
    for column in columns:
        total = (total ^ column.astype(np.uint64)) * FNV_PRIME
        total ^= total >> np.uint64(32)
    return total
