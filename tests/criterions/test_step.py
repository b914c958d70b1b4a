"""The fast ways through a training step do what the plain ones do."""

import copy
import os
from argparse import Namespace
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from fairseq.data import Dictionary
from fairseq.models.roberta.model import RobertaLMHead, RobertaModel, base_architecture
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from fairseq_align.criterions import chunked_cross_entropy as logits
from fairseq_align.embeddings.shared_gradient import looked_up
from fairseq_align.errors import InputError
from fairseq_align.training.adamw import AdamW, AdamWConfig
from tests.support import processes, warm
from tests.support.training import same, updates

VOCABULARY, DIM, PADDING = 23, 6, 1


class Model(nn.Module):
    """An encoder of one layer whose embeddings are its output layer's, too."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, DIM, PADDING)
        self.layer = nn.Linear(DIM, DIM)
        self.head = RobertaLMHead(DIM, VOCABULARY, "gelu", self.words.weight)

    def forward(self, ids):
        return self.layer(self.words(ids)).tanh()


def model(dtype=torch.float64, seed=1) -> Model:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = Model().to(dtype)
        nn.init.normal_(made.head.bias)
        return made


def batch(items=5, length=7, seed=1) -> tuple[torch.Tensor, torch.Tensor]:
    """Words, some of them padding, and which of them are predicted."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(VOCABULARY, (items, length), generator=generator)
    return ids, torch.rand(items, length, generator=generator) < 0.4


def losses_and_gradients(made: Model, ids, masked, target, rows: int, scale=1.0):
    """Value and gradients of the plain loss, or with ``rows`` of the chunked one, times a scale that is divided out."""
    made = copy.deepcopy(made)
    if rows:
        with looked_up(made.words):
            features = made(ids)[masked]
        loss = logits.cross_entropy(made.head, features, target, rows)
    else:
        scores = made.head(made(ids)[masked])
        half = scores.dtype in (torch.float16, torch.bfloat16)
        loss = F.cross_entropy(scores.float() if half else scores, target, reduction="sum")
    (scale * loss).backward()
    return loss.item(), {name: value.grad.double() / scale for name, value in made.named_parameters()}


@given(rows=st.integers(1, 40), seed=st.integers(0, 99))
def test_chunked_cross_entropy_is_the_plain_one(rows, seed):
    ids, masked = batch(seed=seed)
    target = torch.randint(VOCABULARY, (int(masked.sum()),), generator=torch.Generator().manual_seed(seed))
    loss, gradients = losses_and_gradients(model(seed=seed), ids, masked, target, rows)
    expected, expected_gradients = losses_and_gradients(model(seed=seed), ids, masked, target, 0)
    assert loss == pytest.approx(expected, rel=1e-12)
    assert gradients.keys() == expected_gradients.keys()
    for name, gradient in gradients.items():
        assert torch.allclose(gradient, expected_gradients[name], rtol=1e-10, atol=1e-12), name


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-6), (torch.bfloat16, 3e-2), (torch.float16, 3e-3)])
def test_chunked_cross_entropy_keeps_the_precision_of_the_plain_one(dtype, tolerance):
    """Halves with the scale of the loss of fp16 training; both are compared with float64 on the same weights."""
    made = model(dtype)
    ids, masked = batch(60)
    target = torch.randint(VOCABULARY, (int(masked.sum()),), generator=torch.Generator().manual_seed(1))
    exact, exact_gradients = losses_and_gradients(copy.deepcopy(made).double(), ids, masked, target, 0)
    loss, gradients = losses_and_gradients(made, ids, masked, target, 16, 128.0)
    assert loss == pytest.approx(exact, rel=tolerance)
    for name, gradient in gradients.items():
        assert (gradient - exact_gradients[name]).norm() <= tolerance * exact_gradients[name].norm(), name


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-6), (torch.float16, 2e-2)])
def test_gradients_of_chunks_can_be_made_again(dtype, tolerance):
    """What the forward pass made is given away in the first backward pass; float16 makes them in every one."""
    made = model(dtype)
    ids, masked = batch()
    loss = logits.cross_entropy(made.head, made(ids)[masked], torch.zeros(int(masked.sum()), dtype=torch.int64), 4)
    (first,) = torch.autograd.grad(3 * loss, made.words.weight, retain_graph=True)
    (second,) = torch.autograd.grad(loss, made.words.weight)
    assert torch.allclose(first, 3 * second, rtol=tolerance, atol=tolerance) and first.any()  # GELU is in float32


def test_validation_makes_no_gradients_of_chunks():
    head = model(torch.float32).head
    features, target = torch.ones(10, DIM), torch.arange(10)
    with torch.no_grad(), FlopCounterMode(display=False) as counted:
        loss = logits.cross_entropy(head, features, target, 4)
    assert counted.get_total_flops() == 2 * 10 * DIM * (DIM + VOCABULARY)  # dense layer and logits, once
    assert loss == pytest.approx(logits.cross_entropy(head, features, target, 4).item())


def test_chunks_within_autocast_multiply_in_its_precision():
    made = model(torch.float32)
    ids, masked = batch(60)
    target = torch.randint(VOCABULARY, (int(masked.sum()),), generator=torch.Generator().manual_seed(1))
    exact, exact_gradients = losses_and_gradients(copy.deepcopy(made).double(), ids, masked, target, 0)
    with torch.autocast("cpu", torch.bfloat16):
        loss, gradients = losses_and_gradients(made, ids, masked, target, 16)
    assert loss != pytest.approx(exact, rel=1e-6) and loss == pytest.approx(exact, rel=1e-2)
    for name, gradient in gradients.items():
        assert (gradient - exact_gradients[name]).norm() <= 3e-2 * exact_gradients[name].norm(), name


def test_a_batch_without_masked_tokens_has_gradients_of_0():
    ids, _ = batch()
    loss, gradients = losses_and_gradients(model(), ids, torch.zeros_like(ids, dtype=bool), torch.empty(0).long(), 4)
    assert loss == 0 and all(gradient.eq(0).all() for gradient in gradients.values())


def test_look_ups_are_as_before_outside_and_without_gradient():
    made = model()
    ids, _ = batch()
    with torch.no_grad(), looked_up(made.words):
        assert torch.equal(made.words(ids), F.embedding(ids, made.words.weight))
    made.words(ids).sum().backward()
    used = ids[ids != PADDING].bincount(minlength=VOCABULARY)
    assert torch.equal(made.words.weight.grad[:, 0], used.double())


def check_gradients_of_ddp(store: str) -> None:
    """Gradients of torch's DistributedDataParallel are those of the model alone; run by the test below."""
    ids, masked = batch()
    target = torch.zeros(int(masked.sum()), dtype=torch.int64)
    _, expected = losses_and_gradients(model(), ids, masked, target, 0)
    torch.distributed.init_process_group("gloo", f"file://{store}", world_size=1, rank=0)
    made = nn.parallel.DistributedDataParallel(model())
    for _ in range(2):  # the buckets are laid out anew after the first
        made.zero_grad()
        with looked_up(made.module.words):
            features = made(ids)[masked]
        logits.cross_entropy(made.module.head, features, target, 4).backward()
        for name, parameter in made.module.named_parameters():
            assert torch.allclose(parameter.grad, expected[name], rtol=1e-10, atol=1e-12), name
    print("equal", flush=True)
    os._exit(0)  # else destructors join gloo's threads while they hold the interpreter lock, which can hang


def test_ddp_sends_off_what_is_added_in_place(tmp_path):
    """DistributedDataParallel copies gradients to buckets and back: what came too late would be lost."""
    assert processes.call(check_gradients_of_ddp, tmp_path / "store", env=warm.cold()) == "equal\n"


def test_attention_without_padding_is_torchs_flash_kernel():
    """fairseq leaves the mask out when nothing is padded, and torch takes the kernel that holds no matrix of scores."""
    args = Namespace(encoder_layers=1, encoder_embed_dim=8, encoder_ffn_embed_dim=8, encoder_attention_heads=2)
    args.max_positions, args.dropout, args.attention_dropout = 9, 0.0, 0.0
    base_architecture(args)
    dictionary = Dictionary()
    made = RobertaModel.build_model(args, SimpleNamespace(source_dictionary=dictionary))
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        made(torch.full((2, 9), dictionary.unk()))[0].sum().backward()
    assert any("flash_attention" in event.key for event in profile.key_averages())


def test_chunked_training_follows_plain_training(pretrain):
    flags = ["--max-update", 10, "--dropout", 0, "--attention-dropout", 0]
    chunked = pretrain("chunked", *flags, "--logits-chunk", 5)
    expected = pretrain("plain", *flags)
    for name in ("mlm_loss", "align_cos", "gnorm"):
        assert updates(chunked, name) == pytest.approx(updates(expected, name), rel=2e-3)


def test_chunks_are_refused_where_ddp_looks_for_unused_parameters(pretrain):
    """It would take the output layer for unused, as that is not in what the model returns."""
    flags = ["--find-unused-parameters", "--max-update", 1]
    refused = pretrain("both", *flags, "--logits-chunk", 5, check=False)
    assert refused.returncode == 1 and "Traceback" not in refused.stderr
    assert "error: found --find-unused-parameters with --logits-chunk, expected one of them" in refused.stderr
    assert len(updates(pretrain("plain", *flags), "loss")) == 1


def test_adamw_is_adam_with_decoupled_decay(pretrain, tmp_path):
    flags = ["--max-update", 10, "--weight-decay", 0.1, "--adam-betas", "(0.9, 0.95)", "--adam-eps", "1e-10"]
    fused = pretrain("fused", *flags, "--optimizer", "adamw")
    expected = pretrain("adam", *flags, "--optimizer", "adam")
    assert updates(fused, "loss") == pytest.approx(updates(expected, "loss"), rel=2e-3)
    assert not same(tmp_path / "fused" / "checkpoint_last.pt", tmp_path / "adam" / "checkpoint_last.pt")


@pytest.mark.parametrize("betas", ["0.9", "(0.9, 1)", "(0.9, 0.98, 0)", "(a, 0.98)"])
def test_betas_that_are_none_are_refused_in_one_line(betas):
    cfg = AdamWConfig(adam_betas=betas, lr=[1e-3])
    with pytest.raises(InputError, match="expected two numbers from 0 to below 1"):
        AdamW(cfg, [nn.Parameter(torch.zeros(2))])


def test_autocast_computes_in_bfloat16_and_keeps_weights_in_float32(pretrain, tmp_path):
    flags = ["--max-update", 30, "--align-weight", 1]
    half = pretrain("half", *flags, "--autocast", "bf16")
    whole = pretrain("whole", *flags)
    found, expected = updates(half, "mlm_loss"), updates(whole, "mlm_loss")
    assert found != expected and found == pytest.approx(expected, rel=0.02)
    chunked = pretrain("chunked", *flags, "--autocast", "bf16", "--logits-chunk", 5)
    assert updates(chunked, "mlm_loss") == pytest.approx(expected, rel=0.02)
    state = torch.load(tmp_path / "half" / "checkpoint_last.pt", weights_only=True)["model"]
    assert {value.dtype for value in state.values() if value.is_floating_point()} == {torch.float32}
    refused = pretrain("both", *flags, "--autocast", "bf16", "--amp", check=False)
    assert refused.returncode == 1 and "error: found --autocast bf16 and --amp, expected one" in refused.stderr
