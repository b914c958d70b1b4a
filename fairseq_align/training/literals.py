"""A reader of literals in place of ``eval``, for the settings that fairseq evaluates: a value, or refused.

Some models, criterions and optimizers of fairseq pass strings of their settings to ``eval``: ``[(512, 10, 5)] * 2``,
``(0.9, 0.98)``, ``False``. A checkpoint brings such strings along. Its maker may write what is allowed here, nothing
else: numbers, strings, lists, tuples and dictionaries of them, and the operators of fairseq's own defaults.
There are no names, so that there is nothing to call.
"""

import ast
import operator
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import fairseq

from fairseq_align.errors import InputError
from fairseq_align.training.replacement import replace

LENGTH = 100_000  # characters of a string, and elements of what it stands for
DEPTH = 50  # brackets in each other, signs in a row, and operators
# modules of fairseq that call ``eval``; tests/training/test_literals.py finds them in its source
EVALUATING = (
    "criterions.ctc",
    "data.audio.raw_audio_dataset",
    "data.codedataset",
    "models.fconv",
    "models.fconv_lm",
    "models.fconv_self_att",
    "models.hubert.hubert",
    "models.lightconv_lm",
    "models.speech_to_text.s2t_wav_transformer",
    "models.transformer_lm",
    "models.wav2vec.wav2vec",
    "models.wav2vec.wav2vec2",
    "optim.adafactor",
    "optim.adam",
    "optim.adamax",
    "optim.cpu_adam",
    "optim.fused_lamb",
    "utils",
)
TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<operator>[-+*/])|(?P<mark>[,:])
    |(?P<operand>(?:True|False|None)(?!\w)
        |(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:[eE][-+]?\d+)?(?!\w)
        |'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")""",
    re.VERBOSE,
)
OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}
SIGNS = {ast.UAdd: operator.pos, ast.USub: operator.neg}


def read(text: str) -> object:
    """The value that a literal stands for, as ``eval`` would give it.

    >>> read("[(512, 10, 5)] * 2 + [(512, 2, 2)]")
    [(512, 10, 5), (512, 10, 5), (512, 2, 2)]

    Args:
        text: numbers, strings without a prefix, True, False, None; lists, tuples and dictionaries of them, ``+`` of two
            lists or tuples, ``*`` of one of these and a number; ``+ - * /`` of numbers.

    Raises:
        InputError: it is anything else, or more than ``LENGTH`` and ``DEPTH`` allow.
        TypeError: it is no text, as of ``eval``.
    """
    if isinstance(text, bytes):
        raise refusal(text)
    if not isinstance(text, str):
        raise TypeError(f"found a {type(text).__name__}, expected a string to read a literal from")
    if not within_bounds(text) or not _is_made_of_literals(text):
        raise refusal(text)
    try:
        value, _ = _value(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ValueError, TypeError, ArithmeticError, RecursionError, MemoryError) as error:
        raise refusal(text) from error
    return value


def evaluate(stock: Callable, text: str) -> object:
    """``eval`` of fairseq's modules: ``read``, whoever the string is from."""
    return read(text)


def refusal(text: str | bytes) -> InputError:
    return InputError(
        f"found the setting {text!r:.80}, expected a literal such as (0.9, 0.98) or [(512, 10, 5)] * 2; it was not "
        "evaluated, write the value itself or take a checkpoint of fairseq-train"
    )


def within_bounds(text: str) -> bool:
    """Whether a string is short and shallow enough for Python's parser, which nesting can exhaust."""
    if len(text) > LENGTH:
        return False
    depth = 0
    for character in re.findall(r"[(\[{)\]}]", text):
        depth += 1 if character in "([{" else -1
        if depth > DEPTH:
            return False
    return True


def _is_made_of_literals(text: str) -> bool:
    """Whether all of a string's tokens are those of literals, with at most ``DEPTH`` operators between two values."""
    place = signs = operators = 0
    after_value = False
    while place < len(text):
        token = TOKEN.match(text, place)
        if token is None:
            return False
        place = token.end()
        if token.lastgroup == "operator":
            operators, signs = (operators + 1, signs) if after_value else (operators, signs + 1)
            if max(operators, signs) > DEPTH:
                return False
            after_value = False
        elif token.lastgroup != "space":
            after_value, signs = token.lastgroup in ("operand", "close"), 0
    return True


def _value(node: ast.expr) -> tuple[object, int]:
    """What a node stands for, and of how many elements it is made."""
    match node:
        case ast.Constant(value) if value is None or type(value) in (bool, int, float, str):
            return value, 1
        case ast.List(elts=items) | ast.Tuple(elts=items):
            values = [_value(item) for item in items]
            made = list if isinstance(node, ast.List) else tuple
            return made(value for value, _ in values), 1 + sum(size for _, size in values)
        case ast.Dict():  # a key of None, which is ``**``, is no node and refused
            keys, values = ([_value(item) for item in items] for items in (node.keys, node.values))
            made = {key: value for (key, _), (value, _) in zip(keys, values, strict=True)}
            return made, 1 + sum(size for _, size in keys + values)
        case ast.UnaryOp(op, operand) if type(op) in SIGNS:
            value, size = _value(operand)
            return SIGNS[type(op)](_number(value)), size
        case ast.BinOp(left, op, right) if type(op) in OPERATORS:
            return _combined(op, *_value(left), *_value(right))
    raise ValueError(f"found {type(node).__name__}, expected a literal")


def _combined(op: ast.operator, left: object, left_size: int, right: object, right_size: int) -> tuple[object, int]:
    """The value of ``left op right``, and its size."""
    if isinstance(op, ast.Add) and type(left) is type(right) and isinstance(left, list | tuple):
        return left + right, left_size + right_size
    if isinstance(op, ast.Mult) and isinstance(right, list | tuple):
        left, left_size, right = right, right_size, left
    if isinstance(op, ast.Mult) and isinstance(left, list | tuple) and type(right) is int:
        size = 1 + left_size * max(right, 0)
        if size > LENGTH:
            raise ValueError(f"found {size} elements, expected at most {LENGTH}")
        return left * right, size
    return OPERATORS[type(op)](_number(left), _number(right)), 1


def _number(value: object) -> int | float:
    if type(value) not in (int, float):
        raise TypeError(f"found a {type(value).__name__}, expected a number")
    return value


def cover_examples() -> None:
    """Put the reader in place of ``eval`` in what is imported of fairseq's examples, which come after the plugin."""
    for module in list(_examples()):
        replace(module, "eval", evaluate)


def _examples() -> Iterator[ModuleType]:
    folder = str(Path(fairseq.__file__).parent / "examples")
    for module in list(sys.modules.values()):
        if str(getattr(module, "__file__", None)).startswith(folder):
            yield module
