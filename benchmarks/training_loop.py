"""Training as it runs, with its loader workers: python -m benchmarks.training_loop

The trainer is that of fairseq-train with the flags a user would give, the corpus is random. Printed are tokens a
second, the share of the time that the trainer waits for data, what that makes of one cell of the paper's grid (500,000
updates of 128 x 512 tokens), memory, and with --peak the model FLOP utilisation (see benchmarks.step). Then the ten
operations that take most of the time of a few more updates: their own time, without that of the operations they call.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch
from fairseq.data.iterators import GroupedIterator
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from benchmarks.common.corpora import prepare, write_lexicon
from benchmarks.common.shapes import CELL, SHAPES, SPECIAL, forward_flop
from benchmarks.common.timing import RESULTS, WARM, peak, remembered_peak, save
from benchmarks.common.trainers import DEVICE, fast, flags, trainer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shape", choices=SHAPES, default="paper", help="paper: 8 layers of 512, 80,000 words")
    parser.add_argument("--tokens", type=int, default=512, help="in an item")
    parser.add_argument("--items", type=int, default=2, help="in a batch")
    parser.add_argument("--update-freq", type=int, default=1, help="batches an update")
    parser.add_argument("--pairs", type=int, default=20000, help="of the lexicon")
    parser.add_argument("--drawn", type=int, default=1024, help="pairs a batch; 0: all")
    parser.add_argument("--precision", choices=("fp32", "bf16", "fp16"), default="fp32")
    parser.add_argument("--workers", type=int, default=2, help="that load data")
    parser.add_argument("--updates", type=int, default=10, help="in a window of time")
    parser.add_argument("--windows", type=int, default=5, help="timed, after one that is not")
    parser.add_argument("--profiled", type=int, default=3, help="updates in the profile")
    parser.add_argument("--peak", type=float, help="of the GPU in TFLOP/s at this precision, e.g. 989 for an H100")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the record (default: %(default)s)")
    args = parser.parse_args()
    if min(args.updates, args.windows, args.profiled) < 1:
        parser.error("found fewer than one update, window or profiled update, expected at least 1")
    pieces = SHAPES[args.shape][3] - SPECIAL
    warm = max(WARM, args.updates)
    whole = warm + args.windows * args.updates + args.profiled
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        prepare(data, (whole + 1) * args.update_freq * args.items * args.tokens, pieces)
        write_lexicon(data / "lexicon.tsv", pieces, args.pairs)
        run = trainer(data, command(args, data))
        epoch = run.get_train_iterator(epoch=1).next_epoch_itr()
        batches = GroupedIterator(epoch, args.update_freq)
        run.begin_epoch(1)
        on_gpu = DEVICE.type == "cuda"
        with remembered_peak():
            window(run, batches, warm)
            windows = [window(run, batches, args.updates) for _ in range(args.windows)]
            memory = torch.cuda.max_memory_allocated() / 2**20 if on_gpu else peak()
        activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * on_gpu
        with profile(activities=activities) as profiled:
            window(run, batches, args.profiled)
    rate = statistics.median(tokens / seconds for tokens, seconds, _ in windows)
    waiting = sum(waited for _, _, waited in windows) / sum(seconds for _, seconds, _ in windows)
    record = {
        "tokens_per_second": rate,
        "waiting_for_data": waiting,
        "peak_mib": memory,
        "cell_hours": CELL / rate / 3600,
    }
    print(f"{rate:,.0f} tokens/s, {waiting:.2%} of the time waiting for data, at most {memory:,.0f} MiB")
    if args.peak:
        record["utilisation"] = 3 * forward_flop(args.shape, args.tokens) * rate / (args.peak * 1e12)
        print(f"{record['utilisation']:.1%} of the peak")
    print(
        f"one cell of the paper's grid: {record['cell_hours']:,.1f} hours on {'this GPU' if on_gpu else 'this machine'}"
    )
    rows = operations(profiled, on_gpu, args.profiled)[:10]
    for row in rows:
        print(f"{row['of_all']:6.1%} {row['ms']:10.2f} ms an update {row['name']}")
    settings = {name: value for name, value in vars(args).items() if name not in ("results", "peak")}
    name = f"training_loop-{args.shape}-{args.items}-{args.precision}"
    save(name, {**settings, **record, "rows": rows}, args.results)


def command(args, data: Path) -> list[str]:
    """Flags of the run."""
    made = flags(args.shape, args.tokens, args.precision)
    made += ["--task", "align_mlm", "--criterion", "align_mlm", "--langs", "en", "--sample-break-mode", "none"]
    made += ["--lexicon", str(data / "lexicon.tsv"), "--align-pairs", str(args.drawn)]
    made += ["--batch-size", str(args.items), "--num-workers", str(args.workers)]
    made += ["--update-freq", str(args.update_freq)]
    made += ["--autocast", "bf16"] if args.precision == "bf16" else []
    return made + fast(args.precision)


def window(run, batches, updates: int) -> tuple[int, float, float]:
    """So many updates: tokens, seconds, and seconds of them in which the trainer waited for data."""
    tokens, waited = 0, 0.0
    start = time.perf_counter()
    for _ in range(updates):
        before = time.perf_counter()
        samples = next(batches)
        waited += time.perf_counter() - before
        run.train_step(samples, raise_oom=True)  # else fairseq leaves the batch out
        tokens += sum(sample["ntokens"] for sample in samples)
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()
    return tokens, time.perf_counter() - start, waited


def operations(profiled: profile, on_gpu: bool, updates: int) -> list[dict]:
    """Operations by their own time, the longest first: milliseconds an update, and the share of all operations."""
    own = "self_device_time_total" if on_gpu else "self_cpu_time_total"
    # kernels stand beside the operations that start them, and regions that fairseq names beside what is in them
    events = [e for e in profiled.key_averages() if e.device_type == DeviceType.CPU and not e.is_user_annotation]
    times = sorted(((getattr(event, own), event.key) for event in events), reverse=True)
    whole = sum(time for time, _ in times)
    return [{"name": name, "ms": time / 1000 / updates, "of_all": time / whole} for time, name in times]


if __name__ == "__main__":
    main()
