"""Retrieval of parallel sentences: is the translation the nearest sentence of the other language?

The vector of a sentence is the mean of the states of its tokens at one layer, without ``<s>`` and ``</s>``; vectors are
compared by cosine.
Tatoeba in XTREME (Hu et al. 2020, https://arxiv.org/abs/2003.11080) is scored like this, with a middle layer.
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from fairseq.data import Dictionary
from fairseq.data.data_utils import batch_by_size
from fairseq.models import BaseFairseqModel
from torch import Tensor

from fairseq_align.data import binarized, blocks
from fairseq_align.embeddings.retrieval import Space, ranks
from fairseq_align.errors import InputError
from fairseq_align.lexicon.words import Words

BATCH_TOKENS = 8192


@torch.no_grad()
def sentence_vectors(model: BaseFairseqModel, dictionary: Dictionary, prefix: str | Path, layer: int) -> Tensor:
    """Vectors of the sentences of a binarized corpus, shape (S, C), float32, on the device of the model.

    A sentence that is longer than the model's positions is read in parts, so that no token is left out. The vector of a
    sentence without tokens is zero.

    Args:
        model: any RoBERTa of fairseq, in evaluation mode.
        prefix: path without ``.bin`` / ``.idx``.
        layer: 0 the input of the first layer, L the output of the last.

    Raises:
        InputError: the model has no such layer, or the corpus cannot be read.
    """
    layers = len(model.encoder.sentence_encoder.layers)
    if not 0 <= layer <= layers:
        raise InputError(f"--layer: found {layer}, expected 0 (embeddings) to {layers} (the last layer of this model)")
    corpus = binarized.read(prefix)
    offsets = corpus.offsets
    bounds = blocks.bounds(offsets, model.max_positions() - 1, "eos")
    sentence = np.searchsorted(offsets, bounds[:-1], side="right") - 1
    device = next(model.parameters()).device
    total = torch.zeros(len(corpus.sizes), model.encoder.args.encoder_embed_dim, device=device)
    count = torch.zeros(len(corpus.sizes), 1, device=device)
    lengths = np.diff(bounds) + 1
    by_length = np.argsort(lengths, kind="stable")
    for part in batch_by_size(by_length, None, lengths, max_tokens=max(BATCH_TOKENS, model.max_positions())):
        rows = [torch.from_numpy(corpus.tokens[bounds[i] : bounds[i + 1]].astype(np.int64)) for i in part]
        tokens = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=dictionary.pad()).to(device)
        tokens = F.pad(tokens, (1, 0), value=dictionary.bos())
        _, extra = model.encoder(tokens, features_only=True, return_all_hiddens=True)
        states = extra["inner_states"][layer].transpose(0, 1).float()
        special = (tokens == dictionary.bos()) | (tokens == dictionary.eos()) | (tokens == dictionary.pad())
        kept = (~special).unsqueeze(-1)
        into = torch.from_numpy(sentence[part]).to(device)
        total.index_add_(0, into, (states * kept).sum(1))
        count.index_add_(0, into, kept.sum(1).float())
    return total / count.clamp(min=1)


def accuracy(queries: Tensor, candidates: Tensor) -> float:
    """Share of queries whose nearest candidate by cosine has the same index; of equally near ones the first counts.

    >>> accuracy(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[2.0, 1.0], [3.0, 0.0]]))
    0.0

    Args:
        queries, candidates: vectors of parallel sentences, shape (S, C) each, S >= 1.
    """
    rows = torch.arange(len(queries), device=queries.device)
    spaces = (Space(vectors, Words(rows, rows)) for vectors in (queries, candidates))
    return float(ranks(*spaces, gold=torch.stack([rows, rows], dim=1)).precision(1).double().mean())
