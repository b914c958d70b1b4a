"""The alignment loss: how far apart the word embeddings of translation pairs are. A new one is a row of ``LOSSES``."""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from fairseq_align.embeddings.characters import Characters, composed
from fairseq_align.embeddings.pair_loss import PairLoss, distinct
from fairseq_align.embeddings.pooling import cosines, pooled
from fairseq_align.embeddings.relations import Procrustes, RelationalSimilarity
from fairseq_align.embeddings.shared_gradient import accumulated, add_rows
from fairseq_align.lexicon.words import Pairs, Words

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
    Where pairs name negatives, each is one more wrong answer to its own pair.

    At least 0; needs memory for all source words by all target words.

    Source: van den Oord et al. 2018, https://arxiv.org/abs/1807.03748, in both directions as in Radford et al. 2021,
    https://arxiv.org/abs/2103.00020; negatives of each pair: Li et al. 2022, https://arxiv.org/abs/2203.08307
    """

    help = "how hard each pair is to find among the other words"
    needs_all_pairs = True
    takes_negatives = True

    def __call__(self, source: Tensor, target: Tensor, pairs: Pairs, *negatives: Tensor) -> Tensor:
        (source, s), (target, t) = distinct(source, target, pairs)
        scores = source @ target.T / self.temperature
        translates = torch.zeros_like(scores, dtype=torch.bool)
        translates[s, t] = True
        # finite, so that a word without any wrong answer has a gradient of 0
        wrong = scores.masked_fill(translates, torch.finfo(scores.dtype).min / 2)
        own, others = scores[s, t], [wrong.logsumexp(1)[s], wrong.logsumexp(0)[t]]
        if negatives:
            named = (self._named(*side) for side in zip((source[s], target[t]), negatives, strict=True))
            others = [torch.logaddexp(*both) for both in zip(others, named, strict=True)]
        return sum(F.softplus(other - own) for other in others) / 2

    def _named(self, words: Tensor, negatives: Tensor) -> Tensor:
        """Of P words, unit vectors of shape (P, C), and K negatives to each, shape (P * K, C): sums as of ``wrong``."""
        unit = F.normalize(negatives, dim=-1).view(len(words), -1, words.shape[-1])
        return (torch.linalg.vecdot(unit, words[:, None]) / self.temperature).logsumexp(1)


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


def alignment_loss(
    embeddings: Tensor,
    pairs: Pairs,
    pair_loss: PairLoss = Cosine(),  # noqa: B008  frozen
    characters: Characters | None = None,
) -> Tensor:
    """Mean loss of translation pairs, weighted by ``pairs.weights``, by plain autograd.

    >>> table = torch.tensor([[3.0, 4.0], [4.0, 3.0], [1.0, 0.0], [0.0, 2.0]])
    >>> alignment_loss(table, Pairs(Words.of([[0], [2]]), Words.of([[1], [3]]), torch.ones(2)))  # -(0.96 + 0) / 2
    tensor(-0.4800)

    Args:
        embeddings: word embedding table, shape (V, C), any float type; computed in float32 at least.
        pairs: P translation pairs, on the device of the table; of none the loss is 0.
        characters: whose vectors are added to those of the words; None: none.

    Returns:
        scalar, unitless (not bits); cosine: in [-1, 1], -1 when every pair points the same way; others: at least 0.

    Source: ALIGN-MLM, Tang et al. 2022, https://arxiv.org/abs/2211.08547
    """
    if not len(pairs):
        return embeddings[:0].float().sum()
    source, target, *negatives = (composed(embeddings, words, characters) for words in pairs.words)
    return (pairs.weights * pair_loss(source, target, pairs, *negatives)).sum() / pairs.weights.sum()


def alignment_term(table: Tensor, blocks: "Blocks") -> Tensor:
    """``alignment_loss`` as a term of a loss that also uses the table in another way; costs time for the pairs alone.

    Autograd's gradient of a look-up is as large as the table: 164 MB of zeros for 80,000 words of dimension 512, twice
    an update. Here the gradient is added to the rows of the table's own (see ``accumulated``).
    """
    return accumulated(table, blocks.value(table), partial(blocks.add_gradient, table))


class _Block(NamedTuple):
    """Pairs, and the n-grams of the words that they have; none where characters do not count."""

    pairs: Pairs
    ngrams: list[Words]


class Blocks:
    """Translation pairs and their loss, in blocks that fit the processor's cache, without a graph between them.

    The value and the gradient are two passes over the blocks; each looks the vectors up anew.

    Args:
        pairs: on the CPU, where they are cut: a GPU would have to be asked for the bounds of each block.
        pair_loss: of each pair.
        device: of the tables; the blocks go there.
        characters: whose vectors are added to those of the words; None: none.
    """

    def __init__(
        self,
        pairs: Pairs,
        pair_loss: PairLoss = Cosine(),  # noqa: B008  frozen
        device: torch.device = torch.device("cpu"),  # noqa: B008  constant
        characters: Characters | None = None,
    ):
        size = BLOCKS.get(device.type, BLOCK)
        blocks = [pairs.with_kinds()] if pair_loss.needs_all_pairs and len(pairs) else pairs.split(size)
        self.blocks = []
        for block in blocks:
            ngrams = [characters.ngrams.of(words).to(device) for words in block.words] if characters else []
            self.blocks.append(_Block(block.to(device), ngrams))
        self.pair_loss, self.device, self.characters = pair_loss, device, characters
        self.total_weight = pairs.weights.sum()

    def ids(self) -> Iterator[Tensor]:
        """Ids of the pieces of all words, int64, shape (N,) each."""
        for block in self.blocks:
            yield from (words.ids for words in block.pairs.words)

    def value(self, table: Tensor) -> Tensor:
        """The loss with a table of word embeddings of shape (V, C), any float type; a scalar, of no pairs 0.

        It has a gradient by the characters alone.
        """
        shares = [self._share(self._pieces(table, block), block) for block in self.blocks]
        return torch.stack(shares).sum() if shares else table[:0].detach().float().sum()

    @torch.no_grad()
    def mean_cosine(self, table: Tensor) -> Tensor:
        """Mean cosine similarity of the pairs, unweighted; a scalar in [-1, 1]."""
        words = (self._vectors(self._pieces(table, block), block) for block in self.blocks)
        return torch.cat([cosines(source, target) for source, target, *_ in words]).mean()

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
            for words, grad_rows in zip(block.pairs.words, grad_sides, strict=True):
                add_rows(gradient, words.ids, grad_rows.mul_(factor))

    @staticmethod
    def _pieces(table: Tensor, block: _Block) -> list[Tensor]:
        """Vectors of the pieces of the source words, of the target words and of the negatives, each of shape (N, C)."""
        return [F.embedding(words.ids, table.detach()) for words in block.pairs.words]

    def _vectors(self, pieces: list[Tensor], block: _Block) -> list[Tensor]:
        """Vectors of the same words."""
        vectors = [pooled(side, words) for side, words in zip(pieces, block.pairs.words, strict=True)]
        if self.characters is None:
            return vectors
        return [side + self.characters(ngrams) for side, ngrams in zip(vectors, block.ngrams, strict=True)]

    def _share(self, pieces: list[Tensor], block: _Block) -> Tensor:
        """What a block adds to the loss."""
        source, target, *negatives = self._vectors(pieces, block)
        losses = self.pair_loss(source, target, block.pairs, *negatives)
        return (block.pairs.weights * losses).sum() / self.total_weight
