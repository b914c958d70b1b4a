"""Strings of settings: what is read in place of ``eval``, and that fairseq evaluates no string by another way."""

import ast
import builtins
import importlib
import importlib.util
import math
import sys
from pathlib import Path

import fairseq
import fairseq_cli
import pytest
from fairseq import options, utils
from fairseq.optim.adam import FairseqAdam, FairseqAdamConfig
from torch.nn import Parameter

from fairseq_align.errors import InputError
from fairseq_align.training import literals
from fairseq_align.training.replacement import is_replaced

FOLDER = Path(fairseq.__file__).parent
COMMANDS = Path(fairseq_cli.__file__).parent


def evaluations(path: Path) -> list[ast.Call]:
    """The calls of ``eval``, ``exec`` and the like in a module, also by another name."""
    return [
        node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Name) and node.id in ("eval", "exec", "compile", "__import__")
        or isinstance(node, ast.Attribute) and node.attr in ("exec", "safe_eval", "__builtins__")
        or isinstance(node, ast.Attribute) and ast.unparse(node) in ("builtins.eval", "pd.eval", "pandas.eval")
    ]  # fmt: skip


def test_every_evaluation_in_fairseq_is_covered():
    found = {path for path in FOLDER.rglob("*.py") if evaluations(path)}
    of_examples = {path for path in found if path.is_relative_to(FOLDER / "examples")}
    modules = {".".join(path.relative_to(FOLDER).with_suffix("").parts) for path in found - of_examples}
    assert modules == set(literals.EVALUATING) and len(of_examples) > 5
    for name in modules:
        module = importlib.import_module(f"fairseq.{name}")
        assert is_replaced(module, "eval") and module.eval.__wrapped__ is builtins.eval
        assert not {"exec", "compile", "__import__"} & {node.id for node in evaluations(Path(module.__file__))}


def test_the_commands_evaluate_a_word_of_the_command_alone():
    """``--model-overrides``, which whoever gives the command has written."""
    found = [
        ast.unparse(node)
        for path in COMMANDS.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("eval", "exec")
    ]
    assert found and all("model_overrides" in call for call in found)


def test_an_example_that_is_imported_later_is_covered_when_a_checkpoint_is_read():
    path = FOLDER / "examples" / "textless_nlp" / "pgslm" / "quantize_f0.py"
    assert evaluations(path)
    spec = importlib.util.spec_from_file_location("an_example", path)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    try:
        assert not is_replaced(module, "eval")
        literals.cover_examples()
        assert is_replaced(module, "eval")
    finally:
        del sys.modules[spec.name]


DEFAULTS = [  # of fairseq, and what users give
    "(0.9, 0.98)",
    "(1e-30, 1e-3)",
    "[(512, 10, 5)] * 2",
    "[(512, 10, 5)] + [(512, 3, 2)] * 4 + [(512,2,2)] + [(512,2,2)]",
    "[(512, 3)] * 9 + [(1024, 3)] * 4 + [(2048, 1)] * 2",
    "2 * [1, -1]",
    "[1]*-1",
    "False",
    "None",
    "{'a': [1, 'b'], 2: ()}",
    "'it' \"s\"",
    " \t(.5, 1., 1_000, 2e5,)\n",
    "1e-3 * 4 - 1 / 3 + +2",
]


@pytest.mark.parametrize("text", DEFAULTS)
def test_a_literal_has_the_value_that_python_gives_it(text):
    assert literals.read(text) == eval(text)
    assert type(literals.read(text)) is type(eval(text))


def test_the_defaults_of_fairseqs_source_are_read():
    """All strings in its models that look like layers."""
    strings = {
        node.value
        for path in (FOLDER / "models").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("[(")
    }
    assert len(strings) > 5
    for text in strings:
        assert literals.read(text) == eval(text)


REFUSED = {
    "a call": "print(1)",
    "a name": "inf",
    "a comprehension": "[0 for x in [1]]",
    "an attribute": "().real",
    "a subscript": "[1][0]",
    "a comparison": "1 < 2",
    "a power": "9**9**9",
    "a lambda": "lambda: 0",
    "a choice": "1 if 1 else 2",
    "a set": "{1}",
    "an f-string": "f'{1}'",
    "bytes": "b'1'",
    "a complex number": "1j",
    "an ellipsis": "...",
    "an unpacking": "[*[1]]",
    "an unpacked dictionary": "{**{}}",
    "an unhashable key": "{[]: 1}",
    "a string that is repeated": "'a' * 9",
    "a sign of a truth value": "-True",
    "a division by 0": "1 / 0",
    "nothing": "",
    "two values": "1\n2",
    "no whole value": "(1",
    "a comment": "1 # one",
    "a full-width letter": "\uff4fpen",
    "a null": "\0",
    "a surrogate": "\ud800",
    "a long number": "9" * 5000,
    "many elements": "[0] * 100_000",
    "many elements of many": "[[[0] * 1000] * 1000] * 1000",
    "many brackets": "[" * 60 + "]" * 60,
    "many more brackets": "[" * 90_000,
    "many signs": "-" * 90_000 + "1",
    "many operators": "1" + "+1" * 40_000,
    "a long string": "'" + "a" * literals.LENGTH + "'",
    "a long number that ends in a letter": "1" * 90_000 + "x",
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_anything_else_is_refused_in_one_line(text):
    with pytest.raises(InputError) as refusal:
        literals.read(text)
    said = str(refusal.value)
    assert "expected a literal such as" in said and said.isprintable() and len(said) < 300


def test_what_is_no_text_is_no_literal():
    with pytest.raises(TypeError):
        literals.read(1)
    with pytest.raises(InputError):
        literals.read(b"1")
    assert utils.eval_bool(None, default=True) is True and utils.eval_bool(True, default=False) is False


def test_settings_of_a_command_are_read_as_before():
    assert utils.eval_str_list("[1, 2.5]") == [1.0, 2.5] and utils.eval_str_list("3", type=int) == [3]
    assert utils.eval_bool("False") is False and utils.eval_str_dict("{'a': 'b'}") == {"a": "b"}
    parser = options.get_parser("Trainer", default_task="masked_lm")
    options.add_optimization_args(parser)
    given, _ = parser.parse_known_args(["--lr", "1e-3,5e-4", "--update-freq", "2,4", "--optimizer", "adam"])
    assert given.lr == [1e-3, 5e-4] and given.update_freq == [2, 4]


def test_an_optimizer_is_made_of_its_string_and_of_no_code(tmp_path):
    cfg = FairseqAdamConfig(adam_betas="(0.5, 0.75)", lr=[0.1])
    assert FairseqAdam(cfg, [Parameter()]).optimizer_config["betas"] == (0.5, 0.75)
    cfg.adam_betas = f"(open({str(tmp_path / 'canary')!r}, 'w'), 0.9)"
    with pytest.raises(InputError, match="found the setting"):
        FairseqAdam(cfg, [Parameter()])
    assert not list(tmp_path.iterdir()) and math.isclose(sum(literals.read("(0.9, 0.1)")), 1)
