"""Loading of data, ours and fairseq's masked_lm: python -m benchmarks.data_loading; at length --tokens 1000000000

Two figures: tokens a second that one loader worker makes, batches of 16 full items, collated; and what a run takes to
its first update, the whole command with a model of one layer of 8, and its memory. The corpus is random.
"""

import argparse
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fairseq import options, tasks
from fairseq.dataclass.utils import convert_namespace_to_omegaconf

from benchmarks.common.corpora import prepare
from benchmarks.common.timing import RESULTS, interleaved, ratio, save
from benchmarks.common.trainers import PLUGIN

ITEMS, LENGTH = 16, 512
TASKS = {"ours": ["--task", "align_mlm", "--langs", "en"], "fairseq": ["--task", "masked_lm"]}
SHARED = ["--user-dir", str(PLUGIN), "--sample-break-mode", "none", "--tokens-per-sample", str(LENGTH)]


def batches(folder: Path, name: str, count: int):
    """A piece of work: make so many batches, as a loader worker does."""
    args = [str(folder), *SHARED, *TASKS[name], "--arch", "roberta"]
    parsed = options.parse_args_and_arch(options.get_training_parser(), args)
    task = tasks.setup_task(convert_namespace_to_omegaconf(parsed).task)
    task.load_dataset("train", epoch=1, combine=False)
    dataset = task.dataset("train")
    order = dataset.ordered_indices()
    epoch = iter(range(1, 1 << 30))

    def work() -> int:
        dataset.set_epoch(next(epoch))
        made = 0
        for start in range(0, count * ITEMS, ITEMS):
            batch = dataset.collater([dataset[int(index)] for index in order[start : start + ITEMS]])
            made += batch["net_input"]["src_tokens"].numel()
        return made

    return work


def first_update(folder: Path, name: str) -> tuple[float, float]:
    """Seconds and MiB of the whole command with one update."""
    command = [sys.executable, "-m", "fairseq_cli.train", str(folder), *SHARED, *TASKS[name]]
    command += ["--arch", "roberta", "--encoder-layers", "1", "--encoder-embed-dim", "8"]
    command += ["--encoder-ffn-embed-dim", "8", "--encoder-attention-heads", "1", "--max-positions", str(LENGTH)]
    command += ["--criterion", "masked_lm", "--optimizer", "adam", "--cpu", "--batch-size", str(ITEMS)]
    command += ["--max-update", "1", "--disable-validation", "--no-save", "--num-workers", "0"]
    start = time.perf_counter()
    with open(os.devnull, "w") as nowhere:
        process = subprocess.Popen([*command, "--data-buffer-size", "0"], stdout=nowhere, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"{name}: exit status {os.waitstatus_to_exitcode(status)}, expected 0")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pieces", type=int, nargs="*", default=[4000, 80000, 250000])
    parser.add_argument("--batches", type=int, default=8, help="of a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=10_000_000, help="of the corpus that a run starts on")
    parser.add_argument("--start-pieces", type=int, default=80_000, help="of its vocabulary (default: %(default)s)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the record (default: %(default)s)")
    args = parser.parse_args()
    rows, starts = [], []
    for pieces in args.pieces:
        with tempfile.TemporaryDirectory() as folder:
            prepare(Path(folder), 2 * args.batches * ITEMS * LENGTH, pieces)
            rates = interleaved({name: batches(Path(folder), name, args.batches) for name in TASKS}, args.rounds)
        medians = {name: statistics.median(found) / 1e6 for name, found in rates.items()}
        rows.append({"pieces": pieces, "tokens_per_second": medians, "ratio": ratio(rates, "ours", "fairseq")})
        print(
            f"{pieces:>9,} pieces: ours {medians['ours']:6.2f} M tokens/s, fairseq {medians['fairseq']:6.2f}, "
            f"{rows[-1]['ratio']:.1f} times as many"
        )
    with tempfile.TemporaryDirectory() as folder:
        # in a process of its own: what this one has taken would count as taken by those that it starts
        prepared = (Path(folder), args.tokens, args.start_pieces)
        making = multiprocessing.get_context("spawn").Process(target=prepare, args=prepared)
        making.start()
        making.join()
        for name in TASKS:
            seconds, peak = first_update(Path(folder), name)
            starts.append({"name": name, "seconds": seconds, "peak_mib": peak})
            print(f"{name:8} {args.tokens:,} tokens: {seconds:6.1f} s to the end of one update, {peak:6.0f} MiB")
    record = {"batches": args.batches, "items": ITEMS, "length": LENGTH, "rounds": args.rounds, "tokens": args.tokens}
    save("data_loading", {**record, "rows": rows, "first_update": starts}, args.results)


if __name__ == "__main__":
    main()
