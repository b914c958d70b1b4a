"""Stopping a training on SIGTERM or SIGUSR1: finish the current update, save a checkpoint, exit with status 75.

All ranks stop at the same update, whichever of them got the signal, and the same command then goes on from there. A
second signal changes nothing; SIGKILL loses what came after the last checkpoint.
"""

import functools
import logging
import math
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import torch
from fairseq import checkpoint_utils
from fairseq.distributed import utils as distributed_utils
from fairseq.file_io import PathManager
from torch.multiprocessing.spawn import ProcessExitedException

from fairseq_align.training.failures import together
from fairseq_align.training.replacement import replace

logger = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
STOPPED = os.EX_TEMPFAIL  # 75: what sysexits.h has for "try again later"
PROGRAMS = ("fairseq_cli.train", "__main__", "__mp_main__")  # names of fairseq_cli/train.py in sys.modules

_received: set[int] = set()  # signals; an Event would lock up when a second one comes while it is set


def begin(load: Callable, *args, **kwargs):
    """``load(...)``, fairseq's ``load_checkpoint``, the last thing that its training does before the first update.

    From here on signals stop the training and errors end all ranks. A program with a training loop of its own that
    loads a checkpoint keeps its functions and its signal handlers.
    """
    for module in trainers():
        replace(module, "validate_and_save", _after_update)
        replace(module, "train", _unless_done)
    if in_command():
        _listen()
    return together(load, *args, **kwargs)


def trainers() -> Iterator[ModuleType]:
    """fairseq's training program, under each name that it has in this process; it may not be imported for this."""
    for module in map(sys.modules.get, PROGRAMS):
        if Path(getattr(module, "__file__", None) or "").parts[-2:] == ("fairseq_cli", "train.py"):
            yield module


def in_command() -> bool:
    """Whether this process is one of fairseq's commands, and not a user's program that imports fairseq."""
    path = Path(getattr(sys.modules["__main__"], "__file__", None) or "")
    return path.parent.name == "fairseq_cli" or path.name.startswith("fairseq-")


@functools.cache  # once a process
def _listen() -> None:
    for number in SIGNALS:
        signal.signal(number, lambda number, _: _received.add(number))
    os.register_at_fork(after_in_child=_listen_to_parent)


def _listen_to_parent() -> None:
    """Data-loader workers ignore signals that are not from their parent: the last update still needs them."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)

    def wait():
        while signal.sigwaitinfo(SIGNALS).si_pid != os.getppid():
            pass
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def launch(call_main: Callable, cfg, main: Callable, **kwargs) -> None:
    """``call_main(cfg, main)`` of fairseq; where that starts the ranks, they get the signals that this process gets."""

    def pass_on(number, _):
        for rank in multiprocessing.active_children():
            os.kill(rank.pid, number)

    if not cfg.distributed_training.distributed_no_spawn and cfg.distributed_training.distributed_world_size > 1:
        for number in SIGNALS:
            signal.signal(number, pass_on)
    try:
        call_main(cfg, main, **kwargs)
    except ProcessExitedException as error:
        if error.exit_code != STOPPED:
            raise
        sys.exit(STOPPED)


def _after_update(validate_and_save, cfg, trainer, task, epoch_itr, *args):
    """``validate_and_save``, which fairseq calls after every update; if any rank got a signal, save and exit."""
    done = validate_and_save(cfg, trainer, task, epoch_itr, *args)
    if not done[1] and _any_rank(bool(_received), trainer):
        path = checkpoint_utils.save_checkpoint(cfg.checkpoint, trainer, epoch_itr, None)
        _any_rank(True, trainer)  # no rank exits before the checkpoint is there: a launcher may then stop the others
        if cfg.checkpoint.write_checkpoints_asynchronously:
            PathManager.async_close()  # waits until all is written
        updates, saved = trainer.get_num_updates(), path or "nothing, as the flags say"
        logger.info("stopped by a signal after %d updates, saved %s; the same command goes on", updates, saved)
        logging.shutdown()
        os._exit(STOPPED)  # an ordinary exit in the middle of an epoch waits for fairseq's loaders, or aborts in them
    return done


def _unless_done(train, cfg, trainer, task, epoch_itr):
    """``train``, unless all updates are done: fairseq asks after the next one, so that a finished run would change."""
    done = trainer.get_num_updates()
    if done >= (cfg.optimization.max_update or math.inf):
        logger.info("nothing to do: found %d updates done of --max-update %d", done, cfg.optimization.max_update)
        return [None], True
    _listen()
    return together(train, cfg, trainer, task, epoch_itr)


def _any_rank(flag: bool, trainer) -> bool:
    if trainer.cfg.distributed_training.distributed_world_size == 1:
        return flag
    flags = torch.tensor([flag], dtype=torch.int32, device=trainer.device)
    distributed_utils.all_reduce(flags, group=distributed_utils.get_global_group(), op="max")
    return bool(flags)
