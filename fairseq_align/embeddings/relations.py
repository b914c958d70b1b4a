"""Losses of two languages' relations: whether words lie to each other as their translations do, wherever they lie.

Both are 0 for spaces that differ by a rotation alone, so that one map, learnt later on any words, can align the rest.
Two languages differ by another rotation than two others: pairs of several lexicons are looked at lexicon by lexicon.
"""

from abc import abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor

from fairseq_align.embeddings.pair_loss import PairLoss
from fairseq_align.embeddings.retrieval import isometry
from fairseq_align.lexicon.words import Pairs, sent

SMALLEST = 1e-12  # variance; one of less is taken to have this, so that equal vectors have a gradient


class Relations(PairLoss):
    """A loss of the pairs of each lexicon by themselves."""

    needs_all_pairs = True

    def __call__(self, source: Tensor, target: Tensor, pairs: Pairs) -> Tensor:
        numbers = torch.stack([numbers for numbers, _ in pairs.with_kinds().kinds])
        weights = pairs.weights.to(source.dtype)
        if pairs.lexicons is None:
            return self.of_lexicon(source, target, weights, numbers)
        losses = torch.empty_like(source[:, 0])
        for lexicon in pairs.lexicons.unique():  # on the CPU: a GPU is not waited for
            rows = sent((pairs.lexicons == lexicon).nonzero().flatten(), source.device)
            own = self.of_lexicon(source[rows], target[rows], weights[rows], numbers[:, rows])
            losses = losses.index_copy(0, rows, own)
        return losses

    @abstractmethod
    def of_lexicon(self, source: Tensor, target: Tensor, weights: Tensor, numbers: Tensor) -> Tensor:
        """Losses of P pairs of one lexicon, shape (P,).

        Args:
            source, target: vectors of the words, shape (P, C).
            weights: of the pairs, shape (P,).
            numbers: the same for the same word, of the source and of the target side, int64, shape (2, P).
        """


class RelationalSimilarity(Relations):
    """1 minus the correlation of cosines inside one language with those of the translations; the same for each pair.

    Pearson's, over all combinations of two different pairs (s, t) and (u, v): of cos(s, u) with cos(t, v). A
    combination weighs the product of its pairs' weights. In [0, 2]; of fewer than three pairs it says nothing. Needs
    memory for all pairs by all pairs, and computes them in float64: cosines that hardly differ would correlate by
    rounding.

    Source: RSIM of IsoVec, Marchisio et al. 2022, https://arxiv.org/abs/2210.05098
    """

    help = "1 minus the correlation of cosines inside a language with those of the translations"

    def of_lexicon(self, source: Tensor, target: Tensor, weights: Tensor, numbers: Tensor) -> Tensor:
        different = (numbers[:, :, None] != numbers[:, None]).any(0)
        weights = weights.double()
        shares = weights[:, None] * weights * different
        shares = shares / shares.sum().clamp_min(torch.finfo(shares.dtype).tiny)
        deviations = []
        for side in (source, target):
            unit = F.normalize(side.double(), dim=-1)
            similar = unit @ unit.T
            deviations.append(similar - (shares * similar).sum())
        variances = [(shares * deviation.square()).sum().clamp_min(SMALLEST) for deviation in deviations]
        correlation = (shares * deviations[0] * deviations[1]).sum() / (variances[0] * variances[1]).sqrt()
        return (1 - correlation).to(source.dtype).expand(len(source))


class Procrustes(Relations):
    """Squared distance of the words' unit vectors after the best rotation of the source language; in [0, 4].

    The rotation (or reflection) W has the least weighted sum of |s W - t|^2 over the pairs. It is that of the present
    embeddings in every update; since it is the best one, the gradient through it is 0.

    Source: Proc-L2 of IsoVec, Marchisio et al. 2022, https://arxiv.org/abs/2210.05098; the rotation: Schoenemann 1966
    """

    help = "their squared distance after the best rotation of one language"

    def of_lexicon(self, source: Tensor, target: Tensor, weights: Tensor, numbers: Tensor) -> Tensor:
        source, target = (F.normalize(side, dim=-1) for side in (source, target))
        with torch.no_grad():
            rotation = isometry((source * weights[:, None]).T @ target)
        return (source @ rotation - target).square().sum(-1)
