"""Preprocessing on a full disk, in a folder that cannot be, and killed: nothing half-written, the next run works."""

import os
import resource
import runpy
import shutil
import signal
import sys
from pathlib import Path

import pytest
from fairseq.data import Dictionary

from fairseq_align.text import subword, vocabulary
from tests.stress import runs

pytestmark = pytest.mark.forks

TEXT = "".join(f"the {one} cat sees {two} houses .\n" for one in ("big", "small", "old") for two in range(60))


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> Path:
    """What the scripts read: a text, a SentencePiece model with its dictionary, binarized data, tagged words."""
    folder = tmp_path_factory.mktemp("sources")
    (folder / "text.txt").write_text(TEXT)
    (folder / "tags.iob2").write_text("Mary\tB-PER\nleft\tO\n\n" * 60)
    subword.train([folder / "text.txt"], folder / "spm", 30)
    runs.write_data(folder / "data")
    dictionary = Dictionary()
    for number in range(runs.PIECES):
        dictionary.add_symbol(f"▁a{number}")
    vocabulary.save(dictionary, folder / "data" / "dict.txt")
    return folder


SCRIPTS = {
    "corpus": ["--input", "{sources}/text.txt", "--lang", "en", "--out", "{out}/corpus", "--valid", 20, "--test", 20],
    "subword": ["train", "--input", "{sources}/text.txt", "--out", "{out}/spm", "--vocab-size", 30],
    "lexicon": ["derived", "--dict", "{out}/dict.txt", "--out", "{out}/lexicon.tsv"],
    "derive": ["{out}/a", "{out}/a-x", "--transforms", "transliterate,invert"],
    "tagging": ["--task", "ner", "--model", "{sources}/spm/spm.model", "--dict", "{sources}/spm/dict.txt"]
    + ["--lang", "en", "--out", "{out}/ner", "--train", "{sources}/tags.iob2"],
}  # fmt: skip


def prepare(script: str, sources: Path, out: Path) -> None:
    """What a script needs in the folder that it writes to."""
    if script == "derive":
        shutil.copytree(sources / "data", out, dirs_exist_ok=True)
    if script == "lexicon":
        vocabulary.save(vocabulary.double(vocabulary.load(sources / "data" / "dict.txt")), out / "dict.txt")


def finish(repo: Path, script: str, sources: Path, out: Path, log: Path, before=lambda: None) -> int:
    def work() -> None:
        sys.argv = [script, *(str(word).format(sources=sources, out=out) for word in SCRIPTS[script])]
        before()
        runpy.run_path(str(repo / "preprocess" / f"{script}.py"), run_name="__main__")

    return runs.end(runs.fork(work, log))


def files(out: Path) -> dict[str, bytes]:
    """What stands under a final name."""
    found = (path for path in out.rglob("*") if path.is_file())
    return {str(path.relative_to(out)): path.read_bytes() for path in found if ".part" not in str(path)}


def full_disk() -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400, 400))  # the log has to fit, too


def kill_before(call: int) -> None:
    runs.killed(os, "replace", call, runs.nothing)


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_that_is_interrupted_leaves_nothing_half_written(repo, sources, tmp_path, script):
    whole, out, log = tmp_path / "whole", tmp_path / "out", tmp_path / "out.log"
    for folder in (whole, out):
        folder.mkdir()
        prepare(script, sources, folder)
    before = files(out)
    assert finish(repo, script, sources, whole, log) == 0, log.read_text()
    expected = files(whole)
    assert expected.keys() > before.keys()
    log.unlink()

    def stands_whole(folder: Path) -> bool:
        return all(content in (before.get(name), expected[name]) for name, content in files(folder).items())

    assert finish(repo, script, sources, out, log, full_disk) == 1
    last = log.read_text().splitlines()[-1]
    assert last.startswith("error: ") and "File too large; mend it and give the same command again" in last
    assert files(out).keys() < expected.keys() and stands_whole(out)
    for call in (1, 2):
        status = finish(repo, script, sources, out, log, lambda: kill_before(call))  # noqa: B023
        assert status == -signal.SIGKILL or (status == 0 and call == 2)  # some write one file alone
        assert stands_whole(out)
    assert finish(repo, script, sources, out, log) == 0
    assert files(out) == expected


@pytest.mark.parametrize("script", ["corpus", "subword", "tagging"])
def test_a_folder_that_cannot_be_is_named_in_one_line(repo, sources, tmp_path, script):
    (tmp_path / "file").write_text("")
    log = tmp_path / "log"
    assert finish(repo, script, sources, tmp_path / "file" / "out", log) == 1
    last = log.read_text().splitlines()[-1]
    assert (
        last.startswith(f"error: {tmp_path}/file/out")
        and "Not a directory" in last
        and "Traceback" not in log.read_text()
    )
