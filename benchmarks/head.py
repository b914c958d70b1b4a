#!/usr/bin/env python3
"""Memory and time of the output layer, plain and in chunks: python benchmarks/head.py

Forward and backward of fairseq's masked-LM head and the cross entropy, each in a process of its own. Memory is what the
process takes beyond the weights; the gradient of the weights, which both ways make, is part of it.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from fairseq.models.roberta.model import RobertaLMHead
from timing import RESULTS, peak, save

from fairseq_align import logits

MASKED = 0.15


def measure(args: argparse.Namespace) -> dict[str, float]:
    torch.manual_seed(1)
    device = torch.device(args.device)
    table = torch.nn.Parameter(torch.empty(args.words, args.dim, device=device).normal_(std=0.02))
    head = RobertaLMHead(args.dim, args.words, "gelu", table).to(device)
    masked = int(MASKED * args.tokens)
    features = torch.randn(masked, args.dim, device=device, requires_grad=True)
    target = torch.randint(args.words, (masked,), device=device)
    cuda = device.type == "cuda"
    before = torch.cuda.memory_allocated() / 2**20 if cuda else peak()
    start = time.perf_counter()
    if args.chunk:
        loss = logits.cross_entropy(head, features, target, args.chunk)
    else:
        loss = F.cross_entropy(head(features), target, reduction="sum")
    loss.backward()
    value = loss.item()
    after = torch.cuda.max_memory_allocated() / 2**20 if cuda else peak()
    return {"loss": value, "seconds": time.perf_counter() - start, "mib": after - before}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--words", type=int, default=250_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--tokens", type=int, default=32 * 512, help="of a batch; 15 %% of them are masked")
    parser.add_argument("--chunks", type=int, nargs="+", default=[0, 64, 256, 512], help="rows at once; 0: plain")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the record (default: %(default)s)")
    parser.add_argument("--chunk", type=int, help=argparse.SUPPRESS)  # of the process that is measured
    args = parser.parse_args()
    if args.chunk is not None:
        print(json.dumps(measure(args)))
        return
    rows = []
    for chunk in args.chunks:
        done = subprocess.run([sys.executable, *sys.argv, "--chunk", str(chunk)], stdout=subprocess.PIPE, check=True)
        rows.append({"chunk": chunk} | json.loads(done.stdout.splitlines()[-1]))
        name = f"{chunk} rows at once" if chunk else "plain"
        share = rows[-1]["mib"] / rows[0]["mib"]
        print(f"{name:18} {rows[-1]['mib']:8,.0f} MiB, {share:6.1%}   {rows[-1]['seconds']:6.1f} s")
    record = {"words": args.words, "dim": args.dim, "tokens": args.tokens, "device": args.device}
    save(f"head-{args.device}", {**record, "rows": rows}, args.results)


if __name__ == "__main__":
    main()
