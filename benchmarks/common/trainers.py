"""fairseq's Trainer made of the flags that a user would give, and Hugging Face's model of the same shape."""

from pathlib import Path

import torch
from fairseq import options, tasks
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq.trainer import Trainer

import fairseq_align
from benchmarks.common.shapes import SHAPES

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
# beside the benchmarks or installed: fairseq refuses a --user-dir other than what is imported
PLUGIN = Path(fairseq_align.__file__).parent


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


def step(made: Trainer, batch: dict) -> int:
    """Tokens of the batch, whether or not ``--fp16`` overflows and leaves the update out."""
    made.train_step([batch], raise_oom=True)  # else fairseq leaves out a batch that has no memory
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
