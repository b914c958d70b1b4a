"""Gradients of a table that are added to the one it has already, instead of in a second tensor of the table's size."""

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class _Pending:
    """Gradients for a value that wait until the table has its other gradients.

    The graph of the value owns this object, and the hook of the table only refers to it: where a forward pass is
    dropped, after a backward pass that ran out of memory or without any, the object goes and takes its hook along.

    Attributes:
        gradients: of the value, each with the backward pass that it comes from.
    """

    def __init__(self, table: Tensor, add: Callable[[Tensor, Tensor], None]):
        self.gradients: list[tuple[int, Tensor]] = []
        self.add = add
        handle = table.register_post_accumulate_grad_hook(self._hook(weakref.ref(self)))
        self.remove = weakref.finalize(self, handle.remove)

    @staticmethod
    def _hook(pending: weakref.ref) -> Callable[[Tensor], None]:
        def hook(parameter: Tensor) -> None:
            me = pending()
            if me is None:  # the collector took it while hooks were running
                return
            me.remove()
            for backward_pass, gradient in me.gradients:
                if backward_pass == _backward_pass():  # an earlier one broke off before it got to the table
                    me.add(parameter.grad, gradient)

        return hook


def _backward_pass() -> int:
    """Number of the running backward pass of this process."""
    return torch._C._current_graph_task_id()  # as torch.utils.checkpoint asks for it


class _Accumulated(torch.autograd.Function):
    """Identity of a value that is a function of a table; keeps the value's gradient and gives the table none.

    What else the value is a function of gets its gradient as ever.
    """

    @staticmethod
    def forward(ctx, table: Tensor, value: Tensor, pending: _Pending) -> Tensor:
        ctx.pending = pending
        return value.view_as(value)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        ctx.pending.gradients.append((_backward_pass(), gradient))
        return None, gradient if ctx.needs_input_grad[1] else None, None


def accumulated(table: Tensor, value: Tensor, add: Callable[[Tensor, Tensor], None]) -> Tensor:
    """A function of a table whose gradient is added to ``table.grad`` in place.

    ``add`` runs when the other gradients of the table are accumulated in ``table.grad``, and before
    ``DistributedDataParallel`` sends that off; so loss scaling, gradient accumulation and distributed training stay
    right. Without any other gradient of the table, autograd accumulates nothing and ``add`` is not run.

    >>> table = torch.tensor([3.0, 5.0], requires_grad=True)
    >>> square = accumulated(table, (table.detach() ** 2).sum(), lambda grad, g: grad.add_(2 * g * table.detach()))
    >>> (table.sum() + square).backward()
    >>> table.grad  # 1 of the sum and 2 x of the square
    tensor([ 7., 11.])

    Args:
        table: a parameter that the rest of the loss also uses.
        value: a function of the table, any shape, without a gradient by it; others it may have.
        add: takes ``table.grad`` and the gradient of the loss by ``value``, and adds that by the table to the former.

    Returns:
        ``value``; where the table needs no gradient, without one.
    """
    if not (torch.is_grad_enabled() and table.requires_grad):
        return value
    return _Accumulated.apply(table, value, _Pending(table, add))


@contextmanager
def looked_up(embeddings: nn.Embedding) -> Iterator[None]:
    """Context manager: look-ups add their gradient to the table's existing ``.grad``.

    Use it only if the loss also uses the table in another way, see ``accumulated``.
    """

    def look_up(ids: Tensor) -> Tensor:
        table = embeddings.weight

        def add(gradient: Tensor, grad_rows: Tensor) -> None:
            if embeddings.padding_idx is not None:
                grad_rows = grad_rows.masked_fill((ids == embeddings.padding_idx).unsqueeze(-1), 0)
            add_rows(gradient, ids.flatten(), grad_rows.flatten(0, -2))

        return accumulated(table, F.embedding(ids, table.detach()), add)

    embeddings.forward = look_up
    try:
        yield
    finally:
        del embeddings.forward


def add_rows(gradient: Tensor, ids: Tensor, rows: Tensor) -> None:
    """Add rows to those of a table, in place, the rows of one word summed in float32 at least.

    In half a sum stands still as soon as it is 2,048 times what is added: a word that stands 1,000 times in a
    batch would get a gradient that is too small.

    >>> gradient = torch.zeros(2, 1, dtype=torch.float16)
    >>> add_rows(gradient, torch.ones(5000, dtype=torch.int64), torch.ones(5000, 1, dtype=torch.float16))
    >>> gradient[1]  # atomics of a GPU would come to 2,048
    tensor([5000.], dtype=torch.float16)

    Args:
        gradient: shape (V, C), any float type.
        ids: rows of the table, int64, shape (N,); any may come up more than once.
        rows: what is added to them, shape (N, C), any float type.
    """
    if gradient.dtype != torch.promote_types(gradient.dtype, torch.float32):
        # the sum of a word goes to one of its own rows, so that nothing waits for the number of words
        numbers = torch.arange(len(ids), device=ids.device)
        place = numbers.new_empty(len(gradient)).scatter_(0, ids, numbers)[ids]
        rows = torch.zeros_like(rows, dtype=torch.float32).index_add_(0, place, rows.float())
    gradient.index_add_(0, ids, rows.to(gradient.dtype))
