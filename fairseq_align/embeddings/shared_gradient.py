"""Adding a gradient to the one that a table has already, instead of making a second one of the table's size."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class _Accumulated(torch.autograd.Function):
    """A function of a table; the gradient for its value is kept in a list, and the table gets nothing."""

    @staticmethod
    def forward(ctx, table: Tensor, value: Tensor, gradients: list[Tensor]) -> Tensor:
        ctx.gradients = gradients
        return value.view_as(value)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        ctx.gradients.append(gradient)
        return None, None, None


def accumulated(table: Tensor, value: Tensor, add: Callable[[Tensor, Tensor], None]) -> Tensor:
    """A function of a table whose gradient is added in place.

    ``add`` runs when the other gradients of the table are accumulated in ``table.grad``, and before
    ``DistributedDataParallel`` sends that off; so loss scaling, gradient accumulation and distributed training stay
    right. Without any other gradient of the table, autograd accumulates nothing and ``add`` is not run.

    Args:
        table: a parameter that the rest of the loss uses, too.
        value: a function of the table, any shape, without a gradient of its own.
        add: given ``table.grad`` and the gradient for ``value``, adds to the former what the latter makes it.

    Returns:
        ``value``; where the table needs no gradient, without one.
    """
    if not (torch.is_grad_enabled() and table.requires_grad):
        return value
    gradients: list[Tensor] = []

    def hook(parameter: Tensor) -> None:
        handle.remove()
        for gradient in gradients:
            add(parameter.grad, gradient)

    handle = table.register_post_accumulate_grad_hook(hook)
    return _Accumulated.apply(table, value, gradients)


@contextmanager
def looked_up(embeddings: nn.Embedding) -> Iterator[None]:
    """Within, look-ups add their gradients in place; only for embeddings that the loss uses otherwise, too."""

    def look_up(ids: Tensor) -> Tensor:
        table = embeddings.weight

        def add(gradient: Tensor, of_rows: Tensor) -> None:
            if embeddings.padding_idx is not None:
                of_rows = of_rows.masked_fill((ids == embeddings.padding_idx).unsqueeze(-1), 0)
            gradient.index_add_(0, ids.flatten(), of_rows.flatten(0, -2).to(gradient.dtype))

        return accumulated(table, F.embedding(ids, table.detach()), add)

    embeddings.forward = look_up
    try:
        yield
    finally:
        del embeddings.forward
