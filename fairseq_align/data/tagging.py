"""Sentences with a label on the first subword of every word."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
from fairseq.data import Dictionary

from fairseq_align.data import binarized
from fairseq_align.data.items import ItemDataset
from fairseq_align.errors import InputError
from fairseq_align.text.vocabulary import WORD_START

IGNORED = -100  # target of a position without a label; the ignore_index of torch's cross entropy


def cuts(begins_word: np.ndarray, length: int) -> list[int]:
    """Starts of the parts of a sentence, cut before words so that no part is longer than ``length``.

    Only a word that is longer than ``length`` is cut inside. With ``length`` 3, ``W W . . W W`` (``W`` begins a word,
    ``.`` goes on) is cut into ``W | W . . | W W``:

    >>> cuts(np.array([True, True, False, False, True, True]), 3)
    [0, 1, 4]

    Args:
        begins_word: bool, shape (T,).
        length: at least 1.
    """
    words = np.flatnonzero(begins_word)
    starts = [0]
    while len(begins_word) - starts[-1] > length:
        furthest = starts[-1] + length
        before = np.searchsorted(words, furthest, side="right")
        word = int(words[before - 1]) if before else 0
        starts.append(word if word > starts[-1] else furthest)
    return starts


class TaggingDataset(ItemDataset):
    """Labelled sentences of one language, ``<s>`` in front.

    A sentence that is longer than the model's positions is cut before a word into parts that fit, so that every word
    keeps its label and is scored once; ``sentences`` joins the predictions for the parts again. Targets are label
    numbers from 0, ``IGNORED`` where there is no label.

    Args:
        prefix: path of the tokens without ``.bin``; ``<prefix>.label`` holds one label for each token.
        length: most tokens in an item, ``<s>`` included.
        dictionary, label_dictionary: of the tokens and of the labels; the padding symbol of the latter means no label.
        seed: of the order.
    """

    def __init__(
        self, prefix: str | Path, length: int, dictionary: Dictionary, label_dictionary: Dictionary, seed: int
    ):
        super().__init__(dictionary.pad(), IGNORED, seed)
        corpus, labels = binarized.read_labelled(prefix)
        known = np.isin(
            np.unique(labels.tokens), [label_dictionary.pad(), *range(label_dictionary.nspecial, len(label_dictionary))]
        )
        if not known.all():
            raise InputError(
                f"{prefix}.label.bin: found labels that label/dict.txt lacks; run fairseq-align tagging again"
            )
        self.prefix = prefix
        self.tokens, self.labels, self.offsets = corpus.tokens, labels.tokens, corpus.offsets
        self.dictionary, self.label_dictionary = dictionary, label_dictionary
        self.bounds = self._bounds(corpus.offsets, length - 1)
        self.sizes = np.diff(self.bounds) + 1

    def _bounds(self, offsets: np.ndarray, length: int) -> np.ndarray:
        """Start of each item in the flat tokens and, last, their number."""
        long = np.flatnonzero(np.diff(offsets) > length)
        extra = []
        for sentence in long:
            span = slice(offsets[sentence], offsets[sentence + 1])
            begins_word = self.labels[span] != self.label_dictionary.pad()
            extra.extend(offsets[sentence] + start for start in cuts(begins_word, length)[1:])
        return np.sort(np.concatenate([offsets, np.array(extra, dtype=offsets.dtype)]))

    def summary(self) -> Iterator[str]:
        """How many sentences make how many items."""
        count = len(self.offsets) - 1
        yield f"{self.prefix}: {len(self):,} items of {count:,} sentences; {len(self) - count:,} cuts before a word"

    def sentences(self, predicted: np.ndarray) -> Iterator[tuple[list[str], np.ndarray, np.ndarray]]:
        """Words, gold and predicted label numbers of each whole sentence, in the order of the data.

        A word is spelt by its pieces, without U+2581: as the model saw it, in its derived script, ``<unk>`` where a
        piece is unknown.

        Args:
            predicted: label number of each token of the data, ``IGNORED`` where the token has no label, shape (N,).
        """
        for start, end in zip(self.offsets[:-1], self.offsets[1:], strict=True):
            labelled = np.flatnonzero(self.labels[start:end] != self.label_dictionary.pad())
            pieces = [self.dictionary[token] for token in self.tokens[start : end - 1]]  # the last is </s>
            edges = [0, *labelled[1:], len(pieces)]
            words = ["".join(pieces[a:b]).replace(WORD_START, " ").strip() for a, b in pairwise(edges)]
            gold = self.labels[start:end][labelled].astype(np.int64) - self.label_dictionary.nspecial
            yield words[: len(labelled)], gold, predicted[start:end][labelled]

    def __getitem__(self, index: int) -> dict[str, np.ndarray | int]:
        span = slice(self.bounds[index], self.bounds[index + 1])
        binarized.check_ids(self.prefix, self.tokens[span], len(self.dictionary))
        inputs, targets = np.empty((2, self.sizes[index]), dtype=np.int64)
        inputs[0], inputs[1:] = self.dictionary.bos(), self.tokens[span]
        targets[0], targets[1:] = self.label_dictionary.pad(), self.labels[span]
        unlabelled = targets == self.label_dictionary.pad()
        targets -= self.label_dictionary.nspecial
        targets[unlabelled] = IGNORED
        return {"id": index, "inputs": inputs, "targets": targets}
