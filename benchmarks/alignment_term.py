"""What the alignment term adds to a training step of the paper's model: python -m benchmarks.alignment_term

Timed in turn, with the same model: forward, backward and Adam of fairseq's masked-LM loss; the alignment term as
training computes it, drawing of pairs, value and gradient; and the same by plain autograd, of each kind of loss. Pairs
are drawn of a lexicon of --lexicon; as many or more of them are all pairs of a lexicon of that size. With --characters
and --hard-negatives the term has these, too; a search for the latter is timed by itself. Data are random.
"""

import argparse
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

import torch
from fairseq import utils
from fairseq.criterions.masked_lm import MaskedLmConfig, MaskedLmLoss
from fairseq.models.roberta.model import RobertaModel, base_architecture

from benchmarks.common.corpora import dictionary_of, sample, write_lexicon
from benchmarks.common.shapes import SHAPES, SPECIAL
from benchmarks.common.timing import RESULTS, interleaved, peak, save
from fairseq_align.criterions.align_mlm import AlignMlmLoss
from fairseq_align.embeddings.alignment_loss import LOSSES, alignment_loss


class Task:
    """What fairseq's model and criterion ask of a task."""

    def __init__(self, words: int):
        self.source_dictionary = self.target_dictionary = dictionary_of(words - SPECIAL)
        self.source_dictionary.add_symbol("<mask>")
        self.update_num = 0
        self.cfg = argparse.Namespace(data="")
        self.dim = SHAPES["paper"][1]
        self.state = argparse.Namespace(negatives={})


def build(task: Task, tokens: int) -> RobertaModel:
    layers, dim, heads, _ = SHAPES["paper"]
    shape = {"encoder_layers": layers, "encoder_embed_dim": dim, "encoder_attention_heads": heads}
    args = argparse.Namespace(**shape, encoder_ffn_embed_dim=4 * dim, max_positions=tokens, tokens_per_sample=tokens)
    base_architecture(args)
    return RobertaModel.build_model(args, task)


def criterion_of(task: Task, folder: Path, kind: str, number: int, size: int, **settings) -> AlignMlmLoss:
    """Draws so many pairs of a lexicon of ``size``, or has all of a lexicon of ``number``, whichever is larger."""
    path = folder / f"{max(number, size)}.tsv"
    if not path.exists():
        write_lexicon(path, len(task.source_dictionary) - SPECIAL, max(number, size))
    return AlignMlmLoss(task, str(path), align_loss=kind, align_pairs=number, **settings)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--vocabulary", type=int, default=80000)
    parser.add_argument("--tokens", type=int, default=512, help="in an item")
    parser.add_argument("--items", type=int, nargs="+", default=[16, 2], help="in a step, one size after the other")
    parser.add_argument("--pairs", type=int, nargs="+", default=[1024, 2000, 20000, 200_000], help="of an update")
    parser.add_argument("--lexicon", type=int, default=20000, help="pairs that they are drawn of")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kind", choices=LOSSES, nargs="+", default=["cosine"], help="of several: all in one record")
    parser.add_argument("--characters", type=int, default=0, help="vectors of character n-grams")
    parser.add_argument("--hard-negatives", type=int, default=0, help="of each word")
    parser.add_argument(
        "--processor-time", action="store_true", help="in place of the clock's; for one thread of a busy machine"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the record (default: %(default)s)")
    args = parser.parse_args()
    torch.manual_seed(1)
    task = Task(args.vocabulary)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = build(task, args.tokens).to(device).train()
    criterion = MaskedLmLoss(MaskedLmConfig(tpu=False), task)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)
    table = model.encoder.sentence_encoder.embed_tokens.weight
    gradient = torch.zeros_like(table)
    with tempfile.TemporaryDirectory() as folder:
        added = {"align_characters": args.characters, "hard_negatives": args.hard_negatives}
        criterions = {
            (kind, number): criterion_of(task, Path(folder), kind, number, args.lexicon, **added).to(device)
            for kind in args.kind
            for number in args.pairs
        }
    for (_, number), align in criterions.items() if args.hard_negatives else ():
        task.state.negatives.clear()
        begin = time.perf_counter()
        align._mine(table)
        print(f"{number:>9,} pairs: {time.perf_counter() - begin:.1f} s for a search for hard negatives")
    rows = []
    for items in args.items:
        batch = utils.apply_to_sample(lambda tensor: tensor.to(device), sample(args.vocabulary, items, args.tokens))

        def step(batch=batch) -> int:
            optimizer.zero_grad()
            loss, size, _ = criterion(model, batch)
            (loss / size).backward()
            optimizer.step()
            return 1

        works = {"step": step}
        for (kind, number), align in criterions.items():
            works |= {f"term {kind} {number}": partial(term, table, align, gradient)}
            works |= {f"autograd {kind} {number}": partial(autograd, table, align, gradient)}
        clock = time.process_time if args.processor_time else time.perf_counter
        rates = interleaved(works, args.rounds, clock)
        seconds = {name: [1 / rate for rate in found] for name, found in rates.items()}
        print(f"step of {items} x {args.tokens} tokens: {statistics.median(seconds['step']) * 1000:.0f} ms")
        for kind, number in criterions:
            row = {"kind": kind, "items": items, "pairs": number}
            row |= {"step_ms": statistics.median(seconds["step"]) * 1000}
            for name in ("term", "autograd"):
                of_kind = seconds[f"{name} {kind} {number}"]
                row[f"{name}_ms"] = statistics.median(of_kind) * 1000
                row[f"{name}_of_step"] = statistics.median(a / b for a, b in zip(of_kind, seconds["step"], strict=True))
            rows.append(row)
            print(
                f"{kind:>11} {number:>9,} pairs: {row['term_ms']:7.1f} ms, {row['term_of_step']:6.2%} of the step; by "
                f"autograd {row['autograd_ms']:7.1f} ms, {row['autograd_of_step']:6.2%}"
            )
    highest = peak()
    record = {"vocabulary": args.vocabulary, "tokens": args.tokens, "rounds": args.rounds, "lexicon": args.lexicon}
    record |= {name: getattr(args, name) for name in ("characters", "hard_negatives", "processor_time")}
    record |= {"threads": torch.get_num_threads(), "rows": rows, "peak_mib": highest}
    save("alignment_term-kinds" if len(args.kind) > 1 else "alignment_term", record, args.results)


def term(table, align: AlignMlmLoss, gradient: torch.Tensor) -> int:
    """Value and gradient as in training, but for the masked-LM loss, whose gradient would be there already."""
    align.task.update_num += 1
    blocks = align.blocks(table.device)
    value = blocks.value(table)
    if align.characters is not None:
        value.backward()
    blocks.add_gradient(table, gradient, value.detach())
    return 1


def autograd(table, align: AlignMlmLoss, gradient: torch.Tensor) -> int:
    align.task.update_num += 1
    loss = alignment_loss(table, align.draw().to(table.device), align.pair_loss, align.characters)
    gradient += torch.autograd.grad(loss, [table, *align.parameters()])[0]
    return 1


if __name__ == "__main__":
    main()
