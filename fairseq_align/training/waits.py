"""Fewer waits for the GPU: an update has one, for the norm of its gradients, and all its figures come along.

fairseq asks the GPU once a layer whether anything is padded, and once a figure of the log. Whatever is asked, the GPU
first does all that it was given, and has nothing to do until the next kernels arrive.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from fairseq import utils
from torch import Tensor, nn

_padded: ContextVar[bool | None] = ContextVar("padded", default=None)


@contextmanager
def padded(known: bool | None) -> Iterator[None]:
    """Context manager: whether anything is padding in what encoders see; None: they ask."""
    token = _padded.set(known)
    try:
        yield
    finally:
        _padded.reset(token)


def ask_once(stock, encoder: nn.Module, src_tokens: Tensor, *args, **kwargs):
    """An encoder's ``forward_scriptable`` with no question about padding where it is known, and one where it is not.

    fairseq asks in its loop over ``encoder.layers``; here there are none, and they run where the last norm would.
    """
    if kwargs.get("return_all_hiddens") or any(argument is True for argument in args):
        return stock(encoder, src_tokens, *args, **kwargs)  # the states between the layers are kept in that loop
    layers, norm = encoder.layers, encoder.layer_norm
    mask = src_tokens.eq(encoder.padding_idx)
    known = _padded.get()
    if not (mask.any() if known is None else known):
        mask = None

    def run(x: Tensor) -> Tensor:
        for layer in layers:
            found = layer(x, encoder_padding_mask=mask)
            x = found[0] if isinstance(found, tuple) else found
        return x if norm is None else norm(x)

    kept = {name: value for name, value in vars(encoder).items() if name == "layer_norm"}  # None is no module
    vars(encoder).update(layers=(), layer_norm=run)  # found before modules of these names
    try:
        return stock(encoder, src_tokens, *args, **kwargs)
    finally:
        del vars(encoder)["layers"], vars(encoder)["layer_norm"]
        vars(encoder).update(kept)


def norm_on_host(stock, *args, **kwargs) -> Tensor:
    """``clip_grad_norm_`` with its result on the processor, which asks three times how large it is.

    The norms of gradients are taken together, by ``kernels.norm_of_all``, and not one by one.
    """
    utils.multi_tensor_l2norm_available = True
    return on_host([stock(*args, **kwargs)])[0]


def figures_with_norm(stock, trainer, clip_norm: float) -> Tensor:
    """``Trainer.clip_grad_norm``, after which the figures of the update are on the processor, too.

    The GPU has made them long since, and it has nothing under way but what follows: asked for after the step of the
    optimizer, they would wait for that.
    """
    outputs = getattr(trainer.task, "logging_outputs", [])
    try:
        norm = stock(trainer, clip_norm)
        for output, found in zip(outputs, together(outputs)[0], strict=True):
            output.update(found)
        return norm
    finally:
        outputs.clear()  # after an overflow, too


def totals_on_host(stock, trainer, *args, **kwargs) -> tuple[list[dict], list]:
    """``Trainer._aggregate_logging_outputs``, what all ranks have logged, in one copy; it is asked for at once."""
    outputs, totals = stock(trainer, *args, **kwargs)
    return together(outputs, *totals)


def log_in_one_copy(stock, trainer, logging_outputs: list[dict] | None, sample_size, grad_norm=None) -> dict | None:
    """``Trainer._reduce_and_log_stats`` with what is still to come to the processor brought there together."""
    outputs, (grad_norm,) = together(logging_outputs or [], grad_norm)
    return stock(trainer, None if logging_outputs is None else outputs, sample_size, grad_norm)


def together(outputs: Sequence[dict], *more) -> tuple[list[dict], list]:
    """Logging outputs and more values, as ``on_host`` has them."""
    found = iter(on_host([*(value for output in outputs for value in output.values()), *more]))
    return [{name: next(found) for name in output} for output in outputs], list(found)


def on_host(values: Sequence) -> list:
    """The same values; tensors of one number that are on a GPU come to the processor, those of a type in one copy.

    >>> on_host([torch.tensor(2.0), 3])
    [tensor(2.), 3]
    """
    values = list(values)
    places = defaultdict(list)
    for place, value in enumerate(values):
        if torch.is_tensor(value) and value.dim() == 0 and value.device.type != "cpu":
            places[value.device, value.dtype].append(place)
    for some in places.values():
        for place, value in zip(some, torch.stack([values[place] for place in some]).cpu().unbind(), strict=True):
            values[place] = value
    return values
