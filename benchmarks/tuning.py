"""A step of fine-tuning a tagger, ours and Hugging Face's token classification: python -m benchmarks.tuning

The same architecture, batch and optimizer (Adam), in one process, in turn on a CPU and one after the other on a GPU: a
step of fairseq's Trainer with the task `sequence_tagging`, and a bare loop around `RobertaForTokenClassification`. Data
are random, every other token has a label.
"""

import argparse
import statistics
import tempfile
from functools import partial
from pathlib import Path

import torch

from benchmarks.common.corpora import dictionary_of, sample
from benchmarks.common.shapes import SHAPES, SPECIAL
from benchmarks.common.timing import RESULTS, models, ratio, save
from benchmarks.common.trainers import DEVICE, flags, hugging_face_config, step, trainer
from fairseq_align.data.tagging import IGNORED

LABELS = 17  # parts of speech of Universal Dependencies


def hugging_face(shape: str, tokens: int, batch: dict):
    import transformers

    model = transformers.RobertaForTokenClassification(hugging_face_config(shape, tokens, num_labels=LABELS))
    model = model.to(DEVICE).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.98), weight_decay=0.0, fused=True)
    inputs, target = batch["net_input"]["src_tokens"].to(DEVICE), batch["target"].to(DEVICE)

    def work() -> int:
        optimizer.zero_grad()
        model(input_ids=inputs, attention_mask=torch.ones_like(inputs), labels=target).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return inputs.numel()

    return work


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shape", choices=SHAPES, default="paper")
    parser.add_argument("--tokens", type=int, default=64, help="in a sentence")
    parser.add_argument("--items", type=int, default=32, help="sentences in a step")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the record (default: %(default)s)")
    args = parser.parse_args()
    torch.manual_seed(1)
    words = SHAPES[args.shape][3]
    batch = sample(words, args.items, args.tokens)
    batch["target"] = torch.randint(LABELS, (args.items, args.tokens))
    batch["target"][:, ::2] = IGNORED
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        dictionary_of(words - SPECIAL).save(str(data / "dict.txt"))
        (data / "label").mkdir()
        (data / "label" / "dict.txt").write_text("".join(f"L{number} 1\n" for number in range(LABELS)))
        command = [*flags(args.shape, args.tokens, "fp32"), "--task", "sequence_tagging", "--lang", "en"]
        command += ["--criterion", "sequence_tagging", "--arch", "roberta_tagger", "--optimizer"]

        def make(optimizer: str):
            return partial(step, trainer(data, [*command, optimizer]), batch)

        makers = {f"ours, {optimizer}": partial(make, optimizer) for optimizer in ("adamw", "adam")}
        makers["Hugging Face"] = partial(hugging_face, args.shape, args.tokens, batch)
        rates = models(makers, args.rounds)
    rows = []
    for name, found in rates.items():
        row = {
            "name": name,
            "tokens_per_second": statistics.median(found),
            "of_ours": ratio(rates, name, "ours, adamw"),
        }
        rows.append(row)
        print(f"{name:14} {row['tokens_per_second']:>12,.0f} tokens/s, {row['of_ours']:.2f} times ours")
    record = {name: getattr(args, name) for name in ("shape", "tokens", "items", "rounds")}
    save(f"tuning-{args.shape}", {**record, "rows": rows}, args.results)


if __name__ == "__main__":
    main()
