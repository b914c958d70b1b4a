"""Trainings of a tiny model on tiny data, forked from one process that has imported fairseq, which takes seconds."""

import copy
import functools
import itertools
import json
import logging
import os
import random
import re
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch._dynamo  # what an optimizer imports when it is made
from fairseq import options
from fairseq.data import Dictionary
from fairseq.dataclass.configs import FairseqConfig
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq.distributed import utils as distributed_utils
from fairseq_cli import train

import fairseq_align
from fairseq_align.data import binarized
from fairseq_align.errors import show_in_one_line
from fairseq_align.lexicon import file as lexicon
from fairseq_align.text import vocabulary

PIECES = 60
SENTENCES = 72
MODEL = "--arch roberta_base --encoder-layers 1 --encoder-embed-dim 16 --encoder-ffn-embed-dim 32".split()
MODEL += "--encoder-attention-heads 2 --tokens-per-sample 16 --max-positions 16 --sample-break-mode eos".split()
RUN = "--batch-size 8 --required-batch-size-multiple 1 --optimizer adam --lr 5e-3 --clip-norm 1".split()
RUN += "--lr-scheduler polynomial_decay --warmup-updates 4 --total-num-update 100 --cpu".split()
RUN += "--log-format json --log-interval 1 --num-workers 0 --disable-validation --no-epoch-checkpoints".split()
PAIRS = [*"--criterion sentence_prediction --num-classes 2".split(), *MODEL[:10], "--max-positions", "16", *RUN]
OBJECTIVES = {
    "mlm": ["--align-weight", "0"],
    "tlm": ["--align-weight", "0", "--tlm-pairs", "a:b", "--tlm-rate", "0.5"],
    "dict_mlm": ["--align-weight", "0", "--dict-mlm", "a:b:{data}/lexicon.tsv"],
    "align_mlm": ["--align-pairs", "8", "--multilang-sampling-alpha", "0.5"],
    "beyond": ["--align-pairs", "8", "--align-loss", "contrastive", "--tlm-pairs", "a:b", "--tlm-rate", "0.5"]
    + ["--realign", "a:b:{data}/lexicon.tsv", "--code-switch", "a:b:{data}/lexicon.tsv"]
    + ["--prealign-updates", "4", "--lexicon", "{data}/half.tsv", "--self-learn", "a:b", "--self-learn-every", "3"]
    + ["--align-characters", "50", "--hard-negatives", "2", "--hard-negatives-every", "4"]
    + ["--hard-negatives-langs", "a:b", "--hard-negatives-words", "40"],
}


def write_data(folder: Path) -> Path:
    """Two parallel languages ``a`` and ``b`` of random sentences, dict.txt and a lexicon; returns the folder."""
    dictionary = Dictionary()
    for number in range(2 * PIECES):
        dictionary.add_symbol(f"{vocabulary.WORD_START}{'ab'[number // PIECES]}{number % PIECES}", n=1)
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary.save(dictionary, folder / "dict.txt")
    rng = np.random.default_rng(1)
    for split in ("train", "valid"):
        sizes = rng.integers(3, 8, SENTENCES)
        tokens = rng.integers(dictionary.nspecial, dictionary.nspecial + PIECES, sizes.sum())
        tokens[np.cumsum(sizes) - 1] = dictionary.eos()
        for shift, lang in ((0, "a"), (PIECES, "b")):
            with binarized.writer(folder / lang / split, len(dictionary)) as out:
                out.add(np.where(tokens == dictionary.eos(), tokens, tokens + shift), sizes)
    words = vocabulary.pieces(dictionary)
    entries = [lexicon.Entry((one,), (other,)) for one, other in zip(words, words[PIECES:], strict=False)]
    lexicon.write(folder / "lexicon.tsv", entries, dictionary)
    lexicon.write(folder / "half.tsv", entries[: PIECES // 2], dictionary)
    lexicon.write(folder / "rest.tsv", entries[PIECES // 2 :], dictionary)
    return folder


def write_pairs(folder: Path) -> Path:
    """Pairs of sentences with a class, for ``PAIRS``: of 16 each has 10 tokens, but the first three 17."""
    dictionary, labels = Dictionary(), Dictionary()
    for number in range(20):
        dictionary.add_symbol(f"w{number}", n=1)
    for name in ("yes", "no"):
        labels.add_symbol(name, n=1)
    for name, words in (("input0", dictionary), ("input1", dictionary), ("label", labels)):
        (folder / name).mkdir()
        words.save(str(folder / name / "dict.txt"))
        sizes = [2] * 16 if name == "label" else [12 if name == "input0" and number < 3 else 5 for number in range(16)]
        rows = [[4 + (number + place) % (len(words) - 4) for place in range(size - 1)] + [2]
                for number, size in enumerate(sizes)]  # fmt: skip
        for split in ("train", "valid", "train_en", "valid_en"):
            with binarized.writer(folder / name / split, len(words)) as out:
                out.add(np.concatenate(rows), np.array(sizes))
    return folder


def words(data: Path, *flags: object, objective: str = "align_mlm") -> list[str]:
    """Words of the ``fairseq-train`` that trains the tiny model; later flags win."""
    words = ["fairseq-train", data, "--user-dir", Path(fairseq_align.__file__).parent, "--task", "align_mlm"]
    words += ["--langs", "a,b", "--criterion", "align_mlm", "--lexicon", data / "lexicon.tsv", *MODEL, *RUN]
    words += [word.format(data=data) for word in OBJECTIVES[objective]]
    return [str(word) for word in [*words, *flags]]


@functools.cache
def settings(data: Path, *flags: object, objective: str = "align_mlm") -> FairseqConfig:
    """What ``fairseq-train`` makes of these ``words``."""
    return parsed(words(data, *flags, objective=objective))


def parsed(words: Iterable[str]) -> FairseqConfig:
    """The settings that the words of a command name."""
    sys.argv = [str(word) for word in words]
    parser = options.get_training_parser()
    return convert_namespace_to_omegaconf(options.parse_args_and_arch(parser))


_running: set[int] = set()  # forked processes that have not been waited for


def start(cfg: FairseqConfig, save: Path, updates: int, before: Callable[[], object] = lambda: None) -> int:
    """Fork a process that trains into ``save`` and appends what it says to ``<save>.log``; returns its id.

    ``before`` is called in it first, to break something.
    """
    cfg = copy.deepcopy(cfg)
    cfg.checkpoint.save_dir, cfg.optimization.max_update = str(save), updates

    def work() -> None:
        before()
        distributed_utils.call_main(cfg, train.main)

    return fork(work, log_of(save))


def fork(work: Callable[[], object], log: Path) -> int:
    """Do some work in a forked process, the leader of a process group of its own, as if it were a whole command.

    Args:
        log: gets what it says, behind what is there.

    Returns:
        id of the process.
    """
    sys.stdout.flush()
    process = os.fork()
    os.setpgid(process, process or 0)  # on both sides: whoever comes first
    if process:
        _running.add(process)
        return process
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.stdout = sys.stderr = os.fdopen(1, "w", buffering=1, closefd=False)
    logging.disable(logging.NOTSET)
    logging.getLogger("fairseq").setLevel(logging.NOTSET)  # fairseq-align raises it
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, force=True)
    status = 1
    try:
        work()
        status = 0
    except SystemExit as error:
        status = error.code
    except BaseException:
        show_in_one_line(sys.excepthook, *sys.exc_info())
    finally:
        logging.shutdown()
        os._exit(status)


def log_of(save: Path) -> Path:
    return Path(f"{save}.log")


def end(process: int, seconds: float = 300) -> int:
    """Exit status of a forked process, negative for the signal that ended it; it is killed after ``seconds``."""
    limit = time.monotonic() + seconds
    while True:
        found, status = os.waitpid(process, os.WNOHANG)
        if found:
            _running.remove(process)
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > limit:
            kill(process)
            raise TimeoutError(f"process {process} did not end in {seconds} s")
        time.sleep(0.005)


def begun(save: Path, process: int, updates: int = 3) -> None:
    """Wait until a run has done some updates."""
    while not re.search(rf'"num_updates": "{updates}"', log_of(save).read_text() if save.exists() else ""):
        ended = os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        assert not ended, log_of(save).read_text()
        time.sleep(0.005)


def kill(process: int) -> None:
    """End a forked process and its group; one that a test has seen end itself is gone already."""
    _running.discard(process)
    with suppress(ProcessLookupError, ChildProcessError):
        os.killpg(process, signal.SIGKILL)
        os.waitpid(process, 0)


def kill_all() -> None:
    """End all that ``fork`` began and ``end`` has not seen end, e.g. after a failure."""
    for process in list(_running):
        kill(process)


def finish(cfg: FairseqConfig, save: Path, updates: int, before: Callable[[], object] = lambda: None) -> int:
    """``start``, then ``end``."""
    return end(start(cfg, save, updates, before))


def free_port() -> int:
    """A TCP port that nothing listens on, and that the system gives to nobody (from 32768 on) until it is used."""
    while True:
        with socket.socket() as probe:
            port = random.SystemRandom().randrange(20000, 32768)
            if probe.connect_ex(("127.0.0.1", port)):
                return port


def ranks(cfg: FairseqConfig, count: int) -> list[FairseqConfig]:
    """The settings of each of several processes on this machine that train together."""
    port = free_port()
    several = [copy.deepcopy(cfg) for _ in range(count)]
    for rank, one in enumerate(several):
        one.distributed_training.distributed_world_size = count
        one.distributed_training.distributed_rank = rank
        one.distributed_training.distributed_backend = "gloo"
        one.distributed_training.ddp_backend = "legacy_ddp"
        one.distributed_training.distributed_no_spawn = True
        one.distributed_training.distributed_init_method = f"tcp://127.0.0.1:{port}"
    return several


def state(checkpoint: Path) -> dict:
    """What has to be equal for two runs to be at the same place: weights, task, optimizer, scheduler, data, meters."""
    found = torch.load(checkpoint, weights_only=True)
    extra = found["extra_state"]
    return {
        "model": found["model"],
        "criterion": found["criterion"],
        "task": found["task_state"],
        "optimizer": found["last_optimizer_state"],
        "scheduler": found["optimizer_history"][-1],
        "iterator": extra["train_iterator"],
        "meters": {
            (group, key): meter
            for group, meters in extra["metrics"].items()
            if group != "default"
            for _, key, kind, meter in meters
            if kind == "AverageMeter" and meter["count"]  # the others measure time, or nothing any longer
        },
    }


def same(one: object, other: object) -> bool:
    """Whether two states are equal to the bit."""
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def losses(save: Path, names=("loss", "mlm_loss", "align_loss", "gnorm", "lr")) -> dict[int, tuple[str, ...]]:
    """What the log of a run shows of each update; an update done twice must show the same."""
    found = {}
    for line in re.findall(r"train_inner[ |:]+(\{.*\})", log_of(save).read_text()):
        record = json.loads(line)
        shown = tuple(record[name] for name in names)
        if found.setdefault(int(record["num_updates"]), shown) != shown:
            raise AssertionError(f"{save}: update {record['num_updates']} shows {shown}, before {found}")
    return found


def killed(owner: object, name: str, call: int, half: Callable) -> None:
    """Make the process end with SIGKILL in the ``call``-th call of ``owner.name``, of which ``half`` does a part."""
    stock, calls = getattr(owner, name), itertools.count(1)

    def deadly(*args, **kwargs):
        if next(calls) == call:
            half(*args, **kwargs)
            os.kill(os.getpid(), signal.SIGKILL)
        return stock(*args, **kwargs)

    setattr(owner, name, deadly)


def half_written(content: object, file) -> None:
    """A part of ``torch.save``."""
    file.write(b"PK\x03\x04 half a checkpoint")
    file.flush()


def half_copied(source: str, target: str) -> None:
    """A part of ``shutil.copyfile``."""
    Path(target).write_bytes(Path(source).read_bytes()[:1000])


def nothing(*args) -> None:
    """The part that is done of a call that does all or nothing."""
