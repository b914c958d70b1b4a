"""Contextual realignment: words of parallel sentences that translate each other have like states in a layer."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fairseq_align.data.word_pairs import pairs_of
from fairseq_align.embeddings.alignment_loss import alignment_loss
from fairseq_align.embeddings.pair_loss import PairLoss
from fairseq_align.errors import InputError


@dataclass(frozen=True)
class Realignment:
    """A loss of the states of word pairs in TLM items; the pairs are those of ``data.word_pairs``.

    A word is the mean of the states of its pieces. With a loss that contrasts pairs, the wrong answers to a word are
    the other words of the batch that a lexicon pairs.

    Attributes:
        pair_loss: a loss of ``LOSSES``, of states as of word embeddings.
        layer: from 1; 0: the last one.
        weight: beside the MLM loss in nats a token, at least 0; 0: the loss is only logged.

    Source: realignment of Gaschi et al. 2023, https://arxiv.org/abs/2306.02790, with pairs by a lexicon as there; as a
    term of pre-training on parallel text Chi et al. 2021 (XLM-Align), https://arxiv.org/abs/2106.06381
    """

    pair_loss: PairLoss
    layer: int = 0
    weight: float = 1.0

    def __call__(self, states: Sequence[Tensor], batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """The mean loss of the pairs, and what to log.

        Args:
            states: of the embeddings and of each layer, shape (T, B, C).
            batch: what ``word_pairs.batched`` makes of it.

        Returns:
            a scalar, 0 of a batch without pairs.

        Raises:
            InputError: the model lacks the layer.
        """
        if self.layer >= len(states):
            raise InputError(
                f"found --realign-layer {self.layer}, expected at most {len(states) - 1}, the layers of the model"
            )
        pairs = pairs_of(batch)
        loss = alignment_loss(states[self.layer or -1].flatten(0, 1), pairs, self.pair_loss)
        return loss, {"realign_loss": loss.detach(), "realign_pairs": torch.full_like(loss.detach(), len(pairs))}
