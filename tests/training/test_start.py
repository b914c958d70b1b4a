"""The same command given again: every way to start a run x every way to end it goes on to the bit, or is finished."""

import copy
import os
import re
import shutil
import signal
from argparse import Namespace
from pathlib import Path

import pytest
import torch
from fairseq.dataclass.configs import FairseqConfig
from fairseq.distributed import utils as distributed_utils
from omegaconf import flag_override

from fairseq_align.criterions.align_mlm import AlignMlmLoss
from fairseq_align.training import start
from tests.stress import runs

pytestmark = pytest.mark.forks

UPDATES = 9  # an epoch has 6: 144 sentences in batches of 24
RESETS = ("reset_optimizer", "reset_lr_scheduler", "reset_meters", "reset_dataloader")
STARTS = {
    "nothing": {},
    "nothing, reset-optimizer": {"reset_optimizer": True},
    "restore-file": {"restore_file": "{other}"},
    **{f"restore-file, {name}": {"restore_file": "{other}", name: True} for name in RESETS},
    "finetune-from-model": {"finetune_from_model": "{other}"},
}
SAVING = ("--batch-size", 24, "--save-interval-updates", 2)
PATIENT = {  # a loss that falls is a score that gets worse
    "checkpoint.patience": 1000,
    "checkpoint.maximize_best_checkpoint_metric": True,
    "dataset.disable_validation": False,
    "dataset.validate_interval_updates": 1,
    "dataset.max_valid_steps": 0,  # the number of the last batch
}
ENDS = {  # limit -> its settings, and what is said of it
    "max-update": ({"optimization.max_update": UPDATES}, f"found {UPDATES} updates done of --max-update {UPDATES}"),
    "max-epoch": ({"optimization.max_epoch": 1}, "epochs done of --max-epoch 1"),
    "patience": ({"checkpoint.patience": 1}, "validations without a better score, of --patience 1"),
    "stop-time": ({"optimization.stop_time_hours": 1e-9}, "hours done of --stop-time-hours 1e-09"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("start")


@pytest.fixture(scope="module")
def cfg(folder) -> FairseqConfig:
    return changed(runs.settings(runs.write_data(folder / "data"), *SAVING), **PATIENT)


@pytest.fixture(scope="module")
def other(cfg, folder) -> Path:
    """A checkpoint in the middle of an epoch of another run, whose limits it is far from."""
    assert runs.finish(changed(cfg, maximize_best_checkpoint_metric=False), folder / "other", 3) == 0
    path = folder / "other" / "checkpoint_last.pt"
    found = torch.load(path, weights_only=True)
    found["extra_state"]["previous_training_time"] = 0.0  # seconds
    torch.save(found, path)
    return path


def changed(cfg, **settings) -> FairseqConfig:
    """Settings with others: of the group ``checkpoint`` by their names, of other groups with it and a dot."""
    cfg = copy.deepcopy(cfg)
    with flag_override(cfg, "allow_objects", True):
        cfg.model = Namespace(**vars(cfg.model))  # OmegaConf shares it with the copy
    for name, value in settings.items():
        group, _, name = name.rpartition(".")
        group = cfg[group or "checkpoint"]
        (setattr if isinstance(group, Namespace) else type(group).__setitem__)(group, name, value)
    return cfg


def begun(cfg, name: str, other: Path) -> FairseqConfig:
    """Settings of a row of ``STARTS``."""
    settings = {
        key: value.format(other=other) if isinstance(value, str) else value for key, value in STARTS[name].items()
    }
    return changed(cfg, **settings)


@pytest.fixture(scope="module")
def whole(cfg, other, folder):
    """Folder of a run that starts in some way and that nothing interrupts."""
    done = {}

    def whole(name: str) -> Path:
        if name not in done:
            done[name] = folder / f"whole-{len(done)}"
            assert runs.finish(begun(cfg, name, other), done[name], UPDATES) == 0
        return done[name]

    return whole


def contents(save: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in save.iterdir() if path.name != "run.lock"}


def log(save: Path) -> str:
    return runs.log_of(save).read_text()


def state(checkpoint: Path) -> dict:
    """What has to be equal; fairseq's mean over all validations of a process is saved, but nothing reads it."""
    found = runs.state(checkpoint)
    return found | {"meters": {key: meter for key, meter in found["meters"].items() if key[0] != "valid"}}


def last(save: Path) -> dict:
    return state(save / "checkpoint_last.pt")


def signalled(number: int, update: int):
    """A change to a process that gives it a signal in an update, of those that it does itself."""

    def break_it() -> None:
        stock, calls = AlignMlmLoss.forward, iter(range(1, 1 << 30))

        def forward(loss, model, *args, **kwargs):
            if model.training and next(calls) == update:
                os.kill(os.getpid(), number)
            return stock(loss, model, *args, **kwargs)

        AlignMlmLoss.forward = forward

    return break_it


def train(several, save: Path) -> None:
    """Train with one command after the other in a process that is not this one."""

    def work() -> None:
        for one in several:
            runs.train.main(changed(one, save_dir=str(save)))

    assert runs.end(runs.fork(work, runs.log_of(save))) == 0, log(save)[-3000:]


@pytest.mark.parametrize("begin", STARTS)
def test_a_finished_run_given_again_changes_nothing_and_says_so(cfg, other, whole, begin):
    """Whatever limit it has reached."""
    one, save = begun(cfg, begin, other), whole(begin)
    before, said = contents(save), len(log(save))
    ends = ENDS if "reset" not in begin else {"max-update": ENDS["max-update"]}
    train([changed(one, **{"optimization.max_update": 1000} | limit) for limit, _ in ends.values()], save)
    assert contents(save) == before
    reasons = re.findall("nothing to do: (.*)", log(save)[said:])
    for reason, (_, expected) in zip(reasons, ends.values(), strict=True):
        assert re.fullmatch(f".*{expected}", reason)


def flags(settings: dict) -> list[str]:
    """The words of a command that name these settings; one that is False names none."""
    words = []
    for name, value in settings.items():
        if value is not False:
            words += [f"--{name.rpartition('.')[2].replace('_', '-')}", *([] if value is True else [str(value)])]
    return words


@pytest.mark.parametrize("begin", STARTS)
def test_a_limit_that_ended_a_run_ends_it_again(cfg, other, tmp_path, begin):
    """The same command twice, for each limit but --max-update, of which that is shown above."""
    words = runs.words(Path(cfg.task.data), *SAVING, *flags(PATIENT), *flags(STARTS[begin]))
    one = runs.parsed(word.format(other=other) for word in words if word != "--disable-validation")
    ends = {end: limit for end, limit in ENDS.items() if end != "max-update"}
    several = [changed(one, save_dir=str(tmp_path / end), **limit) for end, (limit, _) in ends.items()]

    def train() -> None:
        for each in several:
            distributed_utils.call_main(each, runs.train.main)

    logs = [tmp_path / name for name in ("first.log", "again.log")]
    assert runs.end(runs.fork(train, logs[0])) == 0, logs[0].read_text()[-3000:]
    before = {end: contents(tmp_path / end) for end in ends}
    assert all("checkpoint_last.pt" in found for found in before.values())
    assert runs.end(runs.fork(train, logs[1])) == 0, logs[1].read_text()[-3000:]
    assert {end: contents(tmp_path / end) for end in ends} == before
    assert "nothing to do" not in logs[0].read_text()
    said = re.findall("nothing to do: (.*)", logs[1].read_text())
    for reason, (_, expected) in zip(said, ends.values(), strict=True):
        assert re.fullmatch(f".*{expected}", reason)


@pytest.mark.parametrize("begin", STARTS)
def test_an_interrupted_run_given_again_goes_on_to_the_bit(cfg, other, whole, tmp_path, begin):
    """It is stopped in its third update, and killed two updates later, of which a checkpoint has one."""
    one, save = begun(cfg, begin, other), tmp_path / "run"
    assert runs.finish(one, save, UPDATES, signalled(signal.SIGTERM, 3)) == 75
    assert runs.finish(one, save, UPDATES, signalled(signal.SIGKILL, 3)) == -signal.SIGKILL
    assert runs.finish(one, save, UPDATES) == 0
    assert log(save).count("goes on from ") == 2 and runs.same(last(save), last(whole(begin)))
    assert runs.losses(save).items() <= runs.losses(whole(begin)).items()


def test_a_run_without_last_checkpoints_goes_on_and_ends(cfg, other, tmp_path):
    """As finetune.sh trains: only the best epoch is kept. A finished run is known by finished.json."""
    settings = {"no_last_checkpoints": True, "save_interval_updates": 0, "finetune_from_model": str(other)}
    settings |= {"maximize_best_checkpoint_metric": False, "optimization.max_epoch": 3}
    one = changed(cfg, **settings, **{"dataset.validate_interval_updates": 0})
    expected, save = tmp_path / "whole", tmp_path / "run"
    assert runs.finish(one, expected, 1000) == 0
    assert not (expected / "checkpoint_last.pt").exists() and (expected / start.END).exists()
    assert runs.finish(one, save, 1000, signalled(signal.SIGKILL, 8)) == -signal.SIGKILL
    assert runs.finish(one, save, 1000, signalled(signal.SIGTERM, 5)) == 75
    assert runs.finish(one, save, 1000) == 0
    assert re.findall(r"goes on from .*/(\w+.pt) after (\d+) updates", log(save)) == [
        ("checkpoint_best.pt", "6"), ("checkpoint_last.pt", "11"),
    ]  # fmt: skip
    best = [state(folder / "checkpoint_best.pt") for folder in (save, expected)]
    assert runs.same(*best) and runs.losses(save).items() <= runs.losses(expected).items()
    before = contents(save)
    assert runs.finish(one, save, 1000) == 0 and contents(save) == before
    assert "nothing to do: found 3 epochs done of --max-epoch 3" in log(save)


def test_patience_counts_on_where_a_run_was_interrupted(cfg, tmp_path):
    """Three validations that are worse than the first one end it, whatever comes between them."""
    one = changed(cfg, patience=3)
    expected, save = tmp_path / "whole", tmp_path / "run"
    assert runs.finish(one, expected, 1000) == 0
    assert runs.finish(one, save, 1000, signalled(signal.SIGTERM, 2)) == 75
    assert runs.finish(one, save, 1000) == 0
    assert runs.same(last(save), last(expected)) and last(save)["scheduler"]["num_updates"] == 4


@pytest.mark.parametrize("limit", ["max_update", "patience"])
def test_a_finished_run_goes_on_when_its_limit_is_raised(cfg, tmp_path, limit):
    one, save = changed(cfg, patience=1) if limit == "patience" else cfg, tmp_path / "run"
    assert runs.finish(one, save, 4) == 0
    assert runs.finish(changed(one, patience=2) if limit == "patience" else one, save, 6) == 0
    assert "nothing to do" not in log(save)
    assert last(save)["scheduler"]["num_updates"] == (3 if limit == "patience" else 6)


def test_a_run_without_the_state_of_its_optimizer_is_finished_or_refused_but_goes_on_after_a_signal(cfg, tmp_path):
    one, save = changed(cfg, no_save_optimizer_state=True), tmp_path / "run"
    assert runs.finish(one, save, 4, signalled(signal.SIGTERM, 3)) == 75
    assert runs.finish(one, save, 4) == 0 and max(runs.losses(save)) == 4
    before = contents(save)
    assert runs.finish(one, save, 4) == 0 and "nothing to do: found 4 updates done" in log(save)
    assert runs.finish(one, save, 8) == 1
    assert re.fullmatch(
        "error: .*/checkpoint_last.pt: found no state of the optimizer after 4 updates, expected one to go on from; "
        "train without --no-save-optimizer-state, .*",
        log(save).splitlines()[-1],
    )
    assert contents(save) == before


def test_training_time_of_another_run_does_not_count(cfg, other, tmp_path):
    """fairseq takes it over with --finetune-from-model, so that --stop-time-hours ends the new run at once."""
    found = torch.load(other, weights_only=True)
    found["extra_state"]["previous_training_time"] = 36000.0
    torch.save(found, tmp_path / "old.pt")
    one = changed(cfg, finetune_from_model=str(tmp_path / "old.pt"), **{"optimization.stop_time_hours": 5})
    assert runs.finish(one, tmp_path / "run", 3) == 0 and max(runs.losses(tmp_path / "run")) == 3


def test_another_start_in_a_folder_that_has_a_run_says_what_becomes_of_that(cfg, other, whole, tmp_path):
    save = tmp_path / "run"
    shutil.copytree(whole("nothing"), save)
    line = f"{save}/checkpoint_last.pt, after {UPDATES} updates, is of another run, and will be written over"
    assert runs.finish(changed(cfg, restore_file=str(other)), save, 4) == 0
    assert f"starts from {other}, as --restore-file says; {line}" in log(save)
    assert last(save)["scheduler"]["num_updates"] == 4
    assert runs.finish(changed(cfg, finetune_from_model=str(other)), save, 5) == 0
    assert f"goes on from {save}/checkpoint_last.pt after 4 updates; --finetune-from-model {other} did not" in log(save)
    assert runs.finish(changed(cfg, restore_file=str(other)), save, 6) == 0  # given again later, it is still the same
    assert f"goes on from {save}/checkpoint_last.pt after 5 updates, as it was begun by --restore-file" in log(save)


def test_what_a_run_named_as_it_went_on_still_counts_as_its_own(cfg, tmp_path):
    """--reset-optimizer in the middle of a run resets once."""
    save = tmp_path / "run"
    assert runs.finish(cfg, save, 3) == 0
    again = changed(cfg, reset_optimizer=True)
    assert runs.finish(again, save, 2) == 0
    assert "goes on from" in log(save) and "with --reset-optimizer" in log(save)
    assert last(save)["scheduler"]["num_updates"] == 2
    assert runs.finish(again, save, 2) == 0 and "nothing to do: found 2 updates done" in log(save)


@pytest.mark.parametrize("flag", ["restore_file", "finetune_from_model"])
def test_a_checkpoint_that_is_not_there_is_named_in_one_line(cfg, tmp_path, flag):
    save = tmp_path / "run"
    assert runs.finish(changed(cfg, **{flag: "/nope/model.pt"}), save, 1) == 1
    name = flag.replace("_", "-")
    assert log(save).splitlines()[-1] == (
        f"error: /nope/model.pt: found no file, expected the checkpoint that --{name} names; check the path"
    )
    assert "Traceback" not in log(save) and not list(save.glob("*.pt"))


@pytest.mark.parametrize("flag", ["restore_file", "finetune_from_model"])
def test_weights_of_hugging_face_are_no_checkpoint_and_the_way_from_them_is_named(cfg, tmp_path, flag):
    weights = tmp_path / "pytorch_model.bin"
    torch.save({"roberta.embeddings.word_embeddings.weight": torch.zeros(3, 4)}, weights)
    assert runs.finish(changed(cfg, **{flag: str(weights)}), tmp_path / "run", 1) == 1
    assert log(tmp_path / "run").splitlines()[-1] == (
        f"error: {weights}: found weights alone, such as roberta.embeddings.word_embeddings.weight, expected a "
        "checkpoint of fairseq-train; fairseq-align import makes one of a model of Hugging Face"
    )


def test_a_name_without_its_folder_is_corrected(cfg, whole, tmp_path):
    save = tmp_path / "run"
    save.mkdir()
    shutil.copy(whole("nothing") / "checkpoint_last.pt", save / "checkpoint_best.pt")
    assert runs.finish(changed(cfg, restore_file="checkpoint_best.pt", no_save=True), save, 1) == 1
    assert f"did you mean {save}/checkpoint_best.pt?" in log(save)


@pytest.mark.parametrize("also", ["reset_meters", "restore_file"])
def test_flags_that_contradict_each_other_are_refused_in_one_line(cfg, other, tmp_path, also):
    one = changed(cfg, finetune_from_model=str(other), **{also: str(other) if also == "restore_file" else True})
    assert runs.finish(one, tmp_path / "run", 1) == 1
    assert (
        log(tmp_path / "run")
        .splitlines()[-1]
        .startswith(f"error: found --finetune-from-model and --{also.replace('_', '-')}, expected one of them")
    )


def test_checkpoints_of_plain_fairseq_are_known_by_the_settings_in_them(cfg, other, whole, tmp_path):
    save = tmp_path / "run"
    save.mkdir()
    found = torch.load(whole("restore-file") / "checkpoint_last.pt", weights_only=True)
    for name in (start.BEGAN, start.PATIENCE):
        del found["extra_state"][name]
    torch.save(found, save / "checkpoint_last.pt")
    assert runs.finish(begun(cfg, "restore-file", other), save, UPDATES) == 0
    assert "nothing to do" in log(save)


def test_the_flags_of_a_start_are_words_of_a_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert start.began_by(Namespace(restore_file="checkpoint_last.pt")) == ""
    named = Namespace(restore_file="a b.pt", reset_meters=True)
    assert start.began_by(named) == f"--restore-file '{tmp_path}/a b.pt' --reset-meters"


def test_two_runs_of_one_process_end_as_the_same_two_alone(cfg, tmp_path):
    """A sweep (fairseq-hydra-train -m): fairseq keeps the best score and the count of --patience in functions."""
    one = changed(cfg, patience=2, **{"optimization.max_update": 4})
    jobs = [changed(one, **{"common.seed": seed}) for seed in (1, 2)]
    for job, name in zip(jobs, "ab", strict=True):
        assert runs.finish(job, tmp_path / f"alone-{name}", 4) == 0
        job.checkpoint.save_dir = str(tmp_path / f"sweep-{name}")

    def sweep() -> None:
        for job in jobs:
            runs.train.main(job)

    assert runs.end(runs.fork(sweep, tmp_path / "sweep.log")) == 0, (tmp_path / "sweep.log").read_text()[-3000:]
    for name in "ab":
        alone, swept = tmp_path / f"alone-{name}", tmp_path / f"sweep-{name}"
        assert contents(alone).keys() == contents(swept).keys() >= {"checkpoint_best.pt", "checkpoint_last.pt"}
        for file in ("checkpoint_best.pt", "checkpoint_last.pt"):
            assert runs.same(state(alone / file), state(swept / file))
