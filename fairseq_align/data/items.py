"""What the datasets of this room share: items of inputs and targets, their order in an epoch, and batches of them."""

import numpy as np
import torch
from fairseq.data import FairseqDataset


class ItemDataset(FairseqDataset):
    """Base of datasets whose item is ``{"id": index, "inputs": ids, "targets": ids}``, both int64, shape (T,).

    A subclass sets ``sizes``, the tokens of each item, shape (items,), and defines ``__getitem__``.

    Args:
        pad_idx: what inputs are padded with.
        no_target: what targets are padded with.
        seed: of the order.
    """

    sizes: np.ndarray

    def __init__(self, pad_idx: int, no_target: int, seed: int):
        self.pad_idx, self.no_target = pad_idx, no_target
        self.seed, self.epoch = seed, 1

    @property
    def can_reuse_epoch_itr_across_epochs(self) -> bool:
        return False  # the order changes with the epoch

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.sizes)

    def size(self, index: int) -> int:
        return int(self.sizes[index])

    num_tokens = size

    def num_tokens_vec(self, indices: np.ndarray) -> np.ndarray:
        return self.sizes[indices]

    @property
    def order_seed(self) -> list[int]:
        """Seed of the order of the current epoch."""
        return [self.seed, self.epoch]

    def ordered_indices(self) -> np.ndarray:
        """A random order of the epoch in which items of one length are neighbours; int64, shape (items,)."""
        shuffled = np.random.default_rng(self.order_seed).permutation(len(self))
        return shuffled[np.argsort(self.sizes[shuffled], kind="stable")]

    def collater(self, samples: list[dict]) -> dict:
        """A batch in the form that fairseq's criterions and RoBERTa take; empty for no samples.

        ``net_input.src_tokens`` and ``target`` are int64 tensors of shape (B, T). ``padded`` says whether any of the
        former is padding: a GPU would have to be asked.
        """
        if not samples:
            return {}
        lengths = [len(sample["inputs"]) for sample in samples]
        inputs = np.full((len(samples), max(lengths)), self.pad_idx, dtype=np.int64)
        targets = np.full_like(inputs, self.no_target)
        for row, sample in enumerate(samples):
            inputs[row, : lengths[row]] = sample["inputs"]
            targets[row, : lengths[row]] = sample["targets"]
        return {
            "id": torch.tensor([sample["id"] for sample in samples]),
            "net_input": {"src_tokens": torch.from_numpy(inputs), "src_lengths": torch.tensor(lengths)},
            "target": torch.from_numpy(targets),
            "nsentences": len(samples),
            "ntokens": sum(lengths),
            "padded": bool((inputs == self.pad_idx).any()),
        }
