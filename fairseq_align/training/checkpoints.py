"""fairseq's checkpoint files: safe loading, atomic writing, and the newest intact file in place of a damaged last one.

torch unpickles with ``weights_only=True`` and refuses every class it has not been told of. fairseq's checkpoints hold a
few plain containers beside the tensors; these, and no others, are registered here, so that training, resuming,
``fairseq-validate`` and ``from_pretrained`` work with no environment variable and no unsafe load. What its settings may
be, ``settings`` says.
"""

import argparse
import collections
import functools
import logging
import os
import pickle
import re
import shutil
import typing
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch
from fairseq import checkpoint_utils
from fairseq.dataclass.utils import overwrite_args_by_name
from fairseq.distributed.utils import _TensorPlaceholder
from fairseq.file_io import PathManager
from fairseq.trainer import Trainer
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.base import ContainerMetadata, Metadata
from omegaconf.nodes import AnyNode

from fairseq_align.errors import InputError
from fairseq_align.training import fingerprint, literals, settings

logger = logging.getLogger(__name__)

# Namespace: the arguments of a checkpoint. The rest: the configuration, and the stand-ins for tensors, of a checkpoint
# that rank 0 broadcasts to the others. Building any of them sets attributes and calls nothing.
SAFE_CLASSES = (
    argparse.Namespace,
    collections.defaultdict,
    dict,
    int,
    list,
    typing.Any,
    DictConfig,
    ListConfig,
    ContainerMetadata,
    Metadata,
    AnyNode,
    _TensorPlaceholder,
)
LAST = "checkpoint_last"
PREVIOUS = "checkpoint_previous"
DAMAGED = "%s: found %s, expected a whole checkpoint; training continues from %s"


def register_safe_classes() -> None:
    torch.serialization.add_safe_globals(list(SAFE_CLASSES))


def read_safely(stock: Callable[..., dict], path, arg_overrides=None, load_on_all_ranks=False) -> dict:
    """fairseq's ``load_checkpoint_to_cpu``, with every refusal in one line.

    Its steps are those of fairseq, but the settings are checked before OmegaConf, Hydra and ``arg_overrides`` see them.

    Raises:
        InputError: the checkpoint is damaged, holds anything but tensors and settings, or settings that
            ``settings.check`` refuses.
    """
    if not PathManager.isfile(path):
        raise InputError(f"{path}: found no file, expected a checkpoint; check the path")
    literals.cover_examples()
    found = changed_on_disk(path)
    if found:
        raise InputError(f"{path}: found {found}, expected a whole checkpoint; it is damaged: take another copy")
    try:
        state = torch.load(PathManager.get_local_path(path), map_location="cpu", weights_only=True)
        settings.check(state)
        if isinstance(state, dict) and state and all(isinstance(value, torch.Tensor) for value in state.values()):
            raise InputError(
                f"found weights alone, such as {next(iter(state))}, expected a checkpoint of fairseq-train; "
                "fairseq-align import makes one of a model of Hugging Face"
            )
        return _upgraded(state, arg_overrides)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path}: found {_refused(error)}, expected tensors and settings alone; it could run code and was not "
            "loaded, take a checkpoint of fairseq-train"
        ) from error
    except Exception as error:  # whatever damage does to torch's reader and to fairseq's upgrade of old checkpoints
        reason = (str(error).splitlines() or [""])[0]
        raise InputError(
            f"{path}: found {type(error).__name__}: {reason:.200}, expected a checkpoint of fairseq-train; "
            "it is damaged or none: take another copy"
        ) from error


def _upgraded(state: dict, arg_overrides: dict | None) -> dict:
    """What fairseq makes of a checkpoint that it has read: ``cfg`` as a configuration, old files as new ones."""
    overrides = arg_overrides or {}
    if state.get("args") is not None:
        vars(state["args"]).update(overrides)
    if state.get("cfg") is not None:
        state["cfg"] = OmegaConf.create(state["cfg"], flags={"allow_objects": True})
        overwrite_args_by_name(state["cfg"], overrides)
    return checkpoint_utils._upgrade_state_dict(state)


def _refused(error: pickle.UnpicklingError) -> str:
    """What torch's safe loader would not build, out of its long message."""
    named = re.search(r"GLOBAL (\S+)", str(error))
    return f"the global {named[1]}" if named else "what torch's safe loader refuses"


def damage(path: str | Path) -> str | None:
    """What is wrong with a file that should be a checkpoint written by torch; None: it is whole.

    The file is a ZIP archive with a checksum of every part; all of it is read, once as long as it does not change.
    """
    try:
        status = os.stat(path)
        return _damage(str(path), status.st_size, status.st_mtime_ns)
    except OSError as error:
        return f"{type(error).__name__}: {error}"


def is_archive(path: str | Path) -> bool:
    """Whether a file begins as torch's archives do; torch asks for the same bytes. Files of torch before 1.6 do not.

    Raises:
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        return file.read(4) == b"PK\x03\x04"


def changed_on_disk(path: str | Path) -> str | None:
    """``damage`` of an archive; torch itself does not look at their checksums. What is none is left to the reader."""
    return damage(path) if is_archive(path) else None


@functools.cache
def _damage(path: str, size: int, changed: int) -> str | None:
    """``damage`` of a file, remembered while its size and time of change stay the same."""
    try:
        with zipfile.ZipFile(path) as archive:
            part = archive.testzip()
            return part and f"a checksum that {part} does not fit"
    except Exception as error:  # zipfile has a dozen of them for an archive with flipped bits
        return f"{type(error).__name__}: {error}"


def whole(path: str) -> str:
    """The checkpoint to continue from: ``path``, or, where that is a damaged last checkpoint, the newest whole one.

    Raises:
        InputError: the last checkpoint is damaged, and there is no other one in its folder.
    """
    if not Path(path).name.startswith(LAST) or not PathManager.isfile(path):
        return path
    found = damage(path)
    if not found:
        return path
    others = [other for other in Path(path).parent.glob("checkpoint*.pt") if not other.name.startswith(LAST)]
    for other in sorted(others, key=lambda other: other.stat().st_mtime_ns, reverse=True):
        if not damage(other):
            logger.warning(DAMAGED, path, found, other)
            return str(other)
    raise InputError(
        f"{path}: found {found}, expected a whole checkpoint, of which this folder has no other; move the file away to "
        "begin anew"
    )


def resume_from_whole(
    resume: Callable, trainer: Trainer, filename: str, reset_optimizer: bool = False, *args, **kwargs
):
    """``Trainer.load_checkpoint``, with a damaged last checkpoint replaced by the newest whole one, see ``whole``.

    What the run is made of is first compared with what the checkpoint was made of, see ``fingerprint.check``: weights
    of another shape would end in a call stack.

    The trainer has built its model already, from the flags of its command; what these name, the checkpoint may name.
    """
    with settings.chosen_by(trainer.cfg):
        path = whole(filename)
        fingerprint.check(trainer, path, _part(path, "extra_state"), goes_on=not reset_optimizer)
        resumed = resume(trainer, path, reset_optimizer, *args, **kwargs)
        if not reset_optimizer:  # fairseq saves what a task keeps, and gives it to models that are loaded alone
            trainer.task.load_state_dict(_part(path, "task_state") or {})
        return resumed


def _part(path: str, name: str) -> dict | None:
    """A part of a checkpoint that is no weights; None of a file that lacks it, is missing or cannot be read."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)  # the weights stay on the disk
        part = state.get(name)
    except Exception:  # what is wrong with it is said where it is loaded
        return None
    return part if isinstance(part, dict) else None


def copy_whole(copy: Callable, source: str, target: str, overwrite: bool = False):
    """``PathManager.copy``, whose copy gets its name when it is complete."""
    done = copy(source, f"{target}.tmp", overwrite=True)
    PathManager.rename(f"{target}.tmp", target)
    return done


def rename_written(rename: Callable, source: str, target: str) -> None:
    """``PathManager.rename``, after the data of the file is on the disk: the new name must not be there before it.

    A last checkpoint that is replaced stays as ``checkpoint_previous.pt``, see ``_keep_previous``.
    """
    with open(source, "rb") as file:
        os.fsync(file.fileno())
    _keep_previous(Path(target))
    rename(source, target)


def _keep_previous(last: Path) -> None:
    """Give the last checkpoint another name before a new one takes its own, if the folder has no other checkpoint.

    So there are two at any time, and one is left when the other is damaged.
    """
    if not last.name.startswith(LAST) or not last.is_file():
        return
    previous = last.with_name(last.name.replace(LAST, PREVIOUS, 1))
    if {*last.parent.glob("checkpoint*.pt")} - {last, previous}:
        previous.unlink(missing_ok=True)
        return
    new = previous.with_name(previous.name + ".tmp")
    new.unlink(missing_ok=True)
    try:
        os.link(last, new)
    except OSError:  # a file system without links
        shutil.copyfile(last, new)
    os.replace(new, previous)


def keep_two(cfg: DictConfig) -> None:
    """Have fairseq keep two of the checkpoints that it would keep one of; a line says so.

    Args:
        cfg: fairseq's group ``checkpoint``, changed in place.
    """
    for name in ("keep_interval_updates", "keep_last_epochs"):
        if cfg[name] == 1:
            cfg[name] = 2
            logger.info("--%s 1 keeps 2: one is left when the other is damaged", name.replace("_", "-"))
