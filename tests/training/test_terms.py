"""Each term beyond the paper in short trainings: without weight it is not there, resumed it goes on, ranks agree on it.

Those of ``runs.OBJECTIVES["beyond"]`` go on and agree together, in ``test_resume.py``.
"""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from fairseq_align.embeddings.alignment_loss import LOSSES
from tests.stress import runs

pytestmark = pytest.mark.forks

UPDATES, SAVED = 4, 2
STILL = ["--dropout", 0, "--attention-dropout", 0, "--save-interval-updates", SAVED]  # what is dropped depends on ranks
PLAIN = ["--align-weight", 0]
SWITCHED = ["--code-switch", "a:b:{data}/lexicon.tsv"]
LEARN = ["--self-learn", "a:b", "--self-learn-every"]
HARD = ["--align-loss", "contrastive", "--hard-negatives", 3]
WITHOUT = {  # a run, and the run that it is like
    **{f"{loss}, weight 0": ([*PLAIN, "--align-loss", loss], PLAIN) for loss in LOSSES if loss != "cosine"},
    "hard negatives, weight 0": ([*PLAIN, *HARD], PLAIN),
    "self-learning, weight 0": ([*PLAIN, *LEARN, 1], PLAIN),
    "self-learning, later": ([*LEARN, UPDATES], []),
    "prealignment, weight 0": ([*PLAIN, "--prealign-updates", UPDATES], PLAIN),
    "code-switching, rate 0": ([*SWITCHED, "--code-switch-rate", 0], []),
}
TERMS = {
    **{loss: ["--align-loss", loss] for loss in LOSSES if loss not in ("cosine", "contrastive")},  # in test_resume.py
    "prealignment": ["--prealign-updates", SAVED + 1],
    "angles": ["--log-angles", 1],
    "frozen layers": ["--freeze-layers", "0"],
}
SHOWN = {"--prealign-updates": ["prealign_loss"], "--log-angles": ["angle_embeddings", "angle_layer_1"]}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return runs.write_data(tmp_path_factory.mktemp("tiny") / "data")


@pytest.fixture(scope="module")
def settings(data):
    def settings(*flags):
        return runs.settings(data, *(str(flag).format(data=data) for flag in flags))

    return settings


@pytest.fixture(scope="module")
def trained(settings, tmp_path_factory):
    """Folder of an uninterrupted run with these flags, which is trained once."""
    folder, found = tmp_path_factory.mktemp("runs"), {}

    def trained(*flags) -> Path:
        if flags not in found:
            save = found[flags] = folder / str(len(found))
            assert runs.finish(settings(*flags), save, UPDATES) == 0, runs.log_of(save).read_text()
        return found[flags]

    return trained


def last(save: Path) -> dict:
    return runs.state(save / "checkpoint_last.pt")


@pytest.mark.parametrize(("flags", "without"), WITHOUT.values(), ids=WITHOUT)
def test_a_term_without_weight_leaves_the_run_as_it_is_to_the_bit(trained, flags, without):
    found, expected = (last(trained(*given)) for given in (flags, without))
    for state in (found, expected):
        del state["meters"], state["task"]  # a loss is logged all the same, and what is kept of a search is empty
    assert runs.same(found, expected)


@pytest.mark.parametrize("flags", TERMS.values(), ids=TERMS)
def test_a_run_with_a_term_that_is_resumed_ends_equal_to_the_bit(settings, trained, tmp_path, flags):
    given = [*STILL, "--update-freq", 2, *flags]
    whole, save = trained(*given), tmp_path / "run"
    save.mkdir()
    (saved,) = whole.glob(f"checkpoint_*_{SAVED}.pt")
    shutil.copy(saved, save / "checkpoint_last.pt")
    assert runs.finish(settings(*given), save, UPDATES) == 0
    assert min(runs.losses(save)) == SAVED + 1 and runs.losses(save).items() <= runs.losses(whole).items()
    assert runs.same(last(save), last(whole))


@pytest.mark.parametrize("flags", TERMS.values(), ids=TERMS)
def test_two_ranks_learn_by_a_term_what_one_does(settings, trained, tmp_path, flags):
    ranks = runs.ranks(settings(*STILL, *flags), 2)
    started = [runs.start(cfg, tmp_path / "run", UPDATES) for cfg in ranks]
    assert [runs.end(process) for process in started] == [0, 0]
    folders = tmp_path / "run", trained(*STILL, "--update-freq", 2, *flags)
    found, expected = (last(save)["model"] for save in folders)
    assert all(torch.allclose(found[name], expected[name], atol=2e-4) for name in expected)
    names = ["loss", "align_loss", *SHOWN.get(flags[0], ())]
    found, expected = (np.array([*runs.losses(save, names).values()], dtype=float) for save in folders)
    assert len(found) == UPDATES and found == pytest.approx(expected, rel=2e-3, abs=2e-3, nan_ok=True)
