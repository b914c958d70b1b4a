"""Masked-LM cross entropy without ever holding the logits of all masked tokens: 2.5 GB for 2,458 of 250,000 words."""

import torch
from fairseq.models.roberta.model import RobertaLMHead
from torch import Tensor
from torch.autograd.function import once_differentiable


def cross_entropy(head: RobertaLMHead, features: Tensor, target: Tensor, rows: int) -> Tensor:
    """Summed cross entropy of the head's logits, a few rows of them at a time.

    Loss and gradient of some rows are made before the logits of the next ones. Matrix products are in the precision of
    the features or of autocast, softmax and loss at least in float32. In float16 gradients need the scale of the loss,
    which comes with the backward pass: there the logits are made again. Without grad mode no gradient is made.

    Args:
        head: fairseq's masked-LM head; its bias and its weight, which may be the word embeddings, get gradients.
        features: states of the masked tokens, shape (N, C).
        target: their words, int64, shape (N,).
        rows: how many rows of logits are held at once, at least 1.

    Returns:
        scalar, nats, at least in float32; of no rows 0, with gradients that are 0.

    Source: gradients along with the loss as in Liger Kernel, Hsu et al. 2024, https://arxiv.org/abs/2410.10989
    """
    if not len(target):  # ranks wait for a gradient of every parameter
        return 0 * (head(features.new_zeros(1, features.shape[-1])).sum() + features.sum())
    hidden = head.layer_norm(head.activation_fn(head.dense(features)))
    device = hidden.device.type
    if torch.is_autocast_enabled(device):
        hidden = hidden.to(torch.get_autocast_dtype(device))
    inputs = hidden, head.weight, head.bias, target, rows
    # a Function cannot tell: within, grad mode is off, and its weights need gradients in validation, too
    return _CrossEntropy.apply(*inputs) if torch.is_grad_enabled() else _in_chunks(*inputs, None)[0]


class _CrossEntropy(torch.autograd.Function):
    """Summed cross entropy of ``hidden @ weight.T + bias``; its gradients are made with it, but for float16."""

    @staticmethod
    def forward(ctx, hidden: Tensor, weight: Tensor, bias: Tensor, target: Tensor, rows: int) -> Tensor:
        ctx.rows = rows
        ctx.save_for_backward(hidden, weight, bias, target)
        early = any(ctx.needs_input_grad) and hidden.dtype != torch.float16
        loss, ctx.gradients = _in_chunks(hidden, weight, bias, target, rows, 1.0 if early else None)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx, scale: Tensor):
        gradients, ctx.gradients = ctx.gradients, None  # given away: they are as large as the weights
        if gradients is None:
            _, gradients = _in_chunks(*ctx.saved_tensors, ctx.rows, scale)
        elif scale.device.type != "cpu" or scale != 1:  # reading it from a GPU would wait for all that is under way
            for gradient in gradients:
                gradient.mul_(scale)
        return *gradients, None, None


def _in_chunks(
    hidden: Tensor, weight: Tensor, bias: Tensor, target: Tensor, rows: int, scale: float | Tensor | None
) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor] | None]:
    """The loss, and its gradients times a scale if there is one."""
    precise = torch.promote_types(hidden.dtype, torch.float32)
    loss = hidden.new_zeros((), dtype=precise)
    of_hidden, of_weight, of_bias = torch.empty_like(hidden), None, torch.zeros_like(bias, dtype=precise)
    with torch.autocast(hidden.device.type, enabled=False):
        table, offset = weight.to(hidden.dtype), bias.to(hidden.dtype)
        space = hidden.new_empty(min(rows, len(hidden)), len(weight), dtype=precise)  # getting memory takes time, too
        for some, of_some, words in zip(hidden.split(rows), of_hidden.split(rows), target.split(rows), strict=True):
            words = words.unsqueeze(1)
            scores = space[: len(some)]
            if hidden.dtype == precise:
                torch.addmm(offset, some, table.T, out=scores)
            else:
                scores.copy_(torch.addmm(offset, some, table.T))
            scores -= scores.amax(1, keepdim=True)
            wanted = scores.gather(1, words)
            total = scores.exp_().sum(1, keepdim=True)
            loss += (total.log() - wanted).sum()
            if scale is None:
                continue
            scores *= scale / total
            scores.scatter_add_(1, words, -torch.ones_like(wanted) * scale)
            of_bias += scores.sum(0)
            scores = scores.to(hidden.dtype)
            torch.mm(scores, table, out=of_some)
            if of_weight is None:
                of_weight = (scores.T @ some).to(weight.dtype)
            elif of_weight.dtype == scores.dtype:
                of_weight.addmm_(scores.T, some)
            else:
                of_weight += scores.T @ some
    return loss, None if scale is None else (of_hidden, of_weight, of_bias.to(bias.dtype))
