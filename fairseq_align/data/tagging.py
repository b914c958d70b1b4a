"""Sentences with a label on the first subword of every word."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from fairseq.data import Dictionary, FairseqDataset

from fairseq_align.data import binarized
from fairseq_align.errors import InputError
from fairseq_align.text.vocabulary import WORD_START

IGNORED = -100  # target of a position without a label; the ignore_index of torch's cross entropy


def cuts(begins_word: np.ndarray, length: int) -> list[int]:
    """Starts of the parts of a sentence, cut before words so that no part is longer than ``length``.

    Only a word that is longer than ``length`` is cut inside. With ``length`` 3, ``W W . . W W`` (``W`` begins a word,
    ``.`` goes on) gives ``W | W . . | W W`` -> ``[0, 1, 4]``.

    Args:
        begins_word: bool, shape (T,).
        length: at least 1.
    """
    words = np.flatnonzero(begins_word)
    starts = [0]
    while len(begins_word) - starts[-1] > length:
        furthest = starts[-1] + length
        word = words[words <= furthest].max(initial=0)
        starts.append(int(word) if word > starts[-1] else furthest)
    return starts


class TaggingDataset(FairseqDataset):
    """Labelled sentences of one language, ``<s>`` in front.

    A sentence that is longer than the model's positions is cut before a word into parts that fit, so that every word
    keeps its label and is scored once; ``sentences`` puts what was predicted together again.

    Args:
        prefix: path of the tokens without ``.bin``; ``<prefix>.label`` holds one label for each token.
        length: most tokens in an item, ``<s>`` included.
        dictionary, label_dictionary: of the tokens and of the labels; the padding symbol of the latter means no label.
        seed: of the order.
    """

    def __init__(
        self, prefix: str | Path, length: int, dictionary: Dictionary, label_dictionary: Dictionary, seed: int
    ):
        corpus, labels = binarized.read_labelled(prefix)
        known = np.isin(
            np.unique(labels.tokens), [label_dictionary.pad(), *range(label_dictionary.nspecial, len(label_dictionary))]
        )
        if not known.all():
            raise InputError(
                f"{prefix}.label.bin: found labels that label/dict.txt lacks; run preprocess/tagging.py again"
            )
        self.prefix = prefix
        self.tokens, self.labels, self.offsets = corpus.tokens, labels.tokens, corpus.offsets
        self.dictionary, self.label_dictionary = dictionary, label_dictionary
        self.seed, self.epoch = seed, 1
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

    def sentences(self, predicted: np.ndarray) -> Iterator[tuple[list[str], np.ndarray, np.ndarray]]:
        """Words, reference and predicted label numbers of each whole sentence, in the order of the data.

        A word is spelt by its pieces, without U+2581: as the model saw it, in its derived script, ``<unk>`` where a
        piece is unknown.

        Args:
            predicted: label number of each token of the data, ``IGNORED`` where none is asked for, shape (N,).
        """
        for start, end in zip(self.offsets[:-1], self.offsets[1:], strict=True):
            labelled = np.flatnonzero(self.labels[start:end] != self.label_dictionary.pad())
            pieces = [self.dictionary[token] for token in self.tokens[start : end - 1]]  # the last is </s>
            edges = [0, *labelled[1:], len(pieces)]
            words = ["".join(pieces[a:b]).replace(WORD_START, " ").strip() for a, b in pairwise(edges)]
            reference = self.labels[start:end][labelled].astype(np.int64) - self.label_dictionary.nspecial
            yield words[: len(labelled)], reference, predicted[start:end][labelled]

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    @property
    def can_reuse_epoch_itr_across_epochs(self) -> bool:
        return False  # the order changes with the epoch

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, index: int) -> dict[str, np.ndarray | int]:
        span = slice(self.bounds[index], self.bounds[index + 1])
        binarized.check_ids(self.prefix, self.tokens[span], len(self.dictionary))
        labels = self.labels[span].astype(np.int64)
        targets = np.where(labels == self.label_dictionary.pad(), IGNORED, labels - self.label_dictionary.nspecial)
        return {
            "id": index,
            "tokens": np.append(self.dictionary.bos(), self.tokens[span].astype(np.int64)),
            "targets": np.append(IGNORED, targets),
        }

    def size(self, index: int) -> int:
        return int(self.sizes[index])

    num_tokens = size

    def num_tokens_vec(self, indices: np.ndarray) -> np.ndarray:
        return self.sizes[indices]

    def ordered_indices(self) -> np.ndarray:
        """A random order of the epoch in which items of one length are neighbours."""
        shuffled = np.random.default_rng([self.seed, self.epoch]).permutation(len(self))
        return shuffled[np.argsort(self.sizes[shuffled], kind="stable")]

    def collater(self, samples: list[dict]) -> dict:
        """A batch; ``target`` (B, T) holds label numbers from 0 and ``IGNORED``. Empty for no samples."""
        if not samples:
            return {}
        lengths = [len(sample["tokens"]) for sample in samples]
        tokens = np.full((len(samples), max(lengths)), self.dictionary.pad(), dtype=np.int64)
        targets = np.full_like(tokens, IGNORED)
        for row, sample in enumerate(samples):
            tokens[row, : lengths[row]] = sample["tokens"]
            targets[row, : lengths[row]] = sample["targets"]
        return {
            "id": torch.tensor([sample["id"] for sample in samples]),
            "net_input": {"src_tokens": torch.from_numpy(tokens), "src_lengths": torch.tensor(lengths)},
            "target": torch.from_numpy(targets),
            "nsentences": len(samples),
            "ntokens": sum(lengths),
        }
