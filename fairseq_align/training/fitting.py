"""A checkpoint and the model that is to take its weights: heads of other tasks, and in words what does not fit."""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from fairseq.models.roberta.model import RobertaModel

from fairseq_align.errors import InputError

logger = logging.getLogger(__name__)

HEAD = re.compile(r"(?:.*\.)?(encoder\.lm_head|tagging_head|classification_heads\.[^.]+)\.")
# a parameter and its dimension -> what has its size, by how much more, and how it is set
SIZES = {
    ("embed_tokens.weight", 0): ("{} symbols", 0, "dict.txt"),
    ("embed_tokens.weight", 1): ("{} dimensions", 0, "--encoder-embed-dim"),
    ("embed_positions.weight", 0): ("{} positions", 2, "--max-positions"),
    ("fc1.weight", 0): ("feed-forward layers of {} dimensions", 0, "--encoder-ffn-embed-dim"),
    ("tagging_head.out_proj.weight", 0): ("{} labels", 0, "label/dict.txt"),
    ("out_proj.weight", 0): ("{} classes", 0, "--num-classes"),
}
SAME = "give the flags and the dict.txt that it was trained with, or start from another checkpoint"

_another_task: ContextVar[bool] = ContextVar("whether heads may be those of another task", default=False)


@contextmanager
def another_task(allowed: bool) -> Iterator[None]:
    """Within this, a model takes a checkpoint without the heads that do not fit; its own begin new."""
    token = _another_task.set(bool(allowed))
    try:
        yield
    finally:
        _another_task.reset(token)


def without_other_heads(upgrade: Callable, model: RobertaModel, state: dict, name: str) -> None:
    """``RobertaModel.upgrade_state_dict_named``, which knows the head of fairseq's classifier alone.

    Args:
        state: parameters of a checkpoint by name, changed in place.
    """
    if _another_task.get():
        own = model.state_dict()
        others = {
            _head(key) for key in state if _head(key) and getattr(own.get(key), "shape", None) != state[key].shape
        }
        left_out = [key for key in state if _head(key) in others]
        for key in left_out:
            del state[key]
        # an output layer that has the weights of the embedding is one tensor with it, and so is what it is given here
        state.update((key, value) for key, value in own.items() if _head(key) and key not in state)
        for head in sorted(others):
            logger.info("left out %s of the checkpoint: it is of another task, or of other labels", head)
    upgrade(model, state, name)


def _head(key: str) -> str | None:
    found = HEAD.match(key)
    return found and found[1]


@contextmanager
def explained(path: str) -> Iterator[None]:
    """Within this, a checkpoint that does not fit a trainer is refused in one line.

    Raises:
        InputError: fairseq's trainer says that weights, criterion or optimizer are not those of the checkpoint.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        reason = _reason(error)
        if reason is None:
            raise
        raise InputError(f"{path}: {reason}") from error


def _reason(error: Exception) -> str | None:
    text = str(error)
    if text.startswith("Cannot load model parameters"):
        return f"found {_difference(str(error.__context__))}; {SAME}"
    if other := re.match(r"(Criterion|Optimizer) does not match.*\)\. (\S+) vs (\S+)", text):
        kind = other[1].lower()
        return (
            f"found the state of {other[2]}, expected that of {other[3]}; give the --{kind} that it was trained with, "
            "or begin a run from its weights: --finetune-from-model with another --save-dir"
        )
    if re.match("loaded state dict (has|contains)", text):  # torch.optim
        return (
            f"found the state of an optimizer of other parameters ({text:.120}), expected that of this model's; give "
            "the flags that it was trained with, or begin a run from its weights: --finetune-from-model with another "
            "--save-dir"
        )
    return None


def _difference(text: str) -> str:
    """The first thing that torch has found to be different, in the words of flags.

    >>> _difference(
    ...     "size mismatch for encoder.sentence_encoder.embed_positions.weight: copying a param with shape "
    ...     "torch.Size([34, 16]) from checkpoint, the shape in current model is torch.Size([66, 16])."
    ... )
    '32 positions, expected 64 (--max-positions)'
    """
    layers = {"Missing": set(), "Unexpected": set()}
    for kind, keys in re.findall(r"(Missing|Unexpected) key\(s\) in state_dict: (.*)", text):
        layers[kind] |= set(map(int, re.findall(r"\.layers\.(\d+)\.", keys)))
    if layers["Missing"]:
        return f"{min(layers['Missing'])} layers, expected {max(layers['Missing']) + 1} (--encoder-layers)"
    if layers["Unexpected"]:
        return f"{max(layers['Unexpected']) + 1} layers, expected {min(layers['Unexpected'])} (--encoder-layers)"
    shapes = re.findall(r"size mismatch for (\S+): .*?Size\(\[([\d, ]*)\]\).*?Size\(\[([\d, ]*)\]\)", text)
    for end, dimension in SIZES:
        what, more, flag = SIZES[end, dimension]
        for name, found, expected in shapes:
            one, other = ([int(size) for size in sizes.split(",") if size.strip()] for sizes in (found, expected))
            if name.endswith(end) and one[dimension:] and one[dimension] != other[dimension]:
                return f"{what.format(one[dimension] - more)}, expected {other[dimension] - more} ({flag})"
    if shapes:
        name, found, expected = shapes[0]
        return f"{name} of the shape ({found}), expected ({expected})"
    keys = re.search(r"(Missing|Unexpected) key\(s\) in state_dict: \"([^\"]+)\"", text)
    if keys:
        known = "no" if keys[1] == "Missing" else "a"
        return f"{known} parameter {keys[2]}, expected those of this model"
    return f"{(text.splitlines() or [''])[0]:.200}, expected the parameters of this model"
