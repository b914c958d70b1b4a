"""Parts of an encoder, trained in different ways: frozen, at rates of their own, the head first, rows of the table.

The parts are the word embeddings (the table), the rest of the encoder, and the head: everything else. ``PartsTask``
freezes parameters of its model and notes on the others what ``--optimizer adamw`` has to know of each.
"""

import logging
import re
from dataclasses import dataclass, field
from typing import Optional

import torch
from fairseq import checkpoint_utils
from fairseq.distributed import utils as distributed_utils
from fairseq.models import BaseFairseqModel
from fairseq.optim import FairseqOptimizer
from torch import Tensor

from fairseq_align.errors import InputError
from fairseq_align.ranges import COUNT, Range, number
from fairseq_align.training import adamw
from fairseq_align.training.autocast import PrecisionConfig, PrecisionTask

logger = logging.getLogger(__name__)

FACTOR = Range(0.001, 100)
TABLE = "encoder.sentence_encoder.embed_tokens.weight"
ENCODER = "encoder.sentence_encoder."
_LAYER = re.compile(re.escape(ENCODER) + r"layers\.(\d+)\.")


@dataclass
class PartsConfig(PrecisionConfig):
    freeze_embeddings: bool = field(
        default=False,
        metadata={"help": "leave word embeddings as pre-trained, so that languages stay as aligned as they were"},
    )
    freeze_encoder: bool = field(
        default=False,
        metadata={"help": "leave positions and layers as pre-trained; word embeddings and head are trained"},
    )
    freeze_layers: Optional[str] = field(
        default=None,
        metadata={"help": "leave these layers as pre-trained, the first is 0: 0-5, or 0,2,4-6; default: none"},
    )
    embeddings_lr: float = number(1.0, FACTOR, "learning rate of the word embeddings, times --lr")
    encoder_lr: float = number(1.0, FACTOR, "learning rate of positions and layers, times --lr")
    head_lr: float = number(1.0, FACTOR, "learning rate of the output head, times --lr")
    layer_lr_decay: float = number(
        1.0,
        Range(0.01, 1),
        "learning rate of each layer as a fraction of that of the layer above, e.g. 0.9; positions and word embeddings "
        "are below the first layer; 1: all alike",
    )
    head_warmup: int = number(0, COUNT, "updates at the beginning that change the head alone, if it is new; 0: none")


def numbers(text: str, count: int) -> set[int]:
    """Numbers of layers from ``0-5`` or ``0,2,4-6``.

    Args:
        count: of the layers that there are.

    Raises:
        InputError: it is no such list, or names a layer that there is not.

    Example:
        >>> sorted(numbers("0,2-4", 6))
        [0, 2, 3, 4]
    """
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"(\d{1,4})(?:-(\d{1,4}))?", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if not first <= last < count:
            raise InputError(
                f"found --freeze-layers {text}, expected numbers from 0 to {count - 1}, e.g. 0-{count // 2}; the first "
                "layer is 0"
            )
        found.update(range(first, last + 1))
    return found


def layer_of(name: str) -> int | None:
    """Number of the layer that a parameter belongs to; None: to none."""
    match = _LAYER.match(name)
    return int(match[1]) if match else None


def rate(cfg: PartsConfig, name: str, layers: int) -> float:
    """Learning rate of a parameter as a multiple of ``--lr``.

    Args:
        name: of the parameter in the model.
        layers: number of layers of the encoder.

    Source: layer-wise decay of ULMFiT (Howard & Ruder 2018, https://arxiv.org/abs/1801.06146) as ELECTRA has it.

    Example:
        >>> cfg = PartsConfig(layer_lr_decay=0.5, head_lr=3.0)
        >>> [rate(cfg, f"encoder.sentence_encoder.layers.{number}.fc1.bias", 2) for number in (0, 1)]
        [0.5, 1.0]
        >>> rate(cfg, TABLE, 2), rate(cfg, "encoder.lm_head.bias", 2)
        (0.25, 3.0)
    """
    if not name.startswith(ENCODER):
        return cfg.head_lr
    layer = layer_of(name)
    below = layers if layer is None else layers - 1 - layer
    return (cfg.embeddings_lr if name == TABLE else cfg.encoder_lr) * cfg.layer_lr_decay**below


def prepare(cfg: PartsConfig, model: BaseFairseqModel) -> None:
    """Freeze parameters of a model, and note on the others what the optimizer has to know.

    Raises:
        InputError: a layer to freeze is none of the model's.
    """
    of_layers = [number for name, _ in model.named_parameters() if (number := layer_of(name)) is not None]
    layers = max(of_layers, default=-1) + 1
    frozen_layers = numbers(cfg.freeze_layers, layers) if cfg.freeze_layers else set()
    frozen, trained = 0, {}
    for name, parameter in model.named_parameters():
        in_encoder = name.startswith(ENCODER) and name != TABLE
        if (
            (name == TABLE and cfg.freeze_embeddings)
            or (in_encoder and cfg.freeze_encoder)
            or layer_of(name) in frozen_layers
        ):
            parameter.requires_grad_(False)
            frozen += parameter.numel()
        is_head, is_table, scale = not name.startswith(ENCODER), name == TABLE, rate(cfg, name, layers)
        adamw.note(parameter, scale=scale, is_head=is_head, is_table=is_table)
        if parameter.requires_grad:
            trained[name] = scale
    if len(set(trained.values())) > 1:
        logger.info("learning rates, times --lr: %s", shown(trained))
    if frozen:
        total = sum(parameter.numel() for parameter in model.parameters())
        logger.info("%s of %s weights are frozen", f"{frozen:,}", f"{total:,}")


def shown(rates: dict[str, float]) -> str:
    """The learning rates of the parts of a model in a line.

    Args:
        rates: multiples of ``--lr``, by names of parameters.

    Example:
        >>> shown({TABLE: 0.25, f"{ENCODER}layers.0.fc1.bias": 0.5, f"{ENCODER}layers.1.fc1.bias": 1.0})
        'word embeddings 0.25, positions and layers 0.5 to 1'
    """
    parts = {"word embeddings": [], "positions and layers": [], "head": []}
    for name, value in rates.items():
        part = (
            "head" if not name.startswith(ENCODER) else "word embeddings" if name == TABLE else "positions and layers"
        )
        parts[part].append(value)
    spans = {
        part: dict.fromkeys(f"{value:.2g}" for value in (min(found), max(found)))
        for part, found in parts.items()
        if found
    }
    return ", ".join(f"{part} {' to '.join(span)}" for part, span in spans.items())


def check_optimizer(cfg: PartsConfig, sparse: bool, optimizer: FairseqOptimizer) -> None:
    """Refuse an optimizer that treats all weights alike where they are to be treated differently.

    Raises:
        InputError: it is not ``adamw`` on weights in float32.
    """
    rates = (cfg.embeddings_lr, cfg.encoder_lr, cfg.head_lr, cfg.layer_lr_decay)
    wanted = {
        "--embeddings-lr, --encoder-lr, --head-lr or --layer-lr-decay": rates != (1.0,) * 4,
        "--head-warmup": cfg.head_warmup > 0,
        "--sparse-embeddings": sparse,
    }
    found = next((flags for flags, given in wanted.items() if given), None)
    if found and not isinstance(optimizer, adamw.AdamW):
        raise InputError(
            f"found {found} with another optimizer, or with --fp16 or --amp, expected --optimizer adamw, which treats "
            "each weight by itself; for half precision take --autocast bf16"
        )


class PartsTask(PrecisionTask):
    """A task whose model is trained as ``cfg``, a ``PartsConfig``, says.

    Attributes:
        touched: rows of the table that take part in the next step, collected by the task and its criterion; None: all
            rows do.
    """

    cfg: PartsConfig

    def __init__(self, cfg: PartsConfig, *dictionaries):
        super().__init__(cfg, *dictionaries)
        self.touched: TouchedRows | None = None

    def build_model(self, cfg, from_checkpoint: bool = False):
        model = super().build_model(cfg, from_checkpoint)
        prepare(self.cfg, model)
        return model

    def train_step(self, sample, model, criterion, optimizer, update_num, ignore_grad=False):
        check_optimizer(self.cfg, self.touched is not None, optimizer)
        return super().train_step(sample, model, criterion, optimizer, update_num, ignore_grad)

    def optimizer_step(self, optimizer, model, update_num: int) -> None:
        for parameter in model.parameters() if update_num < self.cfg.head_warmup else ():
            if not adamw.noted(parameter).is_head:
                parameter.grad = None
        if self.touched is not None:
            table = next(parameter for parameter in model.parameters() if adamw.noted(parameter).is_table)
            adamw.note(table, rows=self.touched.take())
        super().optimizer_step(optimizer, model, update_num)


class TouchedRows:
    """Rows of a table that the batches of an update look up or predict, collected until the step.

    Args:
        size: number of rows, V.
        padding: row that is never counted in.
    """

    def __init__(self, size: int, padding: int):
        self.size, self.padding = size, padding
        self.mask: Tensor | None = None

    def add(self, ids: Tensor) -> None:
        """Count rows in; ``ids`` int64, of any shape."""
        if self.mask is None:
            self.mask = torch.zeros(self.size, dtype=torch.bool, device=ids.device)
        self.mask[ids.flatten()] = True

    def take(self) -> Tensor:
        """The rows, ascending, int64, shape (R,): those of all ranks; none is counted in afterwards."""
        mask, self.mask = self.mask, None
        if mask is None:
            return torch.empty(0, dtype=torch.int64)
        if distributed_utils.get_data_parallel_world_size() > 1:
            counts = mask.int()
            distributed_utils.all_reduce(counts, distributed_utils.get_data_parallel_group())
            mask = counts > 0
        mask[self.padding] = False
        return mask.nonzero().flatten()


def table_of(path: str) -> Tensor:
    """Word embeddings of a checkpoint of fairseq-train, shape (V, C).

    Raises:
        InputError: the file is no such checkpoint, or its model has none.
    """
    table = checkpoint_utils.load_checkpoint_to_cpu(path)["model"].get(TABLE)
    if table is None:
        raise InputError(f"{path}: found no word embeddings of a RoBERTa encoder, expected {TABLE}; give another file")
    return table
