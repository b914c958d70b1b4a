"""What other kernels would make of a step of ours: python -m benchmarks.kernels

One trainer with the flags of `ours` in benchmarks.step; its steps are taken in turn as they are, a second time, and
with one change, made from outside, in an order drawn each round. On a CPU the time is that of the processor, on one
thread, which is hardly longer when others use it, too. A ratio above 1 is slower than ours.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from random import Random
from unittest.mock import patch

import torch
import torch.nn.functional as F
from fairseq import modules, utils
from fairseq.trainer import Trainer
from torch import Tensor

from benchmarks.common.corpora import dictionary_of, sample, write_lexicon
from benchmarks.common.shapes import SHAPES, SPECIAL
from benchmarks.common.timing import RESULTS, WARM, save
from benchmarks.common.trainers import DEVICE, fast, flags, step, trainer
from fairseq_align.criterions import chunked_cross_entropy
from fairseq_align.training import autocast

ROWS = 64, 128, 256, 1024, 2048, 0  # of logits at once, instead of 512; 0: all


@contextmanager
def fairseq_gelu(made: Trainer) -> Iterator[None]:
    """GELU that copies its input to float32 and back."""
    with ExitStack() as stack:
        for module in made.get_model().modules():
            if getattr(module, "activation_fn", None) is F.gelu:
                stack.enter_context(patch.object(module, "activation_fn", modules.gelu))
        yield


@contextmanager
def fairseq_norms(made: Trainer) -> Iterator[None]:
    """The norm of each gradient by itself."""
    with patch.object(utils, "clip_grad_norm_", utils.clip_grad_norm_.__wrapped__):
        with patch.object(utils, "multi_tensor_l2norm_available", False):
            yield


@contextmanager
def half_attention(made: Trainer) -> Iterator[None]:
    """Attention in bfloat16 on a CPU, too."""
    with patch.object(autocast, "_in_float32", lambda attention, *args, **kwargs: attention(*args, **kwargs)):
        yield


@contextmanager
def log_softmax(made: Trainer) -> Iterator[None]:
    """Chunks of logits by torch's log_softmax, in new memory."""
    with patch.object(chunked_cross_entropy, "_in_chunks", in_chunks):
        yield


@contextmanager
def rows_at_once(made: Trainer, rows: int) -> Iterator[None]:
    with patch.object(made.get_criterion(), "logits_chunk", rows):
        yield


def in_chunks(hidden: Tensor, weight: Tensor, bias: Tensor, target: Tensor, rows: int, scale: float | Tensor | None):
    """``chunked_cross_entropy._in_chunks`` by log_softmax."""
    precise = torch.promote_types(hidden.dtype, torch.float32)
    loss = hidden.new_zeros((), dtype=precise)
    grad_hidden, grad_weight, grad_bias = torch.empty_like(hidden), None, torch.zeros_like(bias, dtype=precise)
    with torch.autocast(hidden.device.type, enabled=False):
        table, offset = weight.to(hidden.dtype), bias.to(hidden.dtype)
        chunks = zip(hidden.split(rows), grad_hidden.split(rows), target.unsqueeze(1).split(rows), strict=True)
        for chunk, grad_chunk, words in chunks:
            scores = F.log_softmax(torch.addmm(offset, chunk, table.T), 1, dtype=precise)
            loss -= scores.gather(1, words).sum()
            if scale is None:
                continue
            scores.exp_().scatter_add_(1, words, -torch.ones_like(words, dtype=precise)).mul_(scale)
            grad_bias += scores.sum(0)
            scores = scores.to(hidden.dtype)
            torch.mm(scores, table, out=grad_chunk)
            product = scores.T @ chunk
            grad_weight = product.to(weight.dtype) if grad_weight is None else grad_weight.add_(product)
    return loss, None if scale is None else (grad_hidden, grad_weight, grad_bias.to(bias.dtype))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shape", choices=SHAPES, default="small", help="small: 2 layers of 256, 8,000 words")
    parser.add_argument("--tokens", type=int, default=128, help="in an item")
    parser.add_argument("--items", type=int, default=8, help="in a step")
    parser.add_argument("--pairs", type=int, default=2000, help="of the lexicon")
    parser.add_argument("--precision", choices=("fp32", "bf16", "fp16"), default="fp32")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the record (default: %(default)s)")
    args = parser.parse_args()
    torch.manual_seed(1)
    if DEVICE.type == "cpu":
        torch.set_num_threads(1)
    seconds = timed(build(args), sample(SHAPES[args.shape][3], args.items, args.tokens), args.rounds)
    rows = []
    for name, taken in seconds.items():
        ratio = statistics.median(a / b for a, b in zip(taken, seconds["ours"], strict=True))
        rows.append({"name": name, "seconds": statistics.median(taken), "of_ours": ratio})
        print(f"{name:24} {rows[-1]['seconds'] * 1000:9.1f} ms, {ratio:.2f} times ours")
    settings = {name: value for name, value in vars(args).items() if name != "results"}
    save(f"kernels-{args.shape}-{args.items}-{args.precision}", {**settings, "rows": rows}, args.results)


def build(args: argparse.Namespace) -> Trainer:
    pieces = SHAPES[args.shape][3] - SPECIAL
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        dictionary_of(pieces).save(str(data / "dict.txt"))
        write_lexicon(data / "lexicon.tsv", pieces, args.pairs)
        align = ["--task", "align_mlm", "--criterion", "align_mlm", "--langs", "en"]
        align += ["--lexicon", str(data / "lexicon.tsv"), *(["--autocast", "bf16"] if args.precision == "bf16" else [])]
        return trainer(data, [*flags(args.shape, args.tokens, args.precision), *align, *fast(args.precision)])


def timed(made: Trainer, batch: dict, rounds: int) -> dict[str, list[float]]:
    """Seconds of each step, by its change."""
    changes = {"ours": None, "ours, a second time": None, "fairseq's GELU": fairseq_gelu}
    changes |= {"fairseq's norms": fairseq_norms, "log_softmax in chunks": log_softmax}
    changes |= {f"{rows or 'all'} rows of logits": partial(rows_at_once, rows=rows) for rows in ROWS}
    if made.task.dtype and DEVICE.type == "cpu":
        changes["attention in bfloat16"] = half_attention
    seconds: dict[str, list[float]] = {name: [] for name in changes}
    clock = time.perf_counter if DEVICE.type == "cuda" else time.process_time
    draw = Random(1)
    for counted in range(-WARM, rounds):
        for name, change in draw.sample(list(changes.items()), len(changes)):
            with change(made) if change else nullcontext():
                start = clock()
                step(made, batch)
                if DEVICE.type == "cuda":
                    torch.cuda.synchronize()
                taken = clock() - start
            if counted >= 0:
                seconds[name].append(taken)
    return seconds


if __name__ == "__main__":
    main()
