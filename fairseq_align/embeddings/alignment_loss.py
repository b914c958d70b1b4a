"""The alignment loss: how far apart the word embeddings of translation pairs are. A new one is a row of ``LOSSES``."""

from collections.abc import Iterator
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from fairseq_align.embeddings.pair_loss import PairLoss, distinct
from fairseq_align.embeddings.pooling import cosines, pooled, word_vectors
from fairseq_align.embeddings.relations import Procrustes, RelationalSimilarity
from fairseq_align.embeddings.shared_gradient import accumulated, add_rows
from fairseq_align.lexicon.words import Pairs

NEIGHBOURS = 10  # of a word in the other language
BLOCK = 1 << 14  # pairs in a block
BLOCKS = {"cpu": 512}  # two blocks of vectors fit the cache of a core


class Cosine(PairLoss):
    """Minus the cosine similarity, in [-1, 1]; the loss of the paper.

    >>> Cosine()(torch.tensor([[3.0, 4.0]]), torch.tensor([[4.0, 3.0]]), None)
    tensor([-0.9600])
    """

    help = "minus the mean cosine similarity of the pairs"
    is_negative_cosine = True

    def __call__(self, source: Tensor, target: Tensor, pairs: Pairs) -> Tensor:
        return -cosines(source, target)


class SquaredDistance(PairLoss):
    """Squared Euclidean distance, at least 0."""

    help = "their mean squared distance"

    def __call__(self, source: Tensor, target: Tensor, pairs: Pairs) -> Tensor:
        return (source - target).square().sum(-1)


class Contrastive(PairLoss):
    """How hard each pair is to find among the other words of the lexicon: InfoNCE, ours and not the paper's.

    For a pair (s, t) the loss is the mean of two cross entropies of cosines over ``temperature``: t among the target
    words that do not translate s, and s among the source words that do not translate t. Words are taken once however
    often they come up. A word that is near to many (a hub) is a wrong answer to all of them, so it is pushed away.

    At least 0; needs memory for all source words by all target words.

    Source: van den Oord et al. 2018, https://arxiv.org/abs/1807.03748, in both directions as in Radford et al. 2021,
    https://arxiv.org/abs/2103.00020
    """

    help = "how hard each pair is to find among the other words"
    needs_all_pairs = True

    def __call__(self, source: Tensor, target: Tensor, pairs: Pairs) -> Tensor:
        (source, s), (target, t) = distinct(source, target, pairs)
        scores = source @ target.T / self.temperature
        translates = torch.zeros_like(scores, dtype=torch.bool)
        translates[s, t] = True
        # finite, so that a word without any wrong answer has a gradient of 0
        wrong = scores.masked_fill(translates, torch.finfo(scores.dtype).min / 2)
        own = scores[s, t]
        return (F.softplus(wrong.logsumexp(1)[s] - own) + F.softplus(wrong.logsumexp(0)[t] - own)) / 2


class Csls(PairLoss):
    """Minus twice the cosine, plus the mean cosines of both words with their nearest neighbours in the other language.

    The neighbours are the ``NEIGHBOURS`` nearest words of the update, the translation itself among them if it is near.
    A hub is the neighbour of many words, and is pushed away from all of them. In [-4, 4].

    Source: relaxed cross-domain similarity local scaling (RCSLS), Joulin et al. 2018, https://arxiv.org/abs/1804.07745,
    there over the whole vocabulary and for a linear map
    """

    help = "minus their cosine twice, plus the mean cosine of each word with its nearest 10 of the other language"
    needs_all_pairs = True

    def __call__(self, source: Tensor, target: Tensor, pairs: Pairs) -> Tensor:
        (source, s), (target, t) = distinct(source, target, pairs)
        scores = source @ target.T
        near = [scores.topk(min(NEIGHBOURS, scores.shape[side]), dim=side).values.mean(side) for side in (1, 0)]
        return near[0][s] + near[1][t] - 2 * scores[s, t]


LOSSES: dict[str, type[PairLoss]] = {
    "cosine": Cosine,
    "l2": SquaredDistance,
    "contrastive": Contrastive,
    "csls": Csls,
    "rsim": RelationalSimilarity,
    "procrustes": Procrustes,
}


def alignment_loss(embeddings: Tensor, pairs: Pairs, pair_loss: PairLoss = Cosine()) -> Tensor:  # noqa: B008  frozen
    """Mean loss of translation pairs, weighted by ``pairs.weights``, by plain autograd.

    >>> from fairseq_align.lexicon.words import Words
    >>> table = torch.tensor([[3.0, 4.0], [4.0, 3.0], [1.0, 0.0], [0.0, 2.0]])
    >>> alignment_loss(table, Pairs(Words.of([[0], [2]]), Words.of([[1], [3]]), torch.ones(2)))  # -(0.96 + 0) / 2
    tensor(-0.4800)

    Args:
        embeddings: word embedding table, shape (V, C), any float type; computed in float32 at least.
        pairs: P translation pairs, on the device of the table; of none the loss is 0.

    Returns:
        scalar, unitless (not bits); cosine: in [-1, 1], -1 when every pair points the same way; others: at least 0.

    Source: ALIGN-MLM, Tang et al. 2022, https://arxiv.org/abs/2211.08547
    """
    if not len(pairs):
        return embeddings[:0].float().sum()
    source, target = word_vectors(embeddings, pairs.source), word_vectors(embeddings, pairs.target)
    return (pairs.weights * pair_loss(source, target, pairs)).sum() / pairs.weights.sum()


def alignment_term(table: Tensor, blocks: "Blocks") -> Tensor:
    """``alignment_loss`` as a term of a loss that also uses the table in another way; costs time for the pairs alone.

    Autograd's gradient of a look-up is as large as the table: 164 MB of zeros for 80,000 words of dimension 512, twice
    an update. Here the gradient is added to the rows of the table's own (see ``accumulated``).
    """
    return accumulated(table, blocks.value(table), partial(blocks.add_gradient, table))


class Blocks:
    """Translation pairs and their loss, in blocks that fit the processor's cache, without a graph between them.

    The value and the gradient are two passes over the blocks; each looks the vectors up anew.

    Args:
        pairs: on the CPU, where they are cut: a GPU would have to be asked for the bounds of each block.
        pair_loss: of each pair.
        device: of the tables; the blocks go there.
    """

    def __init__(
        self,
        pairs: Pairs,
        pair_loss: PairLoss = Cosine(),  # noqa: B008  frozen
        device: torch.device = torch.device("cpu"),  # noqa: B008  constant
    ):
        size = BLOCKS.get(device.type, BLOCK)
        blocks = [pairs.with_kinds()] if pair_loss.needs_all_pairs and len(pairs) else pairs.split(size)
        self.blocks = [block.to(device) for block in blocks]
        self.pair_loss, self.device, self.total_weight = pair_loss, device, pairs.weights.sum()

    def ids(self) -> Iterator[Tensor]:
        """Ids of the pieces of all words, int64, shape (N,) each."""
        for block in self.blocks:
            yield from (block.source.ids, block.target.ids)

    @torch.no_grad()
    def value(self, table: Tensor) -> Tensor:
        """The loss with a table of word embeddings of shape (V, C), any float type; a scalar, of no pairs 0."""
        shares = [self._share(self._pieces(table, block), block) for block in self.blocks]
        return torch.stack(shares).sum() if shares else table[:0].float().sum()

    @torch.no_grad()
    def mean_cosine(self, table: Tensor) -> Tensor:
        """Mean cosine similarity of the pairs, unweighted; a scalar in [-1, 1]."""
        sides = ((word_vectors(table, block.source), word_vectors(table, block.target)) for block in self.blocks)
        return torch.cat([cosines(*side) for side in sides]).mean()

    @torch.no_grad()
    def add_gradient(self, table: Tensor, gradient: Tensor, factor: Tensor) -> None:
        """Add the gradient of the loss, times a scalar, to that of the table, shape (V, C), in place."""
        for block in self.blocks:
            # a half would lose what is not multiplied by the scale of the loss yet
            sides = [
                rows.to(torch.promote_types(rows.dtype, torch.float32)).requires_grad_()
                for rows in self._pieces(table, block)
            ]
            with torch.enable_grad():
                grad_sides = torch.autograd.grad(self._share(sides, block), sides)
            for words, grad_rows in zip((block.source, block.target), grad_sides, strict=True):
                add_rows(gradient, words.ids, grad_rows.mul_(factor))

    @staticmethod
    def _pieces(table: Tensor, block: Pairs) -> list[Tensor]:
        """Vectors of the pieces of the source words, and of the target words, each of shape (N, C)."""
        return [F.embedding(words.ids, table.detach()) for words in (block.source, block.target)]

    def _share(self, sides: list[Tensor], block: Pairs) -> Tensor:
        """What a block adds to the loss."""
        source, target = pooled(sides[0], block.source), pooled(sides[1], block.target)
        return (block.weights * self.pair_loss(source, target, block)).sum() / self.total_weight
