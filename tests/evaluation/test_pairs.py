"""Classifiers of sentence pairs are scored on every pair, and what cannot be scored is said in one line."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from fairseq import options, tasks
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq.trainer import Trainer

from fairseq_align.data import binarized
from fairseq_align.downstream import nli
from fairseq_align.errors import InputError
from fairseq_align.evaluation.checkpoint import load
from fairseq_align.evaluation.tasks import evaluate
from fairseq_align.huggingface import architecture, fairseq_checkpoint
from fairseq_align.huggingface.architecture import Architecture, Model
from fairseq_align.text import vocabulary

DICTIONARY = vocabulary.of_symbols("▁a ▁b ▁c".split())
SIZE = Architecture(
    "classifier", len(DICTIONARY) + 1, layers=1, dim=8, ffn_dim=8, heads=2, positions=16, labels=nli.LABELS
)


def classifier(folder, size: Architecture = SIZE):
    """A checkpoint of random weights and its data folder."""
    generator = torch.Generator().manual_seed(1)
    tensors = {name: torch.randn(shape, generator=generator) for name, shape in architecture.shapes(size).items()}
    torch.save(fairseq_checkpoint.to_checkpoint(Model(size, tensors), str(folder), "en"), folder / "model.pt")
    vocabulary.save(DICTIONARY, folder / "dict.txt")
    (folder / "input0").mkdir()
    (folder / "label").mkdir()
    vocabulary.save(DICTIONARY, folder / "input0" / "dict.txt")
    vocabulary.save(vocabulary.of_symbols(nli.LABELS), folder / "label" / "dict.txt")
    return folder / "model.pt"


def write_pairs(folder, subset: str, lengths: list[tuple[int, int]]) -> None:
    """Pairs of so many tokens with ``</s>``, all of class 0."""
    for side, name in enumerate(nli.INPUTS):
        with binarized.writer(folder / name / subset, len(DICTIONARY)) as out:
            for pair in lengths:
                out.add(np.array([4] * (pair[side] - 1) + [2]), np.array([pair[side]]))
    with binarized.writer(folder / "label" / subset, 7) as out:
        for _ in lengths:
            out.add(np.array([4, 2]), np.array([2]))


@pytest.mark.parametrize("count", [3, 8, 89])
def test_every_pair_is_scored_also_those_longer_than_the_model(tmp_path, count, caplog):
    checkpoint = classifier(tmp_path)
    write_pairs(tmp_path, "test_en", [(3, 4)] * (count - 2) + [(14, 9), (9, 4)])
    (score,) = evaluate(load(checkpoint, tmp_path), "test_en")
    assert score.n == count
    assert "test_en: 1 of" in caplog.text and "pairs are longer than 16 tokens and cut" in caplog.text


def test_a_pair_that_is_cut_is_scored_as_its_beginning(tmp_path):
    """Written by hand as it is cut: <s> 9 tokens </s>, and 5 of the second sentence behind its </s>."""
    path = classifier(tmp_path)
    write_pairs(tmp_path, "test_en", [(9, 12)])
    checkpoint = load(path, tmp_path)
    evaluate(checkpoint, "test_en")
    sample = checkpoint.task.dataset("test_en")[0]
    assert sample["net_input.src_tokens"].tolist() == [0, *[4] * 8, 2, 2, *[4] * 5]


def test_a_subset_that_is_not_there_is_named_with_those_that_are(tmp_path):
    path = classifier(tmp_path)
    for subset in ("test_en", "valid_fr"):
        write_pairs(tmp_path, subset, [(3, 4)])
    with pytest.raises(InputError, match=r"input0/test_de.idx: found no .*, expected one of test_en, valid_fr"):
        evaluate(load(path, tmp_path), "test_de")
    (tmp_path / "label" / "test_en.idx").unlink()
    with pytest.raises(InputError, match="label/test_en.idx: found no binarized data, expected one of valid_fr"):
        evaluate(load(path, tmp_path), "test_en")
    write_pairs(tmp_path, "empty_en", [])
    with pytest.raises(InputError, match="--subset empty_en: found no sentence pair"):
        evaluate(load(path, tmp_path), "empty_en")


def test_a_regression_is_not_scored_as_a_classifier(tmp_path):
    path = classifier(tmp_path, replace(SIZE, labels=(), regression=True))
    write_pairs(tmp_path, "test_en", [(3, 4)])
    with pytest.raises(InputError, match="model.pt: found a regression .*expected a classifier"):
        evaluate(load(path, tmp_path), "test_en")


@pytest.mark.parametrize("count", [3, 89])
def test_validation_in_training_and_on_its_own_has_every_item(tmp_path, count):
    """fairseq's own has 88 of 89, and none of 3."""
    classifier(tmp_path)
    write_pairs(tmp_path, "train_en", [(3, 4)] * 8)
    write_pairs(tmp_path, "valid_en", [(3, 4)] * count)
    flags = fairseq_checkpoint.flags(replace(SIZE, positions=16), str(tmp_path), "en")
    flags += ["--cpu", "--batch-size", "8", "--lr", "0.1", "--optimizer", "sgd"]
    cfg = convert_namespace_to_omegaconf(options.parse_args_and_arch(options.get_training_parser(), flags))
    task = tasks.setup_task(cfg.task)
    trainer = Trainer(cfg, task, task.build_model(cfg.model), task.build_criterion(cfg.criterion))
    task.load_dataset("valid_en")
    batches = trainer.get_valid_iterator("valid_en").next_epoch_itr(shuffle=False)
    assert Counter(item for batch in batches for item in batch["id"].tolist()) == Counter(range(count))
    assert cfg.dataset.required_batch_size_multiple == 8  # training goes on as before
    parsed = options.get_validation_parser().parse_args(["--path", "x"])
    assert parsed.required_batch_size_multiple == 1
