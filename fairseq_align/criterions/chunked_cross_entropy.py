"""Masked-LM cross entropy, a chunk of logits at a time: those of 2,458 tokens of 250,000 words would take 2.5 GB."""

import torch
from fairseq.models.roberta.model import RobertaLMHead
from torch import Tensor
from torch.autograd.function import once_differentiable


def cross_entropy(head: RobertaLMHead, features: Tensor, target: Tensor, rows: int) -> Tensor:
    """Summed cross entropy of the head's logits, a chunk of rows at a time.

    Loss and gradient of a chunk are made before the logits of the next one. Matrix products are in the precision of
    the features or of autocast, softmax and loss at least in float32. In float16 gradients need the scale of the loss,
    which comes with the backward pass: there the logits are made again. Without grad mode no gradient is made.

    Args:
        head: fairseq's masked-LM head; its bias and its weight, which may be the word embeddings, get gradients.
        features: states of the masked tokens, shape (N, C).
        target: ids of their words, int64, shape (N,).
        rows: number of rows of logits that are held at once, at least 1.

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
    # asked here, as within a Function grad mode is always off, and the weights need gradients in validation, too
    return _CrossEntropy.apply(*inputs) if torch.is_grad_enabled() else _in_chunks(*inputs, None)[0]


class _CrossEntropy(torch.autograd.Function):
    """Summed cross entropy of ``hidden @ weight.T + bias``; its gradients are made along with it, except in float16."""

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
        gradients, ctx.gradients = ctx.gradients, None  # not kept: they are as large as the weights
        if gradients is None:
            _, gradients = _in_chunks(*ctx.saved_tensors, ctx.rows, scale)
        elif scale.device.type != "cpu" or scale != 1:  # reading it from a GPU would wait for all that is under way
            for gradient in gradients:
                gradient.mul_(scale)
        return *gradients, None, None


def _in_chunks(
    hidden: Tensor, weight: Tensor, bias: Tensor, target: Tensor, rows: int, scale: float | Tensor | None
) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor] | None]:
    """The loss, and its gradients by hidden, weight and bias times ``scale``; None for gradients without a scale."""
    precise = torch.promote_types(hidden.dtype, torch.float32)
    loss = hidden.new_zeros((), dtype=precise)
    grad_hidden, grad_weight, grad_bias = torch.empty_like(hidden), None, torch.zeros_like(bias, dtype=precise)
    with torch.autocast(hidden.device.type, enabled=False):
        table, offset = weight.to(hidden.dtype), bias.to(hidden.dtype)
        space = hidden.new_empty(min(rows, len(hidden)), len(weight), dtype=precise)  # once: getting memory takes time
        chunks = zip(hidden.split(rows), grad_hidden.split(rows), target.split(rows), strict=True)
        for chunk, grad_chunk, words in chunks:
            words = words.unsqueeze(1)
            scores = space[: len(chunk)]
            if hidden.dtype == precise:
                torch.addmm(offset, chunk, table.T, out=scores)
            else:
                scores.copy_(torch.addmm(offset, chunk, table.T))
            scores -= scores.amax(1, keepdim=True)
            target_scores = scores.gather(1, words)
            total = scores.exp_().sum(1, keepdim=True)
            loss += (total.log() - target_scores).sum()
            if scale is None:
                continue
            scores *= scale / total
            scores.scatter_add_(1, words, -torch.ones_like(target_scores) * scale)
            grad_bias += scores.sum(0)
            scores = scores.to(hidden.dtype)
            torch.mm(scores, table, out=grad_chunk)
            if grad_weight is None:
                grad_weight = (scores.T @ chunk).to(weight.dtype)
            elif grad_weight.dtype == scores.dtype:
                grad_weight.addmm_(scores.T, chunk)
            else:
                grad_weight += scores.T @ chunk
    return loss, None if scale is None else (grad_hidden, grad_weight, grad_bias.to(bias.dtype))
