"""Character n-grams in a training: what is saved, taken up, scored and left alone."""

import pytest
import torch

from fairseq_align import cli
from fairseq_align.embeddings.characters import WEIGHT, Characters, NGrams
from fairseq_align.results import records
from fairseq_align.text import vocabulary
from tests.stress import runs

pytestmark = pytest.mark.forks
CHARACTERS = ["--align-characters", 50]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return runs.write_data(tmp_path_factory.mktemp("tiny") / "data")


def trained(data, save, *flags, updates=6, objective="align_mlm") -> dict:
    """The last state of a run."""
    assert runs.finish(runs.settings(data, *flags, objective=objective), save, updates) == 0, runs.log_of(
        save
    ).read_text()
    return runs.state(save / "checkpoint_last.pt")


@pytest.fixture(scope="module")
def model(data, tmp_path_factory):
    """The folder of a run with characters, which saves updates 3 and 6."""
    folder = tmp_path_factory.mktemp("model") / "run"
    trained(data, folder, *CHARACTERS, "--save-interval-updates", 3)
    return folder


def test_a_run_with_weight_0_or_without_characters_is_as_before_to_the_bit(data, tmp_path):
    plain = trained(data, tmp_path / "plain")
    assert runs.same(trained(data, tmp_path / "none", "--align-characters", 0), plain) and not plain["criterion"]
    mlm = trained(data, tmp_path / "mlm", objective="mlm")
    assert runs.same(trained(data, tmp_path / "weight", *CHARACTERS, objective="mlm"), mlm)


def test_the_table_is_trained_and_saved_and_said(data, model):
    dictionary = vocabulary.load(data / "dict.txt")
    new = Characters.new(NGrams(dictionary, 50), 16, seed=1).weight
    saved = runs.state(model / "checkpoint_last.pt")["criterion"]
    assert saved.keys() == {WEIGHT} and saved[WEIGHT].shape == new.shape
    moved = (saved[WEIGHT] != new).any(dim=1)
    ngrams = NGrams(dictionary, 50)
    drawn = {number for word in range(4, 124) for number in ngrams._of_word((word,))}
    assert moved.any() and set(moved.nonzero().flatten().tolist()) <= drawn
    assert "50 vectors of character n-grams beside the pieces of the words" in runs.log_of(model).read_text()


def test_other_models_are_the_start_of_one_with_characters_and_the_other_way_round(data, model, tmp_path):
    trained(data, tmp_path / "plain")
    begun = ["--finetune-from-model", tmp_path / "plain" / "checkpoint_last.pt"]
    assert trained(data, tmp_path / "with", *CHARACTERS, *begun)["criterion"][WEIGHT].shape == (50, 16)
    assert (
        "the checkpoint has no table of character n-grams: it begins new" in runs.log_of(tmp_path / "with").read_text()
    )
    assert not trained(data, tmp_path / "without", "--finetune-from-model", model / "checkpoint_last.pt")["criterion"]


def test_scores_compare_words_as_the_training_does(data, model, tmp_path):
    """Those of the command are those of the criterion that is built with the checkpoint, and others than of pieces."""

    def work() -> None:
        from fairseq_align.evaluation import checkpoint

        loaded = checkpoint.load(model / "checkpoint_last.pt", data)
        criterion = loaded.task.build_criterion(loaded.cfg.criterion)
        assert torch.equal(criterion.characters.weight, loaded.characters.weight)
        given, table = criterion.given, loaded.model.encoder.sentence_encoder.embed_tokens.weight
        criterion.scored = {("heldout", ""): (given, given.target)}
        torch.save(criterion._score_heldout(table), tmp_path / "scores.pt")
        common = [str(model / "checkpoint_last.pt"), str(data), "--lang", "b", "--source-lang", "a"]
        for name, flags in (("all", []), ("pieces", ["--pieces-alone"])):
            results = ["--lexicon", str(data / "lexicon.tsv"), "--results", str(tmp_path / f"{name}.jsonl")]
            assert cli.main(["alignment", *common, *results, "--isomorphism", "0", *flags]) == 0
            out = ["--out", str(tmp_path / f"{name}.txt")]
            assert cli.main(["induce", *common, *out, *flags]) == 0

    log = tmp_path / "log"
    assert runs.end(runs.fork(work, log)) == 0, log.read_text()
    assert log.read_text().count("words are compared by their pieces and by 50 vectors of character n-grams") == 2
    expected = torch.load(tmp_path / "scores.pt")
    found = {
        name: {record["metric"]: record["value"] for record in records.read(tmp_path / f"{name}.jsonl")
               if not record.get("direction")}
        for name in ("all", "pieces")
    }  # fmt: skip
    assert found["all"]["cos"] == pytest.approx(expected["heldout_cos"].item(), abs=1e-6)
    assert found["all"]["p@1"] == pytest.approx(expected["heldout_p1"].item())
    assert found["pieces"]["cos"] != pytest.approx(found["all"]["cos"], abs=1e-3)
    assert found["pieces"]["spelling_p@1"] == found["all"]["spelling_p@1"]
    assert (tmp_path / "all.txt").read_text() != (tmp_path / "pieces.txt").read_text()


def test_ngrams_that_end_before_they_begin_are_refused(data, tmp_path):
    cfg = runs.settings(data, *CHARACTERS, "--align-characters-from", 6)
    assert runs.finish(cfg, tmp_path / "run", 2) == 1
    last = runs.log_of(tmp_path / "run").read_text().splitlines()[-1]
    assert "found --align-characters-from 6 and --align-characters-to 5, expected the shortest n-grams" in last
