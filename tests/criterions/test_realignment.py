"""Contextual realignment: its loss by hand, and what a training makes of it."""

import json
import re

import numpy as np
import pytest
import torch
from fairseq import tasks
from fairseq.criterions.masked_lm import MaskedLmConfig

from fairseq_align.criterions.realignment import Realignment
from fairseq_align.data import word_pairs
from fairseq_align.embeddings.alignment_loss import LOSSES
from fairseq_align.errors import InputError
from tests.embeddings.test_alignment_loss import float64_loss
from tests.stress import runs

# the word of two pieces at 0 and 1, and its translation at 3, in the second of two items
BATCH = word_pairs.batched([np.zeros((0, 4), dtype=np.int64), np.array([[0, 2, 3, 4]])])
REALIGN = ["--tlm-pairs", "a:b", "--tlm-rate", 1, "--realign", "a:b:{data}/lexicon.tsv"]


def test_the_loss_is_that_of_mean_states():
    states = torch.zeros(4, 2, 2)
    states[0, 1], states[1, 1], states[3, 1] = (torch.tensor(state) for state in ([1.0, 0], [3.0, 4], [2.0, 0]))
    loss, scores = Realignment(LOSSES["l2"]())([states * 0, states * 0, states], BATCH)
    assert loss.item() == 4 and scores["realign_loss"] == 4 and scores["realign_pairs"] == 1  # (2, 2) and (2, 0)
    assert Realignment(LOSSES["l2"](), layer=1)([states, states * 0, states], BATCH)[0].item() == 0


@pytest.mark.parametrize("kind", LOSSES)
def test_the_loss_equals_the_formula_in_float64_in_any_order_of_items_and_pairs(kind):
    states = torch.randn(7, 4, 5, generator=torch.Generator().manual_seed(1))
    items = [[[0, 2, 3, 4], [2, 3, 4, 7]], [], [[1, 4, 5, 6]], [[3, 4, 5, 6], [0, 1, 1, 3]]]
    spans = [(item, pair) for item, found in enumerate(items) for pair in found]
    vectors = [states[start:end, item].mean(0) for k in (0, 2) for item, (start, end) in
               ((item, pair[k : k + 2]) for item, pair in spans)]  # fmt: skip
    rows = np.arange(10).reshape(2, 5, 1).tolist()
    expected = float64_loss(torch.stack(vectors), *rows, [1.0] * 5, kind)
    for order, step in (([0, 1, 2, 3], 1), ([3, 0, 2, 1], 1), ([1, 2, 3, 0], -1)):
        batch = word_pairs.batched([np.array(items[i][::step], dtype=np.int64).reshape(-1, 4) for i in order])
        loss, scores = Realignment(LOSSES[kind]())([states[:, order]], batch)
        assert loss.item() == pytest.approx(expected, rel=1e-5, abs=2e-6) and scores["realign_pairs"] == 5


@pytest.mark.parametrize("kind", LOSSES)
def test_gradient_is_right(kind):
    generator = torch.Generator().manual_seed(1)
    states = torch.randn(6, 2, 4, dtype=torch.float64, generator=generator, requires_grad=True)
    batch = word_pairs.batched([np.array([[0, 2, 3, 4]]), np.array([[0, 1, 2, 4], [4, 5, 1, 2]])])
    term = Realignment(LOSSES[kind]())
    assert torch.autograd.gradcheck(lambda layer: term([layer], batch)[0], states)


def test_a_batch_without_pairs_adds_nothing():
    batch = word_pairs.batched([np.zeros((0, 4), dtype=np.int64)] * 2)
    states = torch.randn(4, 2, 2, requires_grad=True)
    loss, scores = Realignment(LOSSES["contrastive"]())([states], batch)
    loss.backward()
    assert loss.item() == 0 and scores["realign_pairs"] == 0 and not states.grad.any()


def test_a_layer_that_is_not_there_is_named():
    with pytest.raises(InputError, match="found --realign-layer 2, expected at most 1"):
        Realignment(LOSSES["l2"](), layer=2)([torch.zeros(4, 2, 2)] * 2, BATCH)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return runs.write_data(tmp_path_factory.mktemp("tiny") / "data")


def trained(data, save, *flags, updates=30):
    """Records of the updates of a training, and the weights at its end."""
    given = [str(flag).format(data=data) for flag in ("--align-weight", 0, *flags)]
    assert runs.finish(runs.settings(data, *given), save, updates) == 0, runs.log_of(save).read_text()
    lines = re.findall(r"train_inner[ |:]+(\{.*\})", runs.log_of(save).read_text())
    return [json.loads(line) for line in lines], runs.state(save / "checkpoint_last.pt")["model"]


@pytest.mark.forks
def test_words_in_parallel_sentences_come_nearer(data, tmp_path):
    flags = [*REALIGN, "--tlm-rate", 4, "--realign-layer", 1, "--realign-loss", "cosine"]
    for switched in ([], ["--code-switch", "a:b:{data}/lexicon.tsv"]):
        found = []
        for weight in (0, 1):
            save = tmp_path / f"{weight}-{len(switched)}"
            records, _ = trained(data, save, *flags, *switched, "--realign-weight", weight)
            found.append([float(record["realign_loss"]) for record in records if float(record["realign_pairs"])])
        assert len(found[0]) == len(found[1]) > 20 and sum(found[1][-5:]) / 5 < sum(found[0][-5:]) / 5 - 0.2


@pytest.mark.forks
def test_weight_0_is_the_run_without_it_to_the_bit(data, tmp_path):
    _, zero = trained(data, tmp_path / "zero", *REALIGN, "--realign-weight", 0, updates=5)
    _, without = trained(data, tmp_path / "without", *REALIGN[:4], updates=5)
    assert zero.keys() == without.keys() and all(torch.equal(zero[name], without[name]) for name in zero)


@pytest.mark.forks
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--realign", "a:b:{data}/lexicon.tsv"], "found --realign without --tlm-pairs, expected both or neither"),
        ([*REALIGN[:5], "a:c:{data}/lexicon.tsv"], "--realign: found a:c, expected a pair of --tlm-pairs a:b"),
        ([*REALIGN, "--realign-layer", 3], "found --realign-layer 3, expected at most 1"),
        ([*REALIGN, "--realign-loss", "l3"], "found --realign-loss l3, expected one of cosine"),
        ([*REALIGN, "--find-unused-parameters"], "found --find-unused-parameters with --realign, expected one of them"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(data, tmp_path, flags, message):
    given = [str(flag).format(data=data) for flag in flags]
    assert runs.finish(runs.settings(data, *given), tmp_path / "run", 2) == 1
    assert message in runs.log_of(tmp_path / "run").read_text().strip().splitlines()[-1]


def test_a_criterion_without_the_term_is_refused(data):
    task = tasks.setup_task(runs.settings(data, *(str(flag).format(data=data) for flag in REALIGN)).task)
    with pytest.raises(InputError, match="found --realign with --criterion masked_lm, expected align_mlm"):
        task.build_criterion(MaskedLmConfig(_name="masked_lm"))
