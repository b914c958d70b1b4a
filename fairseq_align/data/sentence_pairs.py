"""Items of translation language modelling: sentences and their translations, one language after the other."""

from pathlib import Path

import numpy as np

from fairseq_align.data import binarized
from fairseq_align.data.blocks import packed
from fairseq_align.errors import InputError


class ParallelItems:
    """Pairs of parallel sentences as items ``<s> a </s> b </s>``, read memory-mapped (Conneau & Lample 2019).

    The two corpora are aligned by item: sentence i of one is the translation of sentence i of the other. Pairs that
    do not fit are left out whole; ``left_out`` is their number. With ``pack`` an item holds as many neighbouring pairs
    as fit, one language after the other, with ``begin_second`` a ``<s>`` between the languages::

        <s> a </s> b </s>                               one pair
        <s> a1 </s> a2 </s> b1 </s> b2 </s>             pack
        <s> a1 </s> a2 </s> <s> b1 </s> b2 </s>         pack and begin_second

    Args:
        prefix_a, prefix_b: paths of the two corpora without ``.bin`` / ``.idx``; sentences end with ``</s>``.
        length: most tokens in an item, ``<s>`` included.
        bos: id of ``<s>``.
        vocabulary_size: upper bound of the ids, excluded; None: ids are not checked.
        pack: several pairs an item, so that it has as many tokens as an item of one language.
        begin_second: the second language begins with ``<s>``, by which ``PairPositions`` finds it.

    Attributes:
        sizes: tokens of each item; int64, shape (items,).
        pairs: number of each pair that fits, in the order of the corpora; int64.

    Raises:
        InputError: the corpora differ in their number of sentences, or no pair fits.
    """

    def __init__(
        self,
        prefix_a: str | Path,
        prefix_b: str | Path,
        length: int,
        bos: int,
        vocabulary_size: int | None = None,
        pack: bool = False,
        begin_second: bool = False,
    ):
        self.bos = bos
        self.vocabulary_size = vocabulary_size
        self.begin_second = begin_second
        self.prefixes = (prefix_a, prefix_b)
        self.corpora = [binarized.read(prefix) for prefix in self.prefixes]
        counts = [len(corpus.sizes) for corpus in self.corpora]
        if counts[0] != counts[1]:
            raise InputError(
                f"{prefix_b}.idx: found {counts[1]} sentences, expected {counts[0]} as in {prefix_a}.idx; "
                "parallel data is aligned line by line, binarize both sides from aligned text"
            )
        self.offsets = [corpus.offsets for corpus in self.corpora]
        room = length - 1 - begin_second
        sizes = sum(corpus.sizes.astype(np.int64) for corpus in self.corpora)
        self.pairs = np.flatnonzero(sizes <= room)
        self.left_out = len(sizes) - len(self.pairs)
        if not len(self.pairs):
            raise InputError(
                f"{prefix_a}.idx: found no pair of sentences of at most {length} tokens together with {prefix_b}.idx; "
                "raise --tokens-per-sample"
            )
        starts = np.append(0, np.cumsum(sizes[self.pairs]))  # of each pair in the tokens of all of them
        bounds = packed(starts, room) if pack else starts
        self.first = np.searchsorted(starts, bounds) if pack else np.arange(len(starts))
        self.sizes = np.diff(bounds) + 1 + begin_second

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, index: int) -> np.ndarray:
        """Ids of one item, int64, shape (T,).

        Raises:
            InputError: an id is out of the vocabulary.
        """
        pairs = self.pairs[self.first[index] : self.first[index + 1]]
        item = np.empty(self.sizes[index], dtype=np.int64)
        item[0] = self.bos
        at = 1
        for prefix, corpus, offsets in zip(self.prefixes, self.corpora, self.offsets, strict=True):
            if at > 1 and self.begin_second:
                item[at] = self.bos
                at += 1
            for pair in pairs:
                start, end = offsets[pair], offsets[pair + 1]
                item[at : at + end - start] = corpus.tokens[start:end]
                binarized.check_ids(prefix, item[at : at + end - start], self.vocabulary_size)
                at += end - start
        return item
