"""Fewer waits for the GPU in a step: fairseq asks it once a layer, and once a figure, what it can ask once."""

from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor, nn


def ask_once(stock, encoder: nn.Module, *args, **kwargs):
    """An encoder's ``forward_scriptable``, with one question whether anything is padded instead of one a layer.

    fairseq asks in its loop over ``encoder.layers``; here that loop has a single turn, which runs all layers.
    """
    if kwargs.get("return_all_hiddens") or any(argument is True for argument in args):
        return stock(encoder, *args, **kwargs)  # the states between the layers are kept in that loop
    layers = encoder.layers

    def run(x: Tensor, **settings) -> Tensor:
        for layer in layers:
            found = layer(x, **settings)
            x = found[0] if isinstance(found, tuple) else found
        return x

    encoder.__dict__["layers"] = [run]  # found before the module of this name
    try:
        return stock(encoder, *args, **kwargs)
    finally:
        del encoder.__dict__["layers"]


def log_in_one_copy(stock, trainer, logging_outputs: list[dict] | None, sample_size, grad_norm=None) -> dict | None:
    """``Trainer._reduce_and_log_stats`` with the figures of an update brought to the processor together."""
    outputs = logging_outputs or []
    found = iter(on_host([value for output in outputs for value in output.values()] + [grad_norm]))
    outputs = [{name: next(found) for name in output} for output in outputs]
    return stock(trainer, None if logging_outputs is None else outputs, sample_size, next(found))


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
