"""An anchor: word embeddings that a table is held to while it is trained."""

from torch import Tensor

from fairseq_align.embeddings.shared_gradient import accumulated
from fairseq_align.errors import InputError


class Anchor:
    """How far a table has moved: the squared distance to the anchor as a share of the anchor's squared length.

    A tenth of the length is a drift of 0.01, whatever the size of the table and the scale of its numbers.

    >>> import torch
    >>> anchor = Anchor(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    >>> anchor(torch.tensor([[3.0, 4.0], [0.0, 5.0]]))
    tensor(1.)

    Args:
        table: word embeddings, shape (V, C), any float type; not all zero.

    Source: Kirkpatrick et al. 2017, https://arxiv.org/abs/1612.00796, with the same weight for each number
    """

    def __init__(self, table: Tensor):
        self.table = table.detach().clone()
        self.length = table.detach().float().square().sum()
        if not self.length > 0:
            raise InputError("found an anchor of zeros, expected trained word embeddings; give another checkpoint")

    def __call__(self, table: Tensor) -> Tensor:
        """The drift of a table of shape (V, C), a scalar of at least 0, differentiable by way of ``accumulated``.

        Raises:
            InputError: the table has another shape than the anchor.
        """
        if table.shape != self.table.shape:
            raise InputError(
                f"found an anchor of {tuple(self.table.shape)} and word embeddings of {tuple(table.shape)}, expected "
                "one shape; give a checkpoint with the vocabulary of this data"
            )
        if self.table.device != table.device:
            self.table, self.length = self.table.to(table.device), self.length.to(table.device)
        moved = (table.detach() - self.table).float()

        def add(gradient: Tensor, factor: Tensor) -> None:
            gradient.addcmul_(moved.to(gradient.dtype), (2 * factor / self.length).to(gradient.dtype))

        return accumulated(table, moved.square().sum() / self.length, add)
