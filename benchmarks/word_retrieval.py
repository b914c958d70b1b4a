"""Time and memory of scoring alignment, ours and whole matrices: python -m benchmarks.word_retrieval

P@1 by cosine and by CSLS of all words of one vocabulary among those of another, block by block with the functions of
`fairseq-align alignment`, and by plain torch, which holds the matrix of cosines. Each in a process of its own; vectors
are random. Memory is that of the first time, time that of the second.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F

from benchmarks.common.timing import RESULTS, peak, save
from fairseq_align.embeddings import retrieval
from fairseq_align.embeddings.retrieval import NEIGHBOURS, Space
from fairseq_align.lexicon.words import Words


def blocks(tables: list[torch.Tensor]) -> list[float]:
    rows = torch.arange(len(tables[0]), device=tables[0].device)
    spaces = [Space(table, Words(rows, rows)) for table in tables]
    gold = torch.stack([rows, rows], dim=1)
    _, mean_similarity = retrieval.mean_similarities(*spaces)
    return [retrieval.ranks(*spaces, gold, scaled).precision(1).mean().item() for scaled in (None, mean_similarity)]


def matrix(tables: list[torch.Tensor]) -> list[float]:
    source, target = (F.normalize(table, dim=-1) for table in tables)
    similar = source @ target.T
    rows = torch.arange(len(similar), device=similar.device)
    mean_similarity = similar.topk(NEIGHBOURS, dim=0).values.mean(0)
    return [found.argmax(1).eq(rows).float().mean().item() for found in (similar, 2 * similar - mean_similarity)]


def measure(args: argparse.Namespace) -> dict:
    generator = torch.Generator().manual_seed(1)
    first = torch.randn(args.measured, args.dim, generator=generator)
    tables = [
        first.to(args.device),
        (first + args.noise * torch.randn(first.shape, generator=generator)).to(args.device),
    ]
    cuda = args.device == "cuda"
    before = torch.cuda.memory_allocated() / 2**20 if cuda else peak()
    score = {"blocks": blocks, "matrix": matrix}[args.way]
    score(tables)
    after = torch.cuda.max_memory_allocated() / 2**20 if cuda else peak()
    start = time.perf_counter()
    cosine, csls = score(tables)
    return {"cosine": cosine, "csls": csls, "seconds": time.perf_counter() - start, "mib": after - before}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--words", type=int, nargs="+", default=[10_000, 20_000], help="of each vocabulary")
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--noise", type=float, default=6.0, help="between the vectors of a pair, standard deviations")
    parser.add_argument("--ways", nargs="+", default=["blocks", "matrix"])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the record (default: %(default)s)")
    parser.add_argument("--way", help=argparse.SUPPRESS)  # both of the process that is measured
    parser.add_argument("--measured", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.way:
        print(json.dumps(measure(args)))
        return
    rows = []
    for words in args.words:
        for way in args.ways:
            command = [sys.executable, "-m", "benchmarks.word_retrieval", *sys.argv[1:]]
            command += ["--way", way, "--measured", str(words)]
            found = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.splitlines()[-1])
            rows.append({"words": words, "way": way} | found)
            print(
                f"{words:>9,} words, {way}: {found['seconds']:7.1f} s, {found['mib']:8,.0f} MiB; P@1 "
                f"{found['cosine']:.1%} by cosine, {found['csls']:.1%} by CSLS"
            )
    save(f"word_retrieval-{args.device}", {"dim": args.dim, "noise": args.noise, "rows": rows}, args.results)


if __name__ == "__main__":
    main()
