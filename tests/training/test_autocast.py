"""Half precision on a CPU: matrix products in bfloat16, attention in float32."""

import pytest
import torch
import torch.nn.functional as F
from fairseq.modules import MultiheadAttention

from fairseq_align.training.autocast import in_half


def gradients(attend, *inputs: torch.Tensor) -> list[torch.Tensor]:
    found = attend(*inputs)
    return [found, *torch.autograd.grad(found.float().pow(2).sum(), inputs)]


@pytest.mark.parametrize("masked", [False, True])
def test_attention_is_that_of_float32_rounded(masked):
    rng = torch.Generator().manual_seed(1)
    inputs = [torch.randn(2, 3, 5, 4, generator=rng).bfloat16().requires_grad_() for _ in range(3)]
    mask = torch.zeros(2, 1, 1, 5, dtype=torch.bfloat16)
    mask[0, ..., 3:] = float("-inf")

    def half(*inputs):
        with in_half("cpu", torch.bfloat16):
            return F.scaled_dot_product_attention(*inputs, attn_mask=mask if masked else None, dropout_p=0.0)

    def expected(*inputs):
        exact = [value.float() for value in inputs]
        return F.scaled_dot_product_attention(*exact, mask.float() if masked else None).bfloat16()

    for one, other in zip(gradients(half, *inputs), gradients(expected, *inputs), strict=True):
        assert one.dtype == torch.bfloat16 and torch.equal(one, other)


def test_the_attention_of_fairseq_takes_part():
    torch.manual_seed(1)
    layer, x = MultiheadAttention(64, 4, self_attention=True), torch.randn(32, 4, 64)

    def off(context) -> float:
        with context:
            return (layer(x, x, x, need_weights=False)[0].float() - exact).norm().item()

    exact = layer(x, x, x, need_weights=False)[0]
    assert 0 < off(in_half("cpu", torch.bfloat16)) < off(torch.autocast("cpu", torch.bfloat16))


def test_torch_is_as_it_was_afterwards():
    stock = F.scaled_dot_product_attention
    with pytest.raises(KeyError), in_half("cpu", torch.bfloat16):
        assert F.scaled_dot_product_attention is not stock
        raise KeyError
    assert F.scaled_dot_product_attention is stock
