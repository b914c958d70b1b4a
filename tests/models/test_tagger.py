"""Fine-tuning a tagger and scoring it, through the real commands; hostile sentences; tagging words in Python."""

import doctest
import itertools
import json
import random
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from fairseq_align.data.tagging import TaggingDataset
from fairseq_align.downstream import conllu, iob2, tagging
from fairseq_align.errors import InputError
from fairseq_align.models.tagger import RobertaTagger, Tagger, load_tagger
from tests.stress.runs import free_port
from tests.support.events import scalars

TARGET = "en-transliterate+invert"
MODEL = ["--encoder-layers", 1, "--encoder-embed-dim", 16, "--encoder-ffn-embed-dim", 32]
MODEL += ["--encoder-attention-heads", 2, "--max-positions", 96]
RUN = ["--user-dir", "fairseq_align", "--cpu", "--log-format", "json", "--num-workers", 0, "--no-epoch-checkpoints"]
RUN += ["--optimizer", "adam", "--lr", "1e-2", "--batch-size", 20, "--max-epoch", 2]
RUN += ["--required-batch-size-multiple", 1]  # with 8, the default, fairseq leaves out the last 4 of 60 sentences
# two ranks share three batches of validation, so that one has an empty one
ABOUT = ["--objective", "align_mlm", "--derivation", "transliterate+invert"]
ENTITIES = {"NOUN": "PER", "ADJ": "PER", "VERB": "LOC"}  # of the toy language, by part of speech


def as_entities(source: Path, target: Path) -> Path:
    """An IOB2 file of a toy treebank: an adjective and its noun are one name."""
    with open(target, "w", encoding="utf-8") as file:
        for sentence in conllu.read(source):
            words, tags = conllu.words_and_tags(sentence)
            previous = None
            for word, tag in zip(words, tags, strict=True):
                kind = ENTITIES.get(tag)
                file.write(f"{word}\t" + (f"{'I' if kind == previous else 'B'}-{kind}\n" if kind else "O\n"))
                previous = kind
            file.write("\n")
    return target


def same_words(found: list[str], words: list[str]) -> bool:
    """Whether words are spelt as they were, but for characters out of vocabulary."""
    spelt = (re.escape(word).replace("<unk>", ".+") for word in found)
    return len(found) == len(words) and all(map(re.fullmatch, spelt, words))


@pytest.fixture(scope="module")
def ner(toy, run, tmp_path_factory) -> Path:
    """Folder with ``ner-bin`` of two languages, ``checkpoint_best.pt`` of a tagger (two ranks), and its ``log``."""
    work = tmp_path_factory.mktemp("ner")
    flags = ["--model", toy / "spm" / "spm.model", "--dict", toy / "spm" / "dict.txt", "--lang", "en"]
    for split in ("train", "valid", "test"):
        flags += [f"--{split}", as_entities(toy / "toy" / f"{split}.conllu", work / f"{split}.iob2")]
    run(["python", "preprocess/tagging.py", "--task", "ner", *flags, "--out", work / "ner-bin"])
    like = ["--like", toy / "data-bin" / TARGET / "derivation.json"]
    run(["python", "preprocess/derive.py", work / "ner-bin" / "en", work / "ner-bin" / TARGET, *like])
    command = ["fairseq-train", work / "ner-bin", *RUN, *MODEL, "--task", "sequence_tagging", "--lang", "en"]
    command += ["--criterion", "sequence_tagging", "--arch", "roberta_tagger", "--save-dir", work]
    command += ["--best-checkpoint-metric", "f1", "--maximize-best-checkpoint-metric"]
    command += ["--tensorboard-logdir", work / "events"]
    address = f"tcp://127.0.0.1:{free_port()}"
    command += ["--distributed-world-size", 2, "--distributed-backend", "gloo", "--distributed-no-spawn"]
    command += ["--ddp-backend", "legacy_ddp", "--distributed-init-method", address, "--distributed-rank"]
    with ThreadPoolExecutor(2) as both:
        done, _ = both.map(lambda rank: run([*command, rank]), (0, 1))
    (work / "log").write_text(done.stdout + done.stderr)
    return work


def evaluated(run, ner, subset: str, *flags) -> dict[tuple, dict]:
    results = ner / "results.jsonl"
    results.unlink(missing_ok=True)
    command = ["fairseq-align", "evaluate", ner / "checkpoint_best.pt", ner / "ner-bin", "--subset", subset]
    run([*command, *ABOUT, "--results", results, *flags])
    records = [json.loads(line) for line in results.read_text().splitlines()]
    return {(record["lang"], record["metric"]): record for record in records}


def test_tensorboard_shows_the_metrics_of_validation(ner):
    assert scalars(ner / "events")["valid"] >= {"loss", "accuracy", "f1"}


def test_entities_are_learnt_scored_by_language_and_written_back(ner, run):
    found = evaluated(run, ner, f"valid_en,valid_{TARGET}", "--predictions", ner / "predictions")
    assert {record["task"] for record in found.values()} == {"ner"}
    assert found["en", "f1"]["value"] > 0.3 and found["en", "accuracy"]["n"] > found["en", "f1"]["n"]
    # no sentence is longer than the model's positions, so that validation, on two ranks, counted whole sentences
    log = re.findall(r'\| valid \| (\{.*"valid_f1".*\})', (ner / "log").read_text())
    assert max(float(json.loads(line)["valid_f1"]) for line in log) == pytest.approx(
        100 * found["en", "f1"]["value"], abs=0.006
    )
    for lang in ("en", TARGET):
        written = ner / "predictions" / f"{lang}.valid.iob2"
        rows = [line.split("\t") for line in written.read_text().splitlines() if line]
        right = sum(row[1] == row[2] for row in rows) / len(rows)
        assert right == pytest.approx(found[lang, "accuracy"]["value"])
    source = list(iob2.read(ner / "valid.iob2", ("LOC", "ORG", "PER")))
    blocks = (ner / "predictions" / "en.valid.iob2").read_text().strip().split("\n\n")
    assert [[row.split("\t")[1] for row in block.split("\n")] for block in blocks] == [tags for _, tags in source]
    written = [row.split("\t")[0] for block in blocks for row in block.split("\n")]
    assert same_words(written, [word for words, _ in source for word in words])


@pytest.fixture(scope="module")
def tagger(ner, toy) -> Tagger:
    return RobertaTagger.from_pretrained(
        str(ner), "checkpoint_best.pt", str(ner / "ner-bin"), toy / "spm" / "spm.model"
    )


@pytest.fixture(scope="module")
def words(ner) -> list[str]:
    return [word for sentence, _ in iob2.read(ner / "test.iob2", ("LOC", "ORG", "PER")) for word in sentence]


def test_three_thousand_words_are_all_tagged(tagger, words):
    long = list(itertools.islice(itertools.cycle(words), 3000))
    assert tagger.task.max_positions() == 96  # those of the model, not the 512 of --tokens-per-sample
    assert len(tagger.tag(long)) == 3000
    assert set(tagger.tag(long)) <= {"O", "B-LOC", "I-LOC", "B-ORG", "I-ORG", "B-PER", "I-PER"}


def test_no_words_no_pieces_and_one_endless_word(tagger):
    assert tagger.tag([]) == []
    assert len(tagger.tag(["\u200b"])) == 1 and len(tagger.tag(["\u200b", "x" * 3000, ""])) == 3
    with pytest.raises(InputError, match="found the text 'a b', expected a list of words"):
        tagger.tag("a b")


def test_python_and_evaluate_agree(tagger, ner, run):
    """Also on a sentence that is cut, where neither may see what the other does not."""
    test = list(iob2.read(ner / "test.iob2", ("LOC", "ORG", "PER")))[:20]
    longest = [(sum((words for words, _ in test), []), sum((tags for _, tags in test), []))]
    data = ner / "ner-bin" / "xx"
    processor, dictionary = tagger.processor, tagger.task.source_dictionary
    tagging.binarize(test + longest, data / "test", processor, dictionary, tagger.task.label_dictionary)
    evaluated(run, ner, "test_xx", "--predictions", ner / "predictions")
    blocks = (ner / "predictions" / "xx.test.iob2").read_text().strip().split("\n\n")
    assert [[row.split("\t")[2] for row in block.split("\n")] for block in blocks] == [
        tagger.tag(words) for words, _ in test + longest
    ]


def test_the_docstrings_run(ner, toy, tmp_path, monkeypatch):
    (tmp_path / "checkpoints" / "pos").mkdir(parents=True)
    shutil.copy(ner / "checkpoint_best.pt", tmp_path / "checkpoints" / "pos" / "model.pt")
    (tmp_path / "pos-bin").symlink_to(ner / "ner-bin")
    (tmp_path / "spm").symlink_to(toy / "spm")
    monkeypatch.chdir(tmp_path)
    for documented, lines in ((RobertaTagger.from_pretrained, 4), (load_tagger, 3)):
        (example,) = doctest.DocTestFinder().find(documented, globs={"load_tagger": load_tagger})
        assert doctest.DocTestRunner().run(example) == doctest.TestResults(failed=0, attempted=lines)
    with pytest.raises(InputError, match="none.pt: found no file, expected a checkpoint"):
        load_tagger("checkpoints/pos/none.pt")


def test_a_folder_with_everything_needs_no_other_path(ner, toy, tagger, tmp_path):
    shutil.copy(ner / "checkpoint_best.pt", tmp_path / "model.pt")
    for name in ("dict.txt", "label"):
        (tmp_path / name).symlink_to(ner / "ner-bin" / name)
    (tmp_path / "spm.model").symlink_to(toy / "spm" / "spm.model")
    words = ["zu", "mo", "ba"]
    assert load_tagger(tmp_path / "model.pt").tag(words) == tagger.tag(words)


def test_long_sentences_lose_no_label(ner, tagger):
    """3,000 words, and words of more pieces than positions, cut and put together again."""
    task = tagger.task
    rng = random.Random(1)
    known = [word for sentence, _ in iob2.read(ner / "test.iob2", ("LOC", "ORG", "PER")) for word in sentence]
    sentences = [([rng.choice(known + ["q" * 100]) for _ in range(size)], size * ["B-PER"]) for size in (3000, 1, 95)]
    prefix = ner / "ner-bin" / "yy" / "test"
    tagging.binarize(sentences, prefix, tagger.processor, task.source_dictionary, task.label_dictionary)
    dataset = TaggingDataset(prefix, 96, task.source_dictionary, task.label_dictionary, seed=1)
    assert dataset.sizes.max() <= 96
    labelled = sum(int((dataset[index]["targets"] >= 0).sum()) for index in range(len(dataset)))
    assert labelled == 3000 + 1 + 95
    again = list(dataset.sentences(np.zeros(len(dataset.tokens), dtype=np.int64)))
    assert all(same_words(found, words) for (found, _, _), (words, _) in zip(again, sentences, strict=True))
    assert [len(reference) for _, reference, _ in again] == [3000, 1, 95]


def test_data_with_other_labels_is_refused_at_test_time(ner, toy, run):
    command = ["fairseq-align", "evaluate", ner / "checkpoint_best.pt", toy / "pos-bin", "--subset", "test_en", *ABOUT]
    done = run(command, check=False)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert re.search(r"^error: .*pos-bin/label/dict.txt: found ADJ .* expected O B-LOC .* as in fine-tuning", last)


def test_a_checkpoint_holds_its_labels_and_no_code(ner):
    state = torch.load(ner / "checkpoint_best.pt", weights_only=True)
    assert state["task_state"]["labels"][:2] == ["O", "B-LOC"]
