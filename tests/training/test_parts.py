"""Parts of an encoder are frozen, have rates of their own, and rows of the table take part in a step or do not."""

import copy

import pytest
import torch
from omegaconf import OmegaConf

from fairseq_align.criterions.align_mlm import AlignMlmLoss
from fairseq_align.errors import InputError
from fairseq_align.huggingface import architecture, fairseq_checkpoint
from fairseq_align.huggingface.architecture import Architecture, Model
from fairseq_align.training import adamw
from fairseq_align.training.adamw import AdamW, AdamWConfig
from tests.support.steps import LAYERS, TABLE, USED, Run
from tests.support.training import weights


def test_a_frozen_part_stays_the_same_to_the_bit(tmp_path):
    encoder = "encoder.sentence_encoder."
    layers = [f"{encoder}layers.{number}." for number in range(LAYERS)]
    run = Run(tmp_path, freeze_layers="0,2")
    assert run.changed() == run.named("") - run.named(layers[0], layers[2])
    run = Run(tmp_path, freeze_encoder=True)
    assert run.changed() == run.named("encoder.lm_head.") | {TABLE}
    run = Run(tmp_path, align_weight=0, freeze_embeddings=True, freeze_layers="0-1")
    assert run.changed() == run.named("") - run.named(TABLE, layers[0], layers[1])


def test_what_is_not_frozen_has_the_gradient_that_it_has_without_to_the_bit(tmp_path):
    whole, partly = Run(tmp_path), Run(tmp_path, freeze_layers="1")
    frozen = partly.named("encoder.sentence_encoder.layers.1.")
    for run in (whole, partly):
        run.step(0)
    expected = {name: parameter.grad for name, parameter in whole.model.named_parameters()}
    for name, parameter in partly.model.named_parameters():
        assert parameter.grad is None if name in frozen else torch.equal(parameter.grad, expected[name]), name


def test_the_head_is_warmed_up_alone(tmp_path):
    run = Run(tmp_path, head_warmup=3)
    assert run.changed(3) == run.named("encoder.lm_head.")
    run.step(3)
    assert run.optimizer.optimizer.state[run.model.encoder.sentence_encoder.embed_tokens.weight]["step"] == 1


def test_rates_of_layers_are_those_stated(tmp_path):
    run = Run(tmp_path, layer_lr_decay=0.5, embeddings_lr=0.1, encoder_lr=0.8, head_lr=3.0)
    run.optimizer.set_lr(2.0)
    found = {id(p): group["lr"] for group in run.optimizer.param_groups for p in group["params"]}
    rates = {name: found[id(parameter)] for name, parameter in run.model.named_parameters()}
    encoder = "encoder.sentence_encoder."
    expected = {
        TABLE: 2.0 * 0.1 * 0.125,
        f"{encoder}embed_positions.weight": 2.0 * 0.8 * 0.125,
        f"{encoder}layers.0.fc1.weight": 2.0 * 0.8 * 0.25,
        f"{encoder}layers.1.self_attn.q_proj.bias": 2.0 * 0.8 * 0.5,
        f"{encoder}layers.2.final_layer_norm.weight": 2.0 * 0.8,
        "encoder.lm_head.dense.weight": 2.0 * 3,
    }
    assert {name: rates[name] for name in expected} == pytest.approx(expected)
    assert run.optimizer.get_lr() == 2.0
    state = run.optimizer.state_dict()
    run.optimizer.load_state_dict(state, {"lr": 5.0})
    assert run.optimizer.get_lr() == 5.0 and run.optimizer.param_groups[0]["lr"] == pytest.approx(5 * 0.1 * 0.125)


def test_a_rate_is_the_size_of_a_step(tmp_path):
    """Adam's first step has the size of the learning rate in every number that has a gradient."""
    run = Run(tmp_path, layer_lr_decay=0.5)
    name = "encoder.sentence_encoder.layers.{}.fc2.bias"
    before = copy.deepcopy(dict(run.model.named_parameters()))
    run.step(0)
    after = dict(run.model.named_parameters())
    for layer, lr in enumerate((0.0025, 0.005, 0.01)):
        moved = (after[name.format(layer)] - before[name.format(layer)]).abs()
        assert moved.median().item() == pytest.approx(lr, rel=0.01)


def test_rows_of_no_text_and_no_pair_stay_the_same_to_the_bit(tmp_path):
    run = Run(tmp_path, sparse_embeddings=True)
    before = run.model.encoder.sentence_encoder.embed_tokens.weight.detach().clone()
    for number in range(3):
        run.step(number)
    after = run.model.encoder.sentence_encoder.embed_tokens.weight
    rows = (after != before).any(dim=1).nonzero().flatten().tolist()
    assert rows == [0, 2, *USED, 8, 9, 24]
    dense = Run(tmp_path)
    before = dense.model.encoder.sentence_encoder.embed_tokens.weight.detach().clone()
    dense.step(0)
    assert (dense.model.encoder.sentence_encoder.embed_tokens.weight != before).any(dim=1).all()


def test_steps_of_rows_are_those_of_adam_on_these_rows():
    """Against AdamW written out in float64; a row that is left out keeps its means of gradients."""
    torch.manual_seed(1)
    table = torch.nn.Parameter(torch.randn(5, 3))
    cfg = OmegaConf.structured(AdamWConfig(lr=[0.05], adam_betas="(0.9, 0.99)", weight_decay=0.1))
    optimizer = AdamW(cfg, [table])
    value, mean, square = table.detach().double().clone(), torch.zeros(5, 3).double(), torch.zeros(5, 3).double()
    for step, rows in enumerate(([0, 1], [1, 3], [0, 1, 2, 3, 4], [3]), 1):
        grad = torch.randn(5, 3)
        table.grad = grad.clone()
        adamw.note(table, rows=torch.tensor(rows))
        optimizer.step()
        g = grad.double()[rows]
        value[rows] *= 1 - 0.05 * 0.1
        mean[rows] = 0.9 * mean[rows] + 0.1 * g
        square[rows] = 0.99 * square[rows] + 0.01 * g**2
        value[rows] -= 0.05 * (mean[rows] / (1 - 0.9**step)) / ((square[rows] / (1 - 0.99**step)).sqrt() + 1e-8)
        assert torch.allclose(table.detach().double(), value, atol=1e-6)


def test_all_rows_are_the_plain_step():
    torch.manual_seed(1)
    start, grads = torch.randn(6, 4), torch.randn(3, 6, 4)
    tables = [torch.nn.Parameter(start.clone()) for _ in range(2)]
    for table, rows in zip(tables, (None, torch.arange(6)), strict=True):
        optimizer = AdamW(OmegaConf.structured(AdamWConfig(lr=[0.05], weight_decay=0.1)), [table])
        for grad in grads:
            table.grad = grad.clone()
            adamw.note(table, rows=rows)
            optimizer.step()
    assert torch.equal(*tables)


def test_settings_that_cannot_be_are_refused_in_one_line(tmp_path):
    for settings, message in (
        ({"freeze_layers": "0-3"}, "found --freeze-layers 0-3, expected numbers from 0 to 2"),
        ({"freeze_layers": "1,a"}, "found --freeze-layers 1,a, expected"),
        ({"freeze_layers": "2-1"}, "found --freeze-layers 2-1, expected"),
        ({"head_lr": 0.0}, "found --head-lr 0.0, expected a number from 0.001 to 100"),
        ({"layer_lr_decay": 1.5}, "found --layer-lr-decay 1.5, expected"),
        ({"head_warmup": -1}, "found --head-warmup -1, expected"),
    ):
        with pytest.raises(InputError, match=message):
            Run(tmp_path, **settings)
    with pytest.raises(InputError, match="found --freeze-embeddings with --align-weight 1, expected one"):
        Run(tmp_path, freeze_embeddings=True).step(0)
    from fairseq.optim.adam import FairseqAdam, FairseqAdamConfig

    def adam(cfg, parameters):
        return FairseqAdam(FairseqAdamConfig(lr=[0.01], adam_betas="(0.9, 0.98)"), parameters)

    for settings in ({"sparse_embeddings": True}, {"head_warmup": 1}, {"encoder_lr": 0.5}):
        with pytest.raises(InputError, match=f"found .*{next(iter(settings)).replace('_', '-')}.*--optimizer adamw"):
            Run(tmp_path, optimizer=adam, **settings).step(0)
    Run(tmp_path, optimizer=adam, freeze_encoder=True).step(0)


def test_an_anchor_holds_the_table(tmp_path):
    """The loss and its gradient are those of the formula by plain autograd."""
    run = Run(tmp_path, align_weight=0)
    table = run.model.encoder.sentence_encoder.embed_tokens.weight
    anchor = torch.randn(table.shape)
    size = Architecture("masked_lm", len(anchor), 1, dim=8, ffn_dim=8, heads=2, positions=12)
    tensors = {name: torch.zeros(shape) for name, shape in architecture.shapes(size).items()}
    model = Model(size, tensors | {TABLE: anchor})
    torch.save(fairseq_checkpoint.to_checkpoint(model, str(tmp_path)), tmp_path / "a.pt")
    losses = []
    for path in (None, str(tmp_path / "a.pt")):
        criterion = AlignMlmLoss(
            run.task, str(tmp_path / "lexicon.tsv"), align_weight=0, anchor=path, anchor_weight=3.0
        )
        tokens = torch.tensor([[0, 4, 24, 2]])
        target = torch.tensor([[1, 1, 7, 1]])
        sample = {"net_input": {"src_tokens": tokens}, "target": target, "ntokens": 4, "nsentences": 1}
        table.grad = None
        loss, _, logged = criterion(run.model, sample)
        loss.backward()
        losses.append((loss.item(), table.grad.clone()))
    free = table.detach().double().clone().requires_grad_()
    drift = (free - anchor.double()).square().sum() / anchor.double().square().sum()
    (3 * drift).backward()
    assert losses[1][0] - losses[0][0] == pytest.approx(3 * drift.item(), rel=1e-5)
    assert torch.allclose((losses[1][1] - losses[0][1]).double(), free.grad, atol=1e-6)
    assert logged["anchor_drift"].item() == pytest.approx(drift.item(), rel=1e-5)


def test_parts_through_the_front_door(pretrain, tmp_path):
    """From a checkpoint on: two layers frozen or slow, the head first, few rows; the log says what is frozen."""
    adam = ["--optimizer", "adamw"]
    pretrain("first", "--max-update", 1, *adam)
    first = tmp_path / "first" / "checkpoint_last.pt"
    flags = ["--freeze-layers", "0", "--layer-lr-decay", 0.5, "--sparse-embeddings", "--anchor", first]
    flags += ["--align-pairs", 4, "--batch-size", 1, "--head-warmup", 1, "--finetune-from-model", first, *adam]
    output = pretrain("then", *flags, "--max-update", 3)
    assert "weights are frozen" in output and "anchor_drift" in output
    before, after = weights(first), weights(tmp_path / "then" / "checkpoint_last.pt")
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert not any(".layers.0." in name for name in changed) and any(".layers.1." in name for name in changed)
    rows = (before[TABLE] != after[TABLE]).any(dim=1)
    assert 0 < int(rows.sum()) < len(rows)
    resumed = pretrain("then", *flags, "--max-update", 4)  # goes on with the optimizer's state
    assert '"num_updates": "4"' in resumed and "Loaded checkpoint" in resumed
