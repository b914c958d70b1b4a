"""Adding a gradient to the one that a table has already, instead of making a second one of the table's size."""

from collections.abc import Callable

import torch
from torch import Tensor


class _Accumulated(torch.autograd.Function):
    """A scalar that depends on a table; what it is multiplied by is kept in a list, and the table gets nothing."""

    @staticmethod
    def forward(ctx, table: Tensor, value: Tensor, factors: list[Tensor]) -> Tensor:
        ctx.factors = factors
        return value.view_as(value)

    @staticmethod
    def backward(ctx, factor: Tensor):
        ctx.factors.append(factor)
        return None, None, None


def accumulated(table: Tensor, value: Tensor, add: Callable[[Tensor, Tensor], None]) -> Tensor:
    """A scalar whose gradient is added in place.

    ``add`` runs when the other gradients of the table are accumulated in ``table.grad``, and before
    ``DistributedDataParallel`` sends that off; so loss scaling, gradient accumulation and distributed training stay
    right. Without any other gradient of the table, autograd accumulates nothing and ``add`` is not run.

    Args:
        table: a parameter that the rest of the loss uses, too.
        value: scalar, a function of the table, without a gradient of its own.
        add: given ``table.grad`` and a factor (scalar), adds factor times the gradient of ``value`` to the former.

    Returns:
        ``value``; where the table needs no gradient, without one.
    """
    if not (torch.is_grad_enabled() and table.requires_grad):
        return value
    factors: list[Tensor] = []

    def hook(parameter: Tensor) -> None:
        handle.remove()
        for factor in factors:
            add(parameter.grad, factor)

    handle = table.register_post_accumulate_grad_hook(hook)
    return _Accumulated.apply(table, value, factors)
