"""What training survives and what readers refuse, at length: python -m tests.stress.reliability

Kills, resumes, crafted checkpoints and broken files, many of each; tests/ has a few of each.
"""

import argparse
import logging
import os
import random
import re
import shutil
import signal
import tempfile
import time
import warnings
from itertools import islice
from pathlib import Path

import torch
from fairseq import checkpoint_utils, hub_utils
from fairseq.file_io import PathManager

from benchmarks.common.timing import save
from fairseq_align.errors import InputError
from fairseq_align.evaluation.checkpoint import load
from fairseq_align.training import failures, stopping
from tests.stress import fuzz, malice, runs
from tests.stress.readers import fuzzed

RESULTS = Path(__file__).parent / "results"
INTERVAL = 2  # updates between two checkpoints
BOUND = 30  # seconds in which a rank ends that has lost another
SAVING = (
    (torch, "save", runs.half_written),
    (PathManager, "rename", runs.nothing),
    (shutil, "copyfile", runs.half_copied),
)


def equal(save_dir: Path, whole: Path) -> bool:
    """Whether a run ended as one that nothing interrupted."""
    ends = (runs.state(folder / "checkpoint_last.pt") for folder in (save_dir, whole))
    shown, expected = runs.losses(save_dir), runs.losses(whole)
    return runs.same(*ends) and all(shown[update] == expected.get(update) for update in shown)


def kills(cfg, whole: Path, folder: Path, updates: int, tried: int, rng: random.Random, seconds: float) -> int:
    """Kill runs at random moments, run the same command again, and count those that end equal to the bit."""
    survived = 0
    for number in range(tried):
        run = folder / f"kill-{number}"
        process = runs.start(cfg, run, updates)
        time.sleep(rng.uniform(0, seconds))
        os.kill(process, signal.SIGKILL)
        runs.end(process)
        survived += runs.finish(cfg, run, updates) == 0 and equal(run, whole)
        shutil.rmtree(run)
    return survived


def kills_while_saving(cfg, whole: Path, folder: Path, updates: int, tried: int, rng: random.Random) -> int:
    survived = 0
    for number in range(tried):
        run = folder / f"save-{number}"
        owner, name, half = SAVING[number % len(SAVING)]
        call = rng.randint(1, max(1, 3 * updates // INTERVAL // 4))  # at the end of an epoch there is nothing to copy
        status = runs.finish(cfg, run, updates, lambda: runs.killed(owner, name, call, half))  # noqa: B023
        survived += status == -signal.SIGKILL and runs.finish(cfg, run, updates) == 0 and equal(run, whole)
        shutil.rmtree(run)
    return survived


def signals(cfg, whole: Path, folder: Path, updates: int, tried: int, rng: random.Random) -> int:
    """Send each signal in turn to runs at random updates; they end with its status, and the same command ends equal."""
    held = 0
    for number in range(tried):
        run, sent = folder / f"signal-{number}", stopping.SIGNALS[number % len(stopping.SIGNALS)]
        process = runs.start(cfg, run, updates)
        runs.begun(run, process, rng.randint(1, updates - 2))
        os.kill(process, sent)
        held += runs.end(process) in (0, stopping.status(sent))  # 0: it was done before
        held -= not (runs.finish(cfg, run, updates) == 0 and equal(run, whole))
        shutil.rmtree(run)
    return held


def ranks(cfg, folder: Path, updates: int, tried: int, rng: random.Random) -> int:
    """Kill or stop one of two ranks at random updates: the other one ends within BOUND and says so, and they go on."""

    def start(save: Path) -> list[int]:
        return [runs.start(one, save, updates, impatient) for one in runs.ranks(cfg, 2)]

    whole, held = folder / "ranks", 0
    if any([runs.end(process) for process in start(whole)]):
        raise SystemExit(runs.log_of(whole).read_text())
    for number in range(tried):
        run, rank = folder / f"ranks-{number}", number // 2 % 2
        processes = start(run)
        runs.begun(run, processes[0], rng.randint(1, updates // 2))
        begin = time.monotonic()
        os.kill(processes[rank], (signal.SIGKILL, signal.SIGSTOP)[number % 2])
        ended = runs.end(processes[1 - rank], 10 * BOUND) == 1 and time.monotonic() - begin < BOUND
        named = re.search(f"all ranks end: .*rank {rank}", runs.log_of(run).read_text())
        runs.kill(processes[rank])
        goes_on = not any([runs.end(process) for process in start(run)]) and equal(run, whole)
        held += bool(ended and named and goes_on)
        shutil.rmtree(run)
    return held


def impatient() -> None:
    failures.SILENCE = 3.0


def resumes(cfg, whole: Path, folder: Path, updates: int) -> tuple[int, int]:
    """Resume from every checkpoint of a run: how many ended equal to the bit, and how many there were."""
    found = [path for path in whole.glob("checkpoint_*_*.pt")]
    for path in found:
        run = folder / path.stem
        run.mkdir()
        shutil.copy(path, run / "checkpoint_last.pt")
    done = [runs.finish(cfg, folder / path.stem, updates) == 0 and equal(folder / path.stem, whole) for path in found]
    for path in found:
        shutil.rmtree(folder / path.stem)
    return sum(done), len(done)


def refusals(cfg, whole: Path, folder: Path, most: int | None) -> tuple[int, int]:
    """Crafted checkpoints given to all that reads checkpoints: how many were refused, with nothing written."""
    marker, data = folder / "marker", Path(cfg.task.data)
    state = torch.load(whole / "checkpoint_last.pt", weights_only=True)
    refused = tried = 0
    for path in islice(malice.files(state, folder / "crafted", marker), most):
        for read in (
            lambda path: checkpoint_utils.load_checkpoint_to_cpu(str(path)),
            lambda path: load(path, data),
            lambda path: hub_utils.from_pretrained(str(path.parent), path.name, str(data)),
        ):
            tried += 1
            try:
                read(path)
            except InputError:
                refused += not marker.exists()
        for flag in ("restore_file", "finetune_from_model"):
            one = runs.copy.deepcopy(cfg)
            one.checkpoint[flag] = str(path)
            tried += 1
            refused += runs.finish(one, folder / "victim", INTERVAL) == 1 and not marker.exists()
    return refused, tried


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=25, help="at random moments, of each objective")
    parser.add_argument("--saves", type=int, default=24, help="kills while a checkpoint is saved")
    parser.add_argument("--signals", type=int, default=24, help="at random moments, each kind in turn")
    parser.add_argument("--ranks", type=int, default=12, help="one of two that is killed or stopped")
    parser.add_argument("--updates", type=int, default=40, help="of a run")
    parser.add_argument("--crafted", type=int, help="checkpoints that try to run code; not given: all")
    parser.add_argument("--inputs", type=int, default=1_100_000, help="broken files")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the record (default: %(default)s)")
    args = parser.parse_args()
    logging.disable()
    warnings.simplefilter("ignore")
    rng, rows, begin = random.Random(args.seed), {}, time.monotonic()
    found = {name: fuzzed(name, -(-args.inputs // len(fuzz.READERS)), args.seed) for name in fuzz.READERS}
    counts = {name: one.answers for name, one in found.items()}
    distinct = set().union(*(one.failures for one in found.values()))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        data = runs.write_data(folder / "data")
        survived = resumed = saved = 0
        for objective in runs.OBJECTIVES:
            cfg = runs.settings(data, "--save-interval-updates", INTERVAL, objective=objective)
            whole = folder / objective
            start = time.monotonic()
            if runs.finish(cfg, whole, args.updates) != 0:
                raise SystemExit(runs.log_of(whole).read_text())
            seconds = time.monotonic() - start
            work = folder / f"{objective}-runs"
            work.mkdir()
            survived += kills(cfg, whole, work, args.updates, args.kills, rng, seconds)
            equal_runs, number = resumes(cfg, whole, work, args.updates)
            resumed, saved = resumed + equal_runs, saved + number
        rows["SIGKILL at a random moment: the same command ends equal to the bit"] = (
            survived,
            args.kills * len(runs.OBJECTIVES),
        )
        rows["SIGKILL while saving: the same command ends equal to the bit"] = (
            kills_while_saving(cfg, whole, folder, args.updates, args.saves, rng),
            args.saves,
        )
        rows["SIGTERM, SIGUSR1, SIGINT, SIGHUP: its status, and the same command ends equal to the bit"] = (
            signals(cfg, whole, folder, args.updates, args.signals, rng),
            args.signals,
        )
        rows["one of two ranks killed or stopped: the other ends and names it, and they go on equal to the bit"] = (
            ranks(cfg, folder, args.updates, args.ranks, rng),
            args.ranks,
        )
        rows["resumed from a saved update: ends equal to the bit"] = resumed, saved
        rows["crafted checkpoints refused, no code run"] = refusals(cfg, whole, folder, args.crafted)
    total = sum(sum(one.values()) for one in counts.values())
    rows["broken files read or refused in one line"] = (
        total - sum(one.get("failed", 0) for one in counts.values()),
        total,
    )
    print("| what | held | tried |\n| --- | ---: | ---: |")
    for what, (held, tried) in rows.items():
        print(f"| {what} | {held:,} | {tried:,} |")
    print(f"distinct failures of readers: {len(distinct)}", *sorted(distinct), sep="\n")
    record = {"rows": {what: {"held": held, "tried": tried} for what, (held, tried) in rows.items()}}
    record |= {"readers": counts, "failures": sorted(distinct), "seconds": round(time.monotonic() - begin)}
    save("reliability", record | {"seed": args.seed}, args.results)


if __name__ == "__main__":
    main()
