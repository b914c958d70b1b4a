"""The alignment loss alone: the rows of a table that translation pairs have, trained without text or encoder."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fairseq_align.embeddings.alignment_loss import PairLoss, alignment_loss
from fairseq_align.errors import InputError
from fairseq_align.lexicon.words import Pairs, Words


@dataclass(frozen=True)
class Settings:
    """How a table is aligned.

    Attributes:
        pair_loss: a loss of ``LOSSES`` with its temperature.
        updates: steps of Adam (betas 0.9 and 0.98), whose rate falls linearly to 0.
        pairs: drawn from each lexicon for a step; 0, or more than there are: all.
        lr: size of the first steps as a fraction of the table's root mean square, so that it fits any model.
        anchor_weight: of the squared distance to the table at the beginning, as a share of the squared length of the
            rows that are trained; 0: none.
        seed: of the draws.
    """

    pair_loss: PairLoss
    updates: int = 150
    pairs: int = 512
    lr: float = 0.02
    anchor_weight: float = 0.0
    seed: int = 1


@torch.enable_grad()
def align(
    table: Tensor,
    lexicons: Sequence[Pairs],
    settings: Settings,
    progress: Callable[[int, float], None] = lambda update, loss: None,
) -> Tensor:
    """A table whose rows in the lexicons are aligned; the others are the same to the bit.

    The loss of a step is the mean over the lexicons of their alignment losses.

    >>> table = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> pairs = Pairs(Words.of([[0]]), Words.of([[1]]), torch.ones(1))
    >>> from fairseq_align.embeddings.alignment_loss import Cosine
    >>> align(table, [pairs], Settings(Cosine(), updates=200, lr=0.05))[2]
    tensor([1., 1.])

    Args:
        table: word embeddings, shape (V, C), any float type; halves are trained in float32.
        lexicons: pairs of each two languages, at least one; all on the CPU.
        progress: called after each step with its number, from 1, and its loss.

    Returns:
        a new tensor of the shape, type and device of the table.

    Raises:
        InputError: the table is all zeros, or the loss is no number any more.
    """
    rows, places = torch.cat([part.ids for pairs in lexicons for part in (pairs.source, pairs.target)]).unique(
        return_inverse=True
    )
    lexicons, rows = list(_renumbered(lexicons, places)), rows.to(table.device)
    start = table[rows].to(torch.promote_types(table.dtype, torch.float32))
    scale = start.square().mean().sqrt()
    if not scale > 0:
        raise InputError("found word embeddings of zeros, expected trained ones; give another checkpoint")
    part = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([part], betas=(0.9, 0.98))
    for update in range(settings.updates):
        rng = np.random.default_rng([settings.seed, update])
        drawn = [_drawn(pairs, settings.pairs, rng).to(table.device) for pairs in lexicons]
        losses = [alignment_loss(part, pairs, settings.pair_loss) for pairs in drawn]
        loss = torch.stack(losses).mean()
        total = loss
        if settings.anchor_weight:
            total = loss + settings.anchor_weight * (part - start).square().sum() / start.square().sum()
        optimizer.zero_grad()
        total.backward()
        optimizer.param_groups[0]["lr"] = float(settings.lr * scale * (1 - update / settings.updates))
        optimizer.step()
        progress(update + 1, loss.item())
    if not part.isfinite().all():
        raise InputError(f"found a loss that grows without bound, expected a smaller --lr than {settings.lr}")
    aligned = table.detach().clone()
    aligned[rows] = part.detach().to(table.dtype)
    return aligned


def _renumbered(lexicons: Sequence[Pairs], places: Tensor):
    """The lexicons with ids that are rows of a part of the table.

    Args:
        places: new ids of all pieces of the source and the target words of each lexicon, in order.
    """
    at = 0
    for pairs in lexicons:
        sides = []
        for words in (pairs.source, pairs.target):
            sides.append(Words(places[at : at + len(words.ids)], words.offsets))
            at += len(words.ids)
        yield Pairs(*sides, pairs.weights)


def _drawn(pairs: Pairs, count: int, rng: np.random.Generator) -> Pairs:
    if not 0 < count < len(pairs):
        return pairs
    rows = rng.choice(len(pairs), count, replace=False, shuffle=False)
    return pairs.take(rows)
