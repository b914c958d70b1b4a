"""Commands read objective, languages and lexicons from the checkpoint, and refuse flags that contradict it."""

import copy
import hashlib
import json
import shutil
from pathlib import Path

import pytest
import torch

from fairseq_align import cli
from fairseq_align.evaluation.training_of import Training
from fairseq_align.files import checksum
from fairseq_align.text import vocabulary
from tests.stress import runs

pytestmark = pytest.mark.forks


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return runs.write_data(tmp_path_factory.mktemp("told") / "data")


@pytest.fixture(scope="module")
def model(data, tmp_path_factory) -> Path:
    """A checkpoint of one update of ALIGN-MLM."""
    save = tmp_path_factory.mktemp("told") / "run"
    cfg = runs.settings(data, "--heldout-lexicon", data / "lexicon.tsv")
    assert runs.finish(cfg, save, 1) == 0, runs.log_of(save).read_text()
    return save / "checkpoint_last.pt"


@pytest.fixture
def command(tmp_path, capsys):
    """Run a command of ``fairseq-align``; returns its status, its last line on standard error, and its records."""

    def command(*words) -> tuple[int, str, list[dict]]:
        results = tmp_path / "results.jsonl"
        results.unlink(missing_ok=True)
        status = cli.main([str(word) for word in (*words, "--results", results)])
        said = capsys.readouterr().err.strip().splitlines()
        records = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
        return status, said[-1] if said else "", records

    return command


def test_nothing_has_to_be_told_that_the_checkpoint_knows(command, model, data):
    status, _, records = command("evaluate", model, data, "--subset", "valid_a")
    sums = vocabulary.checksum(vocabulary.load(data / "dict.txt"))
    assert status == 0 and {(one["objective"], one["vocabulary"]) for one in records} == {("align_mlm", sums)}
    status, _, records = command("alignment", model, data, "--isomorphism", 0)
    assert status == 0 and {(one["objective"], one["lang"]) for one in records} == {("align_mlm", "b")}
    lexicon = checksum(data / "lexicon.tsv")
    assert {(one["split"], one["lexicon"]) for one in records} == {("seen", lexicon), ("heldout", lexicon)}


def test_a_score_names_the_sentencepiece_model_of_the_data_or_of_the_training(command, model, data, tmp_path):
    def named(folder) -> set:
        status, _, records = command("evaluate", model, folder, "--subset", "valid_a")
        assert status == 0
        return {one.get("sentencepiece") for one in records}

    assert named(data) == {None}  # words of this study are pieces
    shutil.copytree(data, tmp_path / "data")
    (tmp_path / "data" / "spm.model").write_bytes(b"a model")
    assert named(tmp_path / "data") == {hashlib.sha256(b"a model").hexdigest()[:12]}
    saved = torch.load(model, weights_only=True)
    saved["extra_state"]["made_of"]["vocabulary"]["SentencePiece"] = "0123456789ab"
    model = tmp_path / "other.pt"
    torch.save(saved, model)
    assert named(data) == {"0123456789ab"}


def test_flags_that_contradict_the_checkpoint_are_refused(command, model, data, tmp_path):
    status, said, records = command("evaluate", model, data, "--subset", "valid_a", "--objective", "tlm")
    assert status == 1 and not records
    assert (
        said == f"error: --objective: found tlm, expected align_mlm, which {model} was trained with; leave the flag out"
    )
    other = tmp_path / "other.tsv"
    other.write_text("".join((data / "lexicon.tsv").read_text().splitlines(keepends=True)[:-1]))
    status, said, _ = command("alignment", model, data, "--lexicon", other)
    assert status == 1 and f"found {other} with checksum {checksum(other)}, expected one of the training of" in said
    status, _, records = command("alignment", model, data, "--heldout-lexicon", other, "--isomorphism", 0)
    assert status == 0 and {one["split"] for one in records} == {"heldout"}


def test_a_lexicon_that_is_gone_or_has_changed_is_not_taken(command, model, data, tmp_path):
    moved = tmp_path / "data"
    shutil.copytree(data, moved)
    kept = (data / "lexicon.tsv").read_text()
    try:
        (data / "lexicon.tsv").write_text(kept + "# another comment\n")
        status, said, _ = command("alignment", model, moved)
    finally:
        (data / "lexicon.tsv").write_text(kept)
    assert status == 1 and "lexicon.tsv gone or changed since the training" in said


def test_what_a_checkpoint_does_not_know_has_to_be_told(command, model, data):
    unknown = Training(Path("old.pt"))
    assert unknown.objective("mlm") == "mlm" and unknown.target("b") == "b"
    unknown.check_seen(str(data / "lexicon.tsv"))
    with pytest.raises(
        ValueError, match="^old.pt: found no objective in the checkpoint, expected one; give --objective"
    ):
        unknown.objective(None)
    with pytest.raises(ValueError, match="^old.pt: found no languages in the checkpoint, expected two; give --lang$"):
        unknown.target(None)
    several = Training(Path("new.pt"), ("tlm", "align_mlm"), ("a", "b", "c"))
    assert several.objective("tlm") == "tlm"
    with pytest.raises(ValueError, match="found several objectives, tlm, align_mlm in the checkpoint"):
        several.objective(None)


def test_a_model_that_is_pre_trained_further_is_a_run_of_its_own(command, model, data, tmp_path):
    cfg = copy.deepcopy(runs.settings(data, objective="mlm"))
    cfg.checkpoint.finetune_from_model = str(model)
    assert runs.finish(cfg, tmp_path / "next", 1) == 0
    status, _, records = command("evaluate", tmp_path / "next" / "checkpoint_last.pt", data, "--subset", "valid_a")
    assert status == 0 and {one["objective"] for one in records} == {"mlm"}
