"""Words of an item that a lexicon translates by another word of the same item, found by their positions."""

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from fairseq_align.data.code_switching import Switches
from fairseq_align.lexicon.words import Kinds, Pairs, Words

SIDES = ("source", "target")


def find(inputs: np.ndarray, targets: np.ndarray, word_starts: np.ndarray, words: Switches, pad_idx: int) -> np.ndarray:
    """The pairs of words of an item that translate each other and that the model sees whole.

    Both words must be the only ones in the item that fit: a word that comes up twice, or two of whose translations do,
    is left out, for which of them is meant is not known.

    >>> starts = np.array([True] * 4 + [True, False, True, True])
    >>> item = np.array([0, 4, 5, 2, 7, 6, 2])  # 4 5 and 7 are words that translate each other
    >>> find(item, np.full(7, 1), starts, {(4, 5): [np.array([7])]}, pad_idx=1)
    array([[1, 3, 4, 5]])

    Args:
        inputs, targets: ids of the item as masking returns them, int64, shape (T,).
        word_starts: ids that begin a word, bool, shape (V,).
        words: translations of the words of the first language.
        pad_idx: target of what is not predicted.

    Returns:
        first position of the word, its end, and the same of its translation; int64, shape (K, 4), in order.
    """
    predicted = targets != pad_idx
    begins = word_starts[np.where(predicted, targets, inputs)]  # of a predicted piece, what stands behind the mask
    bounds = np.append(np.flatnonzero(begins), len(inputs))
    hidden = np.add.reduceat(predicted, bounds[:-1]) > 0 if len(bounds) > 1 else []
    spans = defaultdict(list)
    for start, end, unseen in zip(bounds[:-1].tolist(), bounds[1:].tolist(), hidden, strict=True):
        if not unseen:
            spans[tuple(inputs[start:end].tolist())].append((start, end))
    found, taken = [], defaultdict(int)
    for word, places in spans.items():
        options = {tuple(option.tolist()) for option in words.get(word, ())} - {word}
        there = [(option, place) for option in options for place in spans.get(option, ())]
        if len(places) == 1 and len(there) == 1:
            (option, place), taken[there[0][0]] = there[0], taken[there[0][0]] + 1
            found.append((option, *places[0], *place))
    unique = sorted(row[1:] for row in found if taken[row[0]] == 1)
    return np.array(unique, dtype=np.int64).reshape(-1, 4)


def batched(items: list[np.ndarray]) -> dict[str, Tensor]:
    """The pairs of a batch as tensors that can be moved to a device.

    Args:
        items: what ``find`` returns for each of B items.

    Returns:
        ``source_ids``, the position of each piece in states of shape (T, B, C) flattened to (T * B, C), and
        ``source_offsets``, where each word begins among them; the same of ``target``; int64.
    """
    rows = np.repeat(np.arange(len(items)), [len(item) for item in items])
    pairs = np.concatenate([np.zeros((0, 4), dtype=np.int64), *items])
    batch = {}
    for side, (start, end) in zip(SIDES, ((0, 1), (2, 3)), strict=True):
        lengths = pairs[:, end] - pairs[:, start]
        offsets = np.cumsum(lengths) - lengths
        within = np.arange(lengths.sum()) - offsets.repeat(lengths)
        positions = pairs[:, start].repeat(lengths) + within
        batch[f"{side}_ids"] = torch.from_numpy(positions * len(items) + rows.repeat(lengths))
        batch[f"{side}_offsets"] = torch.from_numpy(offsets)
    return batch


def pairs_of(batch: Mapping[str, Tensor]) -> Pairs:
    """Pairs of words whose ids are rows of the flattened states of a batch; each weighs 1."""
    source, target = (Words(batch[f"{side}_ids"], batch[f"{side}_offsets"]) for side in SIDES)
    rows = torch.arange(len(source), device=source.offsets.device)
    all_differ = Kinds(rows, rows)  # no place is in two pairs
    return Pairs(source, target, torch.ones_like(rows, dtype=torch.float32), kinds=(all_differ, all_differ))
