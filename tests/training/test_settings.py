"""Settings of a checkpoint: what is plain stays as it is, and what is not is refused before anything is made of it."""

import argparse
import copy
import shutil
from pathlib import Path

import pytest
import torch
from fairseq import criterions
from fairseq.registry import REGISTRIES
from fairseq.tasks import TASK_REGISTRY
from omegaconf import OmegaConf

from fairseq_align.errors import InputError
from fairseq_align.evaluation.checkpoint import load
from fairseq_align.training import settings
from tests.stress import runs

EARLIER = Path(__file__).parents[1] / "golden" / "earlier" / "checkpoint_last.pt"


@pytest.fixture
def state():
    return torch.load(EARLIER, weights_only=True)


def test_plain_settings_stay_as_they_are(state):
    before = copy.deepcopy(state)
    state["args"] = argparse.Namespace(**{**vars(state["cfg"]["model"]), "pair": (1, 2.5)})
    before["args"] = copy.deepcopy(state["args"])
    settings.check(state)
    assert (state["cfg"], state["args"]) == (before["cfg"], before["args"])
    assert state["cfg"]["model"] is not before["cfg"]["model"] and type(state["args"].pair) is tuple


def test_a_configuration_of_omegaconf_becomes_the_dictionary_that_it_is(state):
    expected = copy.deepcopy(state["cfg"])
    state["cfg"] = OmegaConf.create(state["cfg"], flags={"allow_objects": True})
    settings.check(state)
    assert state["cfg"] == expected and type(state["cfg"]) is dict


def itself() -> list:
    value: list = []
    value.append(value)
    return value


def many() -> list:
    value: list = [1]
    for _ in range(30):
        value = [value] * 10
    return value


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("make", "found"),
    [
        ("${common.seed}", "the setting '${common.seed}', expected no reference"),
        (["a", {"b": "a${x}"}], "the setting 'a${x}', expected no reference"),
        ({"${x}": 1}, "the setting '${x}', expected no reference"),
        (OmegaConf.create({"a": 1, "b": "${a}"}), "the setting '${a}', expected no reference"),
        (b"1", "a setting of type bytes"),
        ({1, 2}, "a setting of type set"),
        (torch.zeros(1), "a setting of type Tensor"),
        (1j, "a setting of type complex"),
        ({(1,): 1}, "the name (1,) of a setting"),
        (itself, "settings in too many others"),
        (many, "settings in too many others"),
        ("[" * 60, "the setting '[[["),
        ("a" * 100_001, "the setting 'aaa"),
    ],
)
@pytest.mark.parametrize("place", ["cfg", "args"])
def test_a_setting_that_is_no_plain_value_is_refused(state, place, make, found):
    value = make() if callable(make) else make
    if place == "cfg":
        state["cfg"]["task"]["data"] = value
    else:
        state["args"] = argparse.Namespace(task="masked_lm", data=value)
    with pytest.raises(InputError) as refusal:
        settings.check(state)
    assert str(refusal.value).startswith(f"found {found}") and str(refusal.value).isprintable()


@pytest.mark.parametrize("key", settings.EVALUATED)
def test_what_fairseq_would_evaluate_is_read_with_the_file(state, key):
    state["cfg"]["optimizer"] = {"_name": "adam", key: "(0.9, 0.98)"}
    settings.check(state)
    state["cfg"]["optimizer"][key] = "().__class__"
    with pytest.raises(InputError, match="expected a literal"):
        settings.check(state)


def test_the_settings_are_those_of_a_mapping(state):
    for key, value in (("cfg", "a: 1"), ("cfg", [1]), ("args", {"a": 1})):
        with pytest.raises(InputError, match=f"found settings in a {type(value).__name__}"):
            settings.check({**state, key: value})


def test_what_is_listed_is_registered_and_the_rest_is_not_listed():
    registered = {group: set(registry["registry"]) for group, registry in REGISTRIES.items()}
    for group, names in settings.LISTED.items():
        if group != "model":
            assert names <= (set(TASK_REGISTRY) if group == "task" else registered[group])
            settings.check({"cfg": {group: {"_name": min(names)}}})
    for arch in ("roberta", "roberta_base", "roberta_large", "xlm", "roberta_tagger"):
        settings.check({"cfg": {"model": argparse.Namespace(_name=arch, arch=arch)}})


NAMING = {
    "a name": {"model": {"_name": "fconv_lm"}},
    "an architecture": {"model": argparse.Namespace(arch="fconv_lm_dauphin_wikitext103")},
    "the second name": {"model": {"_name": "roberta", "arch": "fconv_lm"}},
    "a folder": {"model": {"fconv_lm": {}}},
    "a task": {"task": {"_name": "audio_pretraining"}},
    "a task of before": {"task": argparse.Namespace(task="audio_pretraining")},
    "a criterion": {"criterion": {"_name": "ctc"}},
    "a text": {"criterion": "ctc"},
    "an optimizer": {"optimizer": {"_name": "composite"}},
    "subwords": {"bpe": {"_name": "bert"}},
    "a name that nobody has": {"criterion": {"_name": "unheard_of"}},
    "no name": {"criterion": {"_name": ["align_mlm"]}},
    "a list": {"criterion": ["align_mlm"]},
}


@pytest.mark.parametrize("cfg", NAMING.values(), ids=NAMING)
def test_a_name_that_is_not_listed_is_refused(cfg):
    (group,) = cfg
    with pytest.raises(InputError, match=f"found (the|a) {group} .*, expected ") as refusal:
        settings.check({"cfg": cfg})
    assert len(str(refusal.value)) < 500


def test_arguments_without_a_task_are_of_a_translation():
    with pytest.raises(InputError, match="found the task 'translation'"):
        settings.check({"args": argparse.Namespace(arch="roberta_base")})
    settings.check({"args": argparse.Namespace(arch="roberta_base", task="masked_lm")})


def test_the_environment_can_name_others(monkeypatch):
    monkeypatch.setenv(settings.UNCHECKED, "fconv_lm,audio_pretraining")
    settings.check({"cfg": {"model": {"_name": "fconv_lm"}, "task": {"_name": "audio_pretraining"}}})
    with pytest.raises(InputError, match="set FAIRSEQ_ALIGN_UNCHECKED=ctc if you trust"):
        settings.check({"cfg": {"criterion": {"_name": "ctc"}}})


def test_what_a_plugin_registers_may_be_named():
    class Theirs(criterions.FairseqCriterion):
        """Registered by a module that is not fairseq's."""

    criterions.register_criterion("made_up")(Theirs)
    try:
        settings.check({"cfg": {"criterion": {"_name": "made_up"}}})
    finally:
        del criterions.CRITERION_REGISTRY["made_up"]


def test_a_training_of_another_model_of_fairseqs_goes_on(run, tmp_path, monkeypatch):
    data = runs.write_data(tmp_path / "data")
    shutil.copy(data / "dict.txt", data / "a")
    train = ["fairseq-train", data / "a", "--user-dir", "fairseq_align", "--task", "language_modeling"]
    train += ["--arch", "transformer_lm", "--decoder-layers", 1, "--decoder-embed-dim", 8, "--decoder-ffn-embed-dim", 8]
    train += ["--decoder-attention-heads", 1, "--tokens-per-sample", 16, "--batch-size", 4, "--optimizer", "adam"]
    train += ["--adam-betas", "(0.9, 0.98)", "--lr", "1e-3", "--cpu", "--num-workers", 0, "--disable-validation"]
    train += ["--no-epoch-checkpoints", "--save-dir", tmp_path]
    checkpoint = tmp_path / "checkpoint_last.pt"
    for updates in (2, 4):
        run([*train, "--max-update", updates])
        history = torch.load(checkpoint, weights_only=True)["optimizer_history"]
        assert history[-1]["num_updates"] == updates
    with pytest.raises(InputError, match="checkpoint_last.pt: found the model 'transformer_lm'"):
        load(checkpoint, data / "a")
    monkeypatch.setenv(settings.UNCHECKED, "transformer_lm,language_modeling")
    assert type(load(checkpoint, data / "a").model).__name__ == "TransformerLanguageModel"
