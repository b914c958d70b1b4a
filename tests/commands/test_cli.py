"""The command ``fairseq-align``: names, hints, loudness, standard input, Ctrl-C; all commands, in wheels, too."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest

from fairseq_align.cli import COMMANDS, main
from tests.support import processes, warm
from tests.support.warm import REPO

SCRIPTS = sorted(path.stem for path in (REPO / "preprocess").glob("*.py"))
TEXT = "The cat sleeps. The dog sleeps.\nA bird sings in the tree.\n"


def align(*words: object, **options) -> subprocess.CompletedProcess:
    """Run ``fairseq-align`` in a process of its own; what it needs here is quick to import."""
    command = [sys.executable, "-m", "fairseq_align.cli", *map(str, words)]
    environment = os.environ | {"PYTHONPATH": str(REPO)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, **options)


def test_every_script_is_a_command_and_a_thin_front_of_it():
    assert {command.name for command in COMMANDS} >= set(SCRIPTS) and len(SCRIPTS) == 8
    for name in SCRIPTS:
        script = (REPO / "preprocess" / f"{name}.py").read_text(encoding="utf-8")
        assert len(script.splitlines()) <= 10 and f'["{name}"]' in script


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["corpsu"], "corpus"),
        (["reprot", "x"], "report"),
        (["subword", "trian"], "train"),
        (["corpus", "--lnag", "en"], "--lang"),
        (["subword", "apply", "--ouput=x"], "--output"),
        (["subword", "train", "--model-type", "unigarm"], "unigram"),
        (["evaluate", "a", "b", "--subset", "c", "--objective", "align_mln"], "align_mlm"),
        (["zzz"], None),
        (["corpus", "--input"], None),
    ],
)
def test_what_is_nearly_a_name_gets_a_hint(words, hint, capsys):
    needed = {"corpus": ["--lang", "en", "--out", "o"], "subword": ["--model", "m", "--input", "i", "--output", "o"]}
    if words[0] in needed and hint in ("--lang", "--output"):
        words = [*words, *needed[words[0]]]
    with pytest.raises(SystemExit) as ended:
        main(words)
    error = capsys.readouterr().err
    assert ended.value.code == 2
    assert re.findall(r"did you mean (.*)\?\)", error) == ([hint] if hint else [])


def test_quiet_prints_errors_alone_and_verbose_where_they_are_from(tmp_path, capsys):
    (tmp_path / "en.txt").write_text(TEXT, encoding="utf-8")
    command = ["corpus", "--input", str(tmp_path / "en.txt"), "--lang", "en", "--valid", "1", "--test", "1", "--out"]
    assert main([*command, str(tmp_path / "loud")]) == 0
    shown = capsys.readouterr()
    assert "train: 1 sentences" in shown.out
    for words in (["-q", *command, str(tmp_path / "a")], [*command, str(tmp_path / "b"), "--quiet"]):
        assert main(words) == 0
        assert capsys.readouterr() == ("", "")
    assert (tmp_path / "a" / "train.txt").read_bytes() == (tmp_path / "loud" / "train.txt").read_bytes()
    assert main(["-q", *command[:2], str(tmp_path / "none"), *command[3:], str(tmp_path / "c")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    done = align("-v", *command[:2], tmp_path / "none", *command[3:], tmp_path / "c")
    assert done.returncode == 1 and "Traceback" in done.stderr and done.stderr.splitlines()[-1].startswith("error: ")


def test_text_comes_from_standard_input_and_goes_to_standard_output(toy, tmp_path):
    out = tmp_path / "corpus"
    splits = ["--valid", 1, "--test", 1, "--lang", "en"]
    done = align("corpus", "--input", "-", *splits, "--out", out, input=TEXT)
    assert done.returncode == 0, done.stderr
    sentences = {
        line for split in ("train", "valid", "test") for line in (out / f"{split}.txt").read_text().splitlines()
    }
    assert sentences == {"The cat sleeps .", "The dog sleeps .", "A bird sings in the tree ."}
    twice = align("corpus", "--input", "-", "--tokenized", "-", *splits, "--out", tmp_path / "twice", input=TEXT)
    assert twice.returncode == 1 and "standard input named twice" in twice.stderr

    line = (toy / "toy" / "text.txt").read_text(encoding="utf-8").splitlines()[0]
    apply = ["subword", "apply", "--model", toy / "spm" / "spm.model", "--input"]
    piped = align(*apply, "-", "--output", "-", input=line + "\n")
    (tmp_path / "line.txt").write_text(line + "\n", encoding="utf-8")
    assert align(*apply, tmp_path / "line.txt", "--output", tmp_path / "line.sp").returncode == 0
    assert piped.stdout == (tmp_path / "line.sp").read_text(encoding="utf-8") != ""
    assert "1 sentences" in piped.stderr and not (REPO / "-").exists()


def interrupted(command: list[object], until, **options) -> tuple[int, str]:
    """Status and messages of a command that gets Ctrl-C, with all of its group, as soon as ``until()``."""
    pipe = subprocess.PIPE
    with processes.started(command, stdout=pipe, stderr=pipe, text=True, env=warm.cold(), **options) as process:
        deadline = time.monotonic() + 100
        while not until() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        _, messages = process.communicate(timeout=60)
        return process.returncode, messages


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_is_one_line_and_leaves_nothing_half_written(workers, tmp_path):
    os.mkfifo(tmp_path / "endless.txt")  # whose reader waits
    writer = os.open(tmp_path / "endless.txt", os.O_RDWR)
    os.write(writer, b"A bird.\n" * 5000)  # several workers' fill, and less than a pipe holds
    command = [sys.executable, REPO / "preprocess" / "corpus.py", "--input", tmp_path / "endless.txt", "--lang", "en"]
    command += ["--workers", workers, "--out", tmp_path / "out"]
    started = time.monotonic()
    status, messages = interrupted(command, lambda: time.monotonic() > started + 2)
    os.close(writer)
    assert status == -signal.SIGINT  # a loop of a shell around it ends as well
    assert messages.splitlines() == ["interrupted; nothing is left half-written, the same command starts again"]
    assert (tmp_path / "out").is_dir() and not any((tmp_path / "out").iterdir())


def test_ctrl_c_is_heard_while_sentencepiece_learns(tmp_path):
    """It learns in C++, where Python hears nothing for minutes."""
    words = [f"{a}{b}{c}{d}" for a in "bdfgk" for b in "aeiou" for c in "lmnprst" for d in "aeiou"]
    lines = (" ".join(words[(i * j) % len(words)] + words[(i + j) % 97] for j in range(1, 30)) for i in range(20_000))
    (tmp_path / "text.txt").write_text("\n".join(lines), encoding="utf-8")
    command = ["fairseq-align", "subword", "train", "--input", tmp_path / "text.txt", "--vocab-size", 4000]
    started = time.monotonic()
    status, messages = interrupted([*command, "--out", tmp_path / "spm"], lambda: time.monotonic() > started + 5)
    assert status == -signal.SIGINT and messages.count("\n") == 1, messages
    assert not (tmp_path / "spm" / "spm.model").exists()


def test_a_reader_that_has_read_enough_is_no_error(toy):
    command = f"{sys.executable} -m fairseq_align.cli lexicon inspect {toy / 'lexicon.tsv'} | true"
    environment = os.environ | {"PYTHONPATH": str(REPO)}
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=environment, timeout=120)
    assert done.stderr == ""


def completed(line: str, script: str) -> list[str]:
    """What bash would offer behind a line that ends where the cursor is."""
    code = """
        source /dev/stdin <<< "$1"; words=($2); [[ $2 != *" " ]] || words+=("")
        COMP_WORDS=("${words[@]}") COMP_CWORD=$((${#words[@]} - 1))
        _shtab_fairseq_align 2> /dev/null; printf '%s\\n' "${COMPREPLY[@]}"
    """
    done = subprocess.run(["bash", "-c", code, "bash", script, line], capture_output=True, text=True, timeout=60)
    return done.stdout.split()


def test_a_shell_completes_commands_and_flags(capsys):
    pytest.importorskip("shtab", reason="waits for the extra shell: EXTRAS=shell bash install.sh")
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    assert set(completed("fairseq-align ", script)) >= {command.name for command in COMMANDS}
    assert completed("fairseq-align subw", script) == ["subword"]
    assert completed("fairseq-align subword tr", script) == ["train"]
    assert "--vocab-size" in completed("fairseq-align subword train --vo", script)
    assert completed("fairseq-align subword train --model-type un", script) == ["unigram"]


def test_completion_without_shtab_says_what_brings_it(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "zsh"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and "run EXTRAS=shell bash install.sh" in error
