"""What a loss of translation pairs is; those there are stand in ``alignment_loss.LOSSES``."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from fairseq_align.lexicon.words import Pairs

TEMPERATURE = 0.1


@dataclass(frozen=True)
class PairLoss(ABC):
    """The loss of each translation pair. A subclass without parameters of its own can be a row of ``LOSSES``.

    Attributes:
        temperature: what cosines are divided by, above 0; a loss without a temperature ignores it.
        help: what ``--align-loss`` says about the loss.
        needs_all_pairs: the loss of a pair depends on the other pairs of the update. Such pairs are computed in one
            block, their number is limited, and validation draws them like training.
        is_negative_cosine: the loss is minus the cosine similarity, so that the mean cosine need not be computed again.
        takes_negatives: the loss has room for negatives of each pair. It is then called with two more tensors if the
            pairs have such, the vectors of these, shape (P * K, C) each.
    """

    temperature: float = TEMPERATURE
    help: ClassVar[str]
    needs_all_pairs: ClassVar[bool] = False
    is_negative_cosine: ClassVar[bool] = False
    takes_negatives: ClassVar[bool] = False

    @abstractmethod
    def __call__(self, source: Tensor, target: Tensor, pairs: Pairs) -> Tensor:
        """Losses of the pairs.

        Args:
            source, target: vectors of the pairs' words, shape (P, C), float32 or float64.
            pairs: the P pairs themselves, for a loss that asks which words are the same, or of which lexicon they are.

        Returns:
            shape (P,), differentiable.
        """


def distinct(source: Tensor, target: Tensor, pairs: Pairs) -> list[tuple[Tensor, Tensor]]:
    """Of each side the unit vectors of the distinct words, and the row of each word among them, int64, shape (P,)."""
    sides = zip((source, target), pairs.with_kinds().kinds, strict=True)
    return [(F.normalize(vectors[first], dim=-1), numbers) for vectors, (numbers, first) in sides]
