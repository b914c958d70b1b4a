"""The recipes in examples/ run, end with a report, and go on where they were stopped."""

import json
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
import torch

from fairseq_align.data import binarized
from fairseq_align.downstream import nli
from fairseq_align.results import records as results
from tests.support import processes, warm

CELLS = "mlm tlm TASKS= dict_mlm TASKS= align_mlm"  # those of derived/presets/smoke.sh; two are only pre-trained
STEPS = 4 + 2  # pre-training and POS


@pytest.fixture(scope="module")
def study(toy, tmp_path_factory) -> Path:
    """A folder for a smoke study, its data prepared already."""
    work = tmp_path_factory.mktemp("study")
    for name in ("toy", "corpus", "spm", "data-bin", "pos-bin"):
        shutil.copytree(toy / name, work / name)
    return work


def test_a_grid_that_is_killed_goes_on_and_repeats_no_finished_step(run, study):
    command = ["bash", "examples/grid.sh", "derived", "smoke"]
    nowhere = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    variables = warm.environment() | {"WORK": str(study), "OBJECTIVES": CELLS}
    with processes.started(command, env=variables, **nowhere) as first:  # killed at its first result
        while first.poll() is None and not list(study.glob("runs/*/*.jsonl")):
            time.sleep(0.2)
    finished = {path: path.stat().st_mtime_ns for path in study.glob("runs/*/*.jsonl")}
    assert 1 <= len(finished) < STEPS

    second = run(command, WORK=study, OBJECTIVES=CELLS)
    done = {path: path.stat().st_mtime_ns for path in study.glob("runs/*/*.jsonl")}
    assert len(done) == STEPS and all(done[path] == when for path, when in finished.items())

    records = results.read(study / "results.jsonl")
    by_frequency = [record for record in records if record.get("band", "").startswith("frequency:")]
    assert {record["objective"] for record in by_frequency} == {"mlm", "tlm", "dict_mlm", "align_mlm"}
    assert len(records) == len(results.latest(records))
    assert len(records) - len(by_frequency) == 4 * 44 + 2 * 15  # 4 of MLM and 40 of alignment, POS
    assert {record["objective"] for record in records} == {"mlm", "tlm", "dict_mlm", "align_mlm"}
    assert "POS zero-shot" in second.stdout and "ALIGN-MLM" in second.stdout
    for name in ("report.html", "report.md", "report.csv", "report.png", "map.png"):
        assert (study / "report" / name).stat().st_size > 0


def test_a_cell_takes_ablations_and_refuses_unknown_objectives(run, study):
    """``run.sh OBJECTIVE TRANSFORMS SETTING=VALUE...``"""
    command = [
        "bash",
        "examples/derived/run.sh",
        "align_mlm",
        "transliterate,invert",
        "RATE=1",
        "UPDATES=4",
        "TASKS=",
    ]
    command += ["LAYERS=1", "DIM=16", "HEADS=2", "TOKENS=32"]
    run(command, WORK=study)
    (cell,) = study.glob("runs/align_mlm-1-*")
    records = [json.loads(line) for path in cell.glob("*.jsonl") for line in path.read_text().splitlines()]
    assert {record["lexicon_rate"] for record in records} == {1.0}
    splits = {record["split"] for record in records if record["task"] == "alignment"}
    assert splits == {"whole", "seen", "vocabulary"}  # nothing is held out
    command[2] = "blm"
    done = run(command, check=False, WORK=study)
    assert done.returncode == 1 and "found objective blm, expected mlm, tlm, dict_mlm or align_mlm" in done.stderr


IOB2 = "ba\tB-PER\nzu\tO\n\nmo\tO\nli\tB-LOC\nka\tI-LOC\n\n"
PAIRS = "premise\thypothesis\tlabel\n" + "".join(f"ba zu\tmo {i}\t{c}\n" for i, c in enumerate(nli.LABELS))
SMALL = {"LAYERS": "1", "DIM": "16", "HEADS": "2", "TOKENS": "32", "EPOCHS": "1", "UPDATES": "1", "BATCH": "4"}
LONG = {"POSITIONS": "40", "LONG_UPDATES": "2"}  # items of 32 tokens, then of 40


def test_every_task_is_fine_tuned_on_source_and_derived_language_and_scored(run, study):
    """prepare_tasks.sh; finetune.sh by TASK, with SOURCE=<derived> for the supervised score B_S of the paper."""
    target = "en-transliterate+invert"
    files = {"NER": study / "a.iob2", "XNLI": study / "a.tsv"}
    files["NER"].write_text(IOB2)
    files["XNLI"].write_text(PAIRS)
    given = {f"{task}_{split}": str(path) for task, path in files.items() for split in ("TRAIN", "VALID", "TEST")}

    def recipe(*command, **variables):
        run(command, **SMALL | LONG | variables, WORK=study)

    recipe("bash", "examples/derived/prepare_tasks.sh", target, **given)
    lexicon = ["preprocess/lexicon.py", "derived", "--dict", study / "data-bin" / "dict.txt", "--out", study / "l.tsv"]
    recipe("python", *lexicon)
    data = {"DATA": str(study / "data-bin"), "LANGS": f"en,{target}", "LEXICON": str(study / "l.tsv"), "HELDOUT": ""}
    recipe("bash", "examples/derived/pretrain.sh", "--cpu", SAVE=str(study / "pre"), **data)
    evaluate = ["fairseq-align", "evaluate", "--objective", "align_mlm", "--results", str(study / "tasks.jsonl")]
    pretrained = str(study / "pre" / "model.pt")
    short = torch.load(study / "pre" / "short.pt", weights_only=True)["model"]
    positions = short["encoder.sentence_encoder.embed_positions.weight"][2:]  # two rows stand before the first position
    assert len(positions) == 40 and torch.equal(positions[32:], positions[:8])
    assert "num_updates 2 " in (study / "pre" / "train.log").read_text()
    updates = ["python", "examples/derived/updates.py", study / "pos-bin", "--task", "pos", "--lang", "en"]
    batches = run([*updates, "--positions", 8, "--batch", 32, "--epochs", 3]).stdout
    for task, source in (("ner", "en"), ("xnli", target)):  # all others: test_paper.py
        save, tune_data = study / f"{task}-{source}", str(study / f"{task}-bin")
        tuned = {"TASK": task, "SOURCE": source, "TUNE_DATA": tune_data, "SAVE": str(save), "MODEL": pretrained}
        recipe("bash", "examples/derived/finetune.sh", "--cpu", **tuned)
        recipe(*evaluate, str(save / "model.pt"), tune_data, "--subset", f"test_en,test_{target}")
    # long sentences are cut, so there are more items than sentences; the learning rate reaches 0 with the last of them
    tuned = {"TASK": "pos", "TUNE_DATA": str(study / "pos-bin"), "SAVE": str(study / "pos"), "MODEL": pretrained}
    recipe("bash", "examples/derived/finetune.sh", "--cpu", "--log-interval", "1", **tuned)
    inner = re.findall(r"train_inner .* num_updates=(\d+), lr=([\d.e-]+)", (study / "pos" / "train.log").read_text())
    sentences, rates = len(binarized.read(study / "pos-bin" / "en" / "train").sizes), [float(lr) for _, lr in inner]
    assert float(inner[-1][1]) == 0 and int(inner[-1][0]) >= sentences / 32 and int(batches) > 3 * sentences / 32
    assert sum(rates) == pytest.approx(5e-4 * (len(rates) - 1) / 2, rel=1e-3)
    retrieval = ["--task", "retrieval", "--layer", "0", "--subset", f"test_en,test_{target}"]
    recipe(*evaluate, pretrained, data["DATA"], *retrieval)
    records = results.read(study / "tasks.jsonl")
    assert len(records) == 3 * 2 + 2 + 2
    assert {(r["source_lang"], r["lang"]) for r in records if r["task"] == "xnli"} == {(target, "en"), (target, target)}
    forth, back = [r for r in records if r["task"] == "retrieval"]
    assert forth["layer"] == back["layer"] == 0 and back["direction"] == "backward" and forth["n"] == 300
