"""Errors on one of several ranks: all ranks end soon, with the message of the one that failed.

The message goes through the store by which the ranks found each other. A thread of each rank looks there, so that it
arrives whatever the other ranks are waiting for.
"""

import logging
import os
import threading
import time
from collections.abc import Callable

import torch
from fairseq.trainer import Trainer
from torch.distributed import distributed_c10d

from fairseq_align.errors import InputError

logger = logging.getLogger(__name__)

ENDS = "all ranks end: %s"
MESSAGE, SEEN = "fairseq_align/failure", "fairseq_align/failure/seen"
LOOK = 0.5  # seconds between two looks at the store
PATIENCE = 10.0  # seconds that a rank waits for the others to have read why it ends


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
    """``work(...)``, which ends on every rank when it fails on one."""
    if _ranks() == 1:
        return work(*args, **kwargs)
    done = threading.Event()
    threading.Thread(target=_watch, args=(done,), daemon=True).start()
    try:
        return work(*args, **kwargs)
    except Exception as error:
        done.set()
        _tell(error)
        raise
    finally:
        done.set()


def _tell(error: Exception) -> None:
    """Leave the message for the others, unless one is there already, and wait until they have read it."""
    store = distributed_c10d._get_default_store()
    kind = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
    text = f"rank {torch.distributed.get_rank()}: {kind}{(str(error).splitlines() or [''])[0]}"
    waited = time.monotonic() + PATIENCE  # rank 0 keeps the store: it must not leave before the others have looked
    try:
        logger.error(ENDS, store.compare_set(MESSAGE, "", text).decode())
        store.add(SEEN, 1)
        while store.add(SEEN, 0) < _ranks() and time.monotonic() < waited:
            time.sleep(LOOK / 10)
    except torch.distributed.DistError:
        logger.info("rank 0 has left already")


def _watch(done: threading.Event) -> None:
    """Exit this rank when another rank has reported an error, or when rank 0, which holds the store, is gone."""
    store = distributed_c10d._get_default_store()
    message = None
    while message is None and not done.wait(LOOK):
        try:
            if store.check([MESSAGE]):
                message = store.get(MESSAGE).decode()
                store.add(SEEN, 1)
        except torch.distributed.DistError:
            message = "rank 0 is gone"
    if message is not None:
        logger.error(ENDS, message)
        logging.shutdown()
        os._exit(1)


def _ranks() -> int:
    return torch.distributed.get_world_size() if torch.distributed.is_initialized() else 1
