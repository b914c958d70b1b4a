"""The criterion's table of alignment losses: one from outside the package, and names that are none."""

import json
import re

import pytest
import torch

from fairseq_align.embeddings.alignment_loss import LOSSES, alignment_loss
from fairseq_align.lexicon import words
from fairseq_align.text import vocabulary
from tests.stress import runs
from tests.support.training import updates

PLUGIN = '''"""An alignment loss from outside the package: a row of the table is all it takes."""

import fairseq_align  # noqa: F401
from fairseq_align.embeddings.alignment_loss import LOSSES, PairLoss


class AbsoluteDifference(PairLoss):
    help = "mean absolute difference"

    def __call__(self, source, target, pairs):
        return (source - target).abs().mean(-1)


LOSSES["l1"] = AbsoluteDifference
'''


def test_a_loss_from_outside_the_package_trains_and_is_logged(pretrain, toy, tmp_path):
    (tmp_path / "plugin").mkdir()
    (tmp_path / "plugin" / "__init__.py").write_text(PLUGIN)
    flags = ["--align-loss", "l1", "--align-weight", 50, "--max-update", 20]
    output = pretrain("model", *flags, user_dir=tmp_path / "plugin")
    losses, cosines = updates(output, "align_loss"), updates(output, "align_cos")
    assert 0 < losses[-1] < losses[0] / 2 and cosines[-1] > cosines[0]


def test_a_loss_that_is_not_there_is_named_with_those_that_are(pretrain):
    done = pretrain("model", "--align-loss", "l1", "--max-update", 1, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1 and last == f"error: found --align-loss l1, expected one of {', '.join(LOSSES)}"


@pytest.mark.parametrize(("name", "pair_loss"), LOSSES.items())
def test_every_loss_says_what_it_is(name, pair_loss):
    from fairseq_align.criterions.align_mlm import AlignMlmConfig

    assert f"{name}: {pair_loss.help}" in AlignMlmConfig.__dataclass_fields__["align_loss"].metadata["help"]


@pytest.mark.forks
@pytest.mark.parametrize("kind", ["rsim", "procrustes"])
def test_relations_of_several_lexicons_are_trained_lexicon_by_lexicon(kind, tmp_path):
    data = runs.write_data(tmp_path / "data")
    lexicons = [data / "half.tsv", data / "rest.tsv"]
    flags = ["--lexicon", ":".join(map(str, lexicons)), "--align-loss", kind, "--align-pairs", 0]
    cfg = runs.settings(data, *flags, "--save-interval-updates", 1)
    assert runs.finish(cfg, tmp_path / "run", 2) == 0, runs.log_of(tmp_path / "run").read_text()
    logged = [
        json.loads(line) for line in re.findall(r"train_inner[ |:]+(\{.*\})", runs.log_of(tmp_path / "run").read_text())
    ]
    table = runs.state(tmp_path / "run" / "checkpoint_1_1.pt")["model"]["encoder.sentence_encoder.embed_tokens.weight"]
    parts = [words.load(path, vocabulary.load(data / "dict.txt")) for path in lexicons]
    apart = torch.stack([alignment_loss(table, part, LOSSES[kind]()) for part in parts]).mean()  # equally many
    together = alignment_loss(table, words.Pairs.cat(parts), LOSSES[kind]())
    assert float(logged[1]["align_loss"]) == pytest.approx(apart.item(), abs=2e-4)
    assert abs(apart - together) > 2e-3  # so the two can be told from each other
