"""Before the first update: what cannot work is refused in one line, and a run says what it will do."""

import copy
import re
from pathlib import Path

import pytest

from fairseq_align.data import binarized
from fairseq_align.errors import InputError
from fairseq_align.training.preflight import check_betas
from tests.stress import runs
from tests.support.training import state

pytestmark = pytest.mark.forks


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return runs.write_data(tmp_path_factory.mktemp("before") / "data")


@pytest.fixture
def train(data, tmp_path):
    """Train 2 updates with some settings changed and validation on; returns status and log."""

    def train(name: str = "run", **settings) -> tuple[int, str]:
        cfg = copy.deepcopy(runs.settings(data))
        cfg.dataset.disable_validation = False
        for key, value in settings.items():
            groups = (cfg.task, cfg.criterion, cfg.optimizer, cfg.dataset, cfg.optimization, cfg.checkpoint)
            setattr(next(group for group in groups if key in group), key, value)
        return runs.finish(cfg, tmp_path / name, 2), runs.log_of(tmp_path / name).read_text()

    return train


def last_line(log: str) -> str:
    assert "Traceback" not in log
    return log.splitlines()[-1]


def said(log: str) -> list[str]:
    return re.findall(r"this run: (.*)", log)


def test_a_run_says_what_it_will_do(train, data, tmp_path):
    """Numbers by hand: 72 sentences a language, batches of 8; two languages of one size are sampled alike."""
    status, log = train()
    sentences = [binarized.read(data / lang / "train").sizes for lang in "ab"]
    longest = int(max(sizes.max() for sizes in sentences)) + 1
    parameters = sum(one.numel() for one in state(tmp_path / "run" / "checkpoint_last.pt")["model"].values())
    tied, version = (2 * runs.PIECES + 5) * 16, 1
    assert status == 0 and said(log) == [
        f"a: 72 items, of which an epoch shows 72; 0 sentences cut, at most {longest} tokens",
        f"b: 72 items, of which an epoch shows 72; 0 sentences cut, at most {longest} tokens",
        f"{data}/lexicon.tsv: 60 pairs, 0 more with a piece out of vocabulary; they have 120 of 120 pieces (100%)",
        f"{parameters - tied - version:,} parameters",
        "2 updates to do, up to 2; an epoch has 18",
        "the best checkpoint has the lowest loss on valid",
    ]
    before = log.index("this run: 2 updates to do")
    assert before < log.index('"num_updates": "1"')


def test_the_best_checkpoint_has_the_score_of_the_first_subset(train):
    """The others have their own scores, and no best one that would be of another set."""
    intervals = {"validate_interval_updates": 1, "save_interval_updates": 1}
    status, log = train(valid_subset="valid_b,valid_a", maximize_best_checkpoint_metric=True, **intervals)
    assert status == 0 and "the best checkpoint has the highest loss on valid_b,valid_a" in said(log)
    losses, best = (re.findall(rf'"valid_b_{name}": "([^"]*)"', log) for name in ("loss", "best_loss"))
    assert len(losses) == 2 and best == [max(losses, key=float)]
    assert '"valid_a_loss"' in log and "valid_a_best" not in log


def test_items_are_cut_to_the_positions_of_the_model(train, data):
    """16 positions, 5 tokens an item: the same as --tokens-per-sample 5 of a model with room for more."""
    status, log = train(tokens_per_sample=512)
    assert status == 0 and "left out" not in log
    status, log = train("short", tokens_per_sample=5)
    sizes = binarized.read(data / "a" / "train").sizes
    cut = int((sizes > 4).sum())
    assert 0 < cut and said(log)[0].startswith(f"a: {72 + cut} items, ") and f"{cut} sentences cut, at most 5" in log


@pytest.mark.parametrize("name", ["heldout_p1", "f1"])
def test_a_metric_that_validation_does_not_log_is_refused_with_those_that_it_does(train, name):
    status, log = train(best_checkpoint_metric=name)
    assert status == 1 and last_line(log) == (
        f"error: found --best-checkpoint-metric {name}, expected something that validation logs: align_cos, "
        "align_loss, loss, mlm_loss, ppl"
    )


def test_a_metric_that_it_logs_is_taken_and_changes_no_bit(train, data, tmp_path):
    lexicon = str(data / "lexicon.tsv")
    status, log = train(best_checkpoint_metric="heldout_p1", heldout_lexicon=lexicon)
    assert status == 0 and "the best checkpoint has the lowest heldout_p1 on valid" in said(log)
    status, _ = train("other", heldout_lexicon=lexicon)
    assert runs.same(*(runs.state(tmp_path / name / "checkpoint_last.pt")["model"] for name in ("run", "other")))


def test_fewer_max_tokens_than_an_item_has_are_refused(train):
    status, log = train(batch_size=None, max_tokens=4, max_tokens_valid=4)
    expected = r"found \d+ of \d+ items with more than 4 tokens, up to 8, expected at most --max-tokens 4; raise it"
    assert status == 1 and re.match(f"error: {expected}", last_line(log))


@pytest.mark.parametrize("betas", ["(0.9)", "0.9", "(0.9, 1.0)", "(0.9, 0.98, 0.99)", "(0.9, '0.98x')", "[]"])
def test_decay_rates_are_two_numbers_below_1(betas):
    from omegaconf import OmegaConf

    with pytest.raises(InputError, match=r"found --adam-betas .*, expected two numbers from 0 to below 1"):
        check_betas(OmegaConf.create({"adam_betas": betas}))
    check_betas(OmegaConf.create({"adam_betas": "(0.9, 0.98)"}))
    check_betas(OmegaConf.create({"adam_betas": [0.9, 0.98]}))
    check_betas(OmegaConf.create({"lr": 1}))


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> Path:
    """Of which 3 of 16 are longer than 16 tokens together."""
    return runs.write_pairs(tmp_path_factory.mktemp("pairs"))


def test_pairs_that_are_longer_than_the_model_are_refused_cut_or_left_out(pairs, tmp_path):
    """``sentence_prediction``, a task of fairseq's own: 12 + 5 tokens and 16 positions."""
    words = ["fairseq-train", pairs, "--task", "sentence_prediction", *runs.PAIRS]
    seen = {}
    for name, flags in (
        ("refused", []),
        ("cut", ["--shorten-method", "truncate"]),
        ("left", ["--skip-invalid-size-inputs-valid-test"]),
    ):
        status = runs.finish(runs.parsed([*words, *flags]), tmp_path / name, 2)
        seen[name] = status, runs.log_of(tmp_path / name).read_text()
    status, log = seen["refused"]
    assert status == 1 and "found 3 of 16 items with more than 16 tokens, up to 17, expected" in last_line(log)
    assert seen["cut"][0] == 0 and "16 items" in said(seen["cut"][1])
    assert "3 items are left out, longer than the model or --max-tokens" in said(seen["left"][1])
