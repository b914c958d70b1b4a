"""A checkpoint that does not fit is refused in words; heads of other tasks are left out where a run begins."""

import pytest
import torch
from fairseq import tasks

from fairseq_align.training import fitting
from tests.stress import runs
from tests.training.test_start import changed

pytestmark = pytest.mark.forks


@pytest.fixture(scope="module")
def cfg(tmp_path_factory):
    return runs.settings(runs.write_data(tmp_path_factory.mktemp("fitting") / "data"))


@pytest.fixture(scope="module")
def checkpoint(cfg, tmp_path_factory):
    save = tmp_path_factory.mktemp("trained") / "run"
    assert runs.finish(cfg, save, 1) == 0
    return save / "checkpoint_last.pt"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"model.encoder_layers": 2}, "found 1 layers, expected 2 (--encoder-layers)"),
        ({"model.encoder_embed_dim": 8}, "found 16 dimensions, expected 8 (--encoder-embed-dim)"),
        ({"model.max_positions": 20}, "found 16 positions, expected 20 (--max-positions)"),
        ({"model.encoder_ffn_embed_dim": 8}, "found feed-forward layers of 32 dimensions, expected 8 (--encoder-ffn-"),
        ({"optimizer._name": "sgd"}, "found the state of FairseqAdam, expected that of SGD; give the --optimizer"),
        (
            {"criterion._name": "masked_lm"},
            "found the state of AlignMlmLoss, expected that of MaskedLmLoss; give",
        ),
    ],
)
def test_what_does_not_fit_is_said_in_the_words_of_flags(cfg, checkpoint, tmp_path, change, reason):
    one = changed(cfg, restore_file=str(checkpoint), **change, **{"task.allow_changed": "settings,lexicon"})
    if "optimizer._name" in change:
        one.optimizer = {"_name": "sgd", "momentum": 0.0, "weight_decay": 0.0, "lr": one.optimization.lr}
    if "criterion._name" in change:
        one.criterion = {"_name": "masked_lm", "tpu": False}
    assert runs.finish(one, tmp_path / "run", 2) == 1
    log = runs.log_of(tmp_path / "run").read_text()
    assert log.splitlines()[-1].startswith(f"error: {checkpoint}: {reason}"), log[-3000:]


def test_another_vocabulary_is_named_before_what_follows_from_it():
    mismatch = (
        "size mismatch for {}: copying a param with shape torch.Size([{}]) from checkpoint, the shape in current model "
        "is torch.Size([{}]).\n"
    )
    text = mismatch.format("encoder.lm_head.bias", "124", "130")
    text += mismatch.format("encoder.sentence_encoder.embed_tokens.weight", "124, 16", "130, 16")
    assert fitting._difference(text) == "124 symbols, expected 130 (dict.txt)"
    assert fitting._difference(mismatch.format("a.b", "2", "3")) == "a.b of the shape (2), expected (3)"
    assert fitting._difference('Missing key(s) in state_dict: "a.b", "c".') == (
        "no parameter a.b, expected those of this model"
    )


def build(arch: str, labels: int, cfg):
    """A model of a task with some labels; the tagger asks its task for them, the classifier registers its head."""
    task = tasks.setup_task(cfg.task)
    task.labels = list(range(labels))
    one = changed(cfg, **{"model.pooler_dropout": 0.0})
    model = task.build_model(one.model) if arch == "roberta" else None
    if arch == "roberta_tagger":
        from fairseq_align.models.tagger import RobertaTagger

        model = RobertaTagger.build_model(one.model, task)
    elif labels:
        model.register_classification_head("sentence_classification_head", num_classes=labels)
    return model


@pytest.mark.parametrize(
    ("other", "arch"),
    [("tagger", name) for name in ("tagger", "classifier", "lm")]
    + [("classifier", name) for name in ("tagger", "classifier")]
    + [("lm", "tagger")],
)
def test_a_model_of_one_task_is_the_start_of_one_of_another_task_or_other_labels(cfg, other, arch):
    first, second = (
        build("roberta_tagger" if name == "tagger" else "roberta", 0 if name == "lm" else labels, cfg)
        for name, labels in ((other, 3), (arch, 5))
    )
    state = {name: value.clone() for name, value in first.state_dict().items()}
    before = {name: value.clone() for name, value in second.state_dict().items()}
    with fitting.another_task(True):
        second.load_state_dict(dict(state), strict=True)
    for name, value in second.state_dict().items():
        shared = "embed_tokens" in name or name == "encoder.lm_head.weight"
        own = name.startswith(("tagging_head", "classification_heads")) or (
            name.startswith("encoder.lm_head") and name not in state and not shared
        )  # the output layer has the weights of the embedding
        expected = before[name] if own else state["encoder.sentence_encoder.embed_tokens.weight" if shared else name]
        assert torch.equal(value, expected), name
    if arch == other == "tagger":
        with pytest.raises(RuntimeError, match="size mismatch for tagging_head"):
            second.load_state_dict(dict(state), strict=True)
