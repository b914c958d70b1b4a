"""Alignment before pre-training: words that translate each other, each on its own, have like states in every layer."""

from typing import NamedTuple

import numpy as np
import torch
from fairseq.data import Dictionary
from torch import Tensor, nn

from fairseq_align.embeddings.alignment_loss import alignment_loss
from fairseq_align.embeddings.pair_loss import PairLoss
from fairseq_align.lexicon.words import Pairs, Words, sent
from fairseq_align.training.waits import padded


class WordItems(NamedTuple):
    """Words as items of an encoder.

    Attributes:
        tokens: ``<s> pieces </s>`` of each source word and then of each target word, padded, int64, shape (2P, L).
        pairs: the pairs, with places in states of shape (L, 2P, C) flattened to (L * 2P, C) for ids.
        padded: whether anything is padding.
    """

    tokens: Tensor
    pairs: Pairs
    padded: bool


def word_items(pairs: Pairs, dictionary: Dictionary) -> WordItems:
    """The words of P pairs as items; on the CPU."""
    words = Words.cat([pairs.source, pairs.target])
    lengths, count = words.lengths.numpy(), len(words)
    tokens = np.full((count, int(lengths.max()) + 2), dictionary.pad(), dtype=np.int64)
    tokens[:, 0] = dictionary.bos()
    rows = np.arange(count).repeat(lengths)
    places = np.arange(len(rows)) - words.offsets.numpy().repeat(lengths) + 1
    tokens[rows, places] = words.ids.numpy()
    tokens[np.arange(count), lengths + 1] = dictionary.eos()
    ids, first = torch.from_numpy(places * count + rows), len(pairs.source.ids)
    sides = Words(ids[:first], pairs.source.offsets), Words(ids[first:], pairs.target.offsets)
    kinds = pairs.with_kinds().kinds  # which words are the same is asked of the words, not of their places
    moved = Pairs(*sides, pairs.weights, kinds=kinds, lexicons=pairs.lexicons)
    return WordItems(torch.from_numpy(tokens), moved, bool(np.ptp(lengths)))


def prealignment(encoder: nn.Module, items: WordItems, pair_loss: PairLoss) -> Tensor:
    """Mean over the word embeddings with their positions, and each layer, of the alignment loss of the words' states.

    A word is the mean of the states of its pieces, with nothing around it but ``<s>`` and ``</s>``.

    Args:
        encoder: fairseq's encoder of a RoBERTa.

    Returns:
        a scalar.

    Source: the first stage of PreAlign, Li et al. 2024, https://arxiv.org/abs/2407.16222
    """
    device = next(encoder.parameters()).device
    pairs = items.pairs.to(device)
    with padded(items.padded):
        states = encoder(sent(items.tokens, device), return_all_hiddens=True)["encoder_states"]
    return torch.stack([alignment_loss(layer.flatten(0, 1), pairs, pair_loss) for layer in states]).mean()
