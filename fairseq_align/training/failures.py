"""A rank that fails tells the others why: all of them end soon, with the same message, instead of waiting for it.

The message goes through the store by which the ranks found each other, which a thread of each rank looks at, so it
arrives whatever the others are waiting for.
"""

import functools
import logging
import os
import threading
import time

import torch
from fairseq import checkpoint_utils, trainer
from fairseq.trainer import Trainer
from torch.distributed import distributed_c10d

from fairseq_align.errors import InputError
from fairseq_align.training.stopping import wrap_in_training

logger = logging.getLogger(__name__)

ENDS = "all ranks end: %s"
MESSAGE, SEEN = "fairseq_align/failure", "fairseq_align/failure/seen"
LOOK = 0.5  # seconds between two looks at the store
PATIENCE = 10.0  # seconds that a rank waits for the others to have read why it ends


def share() -> None:
    """Make the ranks of fairseq's training tell each other why one of them fails."""
    load, log_oom = checkpoint_utils.load_checkpoint, Trainer._log_oom

    @functools.wraps(log_oom)
    def refuse_oom(self, error):
        log_oom(self, error)
        # fairseq leaves the batch out; its ranks would then wait for each other's sums of different things
        if self.data_parallel_world_size > 1 and self.model.training:
            raise InputError(
                f"found no memory left on rank {self.data_parallel_rank} in update {self.get_num_updates() + 1}, "
                "expected room for its batch; lower --max-tokens or --batch-size and raise --update-freq as much"
            ) from error

    @functools.wraps(load)
    def load_checkpoint(*args, **kwargs):
        wrap_in_training("train", _together)
        return _together(load, *args, **kwargs)

    checkpoint_utils.load_checkpoint = load_checkpoint
    # its hooks of the backward pass raise StopIteration in RoBERTa, in place of the error that it is to explain
    trainer.NanDetector = functools.partial(trainer.NanDetector, backward=False)
    Trainer._log_oom = refuse_oom


def _together(work, *args, **kwargs):
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
    """Leave as soon as there is a message, or nobody who keeps it."""
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
