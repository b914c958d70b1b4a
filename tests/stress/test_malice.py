"""Checkpoints of strangers: refused in one line by whatever reads checkpoints, and no code of theirs runs."""

import functools
import os
import re
import runpy
import shutil
import sys

import pytest
import torch
from fairseq import checkpoint_utils, hub_utils
from fairseq.models.roberta import RobertaModel
from fairseq_cli import validate

from fairseq_align import cli
from fairseq_align.errors import InputError
from fairseq_align.evaluation.checkpoint import load
from fairseq_align.models.tagger import RobertaTagger
from fairseq_align.training import settings
from tests.stress import malice, runs
from tests.support import processes

pytestmark = pytest.mark.forks


@pytest.fixture(scope="module")
def attack(tmp_path_factory):
    """Folder of the data and of one trained checkpoint, its state, the crafted files, and what these try to write."""
    folder = tmp_path_factory.mktemp("malice")
    data = runs.write_data(folder / "data")
    cfg = runs.settings(data)
    assert runs.finish(cfg, folder / "good", 2) == 0
    state = torch.load(folder / "good" / "checkpoint_last.pt", weights_only=True)
    optimizer = state["last_optimizer_state"]
    optimizer["state"] = {0: optimizer["state"][0]}  # less to read, for each reader in each file
    marker = folder / "marker"
    return folder, cfg, list(malice.files(state, folder / "crafted", marker)), marker


def read(path, data):
    return checkpoint_utils.load_checkpoint_to_cpu(str(path))


def score(path, data):
    """As ``fairseq-align evaluate`` and ``alignment`` do."""
    return load(path, data)


def hub(path, data):
    return hub_utils.from_pretrained(str(path.parent), path.name, str(data))


def roberta(path, data):
    return RobertaModel.from_pretrained(str(path.parent), path.name, str(data), bpe=None)


def tagger(path, data):
    return RobertaTagger.from_pretrained(str(path.parent), path.name, str(data), data / "spm.model")


def validated(path, data):
    """As ``fairseq-validate`` does."""
    cfg = runs.copy.deepcopy(runs.settings(data))
    cfg.common_eval.path = str(path)
    return validate.main(cfg) or True


READERS = [read, score, hub, roberta, validated]  # of an encoder that was trained on ``data``


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("reader", [*READERS, tagger])
def test_a_crafted_checkpoint_is_refused_in_one_line(attack, reader):
    folder, _, crafted, marker = attack
    assert len(crafted) > 150
    assert reader is tagger or reader(folder / "good" / "checkpoint_last.pt", folder / "data")
    for path in crafted:
        with pytest.raises(InputError) as refusal:
            reader(path, folder / "data")
        assert re.match(rf"{re.escape(str(path))}: found .*, expected .*; .*", str(refusal.value))
        assert "\n" not in str(refusal.value) and len(str(refusal.value)) < 600
        assert not marker.exists(), path


@pytest.mark.filterwarnings("ignore")
def test_the_attacks_would_work_on_a_careless_reader(attack):
    """Else the test above would show nothing."""
    folder, _, crafted, marker = attack
    for name in ("os.system-in-weights", "eval-in-optimizer", "class-of-a-module-in-settings", "exec-raw"):
        path = folder / "crafted" / f"{name}.pt"
        assert path in crafted
        if name.endswith("raw"):
            malice.pickle.loads(path.read_bytes())
        else:
            torch.load(path, weights_only=False)
        assert marker.exists(), name
        marker.unlink()


def crafted_settings(crafted):
    return [path for path in crafted if path.stem.startswith("evaluated")]


def test_the_settings_would_run_code_in_fairseq_alone(attack):
    """Each kind, in each container, and joined: torch's safe loader finds nothing wrong with them."""
    folder, _, crafted, _ = attack
    kinds = [kind.replace(" ", "-") for kind in malice.code(folder)]
    expected = {f"evaluated-{kind}-in-decoder_layers-of-fconv_lm" for kind in kinds}
    expected |= {f"evaluated-{kind}-joined-for-fconv_lm" for kind in malice.PLAIN}
    containers = ("dictionaries", "configuration", "arguments", "both")
    expected |= {f"evaluated-subscript-in-{container}" for container in containers}
    tried = [path for path in crafted if path.stem in expected]
    assert len(tried) == len(expected)
    assert set(processes.call(malice.careless, *tried, env=os.environ).split()) == expected


PLACES = ("os.system-in-weights", "evaluated-call-in-decoder_layers-of-fconv_lm", "eval-in-optimizer")


@pytest.mark.parametrize("flag", ["restore_file", "finetune_from_model", "checkpoint_last.pt"])
@pytest.mark.parametrize("name", PLACES)
def test_training_refuses_a_crafted_checkpoint(attack, tmp_path, flag, name):
    folder, cfg, _, marker = attack
    cfg, save = runs.copy.deepcopy(cfg), tmp_path / "run"
    crafted = folder / "crafted" / f"{name}.pt"
    if flag == "checkpoint_last.pt":
        save.mkdir()
        shutil.copy(crafted, save / flag)
    else:
        cfg.checkpoint[flag] = str(crafted)
    assert runs.finish(cfg, save, 4) == 1
    last = runs.log_of(save).read_text().splitlines()[-1]
    assert re.match(r"error: .*\.pt: found .*, expected .*; .*", last) and not marker.exists()


@pytest.mark.parametrize(
    "command",
    [
        ["fairseq_cli.validate", "{data}", "--user-dir", "fairseq_align", "--task", "align_mlm", "--langs", "a"]
        + ["--path", "{crafted}", "--valid-subset", "valid", "--batch-size", "8", "--cpu"],
        ["fairseq_align.cli", "evaluate", "{crafted}", "{data}", "--subset", "valid_a", "--objective", "mlm"],
        ["fairseq_align.cli", "alignment", "{crafted}", "{data}", "--lang", "b"]
        + ["--lexicon", "{data}/lexicon.tsv", "--objective", "mlm"],
    ],
    ids=["validate", "evaluate", "alignment"],
)
def test_a_command_refuses_a_crafted_checkpoint(attack, tmp_path, monkeypatch, command):
    folder, _, _, marker = attack
    names = {"data": folder / "data", "crafted": folder / "crafted" / "os.system-in-optimizer.pt"}
    monkeypatch.setattr(sys, "argv", [word.format(**names) for word in command])
    main = functools.partial(runpy.run_module, command[0], run_name="__main__", alter_sys=True)
    assert runs.end(runs.fork(main, tmp_path / "log")) == 1
    last = (tmp_path / "log").read_text().strip().splitlines()[-1]
    assert re.match(r"error: .*\.pt: found the global posix.system, expected", last)
    assert not marker.exists()


@pytest.mark.parametrize("door", ["export", "model.pt", "pytorch_model.bin"])
def test_a_crafted_model_is_not_converted(attack, tmp_path, capsys, door):
    folder, _, crafted, marker = attack
    pytest.importorskip("safetensors", reason="waits for the extra hf: EXTRAS=hf bash install.sh")
    model, out = tmp_path / "model", tmp_path / "out"
    model.mkdir()
    if door == "pytorch_model.bin":
        (model / "config.json").write_text("{}")
    for path in crafted:
        if path.stem.endswith("in-named-folder"):
            continue  # import takes a model's settings from where fairseq-train writes them
        if door == "export":
            command = ["export", path, out, "--data", folder / "data", "--model", tmp_path / "none"]
        else:
            shutil.copy(path, model / door)
            command = ["import", model, out]
        assert cli.main([str(word) for word in command]) == 1, path
        (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
        assert "found" in line and "expected" in line and not marker.exists() and not out.exists()


def test_a_plain_expression_among_the_settings_is_no_attack(attack, tmp_path):
    """``(0.9, 0.98)`` and ``[(512, 10, 5)] * 2`` stand in honest checkpoints."""
    folder, *_ = attack
    state = torch.load(folder / "good" / "checkpoint_last.pt", weights_only=True)
    state["cfg"]["optimizer"]["adam_betas"] = "(0.9, 0.98)"
    state["cfg"]["model"].conv_feature_layers = "[(512, 10, 5)] * 2"
    torch.save(state, tmp_path / "model.pt")
    assert read(tmp_path / "model.pt", folder)
    assert hub(tmp_path / "model.pt", folder / "data")


@pytest.mark.filterwarnings("ignore")
def test_names_that_are_let_in_evaluate_nothing_either(attack, monkeypatch):
    """``FAIRSEQ_ALIGN_UNCHECKED`` opens the list of names, not ``eval``."""
    folder, _, crafted, marker = attack
    monkeypatch.setenv(
        settings.UNCHECKED, ",".join(["translation", *malice.CARRIERS.values(), *malice.GROUPS.values()])
    )
    said = []
    for path in crafted_settings(crafted):
        try:
            score(path, folder / "data")
        except InputError as error:
            said.append(str(error))
        except Exception as error:  # a model that the data do not fit
            said.append(type(error).__name__)
        assert not marker.exists(), path
    assert sum("expected a literal such as (0.9, 0.98)" in line for line in said) > 60


def test_evaluate_says_one_line(attack, capsys):
    folder, _, crafted, marker = attack
    for path in crafted_settings(crafted):
        flags = ["evaluate", path, folder / "data", "--subset", "valid_a", "--objective", "mlm"]
        assert cli.main([str(flag) for flag in flags]) == 1
        (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
        assert str(path) in line and not marker.exists()
