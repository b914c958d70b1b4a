"""Losses of two languages' relations: whether words lie to each other as their translations do, wherever they lie.

Both are 0 for spaces that differ by a rotation alone, so that one map, learnt later on any words, can align the rest.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from fairseq_align.embeddings.pair_loss import PairLoss
from fairseq_align.embeddings.retrieval import isometry
from fairseq_align.lexicon.words import Pairs

SMALLEST = 1e-12  # variance; one of less is taken to have this, so that equal vectors have a gradient


class RelationalSimilarity(PairLoss):
    """1 minus the correlation of cosines inside one language with those of the translations; the same for each pair.

    Pearson's, over all combinations of two different pairs (s, t) and (u, v): of cos(s, u) with cos(t, v). A
    combination weighs the product of its pairs' weights. In [0, 2]; of fewer than three pairs it says nothing. Needs
    memory for all pairs by all pairs, and computes them in float64: cosines that hardly differ would correlate by
    rounding.

    Source: RSIM of IsoVec, Marchisio et al. 2022, https://arxiv.org/abs/2210.05098
    """

    help = "1 minus the correlation of cosines inside a language with those of the translations"
    needs_all_pairs = True

    def __call__(self, source: Tensor, target: Tensor, pairs: Pairs) -> Tensor:
        numbers = torch.stack([numbers for numbers, _ in pairs.with_kinds().kinds])
        different = (numbers[:, :, None] != numbers[:, None]).any(0)
        weights = pairs.weights.double()
        shares = weights[:, None] * weights * different
        shares = shares / shares.sum().clamp_min(torch.finfo(shares.dtype).tiny)
        deviations = []
        for side in (source, target):
            unit = F.normalize(side.double(), dim=-1)
            similar = unit @ unit.T
            deviations.append(similar - (shares * similar).sum())
        variances = [(shares * deviation.square()).sum().clamp_min(SMALLEST) for deviation in deviations]
        correlation = (shares * deviations[0] * deviations[1]).sum() / (variances[0] * variances[1]).sqrt()
        return (1 - correlation).to(source.dtype).expand(len(pairs))


class Procrustes(PairLoss):
    """Squared distance of the words' unit vectors after the best rotation of the source language; in [0, 4].

    The rotation (or reflection) W has the least weighted sum of |s W - t|^2 over the pairs. It is that of the present
    embeddings in every update; since it is the best one, the gradient through it is 0.

    Source: Proc-L2 of IsoVec, Marchisio et al. 2022, https://arxiv.org/abs/2210.05098; the rotation: Schoenemann 1966
    """

    help = "their squared distance after the best rotation of one language"
    needs_all_pairs = True

    def __call__(self, source: Tensor, target: Tensor, pairs: Pairs) -> Tensor:
        source, target = (F.normalize(side, dim=-1) for side in (source, target))
        with torch.no_grad():
            rotation = isometry((source * pairs.weights[:, None].to(source.dtype)).T @ target)
        return (source @ rotation - target).square().sum(-1)
