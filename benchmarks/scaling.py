"""What sending gradients costs on many GPUs, on paper: python -m benchmarks.scaling

For each rank an all-reduce of S bytes takes 2 * (n - 1) / n * S / bandwidth (a ring; NCCL's tests call that bandwidth
the bus bandwidth). Gradients of layers are sent while earlier layers are still going backward. Those of the word
embeddings cannot be: as the output layer they have a gradient first, as the input layer last. So a step waits for the
embeddings, and for what of the layers does not fit into the backward pass, two thirds of the work.
"""

import argparse
from typing import NamedTuple

from benchmarks.common.shapes import SHAPES, forward_flop


class Cluster(NamedTuple):
    name: str
    ranks: int
    bandwidth: float  # bytes a second, bus bandwidth of all-reduce on a rank


CLUSTERS = (  # H100 SXM: 900 GB/s NVLink both ways; InfiniBand of 400 Gbit/s a GPU, of which about 80 % arrive
    Cluster("8 GPUs, NVLink", 8, 360e9),
    Cluster("64 GPUs, InfiniBand", 64, 40e9),
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
    parser.add_argument("--bytes", type=int, default=4, help="of a gradient: 4 with autocast, 2 with --fp16")
    args = parser.parse_args()
    print("| model | GPUs | update-freq | sent, MB | computing, ms | waiting, ms | efficiency |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for shape in ("paper", "xlmr"):
        args.shape, args.tokens = shape, 512
        embeddings, others = (count * args.bytes for count in sizes(shape))
        tokens = args.items * args.tokens
        step = 3 * forward_flop(args) * tokens / (args.peak * 1e12 * args.utilisation)
        for cluster in CLUSTERS:
            seconds = 2 * (cluster.ranks - 1) / cluster.ranks / cluster.bandwidth
            waiting = embeddings * seconds + max(0.0, others * seconds - 2 / 3 * step)
            for steps in args.update_freq:
                whole = steps * step
                print(
                    f"| {shape} | {cluster.name} | {steps} | {(embeddings + others) / 1e6:,.0f} | {whole * 1e3:.1f} | "
                    f"{waiting * 1e3:.1f} | {whole / (whole + waiting):.0%} |"
                )


if __name__ == "__main__":
    main()
