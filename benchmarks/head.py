"""Memory and time of the output layer, plain and in chunks: python -m benchmarks.head

Forward and backward of fairseq's masked-LM head and the cross entropy, in turn, each time in a process of its own:
plain, in our chunks, and in those of torch's linear_cross_entropy. Memory is what the process takes beyond the weights
the first time, the gradient of the weights, which all ways make, among it; time is that of the second time. Printed are
medians.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from fairseq.models.roberta.model import RobertaLMHead

from benchmarks.common.timing import RESULTS, peak, save
from fairseq_align.criterions import chunked_cross_entropy as logits

MASKED = 0.15
TORCH = 512  # rows at once of its linear_cross_entropy; its own choice takes ten times as long as plain on a CPU
WAYS = ["plain", "512", "256", "64"] + ["torch"] * hasattr(torch.nn, "LinearCrossEntropyOptions")  # since torch 2.13


def measure(args: argparse.Namespace) -> dict[str, float]:
    torch.manual_seed(1)
    device = torch.device(args.device)
    table = torch.nn.Parameter(torch.empty(args.words, args.dim, device=device).normal_(std=0.02))
    head = RobertaLMHead(args.dim, args.words, "gelu", table).to(device)
    masked = int(MASKED * args.tokens)
    features = torch.randn(masked, args.dim, device=device, requires_grad=True)
    target = torch.randint(args.words, (masked,), device=device)
    cuda = device.type == "cuda"

    def work() -> tuple[float, float]:
        table.grad = features.grad = None
        start = time.perf_counter()
        value = loss_of(args.way, head, features, target)
        value.backward()
        return value.item(), time.perf_counter() - start  # waits for a GPU

    before = torch.cuda.memory_allocated() / 2**20 if cuda else peak()
    work()
    after = torch.cuda.max_memory_allocated() / 2**20 if cuda else peak()
    loss, seconds = work()
    return {"loss": loss, "seconds": seconds, "mib": after - before}


def loss_of(way: str, head: RobertaLMHead, features: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    if way == "plain":
        return F.cross_entropy(head(features), target, reduction="sum")
    if way != "torch":
        return logits.cross_entropy(head, features, target, int(way))
    hidden = head.layer_norm(head.activation_fn(head.dense(features)))
    options = torch.nn.LinearCrossEntropyOptions(chunking_method=None, batch_chunk_size=TORCH)
    return F.linear_cross_entropy(hidden, head.weight, target, linear_bias=head.bias, reduction="sum", options=options)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--words", type=int, default=250_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--tokens", type=int, default=32 * 512, help="of a batch; 15 %% of them are masked")
    parser.add_argument("--ways", nargs="+", default=WAYS, help="plain, torch, or rows at once (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the record (default: %(default)s)")
    parser.add_argument("--way", help=argparse.SUPPRESS)  # of the process that is measured
    args = parser.parse_args()
    if args.way is not None:
        print(json.dumps(measure(args)))
        return
    found = {way: [] for way in args.ways}
    for _ in range(args.rounds):
        for way, runs in found.items():
            command = [sys.executable, "-m", "benchmarks.head", *sys.argv[1:], "--way", way]
            done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
            runs.append(json.loads(done.stdout.splitlines()[-1]))
    rows = [
        {"way": way} | {key: statistics.median(run[key] for run in found[way]) for key in found[way][0]}
        for way in found
    ]
    for row in rows:
        name = {"plain": "plain", "torch": f"torch's, {TORCH} rows"}.get(row["way"], f"{row['way']} rows at once")
        memory, time_taken = (row[key] / rows[0][key] for key in ("mib", "seconds"))
        print(f"{name:18} {row['mib']:8,.0f} MiB, {memory:6.1%}   {row['seconds']:6.1f} s, {time_taken:4.2f} times")
    shape = {name: getattr(args, name) for name in ("words", "dim", "tokens", "device", "rounds")}
    save(f"head-{args.device}", {**shape, "rows": rows}, args.results)


if __name__ == "__main__":
    main()
