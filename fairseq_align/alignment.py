"""How well the word embeddings of translation pairs coincide: the loss, and what validation and scoring ask."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from fairseq_align import lexicon, retrieval
from fairseq_align.lexicon import Pairs, Words
from fairseq_align.retrieval import Space, word_vectors

LOSSES = ("cosine", "l2", "contrastive")
TEMPERATURE = 0.1


def alignment_loss(embeddings: Tensor, pairs: Pairs, kind: str = "cosine", temperature: float = TEMPERATURE) -> Tensor:
    """How far apart the embeddings of translation pairs are.

    Args:
        embeddings: word embedding table, shape (V, C), any float type; computed in float32 at least.
        pairs: P translation pairs, on the device of the table; of none the loss is 0.
        kind: ``cosine``, minus the mean cosine similarity, the paper's; ``l2``, the mean squared distance; or
            ``contrastive``, see ``contrastive_losses``. Means are weighted by ``pairs.weights``.
        temperature: of ``contrastive``, above 0.

    Returns:
        scalar, unitless (not bits); cosine: in [-1, 1], -1 when every pair points the same way; others: at least 0.

    Source: ALIGN-MLM, Tang et al. 2022, https://arxiv.org/abs/2211.08547
    """
    if not len(pairs):
        return embeddings[:0].float().sum()
    if kind == "contrastive":
        losses = contrastive_losses(embeddings, pairs, temperature)
    else:
        source, target = word_vectors(embeddings, pairs.source), word_vectors(embeddings, pairs.target)
        cosine = kind == "cosine"
        losses = -F.cosine_similarity(source, target, dim=-1) if cosine else (source - target).square().sum(-1)
    return (pairs.weights * losses).sum() / pairs.weights.sum()


def contrastive_losses(embeddings: Tensor, pairs: Pairs, temperature: float) -> Tensor:
    """How hard each pair is to find among the other words of the lexicon: InfoNCE, ours and not the paper's.

    For a pair (s, t) the loss is the mean of two cross entropies of cosines over ``temperature``: t among the target
    words that do not translate s, and s among the source words that do not translate t. Words are taken once however
    often they come up. A word that is near to many (a hub) is a wrong answer to all of them, so it is pushed away.

    Returns:
        at least 0, shape (P,), P being the number of pairs; needs memory for all source words by all target words.

    Source: van den Oord et al. 2018, https://arxiv.org/abs/1807.03748, in both directions as in Radford et al. 2021,
    https://arxiv.org/abs/2103.00020
    """
    source, s = _distinct_vectors(embeddings, pairs.source)
    target, t = _distinct_vectors(embeddings, pairs.target)
    scores = source @ target.T / temperature
    translates = torch.zeros_like(scores, dtype=torch.bool)
    translates[s, t] = True
    # finite, so that a word without any wrong answer has a gradient of 0
    wrong = scores.masked_fill(translates, torch.finfo(scores.dtype).min / 2)
    own = scores[s, t]
    return (F.softplus(wrong.logsumexp(1)[s] - own) + F.softplus(wrong.logsumexp(0)[t] - own)) / 2


def _distinct_vectors(embeddings: Tensor, words: Words) -> tuple[Tensor, Tensor]:
    """Unit vectors of the distinct words, and which of them each word is, int64, shape (P,)."""
    numbers = words.numbers()
    rows = torch.arange(len(words), device=numbers.device)
    first = rows.new_full((int(numbers.max()) + 1,), len(words)).scatter_reduce_(0, numbers, rows, "amin")
    return F.normalize(word_vectors(embeddings, words.take(first)), dim=-1), numbers


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
