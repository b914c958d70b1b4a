"""What training survives and what readers refuse, at length: python -m tests.stress.reliability

Kills, resumes, crafted checkpoints and broken files, many of each; tests/ has a few of each.
"""

import argparse
import logging
import os
import random
import shutil
import signal
import tempfile
import time
import warnings
from pathlib import Path

import torch
from fairseq import checkpoint_utils, hub_utils
from fairseq.file_io import PathManager

from benchmarks.common.timing import save
from fairseq_align.errors import InputError
from fairseq_align.evaluation.checkpoint import load
from tests.stress import fuzz, malice, runs
from tests.stress.readers import fuzzed

RESULTS = Path(__file__).parent / "results"
INTERVAL = 2  # updates between two checkpoints
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
    for path in malice.files(state, folder / "crafted", marker)[:most]:
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
    failures = set().union(*(one.failures for one in found.values()))
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
    print(f"distinct failures of readers: {len(failures)}", *sorted(failures), sep="\n")
    record = {"rows": {what: {"held": held, "tried": tried} for what, (held, tried) in rows.items()}}
    record |= {"readers": counts, "failures": sorted(failures), "seconds": round(time.monotonic() - begin)}
    save("reliability", record | {"seed": args.seed}, args.results)


if __name__ == "__main__":
    main()
