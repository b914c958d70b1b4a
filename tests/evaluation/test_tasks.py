"""Scores of a checkpoint on its own task: the library, a scorer from outside the package, and what is refused."""

from argparse import Namespace

import pytest
import torch
from fairseq.data import Dictionary
from fairseq.tasks.masked_lm import MaskedLMConfig, MaskedLMTask
from omegaconf import OmegaConf

from fairseq_align import cli
from fairseq_align.errors import InputError
from fairseq_align.evaluation.checkpoint import Checkpoint, load
from fairseq_align.evaluation.score import Score
from fairseq_align.evaluation.tasks import SCORERS, Scorer, evaluate, scorer_of, split_and_lang
from fairseq_align.results import records
from fairseq_align.tasks.align_mlm import AlignMlmTask
from tests.evaluation.test_alignment import ABOUT, TARGET, model  # noqa: F401


def test_a_subset_is_a_split_and_a_language():
    assert split_and_lang("test_en-x", "fr") == ("test", "en-x") and split_and_lang("valid", "fr") == ("valid", "fr")
    with pytest.raises(InputError, match="--subset: found test, expected its language behind a _, e.g. test_en"):
        split_and_lang("test")


def test_the_library_gives_the_scores_of_the_command(model, toy, tmp_path):  # noqa: F811
    path = tmp_path / "results.jsonl"
    arguments = ["evaluate", model, toy / "data-bin", "--subset", f"valid_en,valid_{TARGET}", "--results", path, *ABOUT]
    assert cli.main([str(argument) for argument in arguments]) == 0
    checkpoint = load(model, toy / "data-bin")
    scores = [score for lang in ("en", TARGET) for score in evaluate(checkpoint, f"valid_{lang}")]
    assert [(r["metric"], r["lang"], r["value"], r["n"], r["seed"]) for r in records.read(path)] == [
        (score.metric, score.lang, score.value, score.n, checkpoint.seed) for score in scores
    ]
    assert [score.metric for score in scores] == 2 * ["loss", "unigram_entropy"]
    with pytest.raises(InputError, match="--predictions: found a checkpoint of task align_mlm, expected one of seq"):
        evaluate(checkpoint, "valid_en", tmp_path)


def score_lengths(checkpoint: Checkpoint, subset: str):
    """A scorer from outside the package: mean length of the items, as a loss."""
    checkpoint.task.load_dataset(subset)
    sizes = checkpoint.task.dataset(subset).sizes
    yield Score("mlm", "loss", float(sizes.mean()), len(sizes), *reversed(split_and_lang(subset)))


def test_a_scorer_from_outside_the_package_is_used_and_recorded(model, toy, tmp_path, capsys, monkeypatch):  # noqa: F811
    """Also for a task that is derived from the one of its row."""
    derived = type("DerivedTask", (AlignMlmTask,), {})
    monkeypatch.setitem(SCORERS, AlignMlmTask, Scorer(score_lengths))
    assert scorer_of(Namespace(task=derived.__new__(derived))).score is score_lengths
    path = tmp_path / "results.jsonl"
    arguments = ["evaluate", model, toy / "data-bin", "--subset", "valid_en", "--results", path, *ABOUT]
    assert cli.main([str(argument) for argument in arguments]) == 0
    (record,) = records.read(path)
    dataset = load(model, toy / "data-bin").task
    dataset.load_dataset("valid_en")
    assert record["value"] == pytest.approx(dataset.dataset("valid_en").sizes.mean())
    assert capsys.readouterr().out.startswith(f"mlm loss {record['value']:.2f} | lang:en | split:valid")


def test_a_task_without_a_scorer_is_refused():
    task = MaskedLMTask(OmegaConf.structured(MaskedLMConfig(data="")), Dictionary())
    cfg = OmegaConf.create({"task": {"_name": "masked_lm"}})
    checkpoint = Checkpoint("model.pt", "data-bin", torch.nn.Linear(1, 1), cfg, task)
    with pytest.raises(InputError, match="found a checkpoint of task masked_lm, expected one of AlignMlm"):
        evaluate(checkpoint, "valid_en")
