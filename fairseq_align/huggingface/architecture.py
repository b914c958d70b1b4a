"""An encoder of RoBERTa's architecture with a head: its sizes, and its tensors by fairseq's names.

fairseq's ``roberta`` and Hugging Face's ``XLMRoberta*`` hold the same tensors under other names. Positions agree:
fairseq's learned embedding and Hugging Face's both number the tokens of a sentence from pad + 1 = 2 and leave padding
at 1, so the table of positions has two rows more than a sentence can have tokens. ``forms`` says what is different in
``Bert*``. What one side cannot express is refused.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from fairseq_align.errors import InputError

LARGEST = 1 << 31  # of a size
LAYER_NORM_EPS = 1e-5  # torch's default, which fairseq's LayerNorm has
OFFSET = 2  # rows of the table of positions before the first token's: pad + 1
HEAD_NAME = "sentence_classification_head"  # what fairseq's sentence_prediction calls its head
# tensors with a row for each symbol
OF_VOCABULARY = ("encoder.sentence_encoder.embed_tokens.weight", "encoder.lm_head.bias", "encoder.lm_head.weight")
DTYPES = ("float16", "bfloat16", "float32")


class Head(NamedTuple):
    """What fairseq and transformers call the use of a model with this head.

    Attributes:
        task, arch: fairseq's.
        pipeline: of transformers.
    """

    task: str
    arch: str
    pipeline: str


HEADS = {
    "masked_lm": Head("align_mlm", "roberta_base", "fill-mask"),
    "tagger": Head("sequence_tagging", "roberta_tagger", "token-classification"),
    "classifier": Head("sentence_prediction", "roberta_base", "text-classification"),
}


@dataclass(frozen=True)
class Architecture:
    """Sizes and settings of an encoder with its head.

    Attributes:
        head: ``masked_lm``, ``tagger`` (dropout, one linear layer) or ``classifier`` (dense, tanh, linear).
        vocabulary: rows of the word embeddings, V.
        dim, ffn_dim: C and F.
        positions: most tokens in a sentence.
        activation: ``gelu`` or ``relu``; the masked-LM head has the same, where Hugging Face knows ``gelu`` alone.
        tied: the output layer of the masked-LM head is the word embeddings.
        dropout, attention_dropout, head_dropout: probabilities in training.
        labels: names in the order of the logits; none for ``masked_lm`` and a regression.
        regression: the classifier gives one number, which is no logit.
        dtype: of all tensors, one of ``DTYPES``.
    """

    head: str
    vocabulary: int
    layers: int
    dim: int
    ffn_dim: int
    heads: int
    positions: int
    activation: str = "gelu"
    tied: bool = True
    dropout: float = 0.1
    attention_dropout: float = 0.1
    head_dropout: float = 0.0
    labels: tuple[str, ...] = ()
    dtype: str = "float32"
    regression: bool = False

    @property
    def outputs(self) -> int:
        """Numbers that a tagger or classifier gives."""
        return 1 if self.regression else len(self.labels)


class Model(NamedTuple):
    """An architecture and its tensors by fairseq's names, those of ``shapes`` alone."""

    architecture: Architecture
    tensors: dict[str, Tensor]


def _linear(name: str, size_in: int, size_out: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", (size_out, size_in)
    yield f"{name}.bias", (size_out,)


def _norm(name: str, dim: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", (dim,)
    yield f"{name}.bias", (dim,)


def _encoder(size: Architecture) -> Iterator[tuple[str, tuple[int, ...]]]:
    encoder = "encoder.sentence_encoder"
    yield f"{encoder}.embed_tokens.weight", (size.vocabulary, size.dim)
    yield f"{encoder}.embed_positions.weight", (size.positions + OFFSET, size.dim)
    yield from _norm(f"{encoder}.layernorm_embedding", size.dim)
    for layer in (f"{encoder}.layers.{number}" for number in range(size.layers)):
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            yield from _linear(f"{layer}.self_attn.{name}", size.dim, size.dim)
        yield from _norm(f"{layer}.self_attn_layer_norm", size.dim)
        yield from _linear(f"{layer}.fc1", size.dim, size.ffn_dim)
        yield from _linear(f"{layer}.fc2", size.ffn_dim, size.dim)
        yield from _norm(f"{layer}.final_layer_norm", size.dim)


def _head(size: Architecture) -> Iterator[tuple[str, tuple[int, ...]]]:
    if size.head == "masked_lm":
        yield from _linear("encoder.lm_head.dense", size.dim, size.dim)
        yield from _norm("encoder.lm_head.layer_norm", size.dim)
        yield "encoder.lm_head.bias", (size.vocabulary,)
        if not size.tied:
            yield "encoder.lm_head.weight", (size.vocabulary, size.dim)
    elif size.head == "tagger":
        yield from _linear("tagging_head.out_proj", size.dim, size.outputs)
    else:
        yield from _linear(f"classification_heads.{HEAD_NAME}.dense", size.dim, size.dim)
        yield from _linear(f"classification_heads.{HEAD_NAME}.out_proj", size.dim, size.outputs)


def shapes(size: Architecture) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor of an encoder and its head by fairseq's name; a tied output layer once, as word embeddings.

    Example:
        >>> tagger = Architecture("tagger", 100, 2, 16, 24, heads=2, positions=40, labels=("O", "B-PER", "I-PER"))
        >>> shapes(tagger)["tagging_head.out_proj.weight"]
        (3, 16)
    """
    return {**dict(_encoder(size)), **dict(_head(size))}


def check_stored(path: str | Path, tensors: object) -> dict[str, Tensor]:
    """Return a mapping if it holds plain tensors alone, by name, each with as many numbers as it says.

    A tensor may be a view that repeats what is stored, so that a small file claims any size.

    Raises:
        InputError: it does not.
    """
    for name, tensor in tensors.items() if isinstance(tensors, dict) else ():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise InputError(f"{path}: found more than tensors, expected weights alone; get the weights of the model")
        plain = tensor.layout == torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized
        if not plain or tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise InputError(
                f"{path}: found {name:.80} of shape {tuple(tensor.shape)} without as many numbers in the file, "
                "expected plain tensors; get the weights of the model"
            )
    return tensors


def take(
    where: str,
    size: Architecture,
    tensors: dict[str, Tensor],
    model: str,
    name_of: Callable[[str], str] = str,
) -> Model:
    """A model of tensors that are named in some way.

    Args:
        where: begins the message of an error.
        model: what should hold the tensors, for messages.
        name_of: name in ``tensors`` of a tensor with a name of fairseq's.

    Raises:
        InputError: a tensor is missing, left over, or has another shape or type.
    """
    left, taken = set(tensors), {}
    for fairseq_name, shape in chain(_encoder(size), _head(size)):  # settings may name any number of layers
        name = name_of(fairseq_name)
        if name not in tensors:
            raise InputError(f"{where}: found no tensor {name}, expected it in {model}; get a whole copy")
        tensor = tensors[name]
        if tuple(tensor.shape) != shape or tensor.dtype != getattr(torch, size.dtype):
            raise InputError(
                f"{where}: found {name} of shape {tuple(tensor.shape)}, {tensor.dtype}, expected {shape}, "
                f"torch.{size.dtype}, as the settings say; get settings and weights of one model"
            )
        taken[fairseq_name] = tensor
        left.discard(name)
    if left:
        raise InputError(
            f"{where}: found tensor {min(left)}, expected only those of {model}; convert a model with this head alone"
        )
    return Model(size, taken)


def check(where: str, size: Architecture) -> Architecture:
    """Return the architecture if both sides can express it.

    Raises:
        InputError: one of them cannot.
    """
    for field in fields(size):
        value = getattr(size, field.name)
        number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST
        if (field.type is int and not (number and isinstance(value, int) and value > 0)) or (
            field.type is float and not (number and 0 <= value <= 1)
        ):
            raise InputError(
                f"{where}: found {field.name} {value!r:.40}, expected a number that fits; mend the settings"
            )
    if size.dim % size.heads:
        raise InputError(
            f"{where}: found dim {size.dim} and {size.heads} heads, expected a multiple; mend the settings"
        )
    allowed = ("gelu",) if size.head == "masked_lm" else ("gelu", "relu")
    if size.activation not in allowed:
        raise InputError(f"{where}: found activation {size.activation!r:.40}, expected {' or '.join(allowed)}")
    if size.dtype not in DTYPES:
        raise InputError(f"{where}: found weights of type {size.dtype}, expected one of {', '.join(DTYPES)}")
    if size.head == "tagger" and len(size.labels) == 1:
        raise InputError(
            f"{where}: found a tagger with one label, expected two or more; a model with this head is none"
        )
    if size.head != "masked_lm" and not size.outputs:
        raise InputError(f"{where}: found no labels, expected those of the {size.head}")
    return size


def fresh_lm_head(size: Architecture) -> dict[str, Tensor]:
    """A masked-LM head as BERT initialises it: normal with deviation 0.02, biases 0 (Devlin et al. 2019)."""
    kind = {"dtype": getattr(torch, size.dtype)}
    dense = torch.randn(size.dim, size.dim, generator=torch.Generator().manual_seed(1)) * 0.02
    return {
        "encoder.lm_head.dense.weight": dense.to(**kind),
        "encoder.lm_head.dense.bias": torch.zeros(size.dim, **kind),
        "encoder.lm_head.layer_norm.weight": torch.ones(size.dim, **kind),
        "encoder.lm_head.layer_norm.bias": torch.zeros(size.dim, **kind),
        "encoder.lm_head.bias": torch.zeros(size.vocabulary, **kind),
    }


def with_rows(model: Model, rows: Iterable[int | Iterable[int]]) -> Model:
    """The model with another vocabulary: new row i is row ``rows[i]``, or the mean of several.

    Word embeddings and output bias (and layer, where it is not tied) change alike.
    """
    rows = [[row] if isinstance(row, int) else list(row) for row in rows]
    sizes = torch.tensor([len(row) for row in rows])
    index = torch.tensor([old for row in rows for old in row])
    owner = torch.repeat_interleave(torch.arange(len(rows)), sizes)
    tensors = dict(model.tensors)
    for name in tensors.keys() & set(OF_VOCABULARY):
        old = tensors[name]
        if bool((sizes == 1).all()):
            tensors[name] = old[index]
            continue
        summed = torch.zeros(len(rows), *old.shape[1:]).index_add_(0, owner, old[index].float())
        mean = summed / sizes.view(-1, *[1] * (old.dim() - 1))
        tensors[name] = mean.to(old.dtype)
    return Model(replace(model.architecture, vocabulary=len(rows)), tensors)
