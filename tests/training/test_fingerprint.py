"""A run knows what it is made of: what has changed is named, and goes on only if that is meant."""

import copy
import hashlib
import shutil
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import torch

from fairseq_align.data import binarized
from fairseq_align.training import fingerprint
from tests.stress import runs
from tests.support.training import state

pytestmark = pytest.mark.forks


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return runs.write_data(tmp_path_factory.mktemp("made") / "data")


@pytest.fixture(scope="module")
def begun(data, tmp_path_factory) -> Path:
    """Folder of a run that has done 2 updates and was validated."""
    save = tmp_path_factory.mktemp("begun") / "run"
    cfg = copy.deepcopy(runs.settings(data))
    cfg.dataset.disable_validation = False
    assert runs.finish(cfg, save, 2) == 0, runs.log_of(save).read_text()
    return save


@pytest.fixture
def again(data, begun, tmp_path):
    """Go on with a copy of the run on a copy of its data, which ``change`` alters; returns the status and the log."""

    def again(change=lambda data: None, updates=3, allow="", **settings) -> tuple[int, str]:
        folder, save = tmp_path / "data", tmp_path / "run"
        for path, source in ((folder, data), (save, begun)):
            shutil.rmtree(path, ignore_errors=True)
            shutil.copytree(source, path)
        change(folder)
        cfg = copy.deepcopy(runs.settings(data))
        cfg.dataset.disable_validation = False
        cfg.task.data, cfg.criterion.lexicon = str(folder), str(folder / "lexicon.tsv")
        cfg.task.allow_changed = allow
        cfg._set_flag("allow_objects", True)
        cfg.model = Namespace(**vars(cfg.model))  # a copy of settings shares it
        for name, value in settings.items():
            groups = (cfg.task, cfg.criterion, cfg.optimizer, cfg.dataset, cfg.optimization, cfg.common, cfg.model)
            found = [one for one in groups if name in one]
            for group in found:
                setattr(group, name, value)
            assert found, name
        runs.log_of(save).unlink(missing_ok=True)
        return runs.finish(cfg, save, updates), runs.log_of(save).read_text()

    return again


def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines(keepends=True)


def half_the_lexicon(data: Path) -> None:
    path = data / "lexicon.tsv"
    path.write_text("".join(lines_of(path)[::2]), encoding="utf-8")


def shifted_translations(data: Path) -> None:
    """Each word gets the translation of the next one."""
    path = data / "lexicon.tsv"
    head = [line for line in lines_of(path) if "\t" not in line]
    rows = [line.rstrip("\n").split("\t") for line in lines_of(path) if "\t" in line]
    shifted = rows[1:] + rows[:1]
    body = [f"{one[0]}\t{other[1]}\n" for one, other in zip(rows, shifted, strict=True)]
    path.write_text("".join(head + body), encoding="utf-8")


def swapped_symbols(data: Path) -> None:
    path = data / "dict.txt"
    first, second, *rest = lines_of(path)
    path.write_text("".join([second, first, *rest]), encoding="utf-8")
    half = data / "lexicon.tsv"
    half.write_text("".join(line for line in lines_of(half) if "\t" in line), encoding="utf-8")  # no checksum in it


def other_text(data: Path, split: str = "train") -> None:
    """The same sizes, another token in each place."""
    corpus = binarized.read(data / "a" / split)
    tokens = np.array(corpus.tokens)
    ordinary = tokens > 3
    tokens[ordinary] = tokens[ordinary][::-1]
    with binarized.writer(data / "a" / split, 2 * runs.PIECES + 4) as out:
        out.add(tokens, corpus.sizes)


def other_validation(data: Path) -> None:
    other_text(data, "valid")


def fewer_sentences(data: Path) -> None:
    corpus = binarized.read(data / "b" / "train")
    tokens, sizes = np.array(corpus.tokens[: int(corpus.sizes[:-8].sum())]), np.array(corpus.sizes[:-8])
    with binarized.writer(data / "b" / "train", 2 * runs.PIECES + 4) as out:
        out.add(tokens, sizes)


@pytest.mark.parametrize(
    ("change", "group", "named"),
    [
        (half_the_lexicon, "lexicon", "--lexicon"),
        (shifted_translations, "lexicon", "--lexicon"),
        (other_text, "data", "a/train.bin"),
        (fewer_sentences, "data", "b/train.idx"),
        (other_validation, "validation", "a/valid.bin"),
        (swapped_symbols, "vocabulary,lexicon", "dict.txt"),
    ],
)
def test_other_files_are_named_and_need_a_flag(again, change, group, named):
    status, log = again(change)
    last = log.splitlines()[-1]
    assert status == 1 and "Traceback" not in log
    assert last.startswith("error: ") and f"{named} " in last and " (now " in last
    assert f"found changes since it was saved, {group.partition(',')[0]}: " in last
    assert last.endswith(f"--allow-changed {group} goes on all the same")
    status, log = again(change, allow=group)
    assert status == 0 and "changed since it was saved: " in log and f"{named} " in log


def test_other_settings_are_named_and_refused(again):
    others = {
        "--seed": (1, 2),
        "--batch-size": (8, 4),
        "--langs": ("a,b", "b,a"),
        "--align-loss": ("cosine", "l2"),
        "--mask-prob": (0.15, 0.3),
        "--weight-decay": (0.0, 0.1),
        "--dropout": (0.1, 0.3),
        "--clip-norm": (1.0, 2.0),
        "--multilang-sampling-alpha": (0.5, 0.7),
    }
    status, log = again(**{flag.removeprefix("--").replace("-", "_"): now for flag, (_, now) in others.items()})
    last = log.splitlines()[-1]
    listed = ", ".join(f"{flag} {before} (now {now})" for flag, (before, now) in sorted(others.items()))
    assert status == 1 and f"found changes since it was saved, settings: {listed}; expected the same" in last
    assert last.endswith("--allow-changed settings goes on all the same")


def test_another_encoder_is_named_before_its_weights_do_not_fit(again):
    status, log = again(encoder_layers=2, encoder_ffn_embed_dim=16)
    last = log.splitlines()[-1]
    assert status == 1 and "Traceback" not in log
    assert "settings: --encoder-ffn-embed-dim 32 (now 16), --encoder-layers 1 (now 2); expected" in last


def test_settings_that_are_meant_to_change_are_logged(again, begun):
    status, log = again(lr=[1e-3], updates=4)
    assert status == 0 and "changed since it was saved: --lr [0.005] (now [0.001]), --max-update 2 (now 4)" in log
    status, log = again(updates=3)
    assert status == 0 and "changed since it was saved: --max-update 2 (now 3)" in log
    status, log = again(allow="everything")
    assert (
        status == 1
        and "--allow-changed everything, expected some of vocabulary,lexicon,data,validation,settings" in log
    )


def test_a_run_may_be_validated_on_more_or_fewer_sets(again, begun):
    """What it does not read is not compared: another text of ``b`` is none of a run that is validated on ``a``."""
    made = fingerprint.read(state(begun / "checkpoint_last.pt"))
    assert set(made["validation"]) == {f"{lang}/valid.{kind}" for lang in "ab" for kind in ("idx", "bin")}
    status, log = again(lambda data: (data / "b" / "valid.bin").write_bytes(b""), valid_subset="valid_a")
    assert status == 0 and "changed since it was saved: --max-update 2 (now 3)" in log
    status, _ = again(other_validation, disable_validation=True)
    assert status == 0
    assert again(other_validation, valid_subset="valid_b")[0] == 0
    status, log = again(other_validation, valid_subset="valid_a")
    assert status == 1 and "found changes since it was saved, validation: a/valid.bin " in log.splitlines()[-1]


def test_what_was_allowed_once_is_the_run_from_then_on(again, tmp_path):
    status, _ = again(half_the_lexicon, allow="lexicon")
    assert status == 0
    cfg = copy.deepcopy(runs.settings(tmp_path / "data"))
    assert runs.finish(cfg, tmp_path / "run", 5) == 0
    saved = state(tmp_path / "run" / "checkpoint_last.pt")
    assert saved["cfg"]["task"]["allow_changed"] == ""


def test_a_checkpoint_has_the_sums_of_its_files(data, begun):
    """Computed here once more, from the files."""
    made = fingerprint.read(state(begun / "checkpoint_last.pt"))
    pieces = [line.rsplit(" ", 1)[0] for line in lines_of(data / "dict.txt")]
    assert made["vocabulary"] == {"dict.txt": hashlib.sha256("\n".join(pieces).encode()).hexdigest()[:12]}
    lexicon = hashlib.sha256((data / "lexicon.tsv").read_bytes()).hexdigest()[:12]
    assert made["lexicon"] == {"--lexicon": lexicon}
    assert set(made["data"]) == {f"{lang}/train.{kind}" for lang in "ab" for kind in ("idx", "bin")}
    content = (data / "a" / "train.bin").read_bytes()
    digest = hashlib.sha256(str(len(content)).encode() + content).hexdigest()[:12]
    assert made["data"]["a/train.bin"] == digest
    assert made["about"] == {"objectives": "align_mlm", "langs": "a,b"}
    assert made["settings"]["--update-freq times ranks"] == "1"


def test_a_lexicon_where_there_was_none_is_a_change():
    before, now = {"lexicon": {}}, {"lexicon": {"--dict-mlm": "a:b:0123456789ab"}}
    assert fingerprint.changes(before, now, "lexicon") == ["--dict-mlm none (now a:b:0123456789ab)"]
    assert fingerprint.changes({"vocabulary": {}}, now, "lexicon") == []


def test_samples_of_a_large_file_find_its_ends_and_its_size(tmp_path):
    path = tmp_path / "large"
    content = bytearray(np.random.default_rng(1).bytes(fingerprint.BLOCK * fingerprint.BLOCKS * 3))
    path.write_bytes(content)
    before = fingerprint.sampled(path)
    for place in (0, len(content) - 1):
        other = bytearray(content)
        other[place] ^= 1
        path.write_bytes(other)
        assert fingerprint.sampled(path) != before
    path.write_bytes(content + b"\0")
    assert fingerprint.sampled(path) != before
    path.write_bytes(content)
    assert fingerprint.sampled(path) == before


def test_weights_alone_need_the_vocabulary_and_nothing_else(data, begun, tmp_path):
    """Fine-tuning with another seed and lexicon is another run; other symbols are another model."""
    changed = tmp_path / "data"
    shutil.copytree(data, changed)
    half_the_lexicon(changed)
    cfg = copy.deepcopy(runs.settings(changed))
    cfg.checkpoint.finetune_from_model, cfg.common.seed = str(begun / "checkpoint_last.pt"), 5
    assert runs.finish(cfg, tmp_path / "tuned", 1) == 0
    swapped_symbols(changed)
    assert runs.finish(cfg, tmp_path / "other", 1) == 1
    last = runs.log_of(tmp_path / "other").read_text().splitlines()[-1]
    assert "found changes since it was saved, vocabulary: dict.txt " in last


def test_a_checkpoint_without_fingerprints_is_taken_with_a_line(data, begun, tmp_path):
    saved = state(begun / "checkpoint_last.pt")
    del saved["extra_state"][fingerprint.KEY]
    (tmp_path / "run").mkdir()
    torch.save(saved, tmp_path / "run" / "checkpoint_last.pt")
    assert runs.finish(runs.settings(data), tmp_path / "run", 3) == 0
    assert (
        "checkpoint_last.pt has no fingerprints: whether its training had" in runs.log_of(tmp_path / "run").read_text()
    )
    for broken in ({"settings": 3}, [1], {"settings": {"--seed": {"a": 1}}}, {1: {}}, {"pretraining": {"about": "x"}}):
        saved["extra_state"][fingerprint.KEY] = broken
        assert fingerprint.read(saved) is None
    saved["extra_state"][fingerprint.KEY] = {"pretraining": {"about": {"langs": "a,b"}}, "vocabulary": {}}
    assert fingerprint.read(saved) == saved["extra_state"][fingerprint.KEY]


def test_scoring_refuses_another_vocabulary_of_the_same_size(data, begun, tmp_path):
    from fairseq_align.errors import InputError
    from fairseq_align.evaluation import checkpoint

    checkpoint.load(begun / "checkpoint_last.pt", data)
    other = tmp_path / "data"
    shutil.copytree(data, other)
    swapped_symbols(other)
    with pytest.raises(InputError, match="found another vocabulary than that of its training, dict.txt .* expected"):
        checkpoint.load(begun / "checkpoint_last.pt", other)


def test_the_doctor_prints_what_a_checkpoint_is_made_of(begun, tmp_path, capsys):
    from fairseq_align import cli

    assert cli.main(["doctor", str(begun / "checkpoint_last.pt")]) == 0
    said = capsys.readouterr().out.splitlines()
    made = fingerprint.read(state(begun / "checkpoint_last.pt"))
    assert "whole, 2 updates, checksum " in said[0]
    for line in (
        f"ok    vocabulary dict.txt: {made['vocabulary']['dict.txt']}",
        f"ok    lexicon --lexicon: {made['lexicon']['--lexicon']}",
        f"ok    data a/train.bin: {made['data']['a/train.bin']}",
        "ok    settings --mask-prob: 0.15",
        "ok    about langs: a,b",
    ):
        assert line in said
    torn = state(begun / "checkpoint_last.pt")
    torn["extra_state"][fingerprint.KEY] = {"about": {"langs": "a\x1b[2Jb"}}
    torch.save(torn, tmp_path / "other.pt")
    assert cli.main(["doctor", str(tmp_path / "other.pt")]) == 0
    assert capsys.readouterr().out.splitlines()[1] == "ok    about langs: a?[2Jb"
    assert cli.main(["doctor", "nowhere.pt"]) == 1
    assert "nowhere.pt: found No such file or directory, expected a checkpoint" in capsys.readouterr().err
