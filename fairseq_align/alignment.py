"""How well the word embeddings of translation pairs coincide: the loss, and what validation and scoring ask."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from fairseq_align import lexicon, retrieval
from fairseq_align.lexicon import Pairs, Words
from fairseq_align.retrieval import Space, word_vectors


def alignment_loss(embeddings: Tensor, pairs: Pairs, kind: str = "cosine") -> Tensor:
    """How far apart the embeddings of translation pairs are.

    Args:
        embeddings: word embedding table, shape (V, C), any float type; computed in float32 at least.
        pairs: P >= 1 translation pairs, on the device of the table.
        kind: ``cosine``, minus the mean cosine similarity, the paper's; or ``l2``, the mean squared distance. Means
            are weighted by ``pairs.weights``.

    Returns:
        scalar, unitless (not bits); cosine: in [-1, 1], -1 when every pair points the same way; l2: at least 0.

    Source: ALIGN-MLM, Tang et al. 2022, https://arxiv.org/abs/2211.08547
    """
    source, target = word_vectors(embeddings, pairs.source), word_vectors(embeddings, pairs.target)
    weights = pairs.weights.to(source.dtype)
    if kind == "cosine":
        losses = -F.cosine_similarity(source, target, dim=-1)
    else:
        losses = (source - target).square().sum(-1)
    return (weights * losses).sum() / weights.sum()


@torch.no_grad()
def mean_cosine(embeddings: Tensor, pairs: Pairs) -> Tensor:
    """Mean cosine similarity of the pairs, unweighted; scalar in [-1, 1]."""
    source, target = word_vectors(embeddings, pairs.source), word_vectors(embeddings, pairs.target)
    return F.cosine_similarity(source, target, dim=-1).mean()


@torch.no_grad()
def precision_at_1(embeddings: Tensor, pairs: Pairs, candidates: Words) -> Tensor:
    """Share of source words whose nearest candidate by cosine similarity is one of their translations.

    Args:
        embeddings: word embedding table, shape (V, C).
        pairs: what counts as right; a source word with several translations is asked once and any of them is right.
        candidates: distinct words to choose from, those of ``pairs.target`` among them.

    Returns:
        scalar in [0, 1], float32.
    """
    source = lexicon.unique(pairs.source)
    rows = [lexicon.rows(pairs.source, source), lexicon.rows(pairs.target, candidates)]
    gold = questions(torch.stack(rows, dim=1)).gold
    return retrieval.ranks(Space(embeddings, source), Space(embeddings, candidates), gold).precision(1).mean()


class Questions(NamedTuple):
    """The distinct words that a lexicon asks for, and what is right.

    Attributes:
        rows: the asked words, int64, shape (Q,), ascending.
        gold: distinct pairs of the number of an asked word and a candidate that translates it, int64, shape (G, 2).
    """

    rows: Tensor
    gold: Tensor


def questions(pairs: Tensor) -> Questions:
    """Ask for each distinct word once; all that it is paired with is right.

    Args:
        pairs: rows of an asked word and of a candidate that translate each other, int64, shape (P, 2).
    """
    rows, numbers = pairs[:, 0].unique(return_inverse=True)
    return Questions(rows, torch.stack([numbers, pairs[:, 1]], dim=1).unique(dim=0))
