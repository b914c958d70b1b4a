"""Angles between the gradients of two losses: by hand, and of a training, which they leave as it is."""

import json
import re

import numpy as np
import pytest
import torch

from fairseq_align.criterions import gradient_angles
from fairseq_align.criterions.align_mlm import AlignMlmLoss
from fairseq_align.lexicon import file as lexicon
from tests.stress import runs
from tests.support.steps import PIECES, SAMPLE, Run


def test_angles_by_hand():
    one = torch.tensor([1.0, 2.0], requires_grad=True)
    other = torch.tensor([3.0], requires_grad=True)
    parts = {"both": [one, other], "other": [other]}
    first = gradient_angles.gradients(one.sum() + 2 * other.sum(), parts)  # (1, 1, 2)
    second = gradient_angles.gradients(one[0] - one[1], parts)  # (1, -1, 0)
    assert gradient_angles.angle(first["both"], second["both"]) == pytest.approx(90)
    assert gradient_angles.angle(first["other"], second["other"]) == pytest.approx(90)  # one is 0
    assert gradient_angles.angle(first["both"], first["both"]) == pytest.approx(0, abs=0.1)
    opposite = [-part for part in first["both"]]
    assert gradient_angles.angle(first["both"], opposite) == pytest.approx(180, abs=0.1)
    assert one.grad is None and other.grad is None


@pytest.mark.parametrize("prealigned", [0, 1])
@pytest.mark.parametrize("step", [1, -1])
def test_logged_angles_are_those_of_plain_gradients_in_float64_in_any_order_of_pairs(tmp_path, prealigned, step):
    """The gradient of the other terms is what their weight adds to that of the whole loss."""
    run = Run(tmp_path)
    run.model.double()
    words = [((PIECES[0], PIECES[1]), (PIECES[6],)), ((PIECES[2],), (PIECES[7],)), ((PIECES[0],), (PIECES[8],))]
    entries = [lexicon.Entry(*pair, weight) for pair, weight in zip(words, (1.0, 0.5, 2.0), strict=True)]
    for name, order in (("lexicon.tsv", 1), ("ordered.tsv", step)):
        lexicon.write(tmp_path / name, entries[::order], run.task.dictionary)
    encoder = run.model.encoder.sentence_encoder
    parts = {"embeddings": [encoder.embed_tokens.weight]}
    parts |= {f"layer_{number}": [*layer.parameters()] for number, layer in enumerate(encoder.layers, 1)}

    def passed(name: str, weight: float, **flags) -> tuple[dict, dict]:
        criterion = AlignMlmLoss(
            run.task, str(tmp_path / name), align_weight=weight, prealign_updates=prealigned, **flags
        )
        run.model.zero_grad()
        loss, size, logged = criterion(run.model, SAMPLE)
        loss.backward()
        gradients = {part: torch.cat([p.grad.flatten() for p in given]).numpy() for part, given in parts.items()}
        return gradients, {key: value.item() / size for key, value in logged.items() if key.startswith("angle_")}

    by_mlm, by_all = (passed("lexicon.tsv", weight)[0] for weight in (0.0, 10.0))
    _, logged = passed("ordered.tsv", 10.0, log_angles=1)
    assert logged.keys() == {f"angle_{part}" for part in parts}
    for part, one in by_mlm.items():
        other = by_all[part] - one
        lengths = np.linalg.norm(one) * np.linalg.norm(other)
        expected = np.degrees(np.arccos(one @ other / lengths)) if lengths else 90
        assert logged[f"angle_{part}"] == pytest.approx(expected, abs=0.01)
        assert (expected != 90) == (part == "embeddings" or prealigned)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return runs.write_data(tmp_path_factory.mktemp("tiny") / "data")


def trained(data, save, *flags):
    cfg = runs.settings(data, "--tlm-pairs", "a:b", "--tlm-rate", 4, "--realign", f"a:b:{data}/lexicon.tsv", *flags)
    assert runs.finish(cfg, save, 6) == 0, runs.log_of(save).read_text()
    lines = re.findall(r"train_inner[ |:]+(\{.*\})", runs.log_of(save).read_text())
    return [json.loads(line) for line in lines], runs.state(save / "checkpoint_last.pt")


@pytest.mark.forks
def test_a_training_logs_them_by_part_and_stays_the_same_to_the_bit(data, tmp_path):
    records, ends = trained(data, tmp_path / "logged", "--log-angles", 2)
    _, expected = trained(data, tmp_path / "plain")
    found = [
        {name: float(value) for name, value in record.items() if name.startswith("angle_") and value is not None}
        for record in records
    ]
    assert all(record.keys() == {"angle_embeddings", "angle_layer_1"} for record in found[::2])
    assert all(0 <= value <= 180 and value != 90 for record in found[::2] for value in record.values())
    assert not any(found[1::2])
    assert all(torch.equal(ends["model"][name], weight) for name, weight in expected["model"].items())


@pytest.mark.forks
def test_the_gradient_of_the_pairs_is_among_them(data, tmp_path):
    """Without realignment, layers get none of the alignment's gradient, and the embeddings do."""
    records, _ = trained(data, tmp_path / "run", "--log-angles", 1, "--realign-weight", 0)
    assert all(float(record["angle_layer_1"]) == 90 for record in records)
    assert sum(float(record["angle_embeddings"]) != 90 for record in records) > 3  # a batch may predict nothing


@pytest.mark.forks
def test_chunks_are_refused(data, tmp_path):
    cfg = runs.settings(data, "--log-angles", 2, "--logits-chunk", 8)
    assert runs.finish(cfg, tmp_path / "run", 2) == 1
    assert "found --log-angles with --logits-chunk" in runs.log_of(tmp_path / "run").read_text().splitlines()[-1]
