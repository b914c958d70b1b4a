"""Pairs of sentences are classified as fairseq does it, and by an encoder that is trained in parts."""

from pathlib import Path

import pytest
import torch

from fairseq_align.evaluation.checkpoint import load
from fairseq_align.evaluation.tasks import evaluate
from fairseq_align.training.parts import ENCODER, TABLE
from tests.stress import runs
from tests.support.training import same, weights

pytestmark = pytest.mark.forks
CUT = ["--shorten-method", "truncate"]


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    """Train so many updates with flags; returns the checkpoint."""
    folder = tmp_path_factory.mktemp("pairs")
    data = runs.write_pairs(folder)

    def train(name: str, task: str, *flags: object, updates: int = 3) -> Path:
        cfg = runs.parsed(["fairseq-train", data, "--task", task, *runs.PAIRS, *CUT, *flags])
        assert runs.finish(cfg, folder / name, updates) == 0, runs.log_of(folder / name).read_text()
        return folder / name / "checkpoint_last.pt"

    return train


def losses(checkpoint: Path) -> list[float]:
    return [float(loss) for (loss,) in runs.losses(checkpoint.parent, ["loss"]).values()]


def test_without_parts_it_is_the_training_of_fairseq_to_the_bit(train):
    one, other = (train(task, task) for task in ("sentence_prediction", "sentence_classification"))
    assert losses(one) == losses(other) and len(losses(one)) == 3
    assert same(one, other)


def test_frozen_parts_stay_the_same_to_the_bit_and_the_others_learn(train):
    flags = ["--optimizer", "adamw", "--freeze-embeddings", "--freeze-layers", "0", "--layer-lr-decay", "0.5"]
    before = weights(train("before", "sentence_classification", *flags, "--lr", "0", updates=1))
    after = weights(train("after", "sentence_classification", *flags))
    same = {name for name in after if torch.equal(before[name], after[name])}
    frozen = {name for name in after if name == TABLE or name.startswith(f"{ENCODER}layers.0.")}
    learnt = {name for name in after if name.startswith("classification_heads.")}
    assert frozen <= same and learnt and not learnt & same


def test_half_precision_learns_from_products_in_bfloat16(train):
    exact, half = (
        train(kind, "sentence_classification", "--autocast", kind, "--dropout", 0, "--attention-dropout", 0)
        for kind in ("none", "bf16")
    )
    assert not same(exact, half) and losses(exact) == pytest.approx(losses(half), rel=0.02)
    assert all(value.dtype == torch.float32 for value in weights(half).values())


def test_scores_say_whether_word_embeddings_were_frozen(train):
    for flags in ([], ["--freeze-embeddings"]):
        path = train(f"scored{len(flags)}", "sentence_classification", "--train-subset", "train_en", *flags)
        (score,) = evaluate(load(path, path.parents[1]), "valid_en")
        assert score.n == 16 and score.freeze_embeddings is bool(flags)
