"""A whole training step of ours, fairseq's masked_lm and Hugging Face's RoBERTa: python -m benchmarks.step

The same architecture, batch, precision and optimizer (Adam), in one process: in turn on a CPU, on a GPU one after the
other, so that one model is in memory at a time. The first two are steps of fairseq's Trainer, built from the flags that
a user would give; the third is a bare loop. Data are random; on a GPU the
model FLOP utilisation is 3 * F / (seconds * peak), where F are the FLOP of a forward pass: 2 a weight of the layers a
token, 4 * tokens * dim an attention a token, and 2 a weight of the output layer a masked token.
"""

import argparse
import importlib.util
import statistics
import tempfile
from functools import partial
from pathlib import Path

import torch

from benchmarks.common.corpora import dictionary_of, sample, write_lexicon
from benchmarks.common.shapes import SHAPES, SPECIAL, forward_flop
from benchmarks.common.timing import RESULTS, models, ratio, save
from benchmarks.common.trainers import DEVICE, fast, flags, hugging_face_config, step, trainer

ROWS = "ours", "ours, weight 0", "ours, no attention dropout", "ours, plain settings"
ROWS += "fairseq", "fairseq, a second time", "Hugging Face"


def hugging_face(shape: str, tokens: int, batch: dict, precision: str):
    """A step of ``RobertaForMaskedLM``, which makes the logits of all tokens."""
    import transformers

    model = transformers.RobertaForMaskedLM(hugging_face_config(shape, tokens)).to(DEVICE).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.98), weight_decay=0.0, fused=True)
    scaler = torch.amp.GradScaler(DEVICE.type, enabled=precision == "fp16")
    inputs = batch["net_input"]["src_tokens"].to(DEVICE)
    labels = batch["target"].masked_fill(batch["target"] == 1, -100).to(DEVICE)
    dtype = {"fp16": torch.float16, "bf16": torch.bfloat16}.get(precision)

    def step() -> int:
        optimizer.zero_grad()
        with torch.autocast(DEVICE.type, dtype, enabled=dtype is not None):
            loss = model(input_ids=inputs, attention_mask=torch.ones_like(inputs), labels=labels).loss
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        loss.item()
        return inputs.numel()

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shape", choices=SHAPES, default="paper", help="paper: 8 layers of 512, 80,000 words")
    parser.add_argument("--tokens", type=int, default=512, help="in an item")
    parser.add_argument("--items", type=int, default=2, help="in a step")
    parser.add_argument("--pairs", type=int, default=20000, help="of the lexicon")
    parser.add_argument("--drawn", type=int, default=0, help="pairs an update; 0: all")
    parser.add_argument("--precision", choices=("fp32", "bf16", "fp16"), default="fp32")
    parser.add_argument("--only", nargs="+", choices=ROWS, default=ROWS, help="rows of the table beside ours")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peak", type=float, help="of the GPU in TFLOP/s at this precision, e.g. 989 for an H100")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the record (default: %(default)s)")
    args = parser.parse_args()
    torch.manual_seed(1)
    words = SHAPES[args.shape][3]
    batch = sample(words, args.items, args.tokens)
    shared = flags(args.shape, args.tokens, args.precision)
    autocast = ["--autocast", "bf16"] if args.precision == "bf16" else []
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        dictionary_of(words - SPECIAL).save(str(data / "dict.txt"))
        write_lexicon(data / "lexicon.tsv", words - SPECIAL, args.pairs)
        align = ["--task", "align_mlm", "--criterion", "align_mlm", "--langs", "en", *autocast]
        align += ["--lexicon", str(data / "lexicon.tsv"), "--align-pairs", str(args.drawn)]
        ours = [*align, *fast(args.precision)]
        stock = ["--task", "masked_lm", "--criterion", "masked_lm", "--optimizer", "adam"]
        settings = {
            "ours": ours,
            "ours, weight 0": [*ours, "--align-weight", "0"],
            "ours, no attention dropout": [*ours, "--attention-dropout", "0"],
            "ours, plain settings": [*align, "--optimizer", "adam"],
            "fairseq": stock,
            "fairseq, a second time": stock,  # how much two of the same differ
        }

        def make(name: str):
            bf16 = args.precision == "bf16" and settings[name] is stock
            return partial(step, trainer(data, [*shared, *settings[name]], bf16), batch)

        makers = {name: partial(make, name) for name in settings if name in ("ours", *args.only)}
        if importlib.util.find_spec("transformers") and "Hugging Face" in args.only:
            makers["Hugging Face"] = partial(hugging_face, args.shape, args.tokens, batch, args.precision)
        rates = models(makers, args.rounds)
    rows = []
    for name, found in rates.items():
        row = {"name": name, "tokens_per_second": statistics.median(found), "of_ours": ratio(rates, name, "ours")}
        if args.peak:
            flop = 3 * forward_flop(args.shape, args.tokens)
            row["utilisation"] = flop * row["tokens_per_second"] / (args.peak * 1e12)
        rows.append(row)
        used = f", {row['utilisation']:.1%} of the peak" if args.peak else ""
        print(f"{name:26} {row['tokens_per_second']:>12,.0f} tokens/s, {row['of_ours']:.2f} times ours{used}")
    record = {
        name: getattr(args, name) for name in ("shape", "tokens", "items", "pairs", "drawn", "precision", "rounds")
    }
    save(f"step-{args.shape}-{args.items}-{args.precision}", {**record, "rows": rows}, args.results)


if __name__ == "__main__":
    main()
