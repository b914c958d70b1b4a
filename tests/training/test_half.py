"""Training with ``--fp16`` (weights in half, a float32 copy of them, a scale of the loss) and ``--amp`` (a scale).

fairseq files the float32 copy under the number of the current GPU. Here that is ``None``, as tensors of the CPU name
their device, and the scaler of ``--amp`` is torch's for the CPU; all else, halves included, is as it would be there.
"""

import pytest
import torch
from fairseq.optim.fp16_optimizer import FP16Optimizer
from omegaconf import OmegaConf

from fairseq_align.errors import InputError
from fairseq_align.training.adamw import AdamW, AdamWConfig
from tests.support.training import same, state, updates

SCRIPT = """
import functools
import torch
import fairseq_align
from fairseq.trainer import Trainer
from fairseq_cli.train import cli_main

Trainer._build_optimizer = Trainer._build_optimizer.__wrapped__  # refuses --fp16 on a CPU
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


@pytest.mark.parametrize("more", [[], ["--fp16-no-flatten-grads"]])
def test_a_resumed_run_goes_on_from_the_float32_weights_to_the_bit(half, tmp_path, more):
    flags = ["--align-pairs", 8, "--save-interval-updates", 10, "--optimizer", "adamw", "--logits-chunk", 5]
    flags += ["--fp16-scale-window", 3, *more]  # the scale doubles every third update
    whole = half("whole", *flags, "--max-update", 20)
    half("halves", *flags, "--max-update", 10)
    second = half("halves", *flags, "--max-update", 20)
    assert updates(second, "num_updates") == list(range(11, 21))
    for name in ("loss", "loss_scale"):
        assert updates(second, name) == updates(whole, name)[10:], name
    one, other = (state(tmp_path / name / "checkpoint_last.pt") for name in ("halves", "whole"))
    weights, expected = (found["last_optimizer_state"]["fp32_weights"] for found in (one, other))
    assert len(weights) == (len(one["model"]) - 2 if more else 1)  # the output layer is the table; "version" is none
    assert all(torch.equal(found, whole) for found, whole in zip(weights, expected, strict=True))
    assert any((found != found.half()).any() for found in weights)


def test_a_checkpoint_of_before_goes_on_from_its_halves(half, tmp_path):
    flags = ["--align-pairs", 8, "--save-interval-updates", 10]
    whole = half("whole", *flags, "--max-update", 20)
    half("halves", *flags, "--max-update", 10)
    path = tmp_path / "halves" / "checkpoint_last.pt"
    before = state(path)
    for name in ("fp32_weights", "loss_scale_counters"):
        del before["last_optimizer_state"][name]
    torch.save(before, path)
    second = half("halves", *flags, "--max-update", 20)
    assert updates(second, "loss")[0] == updates(whole, "loss")[10]
    assert updates(second, "loss") == pytest.approx(updates(whole, "loss")[10:], abs=0.01)


def test_float32_weights_of_another_model_are_refused_in_one_line():
    def optimizer(size: int) -> FP16Optimizer:
        cfg = OmegaConf.create({"common": {"bf16": True}, "optimizer": None, "optimization": {"update_freq": [1]}})
        cfg.common.fp16_scale_window = 1
        weights = torch.nn.Parameter(torch.ones(size))
        return FP16Optimizer(cfg, [weights], AdamW(AdamWConfig(lr=[1e-3]), [weights]), [weights])

    with pytest.raises(InputError, match="found 3 float32 weights in the checkpoint, expected the 2 that are to train"):
        optimizer(2).load_state_dict(optimizer(3).state_dict())


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--fp16", "found --fp16 on a CPU, expected a GPU; leave it out, or take --autocast bf16"),
        ("--memory-efficient-fp16", "found --fp16 on a CPU, expected a GPU"),
    ],
)
def test_half_precision_on_a_cpu_is_refused_in_one_line(pretrain, flags, message):
    refused = pretrain("model", *flags.split(), "--max-update", 1, check=False)
    assert refused.returncode == 1 and message in refused.stderr and "Traceback" not in refused.stderr


def test_weights_in_half_alone_need_an_optimizer_that_can(scaled):
    flags = ["--memory-efficient-fp16", "--max-update", 5, "--optimizer"]
    refused = scaled("none", *flags, "adamw", check=False)
    assert refused.returncode == 1
    assert "found --optimizer adamw with weights in half alone, expected one that computes in float32" in refused.stderr
    assert len(updates(scaled("model", *flags, "adam"), "loss")) == 5


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
