"""Checkpoint files: a bit that has changed on the disk is found, and two whole ones are kept."""

import copy
import os
import random
import shutil
from pathlib import Path

import pytest
from fairseq import checkpoint_utils

from fairseq_align.errors import InputError
from fairseq_align.huggingface.fairseq_checkpoint import read_torch
from tests.stress import runs
from tests.support.training import state

pytestmark = pytest.mark.forks
PAGE = 4096


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return runs.write_data(tmp_path_factory.mktemp("kept") / "data")


@pytest.fixture(scope="module")
def saved(data, tmp_path_factory) -> Path:
    """The folder of a run of 6 updates that has its last checkpoint alone, saved every other update."""
    save = tmp_path_factory.mktemp("kept") / "run"
    cfg = copy.deepcopy(runs.settings(data))
    cfg.checkpoint.save_interval_updates, cfg.checkpoint.keep_interval_updates = 2, 1
    assert runs.finish(cfg, save, 6) == 0, runs.log_of(save).read_text()
    return save


def test_a_flipped_bit_in_any_page_is_found_or_changes_nothing(saved, tmp_path):
    """One bit in each page of 4 KiB, drawn at random; torch's own reader takes most of them."""
    path = tmp_path / "checkpoint.pt"
    content = (saved / "checkpoint_last.pt").read_bytes()
    whole = state(saved / "checkpoint_last.pt")
    rng, found, places = random.Random(1), 0, range(0, len(content), PAGE)
    for start in places:
        flipped = bytearray(content)
        flipped[rng.randrange(start, min(start + PAGE, len(content)))] ^= 1 << rng.randrange(8)
        path.write_bytes(flipped)
        try:
            loaded = checkpoint_utils.load_checkpoint_to_cpu(str(path))
        except InputError as error:
            found += 1
            assert str(error).startswith(f"{path}: found ") and "\n" not in str(error)
            with pytest.raises(InputError, match="found "):
                read_torch(path)
        else:
            assert runs.same(loaded["model"], whole["model"])
            assert runs.same(loaded["last_optimizer_state"], whole["last_optimizer_state"])
    assert len(places) > 20 and found > 0.7 * len(places)


def test_two_checkpoints_are_kept_where_flags_say_one(saved):
    """``--keep-interval-updates 1``: the last two of the three that were saved."""
    found = sorted(path.name for path in saved.glob("checkpoint_1_*.pt"))
    assert found == ["checkpoint_1_4.pt", "checkpoint_1_6.pt"]
    assert "--keep-interval-updates 1 keeps 2" in runs.log_of(saved).read_text()


def test_the_last_checkpoint_leaves_its_predecessor_where_it_is_alone(data, saved, tmp_path):
    save, cfg = tmp_path / "run", runs.settings(data)
    for updates in (2, 4, 5):
        assert runs.finish(cfg, save, updates) == 0, runs.log_of(save).read_text()
    assert sorted(path.name for path in save.glob("*.pt")) == ["checkpoint_last.pt", "checkpoint_previous.pt"]
    updates = {path.name: state(path)["optimizer_history"][-1]["num_updates"] for path in save.glob("checkpoint*.pt")}
    assert updates == {"checkpoint_last.pt": 5, "checkpoint_previous.pt": 4}
    os.truncate(save / "checkpoint_last.pt", 1000)
    assert runs.finish(cfg, save, 6) == 0
    whole = tmp_path / "whole"
    whole.mkdir()
    shutil.copy(saved / "checkpoint_last.pt", whole)
    assert runs.same(runs.state(save / "checkpoint_last.pt"), runs.state(whole / "checkpoint_last.pt"))
