"""Questions of a whole update to the GPU: what is known on the processor is not asked, and changes nothing."""

import re
from collections import Counter

import numpy as np
import pytest
import torch

from benchmarks.common.corpora import dictionary_of, write_lexicon
from benchmarks.common.trainers import trainer
from fairseq_align.data import binarized
from tests.support.training import MODEL
from tests.support.waits import Waits

PIECES, SENTENCES = 400, 60
OURS = "--arch roberta --task align_mlm --langs en,fr --criterion align_mlm --clip-norm 1.0 --log-format none --lr 1e-3"
OURS += " --cpu --optimizer adamw"
CHUNKS = "--logits-chunk 64"
CONFIGURATIONS = {
    "plain": "",
    "weight 0": "--align-weight 0",
    "chunks": CHUNKS,
    "drawn pairs": f"{CHUNKS} --align-pairs 32",
    "drawn by weights": f"{CHUNKS} --align-pairs 32 --align-sampling weights",
    "squared distance": f"{CHUNKS} --align-pairs 32 --align-loss l2",
    "contrastive": f"{CHUNKS} --align-loss contrastive",
    "contrastive, drawn": f"{CHUNKS} --align-loss contrastive --align-pairs 32",
    "characters": f"{CHUNKS} --align-characters 500 --align-pairs 32",
    "hard negatives": f"{CHUNKS} --align-loss contrastive --align-pairs 32 --hard-negatives 3",
    "TLM": f"{CHUNKS} --sample-break-mode eos --tlm-pairs en:fr --tlm-rate 1",
    "TLM, packed": f"{CHUNKS} --tlm-pairs en:fr --tlm-rate 1 --tlm-pack --tlm-restart-positions",
    "DICT-MLM": f"{CHUNKS} --dict-mlm en:fr:LEXICON",
}
# What is there already when it is asked for: a constant; the norm of the gradients, which comes to the processor at
# once; and the figures of the log, which come along. The scale of the loss is asked for only where it is on a CPU.
AT_HAND = Counter(
    {
        "fairseq/models/transformer/transformer_encoder.py:forward_scriptable": 1,
        "fairseq/trainer.py:train_step": 1,
        "fairseq/trainer.py:_reduce_and_log_stats": 1,
    }
)
METERS = "fairseq/logging/meters.py:safe_round"
SCALE = "fairseq_align/criterions/chunked_cross_entropy.py:backward"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    dictionary = dictionary_of(PIECES)
    dictionary.save(str(folder / "dict.txt"))
    rng = np.random.default_rng(1)
    for lang in ("en", "fr"):
        with binarized.writer(folder / lang / "train", len(dictionary)) as out:
            sizes = rng.integers(5, 25, SENTENCES)
            ids = rng.integers(4, len(dictionary), sizes.sum())
            ids[np.cumsum(sizes) - 1] = dictionary.eos()
            out.add(ids, sizes)
    torch.manual_seed(1)
    write_lexicon(folder / "lexicon.tsv", PIECES, 100)
    inner = [piece for piece in dictionary.symbols if piece.startswith("p")]
    rows = [line.split("\t") for line in (folder / "lexicon.tsv").read_text(encoding="utf-8").splitlines()]
    longer = (f"{source} {inner[number]}\t{target}" for number, (source, target) in enumerate(rows[:20]))
    lines = [*longer, *("\t".join(row) for row in rows[20:])]
    (folder / "lexicon.tsv").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return folder


@pytest.fixture
def made(data):
    """A trainer with the flags, and two batches of its training data: the longest items, and one of all lengths."""

    def made(flags: str):
        lexicon = str(data / "lexicon.tsv")
        words = [*map(str, MODEL), *OURS.split(), "--lexicon", lexicon, *flags.replace("LEXICON", lexicon).split()]
        torch.manual_seed(1)
        found = trainer(data, words)
        found.task.load_dataset("train")
        dataset = found.task.dataset("train")
        order = dataset.ordered_indices()[::-1]
        chosen = order[:8], order[np.linspace(0, len(order) - 1, 8, dtype=int)]
        return found, [dataset.collater([dataset[row] for row in rows]) for rows in chosen]

    return made


def asked(found, batches) -> Counter:
    """Questions of the second update, by function."""
    found.train_step([batches[0]])
    with Waits() as waits:
        found.train_step([batches[1]])
    asked = Counter()
    for line, count in waits.found.items():
        asked[re.sub(r":\d+$", "", line)] += count
    return asked


@pytest.mark.parametrize("flags", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_an_update_asks_for_what_is_at_hand_alone(made, flags):
    questions = asked(*made(flags))
    assert questions.pop(METERS) == 5  # loss, mlm_loss, align_loss, align_cos and gnorm
    assert questions == AT_HAND + Counter({SCALE: 1} if CHUNKS in flags else {})


def test_a_batch_of_another_dataset_is_asked_what_it_does_not_say(made):
    found, batches = made(CHUNKS)
    for batch in batches:
        del batch["predicted"], batch["padded"]
    questions = asked(found, batches)
    assert questions["fairseq_align/criterions/align_mlm.py:_predicted"] == 1
    assert questions["fairseq_align/training/waits.py:ask_once"] == 1


def losses_and_gradients(found, batch: dict) -> tuple:
    torch.manual_seed(2)  # of dropout
    found.zero_grad()
    loss, size, log = found.task.train_step(batch, found.model, found.criterion, found.optimizer, 0)
    gradients = {name: parameter.grad.clone() for name, parameter in found.model.named_parameters()}
    return loss.item(), int(size), {name: float(value) for name, value in log.items()}, gradients


def without_words(batch: dict) -> dict:
    """The batch with nothing to predict."""
    return batch | {"target": torch.full_like(batch["target"], 1), "predicted": torch.empty(0, dtype=torch.int64)}


@pytest.mark.parametrize("name", ["plain", "weight 0", "TLM", "TLM, packed", "DICT-MLM"])
def test_positions_of_the_batch_equal_the_mask_of_masked_lm_to_the_bit(made, name):
    """The old way is what --find-unused-parameters still takes."""
    flags = CONFIGURATIONS[name].replace(CHUNKS, "")
    (new, batches), (old, _) = made(flags), made(f"{flags} --find-unused-parameters")
    for batch in [*batches, without_words(batches[0])]:
        found, expected = losses_and_gradients(new, batch), losses_and_gradients(old, batch)
        assert found[:3] == expected[:3]
        assert all(torch.equal(found[3][name], gradient) for name, gradient in expected[3].items())


@pytest.mark.parametrize("flags", ["", f"{CHUNKS} --autocast bf16"])
def test_what_a_batch_says_changes_nothing(made, flags):
    found, batches = made(flags)
    assert {batch["padded"] for batch in batches} == {False, True}
    for batch in batches:
        foreign = {name: value for name, value in batch.items() if name not in ("predicted", "padded")}
        told, asked = losses_and_gradients(found, batch), losses_and_gradients(found, foreign)
        assert told[:3] == asked[:3]
        assert all(torch.equal(told[3][name], gradient) for name, gradient in asked[3].items())


def test_chunks_have_the_loss_and_gradients_of_the_mask(made):
    (new, batches), (old, _) = made(CHUNKS), made("--find-unused-parameters")
    for batch in batches:
        found, expected = losses_and_gradients(new, batch), losses_and_gradients(old, batch)
        assert found[0] == pytest.approx(expected[0], rel=1e-6)
        least = 1e-3 * torch.stack([gradient.norm() for gradient in expected[3].values()]).norm()
        for name, gradient in expected[3].items():  # biases of keys have a gradient of 0 but for rounding
            assert (found[3][name] - gradient).norm() <= 1e-5 * gradient.norm().clamp_min(least), name
