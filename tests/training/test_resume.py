"""Interrupted training goes on as if nothing had been: resumed, preempted, killed, with other ranks, damaged."""

import os
import re
import shutil
import signal
import zipfile
from collections import Counter
from pathlib import Path

import pytest
import torch
from fairseq import tasks
from fairseq.data.iterators import GroupedIterator
from fairseq.file_io import PathManager

from fairseq_align.criterions.align_mlm import AlignMlmLoss
from fairseq_align.embeddings.alignment_loss import LOSSES, alignment_loss
from fairseq_align.errors import InputError
from fairseq_align.lexicon.words import Pairs, Words
from fairseq_align.training import resharding as shards
from fairseq_align.training.stopping import STOPPED
from tests.stress import runs

pytestmark = pytest.mark.forks

UPDATES = 24  # an epoch has 18: 144 sentences in batches of 8
SAVE = ["--save-interval-updates", 5]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return runs.write_data(tmp_path_factory.mktemp("tiny") / "data")


@pytest.fixture(scope="module")
def cfg(data):
    return runs.settings(data, *SAVE)


@pytest.fixture(scope="module")
def whole(cfg, tmp_path_factory) -> Path:
    """Folder of a run that nothing interrupted."""
    save = tmp_path_factory.mktemp("whole") / "run"
    assert runs.finish(cfg, save, UPDATES) == 0
    return save


def last(save: Path) -> dict:
    return runs.state(save / "checkpoint_last.pt")


def ends_like(save: Path, whole: Path) -> bool:
    """Whether two runs have the same state to the bit, and show the same losses wherever both show one."""
    ours, theirs = runs.losses(save), runs.losses(whole)
    assert ours and all(ours[update] == theirs[update] for update in ours)
    return runs.same(last(save), last(whole))


@pytest.mark.parametrize("objective", runs.OBJECTIVES)
def test_a_run_resumed_in_the_middle_of_an_epoch_ends_equal_to_the_bit(data, tmp_path, objective):
    cfg = runs.settings(data, *SAVE, objective=objective)
    assert runs.finish(cfg, tmp_path / "whole", UPDATES) == 0
    saved = [5, 20] if objective == "align_mlm" else [5]
    for update in saved:
        save = tmp_path / str(update)
        save.mkdir()
        (found,) = (tmp_path / "whole").glob(f"checkpoint_*_{update}.pt")
        shutil.copy(found, save / "checkpoint_last.pt")
        assert runs.finish(cfg, save, UPDATES) == 0
        assert min(runs.losses(save)) == update + 1 and ends_like(save, tmp_path / "whole")


def test_a_finished_run_stays_as_it_is(cfg, whole, tmp_path):
    save = tmp_path / "run"
    shutil.copytree(whole, save)
    assert runs.finish(cfg, save, UPDATES) == 0
    assert "nothing to do: found 24 updates done of --max-update 24" in runs.log_of(save).read_text()
    assert (save / "checkpoint_last.pt").read_bytes() == (whole / "checkpoint_last.pt").read_bytes()


def update_contents(task, dataset, ranks: int, workers: int, update_freq: int, skipped: int = 0, state=None) -> list:
    """What each update of an epoch holds, over all ranks: how often each item comes, with its masks.

    Args:
        skipped: updates that ``state`` has left behind; None: from the beginning.
    """
    updates = []
    for rank in range(ranks):
        epoch = task.get_batch_iterator(
            dataset, max_sentences=4, num_shards=ranks, shard_id=rank, num_workers=workers, seed=1, epoch=2,
            disable_iterator_cache=True,
        )  # fmt: skip
        if state:
            epoch.load_state_dict(state)
        for number, batches in enumerate(GroupedIterator(epoch.next_epoch_itr(), update_freq), skipped):
            updates += [Counter() for _ in range(number + 1 - len(updates))]
            for batch in filter(None, batches):
                rows = zip(batch["id"].tolist(), batch["net_input"]["src_tokens"], batch["target"], strict=True)
                updates[number].update(
                    (item, *(tuple(tokens[tokens != 1].tolist()) for tokens in found)) for item, *found in rows
                )
        if not state:
            saved = epoch.state_dict()
            assert saved["num_shards"] == ranks
    return updates


def test_updates_hold_the_same_items_and_masks_for_any_ranks_workers_and_accumulation(data, tmp_path):
    task = tasks.setup_task(runs.settings(data, objective="tlm").task)
    task.load_dataset("train")
    dataset = task.dataset("train")
    alone = update_contents(task, dataset, 1, 0, 4)
    assert sum(map(sum, (one.values() for one in alone))) == len(dataset) and len(alone) > 10
    for ranks, update_freq in [(2, 2), (4, 1)]:
        assert update_contents(task, dataset, ranks, 0, update_freq) == alone

    def with_workers() -> None:
        for ranks, update_freq in [(1, 4), (4, 1)]:
            assert update_contents(task, dataset, ranks, 2, update_freq) == alone

    log = tmp_path / "log"  # workers stay as long as the process that began them
    assert runs.end(runs.fork(with_workers, log)) == 0, log.read_text()
    for before, after in [(1, 4), (4, 1), (2, 4), (4, 2)]:
        state = {"version": 2, "epoch": 2, "iterations_in_epoch": 3 * 4 // before, "num_shards": before}
        rest = update_contents(task, dataset, after, 0, 4 // after, skipped=3, state=state)
        assert rest[3:] == alone[3:]


def test_a_place_that_the_new_ranks_cannot_share_shows_some_batches_again(caplog):
    state = {"epoch": 1, "iterations_in_epoch": 5, "num_shards": 3}
    assert shards.placed(state, 2)["iterations_in_epoch"] == 7
    assert "the last 1 batches are shown again" in caplog.text
    assert shards.placed(state, 3) is state and shards.placed({"epoch": 1}, 3) == {"epoch": 1}


def finish_ranks(cfg, save: Path, updates: int, before=((), ())) -> list[int]:
    """Train with two processes; ``before`` breaks each of them."""
    begin = [lambda breaks=breaks: [change() for change in breaks] for breaks in before]
    started = [runs.start(one, save, updates, first) for one, first in zip(runs.ranks(cfg, 2), begin, strict=True)]
    return [runs.end(process) for process in started]


def test_one_rank_goes_on_where_two_were_and_the_other_way_round(data, tmp_path):
    """Two gloo processes of 8 sentences a batch, one of two batches an update."""
    still = [*SAVE, "--dropout", 0, "--attention-dropout", 0]  # what is dropped depends on the rank
    one, two = runs.settings(data, *still, "--update-freq", 2), runs.settings(data, *still)
    assert finish_ranks(two, tmp_path / "ranks", 12) == [0, 0]
    assert runs.finish(one, tmp_path / "alone", 12) == 0
    for first, second, save in ((one, two, tmp_path / "grown"), (two, one, tmp_path / "shrunk")):
        for cfg, updates in ((first, 5), (second, 12)):
            assert (runs.finish(cfg, save, updates) if cfg is one else finish_ranks(cfg, save, updates)) in (0, [0, 0])
    expected = last(tmp_path / "alone")["model"]
    for name in ("ranks", "grown", "shrunk"):
        found = last(tmp_path / name)["model"]
        assert all(torch.allclose(found[key], expected[key], atol=2e-4) for key in expected)


def test_two_ranks_learn_what_one_does_by_terms_beyond_the_paper(data, tmp_path):
    still = [*SAVE, "--dropout", 0, "--attention-dropout", 0]
    one = runs.settings(data, *still, "--update-freq", 2, objective="beyond")
    two = runs.settings(data, *still, objective="beyond")
    assert finish_ranks(two, tmp_path / "ranks", 12) == [0, 0] and runs.finish(one, tmp_path / "alone", 12) == 0
    for part in ("model", "criterion"):
        found, expected = last(tmp_path / "ranks")[part], last(tmp_path / "alone")[part]
        assert all(torch.allclose(found[key], expected[key], atol=2e-4) for key in expected)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_ends_training_after_the_update_and_the_same_command_goes_on(cfg, whole, tmp_path, number):
    save = tmp_path / "run"
    process = runs.start(cfg, save, UPDATES * 100)
    runs.begun(save, process)
    for _ in range(3):  # schedulers repeat themselves
        os.kill(process, number)
    assert runs.end(process) == STOPPED == 75
    done = max(runs.losses(save))
    assert f"stopped by a signal after {done} updates, saved" in runs.log_of(save).read_text()
    assert last(save)["scheduler"]["num_updates"] == done
    if done < UPDATES:  # else the machine was too slow to be stopped in time
        assert runs.finish(cfg, save, UPDATES) == 0 and ends_like(save, whole)


def test_loader_workers_survive_a_signal_to_the_whole_job(data, whole, tmp_path):
    """Schedulers signal every process of a job; the update still ends, and reading ahead does no harm."""
    cfg, save = runs.settings(data, *SAVE, "--num-workers", 2, "--data-buffer-size", 10), tmp_path / "run"
    process = runs.start(cfg, save, UPDATES * 100)
    runs.begun(save, process)
    os.killpg(process, signal.SIGTERM)
    assert runs.end(process) == STOPPED
    assert runs.finish(cfg, save, UPDATES) == 0


def test_all_ranks_stop_at_one_update_when_one_is_told(cfg, tmp_path):
    assert finish_ranks(cfg, tmp_path / "whole", UPDATES) == [0, 0]
    save = tmp_path / "run"
    started = [runs.start(one, save, UPDATES * 100) for one in runs.ranks(cfg, 2)]
    runs.begun(save, started[0])
    os.kill(started[1], signal.SIGTERM)
    assert [runs.end(process) for process in started] == [STOPPED, STOPPED]
    stops = re.findall(r"stopped by a signal after (\d+) updates", runs.log_of(save).read_text())
    assert len(stops) == 1  # fairseq's other ranks say warnings alone
    if int(stops[0]) < UPDATES:
        assert finish_ranks(cfg, save, UPDATES) == [0, 0] and ends_like(save, tmp_path / "whole")


def test_spawned_ranks_hear_what_the_command_is_told(cfg, tmp_path):
    """One command for all GPUs of a machine: fairseq spawns a process for each. Here they are CPUs."""
    spawned, save = runs.ranks(cfg, 2)[0], tmp_path / "run"
    spawned.distributed_training.distributed_no_spawn = False
    process = runs.start(spawned, save, UPDATES * 100, lambda: setattr(torch.cuda, "device_count", lambda: 2))
    runs.begun(save, process)
    os.kill(process, signal.SIGTERM)
    assert runs.end(process) == STOPPED
    assert len(re.findall(r"stopped by a signal after \d+ updates", runs.log_of(save).read_text())) == 1


@pytest.mark.parametrize(
    ("owner", "name", "half"),
    [
        (torch, "save", runs.half_written),  # while the checkpoint is written
        (PathManager, "rename", runs.nothing),  # it is written, but has not got its name
        (shutil, "copyfile", runs.half_copied),  # while checkpoint_last.pt is copied from it
    ],
)
def test_the_last_complete_checkpoint_survives_a_kill_while_saving(cfg, whole, tmp_path, owner, name, half):
    save = tmp_path / "run"
    call = 3 if name == "rename" else 2  # a save renames twice
    assert runs.finish(cfg, save, UPDATES, lambda: runs.killed(owner, name, call, half)) == -signal.SIGKILL
    assert last(save)["scheduler"]["num_updates"] == 5
    assert runs.finish(cfg, save, UPDATES) == 0 and ends_like(save, whole)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def flip(path: Path) -> None:
    """Change a bit of the largest tensor: between tensors are bytes that mean nothing."""
    with zipfile.ZipFile(path) as archive:
        largest = max(archive.infolist(), key=lambda part: part.file_size)
        with archive.open(largest) as part:
            tensor = part.read()
    content = bytearray(path.read_bytes())
    content[content.index(tensor) + len(tensor) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("harm", [cut, flip])
def test_training_goes_on_from_the_newest_whole_checkpoint_when_the_last_is_damaged(cfg, whole, tmp_path, harm):
    save = tmp_path / "run"
    shutil.copytree(whole, save)
    harm(save / "checkpoint_last.pt")
    harm(max(save.glob("checkpoint_*_20.pt")))
    assert runs.finish(cfg, save, UPDATES) == 0
    log = runs.log_of(save).read_text()
    assert re.search(
        r"checkpoint_last.pt: found .*, expected a whole checkpoint; training continues from .*_15.pt", log
    )
    assert ends_like(save, whole)


def test_a_damaged_last_checkpoint_without_another_is_named_in_one_line(cfg, whole, tmp_path):
    save = tmp_path / "run"
    save.mkdir()
    shutil.copy(whole / "checkpoint_last.pt", save)
    cut(save / "checkpoint_last.pt")
    assert runs.finish(cfg, save, UPDATES) == 1
    log = runs.log_of(save).read_text()
    assert re.fullmatch(
        r"error: .*/checkpoint_last.pt: found .*, expected a whole checkpoint, of which this folder has no other; "
        r"move the file away to begin anew",
        log.splitlines()[-1],
    )
    assert "Traceback" not in log


def failing(message_or_factor) -> None:
    """Make the loss of this process fail in its third update: an exception, or a loss that is multiplied."""
    stock, calls = AlignMlmLoss.forward, iter(range(1, 1 << 30))

    def forward(*args, **kwargs):
        loss, *rest = stock(*args, **kwargs)
        if next(calls) == 3:
            if isinstance(message_or_factor, Exception):
                raise message_or_factor
            loss = loss * message_or_factor
        return loss, *rest

    AlignMlmLoss.forward = forward


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), "found no memory left on rank 1 in update 3, expected room"),
        (float("nan"), "FloatingPointError: gradients are Nan/Inf"),
        (InputError("lexicon.tsv: found a full disk"), "lexicon.tsv: found a full disk"),
    ],
)
def test_every_rank_ends_with_the_message_of_the_one_that_fails(cfg, tmp_path, failure, message):
    save = tmp_path / "run"
    assert finish_ranks(cfg, save, UPDATES, ((), (lambda: failing(failure),))) == [1, 1]
    found = re.findall(r"all ranks end: (rank \d: .*)", runs.log_of(save).read_text())
    assert len(found) == 2 and found[0] == found[1] and message in found[0]


def test_ranks_end_when_rank_0_is_killed(cfg, tmp_path):
    save = tmp_path / "run"
    started = [runs.start(one, save, UPDATES * 100) for one in runs.ranks(cfg, 2)]
    runs.begun(save, started[0])
    os.kill(started[0], signal.SIGKILL)
    assert [runs.end(process) for process in started] == [-signal.SIGKILL, 1]


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
@pytest.mark.parametrize("pairs", [[(0, 1), (2, 3), (4, 5)], []])
def test_the_alignment_term_is_finite_where_half_precision_overflows(kind, dtype, pairs):
    rng = torch.Generator().manual_seed(1)
    sample = Pairs(*(Words.of([pair[side]] for pair in pairs) for side in (0, 1)), torch.ones(len(pairs)))
    for table in (torch.zeros(6, 4), torch.ones(6, 4), 1e4 * torch.randn(6, 4, generator=rng)):
        table = table.to(dtype).requires_grad_()
        loss = alignment_loss(table, sample, LOSSES[kind]())
        loss.backward()
        assert loss.dtype == torch.float32 and loss.isfinite() and table.grad.isfinite().all()
        assert pairs or (loss == 0 and not table.grad.any())
