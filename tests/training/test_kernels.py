"""Kernels of torch in place of fairseq's: the same results, to the bit where nothing is summed in another order."""

import pytest
import torch
from fairseq import modules, utils
from fairseq.models.roberta.model import RobertaLMHead

import fairseq_align  # noqa: F401  applies the patches
from fairseq_align.training import kernels


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_gelu_and_its_gradient_are_those_of_fairseq(dtype):
    rng = torch.Generator().manual_seed(1)
    x, up = (8 * torch.randn(64, 64, generator=rng)).to(dtype).requires_grad_(), torch.randn(64, 64, generator=rng)
    activation = RobertaLMHead(8, 9, "gelu").activation_fn
    assert activation is utils.get_activation_fn(activation="gelu") is not modules.gelu  # as layers ask, too
    found, expected = activation(x), modules.gelu(x)
    assert torch.equal(found, expected)
    gradients = [torch.autograd.grad(value, x, up.to(dtype))[0] for value in (found, expected)]
    assert torch.equal(*gradients)


def test_other_activations_stay_as_they_are():
    assert utils.get_activation_fn("gelu_accurate") is modules.gelu_accurate
    assert utils.get_activation_fn("tanh") is torch.tanh


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradients_are_clipped_to_the_length_of_all_of_them(dtype):
    rng = torch.Generator().manual_seed(1)
    parameters = [torch.zeros(*shape, dtype=dtype, requires_grad=True) for shape in ((5, 3), (7,), (1,))]
    for parameter in parameters:
        parameter.grad = torch.randn(parameter.shape, generator=rng).to(dtype)
    gradients = [parameter.grad.clone() for parameter in parameters]
    expected = torch.cat([gradient.double().flatten() for gradient in gradients]).norm()
    norm = utils.clip_grad_norm_(parameters, 0.5)
    assert norm.dtype == torch.float32 and norm.item() == pytest.approx(expected.item(), rel=1e-6)
    one_by_one = torch.stack([torch.norm(gradient, p=2, dtype=torch.float32) for gradient in gradients]).norm()
    assert norm.item() == pytest.approx(one_by_one.item(), rel=1e-6)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        assert torch.allclose(parameter.grad.double(), gradient.double() * 0.5 / expected, rtol=1e-2, atol=1e-7)
    assert kernels.norm_of_all(None, gradients).item() == norm.item()
