"""Architectures of transformers: one row each, by the ``model_type`` of config.json, and models to and from them.

To add an architecture that fairseq's ``roberta`` can express, write a module as ``xlm_roberta`` and add its row to
``ADAPTERS``.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from torch import Tensor

from fairseq_align.errors import InputError
from fairseq_align.huggingface import tokenizer, xlm_roberta
from fairseq_align.huggingface.architecture import Architecture, Model, check, take


class Tokenizer(NamedTuple):
    """How an architecture spells its tokenizer; see the functions of ``tokenizer``.

    Attributes:
        build: fast tokenizer of a SentencePiece model and a vocabulary.
        config: content of tokenizer_config.json, of the most tokens in a sentence.
        parts: ids and SentencePiece model of a tokenizer.json.
        ids: of the symbols of a SentencePiece model that has no tokenizer.json beside it.
    """

    build: Callable
    config: Callable[[int], dict]
    parts: Callable[[dict, str], tokenizer.Parts]
    ids: Callable[[bytes], dict[str, int]]


class Adapter(NamedTuple):
    """One architecture of transformers beside fairseq's ``roberta``; see the functions of ``xlm_roberta``.

    Attributes:
        classes: class of transformers for each head of ``architecture.HEADS``.
        to_config: content of config.json of an architecture.
        from_config: architecture of a config.json and its tensors.
        weight_name: name of a tensor in transformers, of its name in fairseq.
        to_weights: adds the tensors that transformers has and fairseq does not.
        from_weights: takes them away.
        tokenizer: its spelling.
    """

    classes: Mapping[str, str]
    to_config: Callable[[Architecture], dict]
    from_config: Callable[[str, dict, dict[str, Tensor]], Architecture]
    weight_name: Callable[[str], str]
    to_weights: Callable[[Architecture, dict[str, Tensor]], dict[str, Tensor]]
    from_weights: Callable[[Architecture, dict[str, Tensor]], dict[str, Tensor]]
    tokenizer: Tokenizer


ADAPTERS: dict[str, Adapter] = {
    xlm_roberta.MODEL_TYPE: Adapter(
        xlm_roberta.CLASSES,
        xlm_roberta.to_config,
        xlm_roberta.from_config,
        xlm_roberta.weight_name,
        xlm_roberta.to_weights,
        xlm_roberta.from_weights,
        Tokenizer(tokenizer.build, tokenizer.settings, tokenizer.parts, tokenizer.ids),
    )
}


def adapter_of(where: str, model_type: object) -> Adapter:
    """The row of a ``model_type``.

    Raises:
        InputError: there is none.
    """
    if model_type not in ADAPTERS:
        expected = " or ".join(map(repr, ADAPTERS))
        raise InputError(
            f"{where}: found model_type {model_type!r}, expected {expected}; fairseq's roberta has no other"
        )
    return ADAPTERS[model_type]


def to_huggingface(model: Model, model_type: str) -> tuple[dict, dict[str, Tensor]]:
    """Content of config.json, and contiguous tensors by the names of transformers."""
    adapter = ADAPTERS[model_type]
    tensors = {adapter.weight_name(name): tensor.contiguous() for name, tensor in model.tensors.items()}
    return adapter.to_config(model.architecture), adapter.to_weights(model.architecture, tensors)


def from_huggingface(where: str, config: dict, tensors: dict[str, Tensor]) -> Model:
    """The model of a config.json and its tensors.

    Raises:
        InputError: the settings or tensors are not those of an architecture in ``ADAPTERS``, or fairseq cannot express
            them.
    """
    adapter = adapter_of(where, config.get("model_type"))
    size = check(where, adapter.from_config(where, config, tensors))
    weights = adapter.from_weights(size, tensors)
    return take(where, size, weights, adapter.classes[size.head], adapter.weight_name)
