"""What sending gradients costs on many GPUs, and how long runs take, on paper: python -m benchmarks.scaling

For each rank an all-reduce of S bytes takes 2 * (n - 1) / n * S / bandwidth (a ring; NCCL's tests call that bandwidth
the bus bandwidth). Gradients of layers are sent while earlier layers are still going backward. Those of the word
embeddings cannot be: as the output layer they have a gradient first, as the input layer last. So a step waits for the
embeddings, and for what of the layers does not fit into the backward pass, two thirds of the work.

Hours of runs are their FLOP (see benchmarks.step) at two shares of the peak, between which a GPU is expected: these
models have 67 FLOP for each byte that their kernels move, an H100 in bfloat16 could do with 295.
"""

import argparse
from typing import NamedTuple

from benchmarks.common.shapes import CELL, SHAPES, forward_flop


class Cluster(NamedTuple):
    name: str
    ranks: int
    bandwidth: float  # bytes a second, bus bandwidth of all-reduce on a rank


CLUSTERS = (  # H100 SXM: 900 GB/s NVLink both ways; InfiniBand of 400 Gbit/s a GPU, of which about 80 % arrive
    Cluster("8 GPUs, NVLink", 8, 360e9),
    Cluster("64 GPUs, InfiniBand", 64, 40e9),
)


class Run(NamedTuple):
    name: str
    shape: str
    tokens: int  # in items of LENGTH


LENGTH = 512  # of an item
RUNS = (
    Run("one cell of the paper's table", "paper", CELL),
    Run("its table, 12 cells", "paper", 12 * CELL),
    Run("all 35 models of the paper", "paper", 35 * CELL),
    Run("XLM-R base continued as InfoXLM", "xlmr", 200_000 * 2048 * LENGTH),
)


def sizes(shape: str) -> tuple[int, int]:
    """Weights of the word embeddings and of everything else."""
    layers, dim, _, words = SHAPES[shape]
    return words * dim, layers * 12 * dim**2 + 512 * dim + dim**2 + words


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--items", type=int, default=16, help="of 512 tokens on a GPU in a step")
    parser.add_argument(
        "--update-freq", type=int, nargs="+", default=[1, 8], help="steps whose gradients are sent once"
    )
    parser.add_argument("--peak", type=float, default=989, help="TFLOP/s of a GPU; H100 in bfloat16: 989")
    parser.add_argument("--utilisation", type=float, default=0.4, help="share of it that a step reaches")
    parser.add_argument("--expected", type=float, nargs=2, default=[0.14, 0.205], help="shares of it for hours of runs")
    parser.add_argument("--bytes", type=int, default=4, help="of a gradient: 4 with autocast, 2 with --fp16")
    args = parser.parse_args()
    print_efficiency(args)
    print_hours(args)


def print_efficiency(args: argparse.Namespace) -> None:
    """Waiting of each model on each cluster."""
    print("| model | GPUs | update-freq | sent, MB | computing, ms | waiting, ms | efficiency |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for shape in ("paper", "xlmr"):
        embeddings, others = (count * args.bytes for count in sizes(shape))
        tokens = args.items * LENGTH
        step = 3 * forward_flop(shape, LENGTH) * tokens / (args.peak * 1e12 * args.utilisation)
        for cluster in CLUSTERS:
            seconds = 2 * (cluster.ranks - 1) / cluster.ranks / cluster.bandwidth
            waiting = embeddings * seconds + max(0.0, others * seconds - 2 / 3 * step)
            for steps in args.update_freq:
                whole = steps * step
                print(
                    f"| {shape} | {cluster.name} | {steps} | {(embeddings + others) / 1e6:,.0f} | {whole * 1e3:.1f} | "
                    f"{waiting * 1e3:.1f} | {whole / (whole + waiting):.0%} |"
                )


def print_hours(args: argparse.Namespace) -> None:
    """GPU-hours of runs, from the fast rate to the slow one, and hours on eight GPUs that never wait for each other."""
    print("\n| run | tokens | 1,000 tokens/s a GPU | GPU-hours | hours on 8 GPUs |")
    print("|---|---:|---:|---:|---:|")
    for run in RUNS:
        rates = [args.peak * 1e12 * share / (3 * forward_flop(run.shape, LENGTH)) for share in args.expected]
        slow, fast = (run.tokens / rate / 3600 for rate in rates)
        print(
            f"| {run.name} | {run.tokens / 1e9:,.0f} G | {rates[0] / 1e3:,.0f} to {rates[1] / 1e3:,.0f} | "
            f"{fast:,.1f} to {slow:,.1f} | {fast / 8:,.1f} to {slow / 8:,.1f} |"
        )


if __name__ == "__main__":
    main()
