"""How far the gradients of two losses point apart, part by part of the model; only to be looked at."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn


def parts_of(encoder: nn.Module) -> dict[str, list[nn.Parameter]]:
    """Trained parameters of a RoBERTa encoder: ``embeddings``, the word embeddings, and ``layer_1`` and so on."""
    parts = {"embeddings": [encoder.embed_tokens.weight]}
    parts |= {f"layer_{number}": list(layer.parameters()) for number, layer in enumerate(encoder.layers, 1)}
    trained = {name: [parameter for parameter in part if parameter.requires_grad] for name, part in parts.items()}
    return {name: part for name, part in trained.items() if part}


def gradients(loss: Tensor, parts: Mapping[str, Sequence[Tensor]]) -> dict[str, list[Tensor]]:
    """Gradients of a loss by the parameters of each part; the graph stays, and nothing is added to ``.grad``."""
    flat = [parameter for part in parts.values() for parameter in part]
    found = torch.autograd.grad(loss, flat, retain_graph=True, allow_unused=True, materialize_grads=True)
    rest = iter(found)
    return {name: [next(rest) for _ in part] for name, part in parts.items()}


def angle(first: Sequence[Tensor], second: Sequence[Tensor]) -> Tensor:
    """Angle between two gradients of the same parameters in degrees, a scalar in [0, 180]; 90 if one of them is 0.

    90: the losses do not meet; above: what one gains, the other loses.

    >>> angle([torch.tensor([1.0, 0.0]), torch.tensor([0.0])], [torch.tensor([1.0, 1.0]), torch.tensor([0.0])])
    tensor(45.)

    Source: gradient similarity, Du et al. 2018, https://arxiv.org/abs/1812.02224
    """

    def dot(one: Sequence[Tensor], other: Sequence[Tensor]) -> Tensor:
        return torch.stack([(a.float() * b.float()).sum() for a, b in zip(one, other, strict=True)]).sum()

    lengths = (dot(first, first) * dot(second, second)).sqrt().clamp_min(torch.finfo(torch.float32).tiny)
    return (dot(first, second) / lengths).clamp(-1, 1).acos() * (180 / math.pi)
