"""Numbers of users: every flag of ours has a range, says it, and within it a run learns."""

import argparse
import copy
import dataclasses
import logging
import math
import re
import types
import typing

import fairseq  # noqa: F401   registers the plugin
import pytest
import torch
from fairseq import registry, tasks
from fairseq.tasks.sentence_prediction import SentencePredictionConfig
from omegaconf import OmegaConf

from fairseq_align import cli
from fairseq_align.criterions.align_mlm import AlignMlmConfig
from fairseq_align.ranges import FLAGS, RANGE, Range, check, check_arguments
from fairseq_align.tasks.align_mlm import AlignMlmTaskConfig
from fairseq_align.training.adamw import AdamWConfig
from tests.stress import runs
from tests.support.training import state

WRONG = (-1, -1e-9, float("nan"), math.inf, -math.inf)
UNUSUAL = {  # values at the edge of what is allowed that need other flags beside them, or would take long
    "tokens_per_sample": (2, 1_000_000),
    "tlm_rate": (0, 3),
    "align_temperature": (0.001, 1000),
    "align_characters": (1, 20_000),
    "hard_negatives": (1, 59),
}
HARD = {"align_loss": "contrastive", "hard_negatives": 2}
BESIDE = {
    "align_temperature": {"align_loss": "contrastive"},
    "align_characters_from": {"align_characters": 50, "align_characters_to": 100},
    "align_characters_to": {"align_characters": 50, "align_characters_from": 1},
    "hard_negatives": {"align_loss": "contrastive"},
    "hard_negatives_every": HARD,
    "hard_negatives_words": HARD | {"hard_negatives_langs": "a:b"},
    "tlm_rate": {"tlm_pairs": "a:b"},
    "dict_mlm_rate": {"dict_mlm": "a:b:{data}/lexicon.tsv"},
    "code_switch_rate": {"code_switch": "a:b:{data}/lexicon.tsv"},
    "leave_unmasked_prob": {"random_token_prob": 0.0},
    "random_token_prob": {"leave_unmasked_prob": 0.0},
}


def ours() -> list[type]:
    """Dataclasses of flags that the plugin registers."""
    registered = [
        tasks.TASK_DATACLASS_REGISTRY,
        *(entry["dataclass_registry"] for entry in registry.REGISTRIES.values()),
    ]
    return sorted(
        {one for table in registered for one in table.values() if one and one.__module__.startswith("fairseq_align.")},
        key=lambda one: one.__name__,
    )


def kinds(field: dataclasses.Field) -> tuple:
    """The types that a field may have."""
    union = typing.get_origin(field.type) in (typing.Union, types.UnionType)
    return typing.get_args(field.type) if union else (field.type,)


def test_every_number_of_ours_has_a_range_and_shows_it():
    theirs = {field.name for field in dataclasses.fields(SentencePredictionConfig)}
    found = [
        (one, field)
        for one in ours()
        for field in dataclasses.fields(one)
        if {int, float} & set(kinds(field)) and not (issubclass(one, SentencePredictionConfig) and field.name in theirs)
    ]
    own = [(one, field) for one, field in found if not str(field.default).startswith("${")]
    assert {one for one, _ in own} >= {AlignMlmConfig, AlignMlmTaskConfig, AdamWConfig} and len(own) >= 13
    for one, field in own:
        assert isinstance(field.metadata.get(RANGE), Range), f"{one.__name__}.{field.name}"
        assert field.metadata["help"].endswith(f"; {field.metadata[RANGE]}")
        assert field.default in field.metadata[RANGE]


@pytest.mark.parametrize("flags", ours(), ids=lambda one: one.__name__)
def test_numbers_out_of_their_range_are_refused_in_one_line(flags):
    usual = {field.name: field.default for field in dataclasses.fields(flags)}
    check(flags, usual)
    check(flags, argparse.Namespace(**usual))
    for field in dataclasses.fields(flags):
        allowed = field.metadata.get(RANGE)
        if not allowed:
            continue
        beyond = [] if allowed.high == math.inf else [allowed.high * 1.001 + 1]
        for value in (*WRONG, *beyond):
            flag = re.escape(f"--{field.name.replace('_', '-')} {value}")
            with pytest.raises(ValueError, match=f"^found {flag}, expected {re.escape(allowed.expected)}$"):
                check(flags, usual | {field.name: value})


def numbers_of(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """The numbers that a command and its own commands take."""
    found = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found += [number for command in set(action.choices.values()) for number in numbers_of(command)]
        elif action.type in (int, float):
            found.append(action)
    return found


@pytest.mark.parametrize("command", cli.COMMANDS, ids=lambda command: command.name)
def test_every_number_of_a_command_shows_its_range_and_is_held_against_it(command):
    subparsers = argparse.ArgumentParser().add_subparsers()
    cli.load(command)(subparsers)
    for action in numbers_of(subparsers.choices[command.name]):
        flag = action.option_strings[-1]
        allowed = FLAGS[flag]
        assert action.help.endswith(f"; {allowed}") and (action.default is None or action.default in allowed)
        for value in (*WRONG, allowed.high * 1.001 + 1):
            with pytest.raises(ValueError, match=f"^{flag}: found .*, expected {re.escape(allowed.expected)}$"):
                check_arguments(argparse.Namespace(**{action.dest: value}))
        check_arguments(argparse.Namespace(**{action.dest: allowed.low}))


def test_a_command_refuses_a_number_before_it_reads_anything(capsys):
    words = ["evaluate", "none.pt", "data", "--subset", "test", "--lexicon-rate", "1.5"]
    assert cli.main(words) == 1
    assert capsys.readouterr().err == "error: --lexicon-rate: found 1.5, expected a number from 0 to 1\n"


def changed(cfg, **values):
    """Settings of a run with other values, wherever in them the names are."""
    cfg = copy.deepcopy(cfg)
    for name, value in values.items():
        (group,) = (one for one in (cfg.task, cfg.criterion, cfg.optimizer, cfg.dataset) if name in one)
        group[name] = value
    return cfg


def edges() -> list[tuple[str, float]]:
    """Numbers at the edges of the ranges of pre-training."""
    found = []
    for flags in (AlignMlmConfig, AlignMlmTaskConfig, AdamWConfig):
        for field in dataclasses.fields(flags):
            allowed = field.metadata.get(RANGE)
            if allowed:
                values = UNUSUAL.get(field.name, (allowed.low, allowed.high))
                found += [(field.name, value) for value in values] + [(field.name, 0)] * allowed.or_zero
    return found


@pytest.mark.forks
def test_at_the_edges_of_all_ranges_a_run_learns_and_logs_no_nan(tmp_path):
    """One process trains them all: three updates each, of which at least one has a gradient."""
    data = runs.write_data(tmp_path / "data")
    cfg = runs.settings(data, "--optimizer", "adamw")
    cfg.task.sample_break_mode = "none"  # longer items
    seen = []
    for name, value in edges():
        beside = {key: word.format(data=data) if isinstance(word, str) else word
                  for key, word in BESIDE.get(name, {}).items()}  # fmt: skip
        seen.append((f"{name}={value}", changed(cfg, **beside, **{name: value})))
    stock = changed(cfg, mask_prob=0.01, batch_size=1)  # many an update has nothing to predict
    stock.criterion = OmegaConf.create({"_name": "masked_lm", "tpu": False})
    refused = [
        ("together", changed(cfg, random_token_prob=0.7, leave_unmasked_prob=0.4)),
        ("nothing", changed(cfg, mask_prob=0.0, align_weight=0.0)),
    ]

    def train_all() -> None:
        logging.disable(logging.DEBUG)
        for name, cfg in [*seen, ("stock", stock), *refused]:
            cfg.checkpoint.save_dir, cfg.optimization.max_update = str(tmp_path / name), 30 if name == "stock" else 3
            print(f"\n== {name}")
            try:
                runs.train.main(cfg)
            except ValueError as error:
                print(f"refused: {error}")

    log = tmp_path / "log"
    assert runs.end(runs.fork(train_all, log)) == 0, log.read_text()[-3000:]
    said = dict(part.split("\n", 1) for part in log.read_text().split("\n== ")[1:])
    assert list(said) == [name for name, _ in [*seen, ("stock", stock), *refused]]
    assert "refused: found --random-token-prob 0.7 and --leave-unmasked-prob 0.4, expected shares" in said["together"]
    assert "refused: found --mask-prob 0 without an alignment loss, expected something to learn" in said["nothing"]
    for name, text in said.items():
        if name in ("together", "nothing"):
            continue
        losses = re.findall(r'"loss": "([^"]+)"', text)
        assert losses and all(math.isfinite(float(loss)) for loss in losses), text[-3000:]
        moments = state(tmp_path / name / "checkpoint_last.pt")["last_optimizer_state"]["state"]
        means = torch.cat([moment["exp_avg"].flatten() for moment in moments.values()])
        assert means.isfinite().all() and means.any(), name


@pytest.mark.forks
def test_without_tokens_to_predict_the_alignment_loss_is_trained_alone(tmp_path):
    """``--mask-prob 0``: no gradient but that of the pairs, so that the encoder stays as it began."""
    data = runs.write_data(tmp_path / "data")
    cfg = runs.settings(data, "--mask-prob", 0, "--lr", "5e-2")
    assert runs.finish(cfg, tmp_path / "run", 20) == 0
    text = runs.log_of(tmp_path / "run").read_text()
    cosines = [float(value) for value in re.findall(r'"align_cos": "([^"]+)"', text)]
    assert cosines[-1] > cosines[0] + 0.3 and set(re.findall(r'"mlm_loss": "([^"]+)"', text)) == {"0"}
    assert runs.finish(runs.settings(data, "--mask-prob", 0), tmp_path / "start", 1) == 0
    one, other = (state(tmp_path / name / "checkpoint_last.pt")["model"] for name in ("run", "start"))
    changed = {name for name in one if not torch.equal(one[name], other[name])}
    assert changed == {"encoder.sentence_encoder.embed_tokens.weight", "encoder.lm_head.weight"}
