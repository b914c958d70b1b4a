"""Files of version 0.1.0, made at commit 3eb3d71 before the package had rooms, are read as they were then.

``tests/golden/earlier`` holds a toy corpus in ten pieces, and what that commit made of it: a derived language, its
lexicons, a model after four updates, and its scores. Made with the flags below.
"""

import json
import shutil
from pathlib import Path

import pytest

from fairseq_align.data.binarized import read
from fairseq_align.text import vocabulary
from tests.support.training import logged

FOLDER = Path(__file__).parent / "golden" / "earlier"
TRAIN = ["--user-dir", "fairseq_align", "--task", "align_mlm", "--criterion", "align_mlm", "--langs", "en,en-x"]
TRAIN += ["--arch", "roberta_base", "--encoder-layers", 1, "--encoder-embed-dim", 8, "--encoder-ffn-embed-dim", 8]
TRAIN += ["--encoder-attention-heads", 2, "--tokens-per-sample", 16, "--max-positions", 16, "--dropout", 0]
TRAIN += ["--attention-dropout", 0, "--optimizer", "adam", "--lr", "1e-3", "--lr-scheduler", "fixed", "--batch-size", 4]
TRAIN += ["--cpu", "--num-workers", 0, "--no-epoch-checkpoints", "--disable-validation"]
TRAIN += ["--log-format", "json", "--log-interval", 1]
TRAINED = ["--objective", "align_mlm", "--derivation", "transliterate+invert", "--lexicon-rate", 0.6]


@pytest.fixture(scope="module")
def data(run, tmp_path_factory) -> Path:
    """The corpus binarized, and its derived language made again from the record."""
    work = tmp_path_factory.mktemp("earlier")
    prefixes = ["--trainpref", FOLDER / "train.txt", "--validpref", FOLDER / "valid.txt"]
    only = ["--only-source", "--srcdict", FOLDER / "dict.txt", "--workers", 1]
    run(["fairseq-preprocess", *only, *prefixes, "--destdir", work / "en"])
    shutil.copy(FOLDER / "dict.txt", work)
    run(["python", "preprocess/derive.py", work / "en", work / "en-x", "--like", FOLDER / "derivation.json"])
    return work


def test_a_record_of_a_derivation_makes_the_language_again(data):
    made, earlier = ((folder / "derivation.json").read_text() for folder in (data / "en-x", FOLDER))
    assert json.loads(made) == json.loads(earlier)
    source, derived = (read(data / lang / "valid") for lang in ("en", "en-x"))
    assert len(source.tokens) == len(derived.tokens) == 128


def test_a_model_and_its_lexicons_have_the_scores_that_they_had(run, data, tmp_path):
    checkpoint, results = FOLDER / "checkpoint_last.pt", ["--results", tmp_path / "results.jsonl"]
    run(["fairseq-align", "evaluate", checkpoint, data, "--subset", "valid_en,valid_en-x", *TRAINED, *results])
    lexicons = ["--lexicon", FOLDER / "lexicon.tsv", "--heldout-lexicon", FOLDER / "lexicon.heldout.tsv"]
    alignment = ["--lang", "en-x", "--isomorphism", 5]
    run(["fairseq-align", "alignment", checkpoint, data, *alignment, *lexicons, *TRAINED, *results])
    found, earlier = (
        [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
        for folder in (tmp_path, FOLDER)
    )
    found = [score for score in found if score["split"] != "whole"]  # what was not scored then
    assert len(found) == len(earlier) == 42
    made_for = vocabulary.checksum(vocabulary.load(data / "dict.txt"))
    for now, then in zip(found, earlier, strict=True):
        assert now.pop("vocabulary") == made_for  # which was not recorded then
        assert now.keys() == then.keys()
        assert now.pop("value") == pytest.approx(then.pop("value"), abs=1e-5)
        assert {**now, "date": "", "versions": ""} == {**then, "date": "", "versions": ""}


def test_training_goes_on_from_a_checkpoint(run, data, tmp_path):
    """The losses of updates 5 and 6 are those that the commit had."""
    shutil.copy(FOLDER / "checkpoint_last.pt", tmp_path)
    flags = ["--lexicon", FOLDER / "lexicon.tsv", "--max-update", 6, "--save-dir", tmp_path, "--no-save"]
    done = run(["fairseq-train", data, *TRAIN, *flags])
    updates = logged(done.stdout + done.stderr, "train_inner")
    assert [update["loss"] for update in updates] == pytest.approx([-3.229, -4.022], abs=2e-3)
    assert [update["align_cos"] for update in updates] == pytest.approx([0.5405, 0.5989], abs=2e-4)


def test_results_make_the_report_that_they_made(run, tmp_path):
    run(["fairseq-align", "report", FOLDER / "results.jsonl", "--out", tmp_path])
    assert (tmp_path / "report.md").read_text() == (FOLDER / "report.md").read_text()
