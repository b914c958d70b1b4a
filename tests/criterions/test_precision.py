"""Loss and gradients of one batch, as fairseq's Trainer makes them in each precision, against float64 on the CPU.

The reference is plain: fairseq's masked-LM loss and autograd's alignment loss, on the very weights that the trainer has
(halves are exact in float64). So what remains is the arithmetic of the device and of our fast ways through a step. On a
CPU in float32 and bfloat16; what needs a GPU is skipped without one.
"""

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from fairseq.criterions.masked_lm import MaskedLmConfig, MaskedLmLoss

from benchmarks.common.corpora import dictionary_of, write_lexicon
from benchmarks.common.trainers import trainer
from fairseq_align.embeddings.alignment_loss import alignment_loss

PIECES, PADDING = 400, 1
TOLERANCE = {"fp32": 2e-4, "bf16": 4e-2, "fp16": 2e-2, "amp": 2e-2, "bf16 weights": 6e-2}
MODEL = "--arch roberta --encoder-layers 2 --encoder-embed-dim 64 --encoder-ffn-embed-dim 128 --max-positions 128"
MODEL += " --encoder-attention-heads 4 --tokens-per-sample 128 --dropout 0 --attention-dropout 0 --lr 1e-3"
OURS = "--task align_mlm --langs en --criterion align_mlm --clip-norm 1.0 --log-format none --optimizer adamw"
PRECISIONS = {"bf16": ["--autocast", "bf16"], "fp16": ["--fp16"], "amp": ["--amp"]}
FLAGS = {
    "plain": "",
    "chunks": "--logits-chunk 64",
    "contrastive": "--logits-chunk 64 --align-loss contrastive --align-pairs 64",
    "squared distance": "--align-loss l2 --align-pairs 64",
}
BY_DEVICE = {"cpu": ("fp32", "bf16"), "cuda": tuple(TOLERANCE)}


def cases():
    for device, precisions in BY_DEVICE.items():
        for precision in precisions:
            for name in FLAGS:
                yield pytest.param(device, precision, name, marks=[pytest.mark.cuda] * (device == "cuda"))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    dictionary_of(PIECES).save(str(folder / "dict.txt"))
    torch.manual_seed(1)
    write_lexicon(folder / "lexicon.tsv", PIECES, 200)
    return folder


def batch(size: int, padded: bool, items: int = 8, tokens: int = 64) -> dict:
    """Words of Zipfian frequency, so that some come up often; 15 % of them are predicted."""
    rng = np.random.default_rng(1)
    frequency = 1 / np.arange(1, size - 4)
    ids = torch.from_numpy(4 + rng.choice(size - 5, (items, tokens), p=frequency / frequency.sum()))
    lengths = torch.from_numpy(rng.integers(tokens // 2, tokens + 1, items)) if padded else torch.full((items,), tokens)
    outside = torch.arange(tokens) >= lengths[:, None]
    predicted = torch.from_numpy(rng.random((items, tokens)) < 0.15) & ~outside
    return {
        "id": torch.arange(items),
        "net_input": {"src_tokens": ids.masked_fill(outside, PADDING), "src_lengths": lengths},
        "target": ids.masked_fill(~predicted, PADDING),
        "ntokens": int(lengths.sum()),
        "nsentences": items,
    }


def measured(made, sample: dict) -> tuple[float, dict[str, torch.Tensor]]:
    """Loss and gradients of the trainer, without the scale of the loss."""
    made.model.train()
    made.criterion.train()
    made.zero_grad()
    moved, _ = made._prepare_sample(sample)
    loss, _, _ = made.task.train_step(moved, made.model, made.criterion, made.optimizer, 0)
    scaler = getattr(made.optimizer, "scaler", None)
    scale = 1.0 if scaler is None else getattr(scaler, "loss_scale", None) or scaler.get_scale()
    named = made.get_model().named_parameters()
    return loss.item(), {name: parameter.grad.detach().double().cpu() / scale for name, parameter in named}


def expected(made, sample: dict) -> tuple[float, dict[str, torch.Tensor]]:
    """The same in float64 on the CPU, by plain means."""
    model = copy.deepcopy(made.get_model()).cpu().double().train()
    model.zero_grad()
    task = SimpleNamespace(source_dictionary=made.task.source_dictionary, target_dictionary=made.task.source_dictionary)
    loss, size, _ = MaskedLmLoss(MaskedLmConfig(tpu=False), task)(model, sample)
    criterion = made.get_criterion()
    pairs = criterion.draw().to(torch.device("cpu"))
    table = model.encoder.sentence_encoder.embed_tokens.weight
    loss = loss.double() + criterion.align_weight * size * alignment_loss(table, pairs, criterion.pair_loss)
    loss.backward()
    return loss.item(), {name: parameter.grad for name, parameter in model.named_parameters()}


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize(("device", "precision", "flags"), list(cases()))
def test_a_batch_has_the_loss_and_gradients_of_float64(data, device, precision, flags, padded):
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("waits for a GPU")
    torch.manual_seed(1)
    more = [*PRECISIONS.get(precision, []), *FLAGS[flags].split(), *(["--cpu"] if device == "cpu" else [])]
    lexicon = ["--lexicon", str(data / "lexicon.tsv")]
    made = trainer(data, [*MODEL.split(), *OURS.split(), *lexicon, *more], precision == "bf16 weights")
    sample = batch(PIECES + 5, padded)
    loss, gradients = measured(made, sample)
    exact_loss, exact = expected(made, sample)
    tolerance = TOLERANCE[precision]
    assert loss == pytest.approx(exact_loss, rel=tolerance)
    # biases of keys have a gradient of 0 but for rounding: what is small beside all of it counts as that much
    least = 1e-3 * torch.stack([gradient.norm() for gradient in exact.values()]).norm()
    for name, gradient in exact.items():
        assert (gradients[name] - gradient).norm() <= tolerance * gradient.norm().clamp_min(least), name
