"""What a run starts from, and whether anything is left to do: one rule for every command that trains.

A run goes on from the newest checkpoint of its ``--save-dir`` that the same flags began; a run that has none starts as
``--restore-file``, ``--finetune-from-model`` and the ``--reset-...`` flags say. So the same command goes on when it is
given again, and what the flags reset is reset once. A run that has reached one of its limits has nothing to do.
"""

import argparse
import copy
import json
import logging
import math
import os
import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from weakref import WeakKeyDictionary

import torch
from fairseq import checkpoint_utils
from fairseq.file_io import PathManager
from fairseq.trainer import Trainer

from fairseq_align.errors import InputError
from fairseq_align.files import writing
from fairseq_align.training import checkpoints, fitting
from fairseq_align.training.program import trainers

logger = logging.getLogger(__name__)

LAST_FILE = "checkpoint_last.pt"  # fairseq's default of --restore-file: that of the save-dir
SOURCES = ("restore_file", "finetune_from_model", "continue_once")
RESETS = ("reset_optimizer", "reset_lr_scheduler", "reset_meters", "reset_dataloader")
END = "finished.json"  # where the last checkpoint does not have the end of a run, this file of the save-dir says it
BEGAN, PATIENCE = "began_by", "patience"  # what a checkpoint of ours has besides fairseq's


class Header(NamedTuple):
    """What a checkpoint says of itself, without its tensors.

    Attributes:
        updates: that its run had done.
        began_by: what ``began_by`` said of each command of its run; of one of plain fairseq, of the last.
        has_optimizer: whether training can go on from it to the bit; not with ``--no-save-optimizer-state``.
        damage: what is wrong with the file; None: nothing that could be seen here.
    """

    path: Path
    updates: int
    began_by: list[str]
    has_optimizer: bool
    damage: str | None = None


class Start(NamedTuple):
    """What a run starts from.

    Attributes:
        line: the answer in words.
        found: the checkpoint of the save-dir that the run goes on from; None: it starts as its flags say.
        again: whether the flags have begun that run already, so that what they reset has been reset.
    """

    line: str
    found: Header | None = None
    again: bool = False


class Done(NamedTuple):
    """How far a run has come: what its limits are compared with.

    Attributes:
        hours: of training.
        worse: validations in a row that were not better than the best one before them.
    """

    updates: int = 0
    epochs: int = 0
    hours: float = 0.0
    worse: int = 0


class _Run:
    """What is known of the run of a trainer until it ends."""

    def __init__(self, began: list[str]):
        self.began = began
        self.saved = -1  # updates that the last checkpoint has
        self.nothing_to_do = False


_runs: WeakKeyDictionary[Trainer, _Run] = WeakKeyDictionary()


def began_by(settings: object) -> str:
    """The flags that say what a run starts from, as words of a command; empty for a run that starts from nothing.

    Args:
        settings: has the settings of fairseq's group ``checkpoint`` as attributes.

    Example:
        >>> began_by(argparse.Namespace(restore_file="/models/xlmr.pt", reset_optimizer=True))
        '--restore-file /models/xlmr.pt --reset-optimizer'
    """
    words = []
    for name in SOURCES:
        path = getattr(settings, name, None)
        if path and not (name == "restore_file" and path == LAST_FILE):
            words += [_flag(name), path if "://" in path else os.path.abspath(path)]
    words += [_flag(name) for name in RESETS if getattr(settings, name, False)]
    return shlex.join(words)


def choose(cfg, suffix: str = "") -> Start:
    """What a run starts from, see the head of this module.

    Without ``--restore-file`` it goes on from a checkpoint_last.pt whoever began that, as in fairseq.

    Args:
        cfg: fairseq's group ``checkpoint``.
        suffix: of the names of checkpoints of a model in parts.

    Raises:
        InputError: the flags contradict each other, or name a file that is not there.
    """
    began = began_by(cfg)
    source = _source(cfg)
    last = _header(Path(cfg.save_dir, f"checkpoint_last{suffix}.pt"))
    if last is None or began not in last.began_by or cfg.no_last_checkpoints:
        own = _newest(cfg.save_dir, suffix, began)
        if own:
            if last and last.damage:
                logger.warning(checkpoints.DAMAGED, last.path, last.damage, own.path)
            last = own
        elif last and source == "restore_file" and not _same_file(last.path, cfg.restore_file):
            _check_there(cfg, source)
            line = f"starts from {cfg.restore_file}{_reset(cfg)}, as --restore-file says; {last.path}, after "
            return Start(line + f"{last.updates} updates, is of another run, and will be written over")
    if last:
        again = began in last.began_by
        line = f"goes on from {last.path} after {last.updates} updates"
        if again:
            line += f", as it was begun by {began}" if began else ""
        elif source == "finetune_from_model":
            line += f"; {began} did not begin it: to do that, choose another --save-dir or move the file away"
        else:
            line += _reset(cfg)
        return Start(line, last, again)
    if source is None:
        return Start(f"starts from new weights: there is no checkpoint in {cfg.save_dir}")
    _check_there(cfg, source)
    part = "the weights of " if source == "finetune_from_model" else ""
    return Start(f"starts from {part}{cfg[source]}{_reset(cfg)}")


def _source(cfg) -> str | None:
    """The setting that names a checkpoint to start from."""
    named = [name for name in SOURCES if cfg.get(name) and (name, cfg[name]) != ("restore_file", LAST_FILE)]
    resets = [name for name in RESETS if cfg[name]]
    if cfg.finetune_from_model and (len(named) > 1 or resets):
        other = next(name for name in [*named, *resets] if name != "finetune_from_model")
        raise InputError(
            f"found --finetune-from-model and {_flag(other)}, expected one of them; --finetune-from-model takes the "
            "weights of a checkpoint and resets everything else"
        )
    return named[0] if named else None


def _check_there(cfg, source: str) -> None:
    path = cfg[source]
    if PathManager.isfile(path):
        return
    beside = Path(cfg.save_dir, path)
    hint = f"did you mean {beside}?" if beside.is_file() else "check the path"
    raise InputError(f"{path}: found no file, expected the checkpoint that {_flag(source)} names; {hint}")


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _reset(cfg) -> str:
    names = [_flag(name) for name in RESETS if cfg[name]]
    return f" with {', '.join(names)}" if names else ""


def _same_file(one: Path, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _newest(save_dir: str, suffix: str, began: str) -> Header | None:
    """The checkpoint with most updates, of those in a folder that are whole and of a run that the same flags began."""
    found = filter(None, map(_header, Path(save_dir).glob(f"checkpoint*{suffix}.pt")))
    own = [one for one in found if began in one.began_by]
    for one in sorted(own, key=lambda one: (one.updates, one.path.stat().st_mtime_ns), reverse=True):
        damage = checkpoints.damage(one.path)
        if not damage:
            return one
        logger.warning("%s: found %s, expected a whole checkpoint; looking for an older one", one.path, damage)
    return None


def _header(path: Path) -> Header | None:
    """What a checkpoint says of itself; None: there is none. A damaged one is of nobody's run."""
    if not path.is_file():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        settings = (state.get("cfg") or {}).get("checkpoint") or vars(state.get("args") or argparse.Namespace())
        began = state["extra_state"].get(BEGAN) or [began_by(argparse.Namespace(**settings))]
        updates = int(state["optimizer_history"][-1].get("num_updates", 0))
        return Header(path, updates, list(map(str, began)), state.get("last_optimizer_state") is not None)
    except Exception as error:  # torch has a dozen of them for a damaged file
        return Header(path, 0, [], True, f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}")


def load(load: Callable, cfg, trainer: Trainer, **passed):
    """fairseq's ``load_checkpoint`` from what ``choose`` chooses; says so, and whether anything is left to do.

    Raises:
        InputError: see ``choose``; or the checkpoint is of another model, or lacks the state of the optimizer.
    """
    _forget()
    start = choose(cfg, trainer.checkpoint_suffix)
    logger.info(start.line)
    cfg = copy.deepcopy(cfg)
    if start.found:
        folder, name = os.path.split(start.found.path)
        cfg.restore_file = os.path.join(folder, name.removesuffix(f"{trainer.checkpoint_suffix}.pt") + ".pt")
        cfg.finetune_from_model = None
        for reset in RESETS if start.again else ():
            cfg[reset] = False
    began = began_by(trainer.cfg.checkpoint)
    before = start.found.began_by if start.found else []
    run = _runs[trainer] = _Run([*(one for one in before if one != began), began])
    path = start.found.path if start.found else cfg.finetune_from_model or cfg.restore_file
    with fitting.explained(path), fitting.another_task(cfg.finetune_from_model or cfg.reset_optimizer):
        state, epochs = load(cfg, trainer, **passed)
    resets = cfg.reset_optimizer or cfg.reset_meters or cfg.finetune_from_model
    if state and not resets:
        _remember(state.get(PATIENCE))
        _end_epoch(cfg, state, trainer)
        reason = _reason(trainer.cfg, start, trainer, epochs)
        if reason:
            run.nothing_to_do = True
            logger.info("nothing to do: %s", reason)
        elif start.found and not start.found.has_optimizer:
            raise InputError(
                f"{start.found.path}: found no state of the optimizer after {start.found.updates} updates, expected "
                "one to go on from; train without --no-save-optimizer-state, or give the weights a run of their own: "
                "--finetune-from-model with another --save-dir"
            )
    if trainer.get_num_updates() == 0 and not run.nothing_to_do:  # fairseq counts the time of another run's training
        trainer._previous_training_time, trainer._start_time = 0, time.time()
    return state, epochs


def _end_epoch(cfg, state: dict, trainer: Trainer) -> None:
    """Tell the schedule of the learning rate how the epoch ended, which fairseq does after it has saved that end."""
    place = state["train_iterator"]
    at_end = place["epoch"] > 1 and place["iterations_in_epoch"] == 0
    if at_end and not (cfg.reset_lr_scheduler or cfg.reset_dataloader):
        trainer.lr_step(place["epoch"] - 1, state.get("val_loss"))


def finished(cfg, done: Done) -> str | None:
    """Which limit of its flags a run has reached; None: there is something left to do.

    Args:
        cfg: all settings of fairseq.
    """
    limits, patience = cfg.optimization, cfg.checkpoint.patience
    if done.updates >= (limits.max_update or math.inf):
        return f"found {done.updates} updates done of --max-update {limits.max_update}"
    if done.epochs >= (limits.max_epoch or math.inf):
        return f"found {done.epochs} epochs done of --max-epoch {limits.max_epoch}"
    if 0 < limits.stop_time_hours < done.hours:
        return f"found {done.hours:.2g} hours done of --stop-time-hours {limits.stop_time_hours:g}"
    if 0 < patience <= done.worse:
        return f"found {done.worse} validations without a better score, of --patience {patience}"
    return None


def _reason(cfg, start: Start, trainer: Trainer, epochs) -> str | None:
    """Why there is nothing left to do, by the checkpoint that was loaded or by the file ``END`` beside it."""
    done = _done(trainer, epochs)._replace(hours=trainer._previous_training_time / 3600)
    if start.found is None:
        return finished(cfg, done)
    # the trainer counts from 0 if the optimizer was not saved
    done = done._replace(updates=trainer._optim_history[-1]["num_updates"])
    path = start.found.path.parent / END
    try:
        noted = json.loads(path.read_text(encoding="utf-8"))
        end = Done(**{name: kind(noted[name]) for name, kind in Done.__annotations__.items()})
        ours = set(noted[BEGAN]) & {began_by(trainer.cfg.checkpoint)}
    except FileNotFoundError:
        return finished(cfg, done)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        logger.warning("%s: found %r, expected the end of a run; it is not used", path, error)
        return finished(cfg, done)
    reason = finished(cfg, end) if ours and end.updates > done.updates else None
    if reason:
        return f"{reason}, as {path} says; move it away to train again from {start.found.path}"
    return finished(cfg, done)


def _done(trainer: Trainer, epochs) -> Done:
    counts = (getattr(module.should_stop_early, "num_runs", 0) for module in trainers())
    hours = trainer.cumulative_training_time() / 3600
    return Done(trainer.get_num_updates(), epochs.next_epoch_idx - 1, hours, max(counts, default=0))


def has_nothing_to_do(trainer: Trainer) -> bool:
    """Whether the run had reached a limit when it began."""
    return trainer in _runs and _runs[trainer].nothing_to_do


def note_end(cfg, trainer: Trainer, epochs, stopped: bool) -> None:
    """Write ``END`` when a run has reached a limit and its last checkpoint does not say so.

    Args:
        epochs: iterator over them, after an epoch.
        stopped: whether fairseq will not train another epoch.
    """
    run, save = _runs.get(trainer), cfg.checkpoint
    done = _done(trainer, epochs)
    ends = stopped or finished(cfg, done)
    if not run or not ends or save.no_save or trainer.data_parallel_rank or run.saved == done.updates:
        return
    with writing(Path(save.save_dir, END)) as file:
        json.dump({**done._asdict(), BEGAN: run.began}, file, indent=1)


def save(save: Callable, trainer: Trainer, filename: str, extra_state: dict):
    """``Trainer.save_checkpoint``, which adds what began the run and how long its score has not been better."""
    run = _runs.get(trainer)
    if run:
        extra_state = {**extra_state, BEGAN: run.began, PATIENCE: _counts()}
        if not trainer.cfg.checkpoint.no_last_checkpoints:
            run.saved = trainer.get_num_updates()
    return save(trainer, filename, extra_state)


# fairseq keeps the best score and the count of --patience in attributes of two functions: they outlive a run of a
# sweep, and are not in its checkpoints.


def _forget() -> None:
    vars(checkpoint_utils.save_checkpoint).pop("best", None)
    for module in trainers():
        for name in ("best", "num_runs"):
            vars(module.should_stop_early).pop(name, None)


def _counts() -> dict[str, float]:
    counts = (vars(module.should_stop_early) for module in trainers())
    return {name: found[name] for found in counts for name in ("best", "num_runs") if name in found}


def _remember(counts: dict[str, float] | None) -> None:
    for module in trainers():
        for name, value in (counts or {}).items():
            setattr(module.should_stop_early, name, value)
