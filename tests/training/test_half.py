"""Training with ``--fp16`` (weights in half, a float32 copy of them, a scale of the loss) and ``--amp`` (a scale).

fairseq files the float32 copy under the number of the current GPU. Here that is ``None``, as tensors of the CPU name
their device, and the scaler of ``--amp`` is torch's for the CPU; all else, halves included, is as it would be there.
"""

import pytest

from tests.support.training import same, state, updates

SCRIPT = """
import functools
import torch
from fairseq_cli.train import cli_main

torch.cuda.current_device = lambda: None
torch.Tensor.cuda = lambda tensor: tensor
torch.cuda.amp.GradScaler = functools.partial(torch.amp.GradScaler, "cpu")
cli_main()
"""
FLAGS = ["--dropout", 0, "--attention-dropout", 0, "--no-epoch-checkpoints"]


@pytest.fixture
def scaled(pretrain, tmp_path):
    """``pretrain`` with ``--fp16`` or ``--amp`` as on a GPU."""
    (tmp_path / "fairseq-train").write_text(SCRIPT)
    return lambda name, *flags, **more: pretrain(
        name, *FLAGS, *flags, command=("python", tmp_path / "fairseq-train"), **more
    )


@pytest.fixture
def half(scaled):
    return lambda name, *flags, **more: scaled(name, "--fp16", *flags, **more)


def test_weight_0_is_the_stock_criterion_to_the_bit(half, tmp_path):
    ours = half("ours", "--align-weight", 0, "--max-update", 20)
    stock = half("stock", "--max-update", 20, criterion="masked_lm")
    assert updates(ours, "mlm_loss") == updates(stock, "loss") and len(updates(ours, "loss")) == 20
    assert updates(ours, "loss_scale") == updates(stock, "loss_scale")
    assert same(tmp_path / "ours" / "checkpoint_last.pt", tmp_path / "stock" / "checkpoint_last.pt")


@pytest.mark.parametrize(
    "flags", ["", "--optimizer adamw --logits-chunk 5", "--align-loss contrastive --align-pairs 64"]
)
def test_half_precision_follows_float32(half, pretrain, flags):
    found = half("half", *flags.split(), "--max-update", 30)
    expected = pretrain("whole", *FLAGS, *flags.split(), "--max-update", 30)
    for name, tolerance in (("mlm_loss", 0.01), ("align_loss", 0.02), ("gnorm", 0.1)):
        assert updates(found, name) == pytest.approx(updates(expected, name), rel=tolerance, abs=5e-3), name


def test_an_update_that_overflows_is_left_out_and_the_scale_halved(half):
    flags = ["--optimizer", "adamw", "--logits-chunk", 5, "--max-update", 10]
    output = half("model", *flags, "--fp16-init-scale", 2**24)
    lost = output.count("gradient overflow detected")
    assert lost > 0 and updates(output, "loss_scale")[-1] == 2 ** (24 - lost)
    assert updates(output, "num_updates") == list(range(1, 11))
    assert updates(output, "loss")[-1] < updates(output, "loss")[0]


def test_a_resumed_run_goes_on_from_the_halves_of_the_checkpoint(half):
    """fairseq saves no master weights, so the losses are not those of an uninterrupted run to the bit."""
    flags = ["--align-pairs", 8, "--save-interval-updates", 10, "--optimizer", "adamw", "--logits-chunk", 5]
    whole = half("whole", *flags, "--max-update", 20)
    half("halves", *flags, "--max-update", 10)
    second = half("halves", *flags, "--max-update", 20)
    assert updates(second, "num_updates")[0] == 11 and updates(second, "loss")[0] == updates(whole, "loss")[10]
    assert updates(second, "loss") == pytest.approx(updates(whole, "loss")[10:], abs=0.01)


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_amp_trains_as_float32_whatever_the_scale(scaled, pretrain, optimizer):
    """Its autocast is of GPUs: here a power of two times the loss, off the gradients again, is all that is added."""
    flags = ["--optimizer", optimizer, "--max-update", 20]
    found = scaled("amp", *flags, "--amp", "--fp16-init-scale", 2**15)
    expected = pretrain("whole", *FLAGS, *flags)
    for name in ("mlm_loss", "align_loss", "gnorm"):
        assert updates(found, name) == pytest.approx(updates(expected, name), rel=1e-3), name


def test_amp_goes_on_with_its_scale_and_to_the_bit(scaled, tmp_path):
    flags = ["--amp", "--fp16-init-scale", 2**10, "--amp-scale-window", 3, "--save-interval-updates", 5]
    whole = scaled("whole", *flags, "--max-update", 10)
    scaled("halves", *flags, "--max-update", 5)
    second = scaled("halves", *flags, "--max-update", 10)
    assert updates(second, "loss") == updates(whole, "loss")[5:] and len(updates(second, "loss")) == 5
    one, other = (
        state(tmp_path / name / "checkpoint_last.pt")["last_optimizer_state"]["grad_scaler"]
        for name in ("halves", "whole")
    )
    assert one == other and one["scale"] == 2 ** (10 + 3)  # it doubles every third update
    assert same(tmp_path / "halves" / "checkpoint_last.pt", tmp_path / "whole" / "checkpoint_last.pt")
