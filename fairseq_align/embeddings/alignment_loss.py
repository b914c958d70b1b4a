"""How well the word embeddings of translation pairs coincide: the loss, and what validation and scoring ask."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from fairseq_align.embeddings import retrieval
from fairseq_align.embeddings.retrieval import Space, pooled, word_vectors
from fairseq_align.embeddings.shared_gradient import accumulated
from fairseq_align.lexicon import words as lexicon
from fairseq_align.lexicon.words import Pairs, Words

LOSSES = ("cosine", "l2", "contrastive")
TEMPERATURE = 0.1
BLOCK = 1 << 14  # pairs that are looked at together
BLOCKS = {"cpu": 512}  # two blocks of vectors fit the cache of a core
SMALL = 1e-8  # a vector that is shorter counts as so long, so that a zero vector has a gradient


def alignment_loss(embeddings: Tensor, pairs: Pairs, kind: str = "cosine", temperature: float = TEMPERATURE) -> Tensor:
    """How far apart the embeddings of translation pairs are: the mean of ``losses``, weighted by ``pairs.weights``.

    Args:
        embeddings: word embedding table, shape (V, C), any float type; computed in float32 at least.
        pairs: P translation pairs, on the device of the table; of none the loss is 0.
        kind, temperature: see ``losses``.

    Returns:
        scalar, unitless (not bits); cosine: in [-1, 1], -1 when every pair points the same way; others: at least 0.

    Source: ALIGN-MLM, Tang et al. 2022, https://arxiv.org/abs/2211.08547
    """
    if not len(pairs):
        return embeddings[:0].float().sum()
    source, target = word_vectors(embeddings, pairs.source), word_vectors(embeddings, pairs.target)
    return (pairs.weights * losses(source, target, pairs, kind, temperature)).sum() / pairs.weights.sum()


def alignment_term(table: Tensor, pairs: Pairs, kind: str = "cosine", temperature: float = TEMPERATURE) -> Tensor:
    """``alignment_loss`` as a term of a loss that uses the table otherwise, too, at the cost of the pairs alone.

    Autograd's gradient of a look-up is as large as the table: 164 MB of zeros for 80,000 words of dimension 512, twice
    an update. Here the pairs are gone through in blocks that fit the processor's cache, once for the value and once
    more for the gradient, which is added to the rows of the table's (see ``accumulated``).
    """
    if not len(pairs):
        return alignment_loss(table, pairs)
    size = len(pairs) if kind == "contrastive" else BLOCKS.get(table.device.type, BLOCK)
    blocks, total = list(pairs.split(size)), pairs.weights.sum()

    def value(sides: list[Tensor], block: Pairs) -> Tensor:
        source, target = pooled(sides[0], block.source), pooled(sides[1], block.target)
        return (block.weights * losses(source, target, block, kind, temperature)).sum() / total

    def pieces(block: Pairs) -> list[Tensor]:
        return [F.embedding(words.ids, table.detach()) for words in (block.source, block.target)]

    def add(gradient: Tensor, factor: Tensor) -> None:
        for block in blocks:
            # a half would lose what is not multiplied by the scale of the loss yet
            sides = [rows.to(torch.promote_types(rows.dtype, torch.float32)).requires_grad_() for rows in pieces(block)]
            with torch.enable_grad():
                of_sides = torch.autograd.grad(value(sides, block), sides)
            for words, rows in zip((block.source, block.target), of_sides, strict=True):
                gradient.index_add_(0, words.ids, rows.mul_(factor).to(gradient.dtype))

    with torch.no_grad():
        whole = torch.stack([value(pieces(block), block) for block in blocks]).sum()
    return accumulated(table, whole, add)


def losses(source: Tensor, target: Tensor, pairs: Pairs, kind: str, temperature: float) -> Tensor:
    """The loss of each pair.

    Args:
        source, target: vectors of the pairs' words, shape (P, C), float32 or float64.
        kind: ``cosine``, minus the cosine similarity, the paper's; ``l2``, the squared distance; or ``contrastive``,
            see ``contrastive_losses``.
        temperature: of ``contrastive``, above 0.

    Returns:
        shape (P,).
    """
    if kind == "contrastive":
        return contrastive_losses(source, target, pairs, temperature)
    return -cosines(source, target) if kind == "cosine" else (source - target).square().sum(-1)


def cosines(source: Tensor, target: Tensor) -> Tensor:
    """Cosine similarity of each row with the other's, as ``F.cosine_similarity``; half its time with the gradient."""
    lengths = [torch.linalg.vecdot(side, side).clamp_min(SMALL**2).sqrt() for side in (source, target)]
    return torch.linalg.vecdot(source, target) / (lengths[0] * lengths[1])


def contrastive_losses(source: Tensor, target: Tensor, pairs: Pairs, temperature: float) -> Tensor:
    """How hard each pair is to find among the other words of the lexicon: InfoNCE, ours and not the paper's.

    For a pair (s, t) the loss is the mean of two cross entropies of cosines over ``temperature``: t among the target
    words that do not translate s, and s among the source words that do not translate t. Words are taken once however
    often they come up. A word that is near to many (a hub) is a wrong answer to all of them, so it is pushed away.

    Args:
        source, target: vectors of the pairs' words, shape (P, C).

    Returns:
        at least 0, shape (P,); needs memory for all source words by all target words.

    Source: van den Oord et al. 2018, https://arxiv.org/abs/1807.03748, in both directions as in Radford et al. 2021,
    https://arxiv.org/abs/2103.00020
    """
    source, s = _distinct(source, pairs.source)
    target, t = _distinct(target, pairs.target)
    scores = source @ target.T / temperature
    translates = torch.zeros_like(scores, dtype=torch.bool)
    translates[s, t] = True
    # finite, so that a word without any wrong answer has a gradient of 0
    wrong = scores.masked_fill(translates, torch.finfo(scores.dtype).min / 2)
    own = scores[s, t]
    return (F.softplus(wrong.logsumexp(1)[s] - own) + F.softplus(wrong.logsumexp(0)[t] - own)) / 2


def _distinct(vectors: Tensor, words: Words) -> tuple[Tensor, Tensor]:
    """Unit vectors of the distinct words, and which of them each word is, int64, shape (P,)."""
    numbers = words.numbers()
    rows = torch.arange(len(words), device=numbers.device)
    first = rows.new_full((int(numbers.max()) + 1,), len(words)).scatter_reduce_(0, numbers, rows, "amin")
    return F.normalize(vectors[first], dim=-1), numbers


@torch.no_grad()
def mean_cosine(embeddings: Tensor, pairs: Pairs) -> Tensor:
    """Mean cosine similarity of the pairs, unweighted; scalar in [-1, 1]."""
    return cosines(word_vectors(embeddings, pairs.source), word_vectors(embeddings, pairs.target)).mean()


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
