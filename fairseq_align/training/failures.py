"""Errors on one of several ranks: all ranks end soon, with the message of the one that failed or has fallen silent.

The message goes through the store by which the ranks found each other. A thread of each rank looks there, so that it
arrives whatever the other ranks are waiting for. The same thread counts up a number of its rank there: a rank whose
number stands still for ``SILENCE`` seconds was killed or stopped, or its machine is frozen.
"""

import functools
import logging
import os
import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import torch
from fairseq.trainer import Trainer
from torch.distributed import distributed_c10d

from fairseq_align.errors import InputError

logger = logging.getLogger(__name__)

ENDS = "all ranks end: %s"
MESSAGE, SEEN, ALIVE = (f"fairseq_align/failure{name}" for name in ("", "/seen", "/alive"))
LOOK = 0.5  # seconds between two looks at the store
PATIENCE = 10.0  # seconds that a rank waits for the others to have read why it ends
SILENCE = 60.0  # seconds without a sign of life after which a rank counts as gone
LOST = re.compile("gloo|nccl|connection|peer|socket", re.IGNORECASE)  # in errors of a rank that lost another one

_ending = threading.Lock()  # taken by whoever says first why this rank ends, and kept


def refuse_oom(log_oom: Callable, trainer: Trainer, error: Exception) -> None:
    """``Trainer._log_oom``, after which fairseq leaves the batch out; with several ranks that is refused.

    The ranks would wait for each other's sums of different things.

    Raises:
        InputError: there are several ranks, and it happened in training.
    """
    log_oom(trainer, error)
    if trainer.data_parallel_world_size > 1 and trainer.model.training:
        raise InputError(
            f"found no memory left on rank {trainer.data_parallel_rank} in update {trainer.get_num_updates() + 1}, "
            "expected room for its batch; lower --max-tokens or --batch-size and raise --update-freq as much"
        ) from error


def detect_in_forward(detector: type, model: torch.nn.Module, forward: bool = True, backward: bool = True):
    """``NanDetector`` without hooks of the backward pass: in RoBERTa they raise ``StopIteration`` themselves."""
    return detector(model, forward=forward, backward=False)


def together(work: Callable, *args, **kwargs):
    """``work(...)``, which ends on every rank when it fails on one, or when one falls silent.

    Raises:
        InputError: another rank is gone.
    """
    if _ranks() == 1:
        return work(*args, **kwargs)
    pulse = _pulse()
    done = threading.Event()
    watch = threading.Thread(target=_watch, args=(pulse, done), daemon=True)
    watch.start()
    try:
        return work(*args, **kwargs)
    except Exception as error:
        message, gone = _message(error, pulse)
        if not _ending.acquire(blocking=False):
            watch.join()  # it ends this process
        done.set()
        _tell(message)
        if gone:
            raise InputError(message) from error
        raise
    finally:
        done.set()


class _Pulse(threading.Thread):
    """Shows the others that this rank lives, and sees what they say, as long as the process does.

    Attributes:
        looks: at the store, counted when it has answered.
        message: why all ranks end; None: they do not.
        gone: whether rank 0, which holds the store, has left.
    """

    def __init__(self):
        super().__init__(daemon=True)
        self.store = distributed_c10d._get_default_store().clone()  # a connection that nothing else waits with
        self.rank, self.ranks = torch.distributed.get_rank(), _ranks()
        self.looks, self.message, self.gone = 0, None, False

    def run(self) -> None:
        counts = quiet = [0] * self.ranks
        try:
            while True:
                self.store.add(f"{ALIVE}/{self.rank}", 1)
                if self.message is None and self.store.check([MESSAGE]):
                    self.message = self.store.get(MESSAGE).decode()
                elif self.rank == 0:  # one rank looks at all: the store has little to do, however many there are
                    before, counts = counts, self.counts()
                    quiet = [
                        number + 1 if now == then > 0 else 0
                        for number, now, then in zip(quiet, counts, before, strict=True)
                    ]
                    silent = [rank for rank, number in enumerate(quiet) if number * LOOK > SILENCE and rank]
                    if silent:
                        self.store.compare_set(MESSAGE, "", _silent(silent))
                self.looks += 1
                time.sleep(LOOK)
        except torch.distributed.DistError:
            self.gone = True

    def counts(self) -> list[int]:
        """How often each rank has shown that it lives."""
        return [self.store.add(f"{ALIVE}/{rank}", 0) for rank in range(self.ranks)]


def _silent(ranks: list[int]) -> str:
    names = f"rank {ranks[0]}" if len(ranks) == 1 else f"ranks {', '.join(map(str, ranks))}"
    return (
        f"no sign of life from {names} for {SILENCE:g} s: killed or stopped, or the machine is frozen or not reached; "
        "the same command goes on"
    )


@functools.cache  # once a process
def _pulse() -> _Pulse:
    pulse = _Pulse()
    pulse.start()
    return pulse


def _message(error: Exception, pulse: _Pulse) -> tuple[str, bool]:
    """What the others are told of an error, and whether it comes from a rank that is gone."""
    text = (str(error).splitlines() or [""])[0]
    if not isinstance(error, InputError):
        text = f"{type(error).__name__}: {text}"
        lost = _lost(pulse) if isinstance(error, RuntimeError) and LOST.search(text) else []
        if pulse.gone:
            lost = [0]
        if lost:
            return f"rank {lost[0]} is gone: killed, or its machine is ({text}); the same command goes on", True
    return f"rank {pulse.rank}: {text}", False


def _lost(pulse: _Pulse) -> list[int]:
    """The other ranks that show no sign of life now, unless one has said already why all end."""
    try:
        store = pulse.store.clone()
        before, silent = pulse.counts(), []
        for _ in range(int(PATIENCE / 2 / LOOK)):
            time.sleep(LOOK)
            counts = pulse.counts()
            silent = [rank for rank in range(pulse.ranks) if counts[rank] == before[rank] and rank != pulse.rank]
            if not silent or store.check([MESSAGE]):
                return []
        return silent
    except torch.distributed.DistError:
        pulse.gone = True
        return []


def _tell(message: str) -> None:
    """Leave the message for the others, unless one is there already, and wait until they have read it."""
    store = distributed_c10d._get_default_store()
    waited = time.monotonic() + PATIENCE  # rank 0 keeps the store: it must not leave before the others have looked
    try:
        message = store.compare_set(MESSAGE, "", message).decode()
    except torch.distributed.DistError:
        logger.info("rank 0 has left already")
    logger.error(ENDS, message)
    try:
        store.add(SEEN, 1)
        while store.add(SEEN, 0) < _ranks() and time.monotonic() < waited:
            time.sleep(LOOK / 10)
    except torch.distributed.DistError:
        logger.info("rank 0 has left, as it has read the message")


def _watch(pulse: _Pulse, done: threading.Event) -> None:
    """Exit this rank when another rank has reported an error, or when rank 0, which holds the store, does not answer.

    Time is counted in looks, so that it stands still while this process is stopped itself.
    """
    seen = waited = 0
    while not (pulse.message or pulse.gone) and waited * LOOK <= SILENCE:
        if done.wait(LOOK):
            return
        waited = waited + 1 if pulse.looks == seen else 0
        seen = pulse.looks
    if not _ending.acquire(blocking=False):
        return
    if pulse.message:
        with suppress(torch.distributed.DistError):
            pulse.store.add(SEEN, 1)
    logger.error(ENDS, pulse.message or ("rank 0 is gone" if pulse.gone else _silent([0])))
    logging.shutdown()
    os._exit(1)


def _ranks() -> int:
    return torch.distributed.get_world_size() if torch.distributed.is_initialized() else 1
