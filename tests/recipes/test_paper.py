"""Every experiment of the paper starts by its command, with a tiny model and 4 updates; the preset is paper.sh."""

import gzip
import json
import re
import shlex
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from fairseq_align.data import binarized
from fairseq_align.downstream import nli
from fairseq_align.results import records as results

SPLITS = ("train", "valid", "test")
TINY = {"LAYERS": 1, "DIM": 16, "HEADS": 2, "TOKENS": 128, "BATCH": 8, "UPDATES": 4, "WARMUP": 1, "LR": "1e-3"}
TINY |= {"VOCABULARY": 400, "EPOCHS": 1, "EPOCHS_xnli": 1, "XNLI_TOKENS": 128, "WORKERS": 1, "DROPOUT": 0}
TINY |= {"VALIDATIONS": 1, "PRETRAIN_FLAGS": "--cpu --sample-break-mode complete", "FINETUNE_FLAGS": "--cpu"}
SYNTAX = "en-syntax+transliterate"
LABELLED, SHORT = 60, 10  # sentences of each split of named entities and pairs, and their most words
STEPS = """
import logging, runpy, shlex, sys
from fairseq import options
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq_cli.train import main
import fairseq_align

for line in open(sys.argv[1]).readlines():
    words = shlex.split(line)
    if words[0] == "fairseq-train":
        logging.getLogger("fairseq").setLevel(logging.NOTSET)  # commands of fairseq-align raise it
        args = options.parse_args_and_arch(options.get_training_parser(), words[1:])
        main(convert_namespace_to_omegaconf(args))
        continue
    sys.argv = words[1:]
    try:
        runpy.run_path(words[1], run_name="__main__")
    except SystemExit as end:
        assert not end.code, line
"""


def chain(words: list[str]) -> str:
    """CoNLL-U of some words, each of which depends on the next."""
    rows = [
        (number, word, "_", "NOUN", "_", "_", *((number + 1, "nmod") if number < len(words) else (0, "root")), "_", "_")
        for number, word in enumerate(words, 1)
    ]
    return "\n".join("\t".join(map(str, row)) for row in rows) + "\n\n"


def entity_tags(words: list[str]) -> list[str]:
    """A place of two words, if there are so many, and a person."""
    return (
        ["B-LOC", "I-LOC", *["O"] * (len(words) - 3), "B-PER"][: len(words)] if len(words) > 2 else ["O"] * len(words)
    )


def short(lines: list[str]) -> list[int]:
    """Numbers of the sentences that named entities and pairs are made of."""
    return [number for number, line in enumerate(lines) if 0 < len(line.split()) <= SHORT][:LABELLED]


@pytest.fixture(scope="module")
def paper(toy, tmp_path_factory) -> tuple[Path, dict[str, object]]:
    """Folder of the study, and its settings: the toy language, trees of all its sentences, and a "French"."""
    work = tmp_path_factory.mktemp("paper")
    for name in ("toy", "corpus", "spm", "data-bin", "pos-bin"):
        shutil.copytree(toy / name, work / name)
    settings = {**TINY, "WORK": work, "TEXT": work / "toy" / "text.txt", "SYNTAX_TREES": work / "trees"}
    settings |= {split.upper(): work / "toy" / f"{split}.conllu" for split in SPLITS} | {"FRENCH": work / "fr.conllu"}
    french = "1\ta\t_\tNOUN\t_\t_\t0\troot\t_\t_\n2\tb\t_\tNOUN\t_\t_\t1\tnmod\t_\t_\n\n"  # heads first
    verb = "1\ta\t_\tVERB\t_\t_\t0\troot\t_\t_\n2\tb\t_\tNOUN\t_\t_\t1\tobj\t_\t_\n\n"
    settings["FRENCH"].write_text(20 * (french + verb))
    (work / "trees").mkdir()
    for split in SPLITS:
        lines = (work / "corpus" / f"{split}.txt").read_text(encoding="utf-8").splitlines()
        some = [lines[number].split() for number in short(lines)]
        pairs = [*pairwise(some)]
        trees = {
            split: [line.split() for line in lines],
            f"ner.{split}": some,
            f"xnli.{split}": [side for pair in pairs for side in pair],
        }
        for name, sentences in trees.items():
            with gzip.open(work / "trees" / f"{name}.conllu.gz", "wt", encoding="utf-8", compresslevel=1) as file:
                file.writelines(map(chain, sentences))
        for task in ("ner", "xnli"):
            settings[f"{task.upper()}_{split.upper()}"] = work / f"{task}.{split}.tsv"
        settings[f"NER_{split.upper()}"].write_text(
            "\n".join(
                "".join(f"{word}\t{tag}\n" for word, tag in zip(words, entity_tags(words), strict=True))
                for words in some
            ),
            encoding="utf-8",
        )
        rows = [f"{' '.join(a)}\t{' '.join(b)}\t{nli.LABELS[i % 3]}\n" for i, (a, b) in enumerate(pairs)]
        settings[f"XNLI_{split.upper()}"].write_text("premise\thypothesis\tlabel\n" + "".join(rows), encoding="utf-8")
    return work, settings


@pytest.fixture(scope="module")
def syntax_shown(run, paper) -> str:
    """What the grid of one objective in another word order shows, from the text to the report."""
    work, settings = paper
    cell = {"EXPERIMENTS": "table", "GRID": "syntax,transliterate", "OBJECTIVES": "align_mlm"}
    return run(["bash", "examples/grid.sh", "derived", "paper"], **settings | cell).stdout


def test_another_word_order_with_all_three_tasks(paper, syntax_shown):
    """The labelled data of T+Syn are, item by item, what the text level makes of them; each task is scored."""
    work, _ = paper
    texts = work / "data-bin"
    for data in ("data-bin", "pos-bin"):
        for split in SPLITS:
            source, syntax, derived = (
                binarized.read(work / data / name / split) for name in ("en", "en-syntax", SYNTAX)
            )
            assert source.sizes.tolist() == syntax.sizes.tolist() == derived.sizes.tolist()
            assert source.tokens.tolist() != syntax.tokens.tolist()
            pieces = derived.tokens[derived.tokens > 3].astype(int) - syntax.tokens[syntax.tokens > 3]
            assert (pieces == pieces[0]).all()  # the shift of the new script
    for split in SPLITS:
        source, syntax = ((work / name / f"{split}.txt").read_text().split("\n") for name in ("corpus", "syntax"))
        assert [sorted(line.split()) for line in source] == [
            sorted(line.split()) for line in syntax
        ] and source != syntax
        chosen = short(source)
        for lang in ("en", "en-syntax", SYNTAX):
            whole = binarized.read(texts / lang / split)
            items = [whole.tokens[whole.offsets[i] : whole.offsets[i + 1]].tolist() for i in chosen]
            found, labels = binarized.read_labelled(work / "ner-bin" / lang / split)
            assert found.tokens.tolist() == [token for item in items for token in item]
            assert np.count_nonzero(labels.tokens == 5) + np.count_nonzero(labels.tokens == 7) >= LABELLED / 2
            for side in (0, 1):
                found = binarized.read(work / "xnli-bin" / f"input{side}" / f"{split}_{lang}")
                assert found.tokens.tolist() == [token for pair in pairwise(items) for token in pair[side]]
    records = results.read(work / "results.jsonl")
    scored = {(record["task"], record.get("source_lang"), record["lang"]) for record in records}
    for task in ("xnli", "ner", "pos"):  # on the source, zero-shot, and supervised
        assert {(task, "en", "en"), (task, "en", SYNTAX), (task, SYNTAX, SYNTAX)} <= scored
    assert "POS zero-shot" in syntax_shown and (work / "report" / "report.md").stat().st_size > 0


def test_every_other_experiment_starts(run, paper, syntax_shown, tmp_path):
    """Data and pre-training of the commands that the dry run prints, 4 updates each, in one process."""
    work, settings = paper
    dry = run(["bash", "examples/grid.sh", "--dry-run", "derived", "paper"], **settings | {"TASKS": ""}).stdout
    lines = dry.splitlines()
    steps = [line for line in lines if "/derive.py" in line and "data-bin/en" in line and "--like" not in line]
    steps += [line for line in lines if "/lexicon.py" in line]
    trained = [line for line in lines if line.startswith("fairseq-train ")]
    assert len(trained) == 34  # one of 35 is made already
    for line in trained:
        words = shlex.split(line)
        del words[words.index("--user-dir") : words.index("--user-dir") + 2]  # the plugin is there
        steps.append(shlex.join([*words, "--no-save", "--disable-validation", "--log-format", "json"]))
    (tmp_path / "steps").write_text("\n".join(steps) + "\n")
    (tmp_path / "run.py").write_text(STEPS)
    done = run(["python", tmp_path / "run.py", tmp_path / "steps"])
    ends = [json.loads(line) for line in re.findall(r'\{"epoch": \d+, "train_loss": .*\}', done.stdout + done.stderr)]
    assert len(ends) == len(trained) and {end["train_num_updates"] for end in ends} == {"4"}
    assert all(0 < float(end["train_mlm_loss"]) < 15 for end in ends)
