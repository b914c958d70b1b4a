"""The alignment loss: how far apart the word embeddings of translation pairs are. A new one is a row of ``LOSSES``."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from fairseq_align.embeddings.pooling import cosines, pooled, word_vectors
from fairseq_align.embeddings.shared_gradient import accumulated, add_rows
from fairseq_align.lexicon.words import Pairs, Words

TEMPERATURE = 0.1
BLOCK = 1 << 14  # pairs in a block
BLOCKS = {"cpu": 512}  # two blocks of vectors fit the cache of a core


@dataclass(frozen=True)
class PairLoss(ABC):
    """The loss of each translation pair. A subclass without parameters of its own can be a row of ``LOSSES``.

    Attributes:
        temperature: what cosines are divided by, above 0; a loss without a temperature ignores it.
        help: what ``--align-loss`` says about the loss.
        needs_all_pairs: the loss of a pair depends on the other pairs of the update. Such pairs are computed in one
            block, their number is limited, and validation draws them like training.
        is_negative_cosine: the loss is minus the cosine similarity, so that the mean cosine need not be computed again.
    """

    temperature: float = TEMPERATURE
    help: ClassVar[str]
    needs_all_pairs: ClassVar[bool] = False
    is_negative_cosine: ClassVar[bool] = False

    @abstractmethod
    def __call__(self, source: Tensor, target: Tensor, pairs: Pairs) -> Tensor:
        """Losses of the pairs.

        Args:
            source, target: vectors of the pairs' words, shape (P, C), float32 or float64.
            pairs: the P pairs themselves, for a loss that asks which words are the same.

        Returns:
            shape (P,), differentiable.
        """


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
        source, s = _distinct(source, pairs.source)
        target, t = _distinct(target, pairs.target)
        scores = source @ target.T / self.temperature
        translates = torch.zeros_like(scores, dtype=torch.bool)
        translates[s, t] = True
        # finite, so that a word without any wrong answer has a gradient of 0
        wrong = scores.masked_fill(translates, torch.finfo(scores.dtype).min / 2)
        own = scores[s, t]
        return (F.softplus(wrong.logsumexp(1)[s] - own) + F.softplus(wrong.logsumexp(0)[t] - own)) / 2


def _distinct(vectors: Tensor, words: Words) -> tuple[Tensor, Tensor]:
    """Unit vectors of the distinct words, and the row of each word among them, int64, shape (P,)."""
    numbers = words.numbers()
    rows = torch.arange(len(words), device=numbers.device)
    first = rows.new_full((int(numbers.max()) + 1,), len(words)).scatter_reduce_(0, numbers, rows, "amin")
    return F.normalize(vectors[first], dim=-1), numbers


LOSSES: dict[str, type[PairLoss]] = {"cosine": Cosine, "l2": SquaredDistance, "contrastive": Contrastive}


def alignment_loss(embeddings: Tensor, pairs: Pairs, pair_loss: PairLoss = Cosine()) -> Tensor:  # noqa: B008  frozen
    """Mean loss of translation pairs, weighted by ``pairs.weights``, by plain autograd.

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


def alignment_term(table: Tensor, pairs: Pairs, pair_loss: PairLoss = Cosine()) -> Tensor:  # noqa: B008  frozen
    """``alignment_loss`` as a term of a loss that also uses the table in another way; costs time for the pairs alone.

    Autograd's gradient of a look-up is as large as the table: 164 MB of zeros for 80,000 words of dimension 512, twice
    an update. Here the gradient is added to the rows of the table's own (see ``accumulated``).
    """
    if not len(pairs):
        return alignment_loss(table, pairs)
    blocks = Blocks(table, pairs, pair_loss)
    return accumulated(table, blocks.value(), blocks.add_gradient)


class Blocks:
    """The alignment loss of a table in blocks of pairs that fit the processor's cache, without a graph between them.

    The value and the gradient are two passes over the blocks; each looks the vectors up anew.

    Args:
        table: word embeddings, shape (V, C), any float type.
        pairs: at least one, on the device of the table.
    """

    def __init__(self, table: Tensor, pairs: Pairs, pair_loss: PairLoss):
        self.table, self.pair_loss = table, pair_loss
        size = len(pairs) if pair_loss.needs_all_pairs else BLOCKS.get(table.device.type, BLOCK)
        self.blocks, self.total_weight = list(pairs.split(size)), pairs.weights.sum()

    @torch.no_grad()
    def value(self) -> Tensor:
        """The loss, a scalar."""
        return torch.stack([self._share(self._pieces(block), block) for block in self.blocks]).sum()

    @torch.no_grad()
    def add_gradient(self, gradient: Tensor, factor: Tensor) -> None:
        """Add the gradient of the loss, times a scalar, to that of the table, shape (V, C), in place."""
        for block in self.blocks:
            # a half would lose what is not multiplied by the scale of the loss yet
            sides = [
                rows.to(torch.promote_types(rows.dtype, torch.float32)).requires_grad_() for rows in self._pieces(block)
            ]
            with torch.enable_grad():
                grad_sides = torch.autograd.grad(self._share(sides, block), sides)
            for words, grad_rows in zip((block.source, block.target), grad_sides, strict=True):
                add_rows(gradient, words.ids, grad_rows.mul_(factor))

    def _pieces(self, block: Pairs) -> list[Tensor]:
        """Vectors of the pieces of the source words, and of the target words, each of shape (N, C)."""
        return [F.embedding(words.ids, self.table.detach()) for words in (block.source, block.target)]

    def _share(self, sides: list[Tensor], block: Pairs) -> Tensor:
        """What a block adds to the loss."""
        source, target = pooled(sides[0], block.source), pooled(sides[1], block.target)
        return (block.weights * self.pair_loss(source, target, block)).sum() / self.total_weight
