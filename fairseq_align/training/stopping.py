"""Training that is told to go: SIGTERM or SIGUSR1 ends it after the running update, with a checkpoint.

All ranks stop at the same update, whichever of them was told. The process ends with status ``STOPPED``, and the same
command then goes on from there. A second signal changes nothing; SIGKILL loses what came after the last checkpoint.
"""

import functools
import logging
import math
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable

import torch
from fairseq import checkpoint_utils
from fairseq.distributed import utils as distributed_utils
from fairseq.file_io import PathManager
from torch.multiprocessing.spawn import ProcessExitedException

logger = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
STOPPED = os.EX_TEMPFAIL  # 75: what sysexits.h has for "try again later"
TRAINING = ("fairseq_cli.train", "__main__", "__mp_main__")  # the latter two: python -m fairseq_cli.train

_told: set[int] = set()  # signals that came; an Event would lock up when a second one comes while it is set


def heed() -> None:
    """Make fairseq's training end when it is told to: from the loading of its checkpoint on, signals are heeded."""
    load, launch = checkpoint_utils.load_checkpoint, distributed_utils.call_main

    @functools.wraps(load)
    def load_checkpoint(*args, **kwargs):
        wrap_in_training("validate_and_save", _after_update)
        wrap_in_training("train", _unless_done)
        _listen()
        return load(*args, **kwargs)

    checkpoint_utils.load_checkpoint = load_checkpoint
    distributed_utils.call_main = functools.wraps(launch)(functools.partial(_launch, launch))


def wrap_in_training(name: str, wrapper: Callable) -> None:
    """Call ``wrapper(stock, ...)`` for ``stock(...)``, a function by which fairseq_cli.train trains; once.

    That module is the program, which may not be imported for this; there it is as soon as training runs.
    """
    for module in map(sys.modules.get, TRAINING):
        stock = getattr(module, name, None)
        if stock and not _wrapped(stock, wrapper):
            setattr(module, name, functools.partial(wrapper, stock))


def _wrapped(function: Callable, wrapper: Callable) -> bool:
    while isinstance(function, functools.partial):
        if function.func is wrapper:
            return True
        (function,) = function.args
    return False


def _listen() -> None:
    for number in SIGNALS:
        signal.signal(number, lambda number, _: _told.add(number))
    os.register_at_fork(after_in_child=_listen_to_parent)


def _listen_to_parent() -> None:
    """A loader worker is needed until its parent stops it: a signal to the whole job is none of its business."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)

    def wait():
        while signal.sigwaitinfo(SIGNALS).si_pid != os.getppid():
            pass
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def _launch(launch, cfg, main, **kwargs) -> None:
    """``launch(cfg, main)``, fairseq's ``call_main``; where it spawns the ranks, they are told what it is told."""

    def tell(number, _):
        for rank in multiprocessing.active_children():
            os.kill(rank.pid, number)

    if not cfg.distributed_training.distributed_no_spawn and cfg.distributed_training.distributed_world_size > 1:
        for number in SIGNALS:
            signal.signal(number, tell)
    try:
        launch(cfg, main, **kwargs)
    except ProcessExitedException as error:
        if error.exit_code != STOPPED:
            raise
        sys.exit(STOPPED)


def _after_update(validate_and_save, cfg, trainer, task, epoch_itr, *args):
    """What fairseq does after an update; and, if any rank was told to go, save and go."""
    done = validate_and_save(cfg, trainer, task, epoch_itr, *args)
    if not done[1] and _any_rank(bool(_told), trainer):
        path = checkpoint_utils.save_checkpoint(cfg.checkpoint, trainer, epoch_itr, None)
        _any_rank(True, trainer)  # nobody goes before the checkpoint is there: a launcher may then stop the others
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
    return train(cfg, trainer, task, epoch_itr)


def _any_rank(flag: bool, trainer) -> bool:
    if trainer.cfg.distributed_training.distributed_world_size == 1:
        return flag
    flags = torch.tensor([flag], dtype=torch.int32, device=trainer.device)
    distributed_utils.all_reduce(flags, group=distributed_utils.get_global_group(), op="max")
    return bool(flags)
