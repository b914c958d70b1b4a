"""Stopping a training by a signal: finish the current update, save a checkpoint, exit with a status that says so.

All ranks stop at the same update, whichever of them got the signal, and the same command then goes on from there. They
ask each other after as many updates as take ``PAUSE``, so a signal is heard within that and one update.
SIGTERM and SIGUSR1, which schedulers send, end with 75, however often they come. SIGINT (Ctrl-C) ends with 130 and
SIGHUP (the terminal is gone) with 129; a second one, more than ``REPEAT`` after the first, ends the process at once.
SIGKILL loses what came after the last checkpoint.
"""

import copy
import functools
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from fairseq import checkpoint_utils
from fairseq.distributed import utils as distributed_utils
from fairseq.file_io import PathManager
from torch.multiprocessing.spawn import ProcessExitedException

from fairseq_align.errors import InputError
from fairseq_align.training import lock, start
from fairseq_align.training.failures import together
from fairseq_align.training.program import in_command, trainers
from fairseq_align.training.replacement import replace

logger = logging.getLogger(__name__)

BY_PERSON = (signal.SIGINT, signal.SIGHUP)
SIGNALS = (signal.SIGTERM, signal.SIGUSR1, *BY_PERSON)
STOPPED = os.EX_TEMPFAIL  # 75: what sysexits.h has for "try again later"
PAUSE = 1.0  # seconds from one question to the next: each makes all GPUs wait
MOST = 100  # updates from one question to the next, should they become slower
REPEAT = 1.0  # seconds; a terminal and a launcher may both pass on one Ctrl-C

_received: set[int] = set()  # signals; an Event would lock up when a second one comes while it is set
_terminals: set[int] = set()  # of standard output and error, those that began as terminals


def begin(load: Callable, cfg, trainer, *args, **kwargs):
    """``load(...)``, fairseq's ``load_checkpoint``, the last thing that its training does before the first update.

    From here on signals stop the training and errors end all ranks. A program with a training loop of its own that
    loads a checkpoint keeps its functions and its signal handlers, and loads what it names.
    """
    global _turn
    _turn = _Turn()
    programs = list(trainers())
    for module in programs:
        replace(module, "validate_and_save", _after_update)
        replace(module, "train", _unless_done)
    if in_command():
        _listen()
    if not programs:
        return together(load, cfg, trainer, *args, **kwargs)
    if not cfg.no_save and trainer.data_parallel_rank == 0:
        lock.take(Path(cfg.save_dir))
    return together(start.load, load, cfg, trainer, *args, **kwargs)


def status(number: int, saved: bool = True) -> int:
    """Exit status of a training that a signal has stopped.

    >>> status(signal.SIGTERM), status(signal.SIGINT), status(signal.SIGHUP), status(signal.SIGTERM, saved=False)
    (75, 130, 129, 143)
    """
    return STOPPED if saved and number not in BY_PERSON else 128 + number


@functools.cache  # once a process
def _listen() -> None:
    _terminals.update(number for number in (1, 2) if os.isatty(number))
    for number in _wanted():
        signal.signal(number, _receive)
    # Python calls a handler between two of its own steps, which may be never if a rank waits for another one
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_end_when_told_twice, args=(reader,), daemon=True).start()
    os.register_at_fork(after_in_child=_listen_to_parent)


def _wanted() -> list[int]:
    """The signals to listen to: not those of a person that whoever began this process ignores, as ``nohup`` does."""
    return [one for one in SIGNALS if one not in BY_PERSON or signal.getsignal(one) != signal.SIG_IGN]


def _receive(number: int, _) -> None:
    _received.add(number)
    gone = [one for one in _terminals if not os.isatty(one)]
    if gone:  # whatever is written there would be an error
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for one in gone:
            os.dup2(nowhere, one)


def _end_when_told_twice(reader: int) -> None:
    first: dict[int, float] = {}
    while True:
        for number in os.read(reader, 64):
            since = time.monotonic() - first.setdefault(number, time.monotonic())
            if number in BY_PERSON and since > REPEAT:
                with suppress(OSError):
                    os.write(2, b"stopped at once, by a second signal: what came after the last checkpoint is lost\n")
                os._exit(128 + number)


def _listen_to_parent() -> None:
    """Data-loader workers ignore signals that are not from their parent: the last update still needs them."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    signal.set_wakeup_fd(-1)

    def wait():
        while signal.sigwaitinfo(SIGNALS).si_pid != os.getppid():
            pass
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def launch(call_main: Callable, cfg, main: Callable, **kwargs) -> None:
    """``call_main(cfg, main)`` of fairseq; where that starts the ranks, they get the signals that this process gets.

    Raises:
        InputError: a rank was killed.
    """

    def pass_on(number, _):
        for rank in multiprocessing.active_children():
            os.kill(rank.pid, number)

    if not cfg.distributed_training.distributed_no_spawn and cfg.distributed_training.distributed_world_size > 1:
        for number in _wanted():
            signal.signal(number, pass_on)
    try:
        call_main(cfg, main, **kwargs)
    except ProcessExitedException as error:
        if error.exit_code < 0:
            raise InputError(
                f"found rank {error.error_index} ended by {signal.Signals(-error.exit_code).name}, expected it to "
                "train; see what the system says of it, e.g. of memory; the same command goes on"
            ) from error
        if error.exit_code not in {status(number, saved) for number in SIGNALS for saved in (True, False)}:
            raise
        sys.exit(error.exit_code)


def _after_update(validate_and_save, cfg, trainer, task, epoch_itr, *args):
    """``validate_and_save``, which fairseq calls after every update; if any rank got a signal, save and exit."""
    done = validate_and_save(cfg, trainer, task, epoch_itr, *args)
    if done[1]:
        return done
    number = _heard_by_any_rank(trainer)
    if number:
        trainer.cfg.checkpoint.no_save_optimizer_state = False  # the same command is to go on
        complete = copy.deepcopy(cfg.checkpoint)
        complete.no_last_checkpoints = False
        path = checkpoint_utils.save_checkpoint(complete, trainer, epoch_itr, done[0][0])
        _greatest([number], trainer)  # no rank exits before the checkpoint is there: a launcher may stop the others
        if cfg.checkpoint.write_checkpoints_asynchronously:
            PathManager.async_close()  # waits until all is written
        goes_on = not cfg.checkpoint.no_save
        end = f"saved {path}; the same command goes on" if goes_on else "saved nothing, as --no-save says"
        logger.info("stopped by a signal after %d updates, %s", trainer.get_num_updates(), end)
        lock.give_back()
        logging.shutdown()
        # an ordinary exit in the middle of an epoch waits for fairseq's loaders, or aborts in them
        os._exit(status(number, goes_on))
    return done


def _unless_done(train, cfg, trainer, task, epoch_itr):
    """``train``, unless the run had nothing left to do: fairseq asks after the next update, which would change it."""
    if start.has_nothing_to_do(trainer):
        return [None], True
    _listen()
    losses, stops = together(train, cfg, trainer, task, epoch_itr)
    start.note_end(cfg, trainer, epoch_itr, stops)
    return losses, stops


@dataclass
class _Turn:
    """When ranks ask each other for signals.

    Attributes:
        updates, seconds: of the last question, by the clock of this rank.
        next: updates at which the next one is due, the same on all ranks.
    """

    updates: int = 0
    seconds: float = 0.0
    next: int = 0


_turn = _Turn()


def _heard_by_any_rank(trainer) -> int:
    """The greatest number of a signal that a rank has received; 0: none, or it is not yet time to ask."""
    number, updates, now = max(_received, default=0), trainer.get_num_updates(), time.monotonic()
    if trainer.cfg.distributed_training.distributed_world_size == 1:
        return number
    if updates < _turn.next:
        return 0
    # of an update; at the first question it is too long, so that the next update asks, too
    seconds = (now - _turn.seconds) / max(1, updates - _turn.updates)
    number, microseconds = _greatest([number, int(1e6 * min(seconds, PAUSE))], trainer)
    _turn.updates, _turn.seconds = updates, now
    _turn.next = updates + min(MOST, max(1, int(1e6 * PAUSE) // max(1, microseconds)))
    return number


def _greatest(numbers: list[int], trainer) -> list[int]:
    """The greatest that a rank has, of each of the numbers."""
    if trainer.cfg.distributed_training.distributed_world_size == 1:
        return numbers
    shared = torch.tensor(numbers, dtype=torch.int32, device=trainer.device)
    distributed_utils.all_reduce(shared, group=distributed_utils.get_global_group(), op="max")
    return shared.tolist()
