"""Blocks: the stretches of a binarized corpus that become one training item each."""

from pathlib import Path

import numpy as np

from fairseq_align.data import binarized

BREAK_MODES = ("none", "complete", "eos")


def bounds(offsets: np.ndarray, length: int, break_mode: str) -> np.ndarray:
    """Bounds of the blocks in the flat tokens of a corpus.

    With sentences of 3, 2 and 4 tokens and ``length`` 5::

        none      |a a a b b|c c c c|        every block full but the last
        complete  |a a a b b|c c c c|        whole sentences, as many as fit
        eos       |a a a|b b|c c c c|        one sentence a block

    A sentence longer than ``length`` is cut into several blocks in every mode; no token is lost.

    >>> bounds(np.array([0, 3, 5, 9]), 5, "complete")
    array([0, 5, 9])

    Args:
        offsets: start of each sentence and, last, the number of tokens; int64, shape (S + 1,).
        length: most tokens in a block, at least 1.

    Returns:
        start of each block and, last, the number of tokens; int64, ascending, shape (blocks + 1,).
    """
    total = int(offsets[-1])
    if break_mode == "none":
        return np.append(np.arange(0, total, length), total)
    sizes = np.diff(offsets)
    cuts = np.maximum(-(-sizes // length), 1)  # pieces of each sentence; longer ones are cut every ``length`` tokens
    piece = np.arange(cuts.sum()) - np.repeat(np.cumsum(cuts) - cuts, cuts)
    starts = np.append(np.repeat(offsets[:-1], cuts) + piece * length, total)
    starts = starts[np.append(np.diff(starts) > 0, True)]  # empty sentences make no block
    return starts if break_mode == "eos" else packed(starts, length)


def packed(starts: np.ndarray, length: int) -> np.ndarray:
    """Join neighbouring pieces as long as they fit into one block.

    >>> packed(np.array([0, 3, 5, 9]), 5)
    array([0, 5, 9])

    Args:
        starts: start of each piece and, last, the number of tokens; int64, ascending, shape (pieces + 1,).
        length: most tokens in a block.

    Returns:
        those starts at which a block begins and, last, the number of tokens.
    """
    kept = [0]
    last = len(starts) - 1
    furthest = np.searchsorted(starts, starts + length, side="right") - 1  # of a block that begins at each piece
    while kept[-1] < last:
        kept.append(max(int(furthest[kept[-1]]), kept[-1] + 1))
    return starts[kept]


class Blocks:
    """Blocks of one binarized corpus, read memory-mapped; each begins with ``<s>``.

    Args:
        prefix: path of the corpus without ``.bin`` / ``.idx``.
        length: most tokens in a block, ``<s>`` included; at least 2.
        break_mode: one of ``BREAK_MODES``, see ``bounds``.
        bos: id of ``<s>``.
        vocabulary_size: upper bound of the ids, excluded; None: ids are not checked.

    Attributes:
        cut: sentences that are longer than an item, and so make several.
    """

    def __init__(self, prefix: str | Path, length: int, break_mode: str, bos: int, vocabulary_size: int | None = None):
        self.prefix = prefix
        self.bos = bos
        self.vocabulary_size = vocabulary_size
        corpus = binarized.read(prefix)
        self.tokens = corpus.tokens
        self.bounds = bounds(corpus.offsets, length - 1, break_mode)
        # sentences that are cut because they are too long; without ends of sentences, any may be
        self.cut = 0 if break_mode == "none" else int((corpus.sizes > length - 1).sum())

    def __len__(self) -> int:
        return len(self.bounds) - 1

    @property
    def sizes(self) -> np.ndarray:
        """Tokens of each block, ``<s>`` included; int64, shape (blocks,)."""
        return np.diff(self.bounds) + 1

    def __getitem__(self, index: int) -> np.ndarray:
        """Ids of one block, int64, shape (T,); a copy that the caller may change.

        Raises:
            InputError: an id is out of the vocabulary.
        """
        start, end = self.bounds[index], self.bounds[index + 1]
        block = np.empty(end - start + 1, dtype=np.int64)
        block[0] = self.bos
        block[1:] = self.tokens[start:end]
        binarized.check_ids(self.prefix, block, self.vocabulary_size)
        return block
