#!/usr/bin/env python3
"""A whole training step of ours, fairseq's masked_lm and Hugging Face's RoBERTa: python benchmarks/step.py

The same architecture, batch, precision and optimizer (Adam), in turn, in one process. The first two are steps of
fairseq's Trainer, built from the flags that a user would give; the third is a bare loop. Data are random; on a GPU the
model FLOP utilisation is 3 * F / (seconds * peak), where F are the FLOP of a forward pass: 2 a weight of the layers a
token, 4 * tokens * dim an attention a token, and 2 a weight of the output layer a masked token.
"""

import argparse
import importlib.util
import statistics
import tempfile
from pathlib import Path

import torch
from corpora import PLUGIN, dictionary_of
from fairseq import options, tasks
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq.trainer import Trainer
from timing import RESULTS, interleaved, ratio, save

from fairseq_align.text import vocabulary

MASKED = 0.15
SPECIAL = 5  # <s>, <pad>, </s>, <unk> and <mask> stand in a vocabulary beside its pieces
ROWS = "ours", "ours, weight 0", "ours, no attention dropout", "ours, plain settings"
ROWS += "fairseq", "fairseq, a second time", "Hugging Face"
SHAPES = {  # layers, dimension, heads, words
    "tiny": (2, 32, 2, 200),
    "paper": (8, 512, 8, 80000),
    "xlmr": (12, 768, 12, 250000),
}
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def flags(shape: str, tokens: int, precision: str) -> list[str]:
    layers, dim, heads, _ = SHAPES[shape]
    model = f"--arch roberta --encoder-layers {layers} --encoder-embed-dim {dim} --encoder-ffn-embed-dim {4 * dim} "
    model += f"--encoder-attention-heads {heads} --max-positions {tokens} --tokens-per-sample {tokens}"
    training = "--lr 1e-4 --clip-norm 1.0 --adam-betas (0.9,0.98) --log-format none"
    training += {"fp16": " --fp16", "fp32": " --cpu" if not torch.cuda.is_available() else ""}.get(precision, "")
    return f"{model} {training}".split()


def fast(precision: str) -> list[str]:
    """What the README advises for speed; in float16 chunks of logits would be made twice."""
    return ["--optimizer", "adamw", *(["--logits-chunk", "512"] if precision != "fp16" else [])]


def trainer(data: Path, more: list[str], bf16: bool = False) -> Trainer:
    """fairseq's Trainer of the flags; ``bf16`` is ``common.bf16=true`` of fairseq-hydra-train, weights in bfloat16."""
    parser = options.get_training_parser()
    args = options.parse_args_and_arch(parser, [str(data), "--user-dir", str(PLUGIN), *more])
    cfg = convert_namespace_to_omegaconf(args)
    cfg.common.bf16 = bf16
    task = tasks.setup_task(cfg.task)
    made = Trainer(cfg, task, task.build_model(cfg.model), task.build_criterion(cfg.criterion))
    made.lr_step_begin_epoch(1)
    return made


def write_lexicon(path: Path, pieces: int, pairs: int) -> None:
    """Random pairs of pieces that are whole words."""
    whole = [piece for piece in dictionary_of(pieces).symbols if piece.startswith(vocabulary.WORD_START)]
    drawn = torch.randint(len(whole), (pairs, 2)).tolist()
    path.write_text("".join(f"{whole[one]}\t{whole[other]}\n" for one, other in drawn), encoding="utf-8")


def sample(words: int, items: int, tokens: int) -> dict:
    """A batch of random words; all items are full, as in pre-training."""
    inputs = torch.randint(4, words, (items, tokens))
    target = inputs.masked_fill(torch.rand(items, tokens) >= MASKED, 1)
    net_input = {"src_tokens": inputs, "src_lengths": torch.full((items,), tokens)}
    return {
        "id": torch.arange(items),
        "net_input": net_input,
        "target": target,
        "ntokens": items * tokens,
        "nsentences": items,
    }


def step(made: Trainer, batch: dict) -> int:
    """Tokens of the batch, whether or not ``--fp16`` overflows and leaves the update out."""
    made.train_step([batch])
    return batch["ntokens"]


def hugging_face_config(shape: str, tokens: int, **more):
    import transformers

    layers, dim, heads, words = SHAPES[shape]
    return transformers.RobertaConfig(
        vocab_size=words,
        hidden_size=dim,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * dim,
        max_position_embeddings=tokens + 2,
        type_vocab_size=1,
        **more,
    )


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
        works = {}
        for name in (name for name in settings if name in ("ours", *args.only)):
            bf16 = args.precision == "bf16" and settings[name] is stock
            made = trainer(data, [*shared, *settings[name]], bf16)
            works[name] = lambda made=made: step(made, batch)
        if importlib.util.find_spec("transformers") and "Hugging Face" in args.only:
            works["Hugging Face"] = hugging_face(args.shape, args.tokens, batch, args.precision)
        rates = interleaved(works, args.rounds)
    rows = []
    for name, found in rates.items():
        row = {"name": name, "tokens_per_second": statistics.median(found), "of_ours": ratio(rates, name, "ours")}
        if args.peak:
            row["utilisation"] = 3 * forward_flop(args) * row["tokens_per_second"] / (args.peak * 1e12)
        rows.append(row)
        used = f", {row['utilisation']:.1%} of the peak" if args.peak else ""
        print(f"{name:26} {row['tokens_per_second']:>12,.0f} tokens/s, {row['of_ours']:.2f} times ours{used}")
    record = {
        name: getattr(args, name) for name in ("shape", "tokens", "items", "pairs", "drawn", "precision", "rounds")
    }
    save(f"step-{args.shape}-{args.items}-{args.precision}", {**record, "rows": rows}, args.results)


def forward_flop(args) -> float:
    """A token."""
    layers, dim, _, words = SHAPES[args.shape]
    return layers * (2 * 12 * dim**2 + 4 * args.tokens * dim) + MASKED * 2 * dim * (words + dim)


if __name__ == "__main__":
    main()
