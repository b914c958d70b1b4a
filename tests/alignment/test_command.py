"""``fairseq-align align``: a checkpoint with another table, which can be trained on and scored."""

import re

import numpy as np
import pytest
import torch

from fairseq_align import cli
from fairseq_align.alignment import checkpoint as alignment
from fairseq_align.data import binarized
from fairseq_align.embeddings.alignment_loss import LOSSES
from fairseq_align.huggingface import architecture, fairseq_checkpoint
from fairseq_align.huggingface.architecture import Architecture, Model
from fairseq_align.lexicon import file as lexicon
from fairseq_align.text import vocabulary
from fairseq_align.training.checkpoints import register_safe_classes
from fairseq_align.training.parts import TABLE

PIECES = [f"\u2581{chr(97 + number)}" for number in range(20)]


@pytest.fixture
def work(tmp_path):
    """A checkpoint of random weights, text of two languages that share no piece, and a lexicon."""
    dictionary = vocabulary.of_symbols(PIECES)
    vocabulary.save(dictionary, tmp_path / "dict.txt")
    entries = [lexicon.Entry((PIECES[i],), (PIECES[i + 10],)) for i in range(6)]
    lexicon.write(tmp_path / "en-fr.tsv", entries, dictionary)
    for lang, first in (("en", 4), ("fr", 14)):
        (tmp_path / lang).mkdir()
        with binarized.writer(tmp_path / lang / "train", len(dictionary)) as out:
            out.add(np.array([*range(first, first + 10), dictionary.eos()]), np.array([11]))
    size = Architecture("masked_lm", 25, 1, dim=8, ffn_dim=8, heads=2, positions=12)
    torch.manual_seed(1)
    model = Model(size, {name: torch.randn(shape) for name, shape in architecture.shapes(size).items()})
    torch.save(fairseq_checkpoint.to_checkpoint(model, str(tmp_path)), tmp_path / "model.pt")
    return tmp_path


def state(path):
    register_safe_classes()
    return torch.load(path, weights_only=True)


def run(work, *flags, out="out.pt", name="model.pt") -> int:
    words = ["align", work / name, work, work / out, "--lexicon", work / "en-fr.tsv", *flags]
    return cli.main([str(word) for word in words])


def test_a_checkpoint_keeps_all_but_its_table(work, capsys):
    assert run(work, "--updates", 5) == 0
    shown = capsys.readouterr().out
    assert re.search(r"out.pt: 12 rows changed by [\d.]+% of the table's length, loss .* 5 updates in \d+ s", shown)
    before, after = state(work / "model.pt"), state(work / "out.pt")
    changed = {name for name in before["model"] if not torch.equal(before["model"][name], after["model"][name])}
    assert changed == {TABLE, alignment.OUTPUT} and torch.equal(after["model"][TABLE], after["model"][alignment.OUTPUT])
    (record,) = after["extra_state"]["aligned"]
    assert record["updates"] == 5 and record["lexicon"] == "en-fr.tsv" and record["align_loss"] == "contrastive"
    assert run(work, "--updates", 5, out="again.pt") == 0  # the same seed, the same bits
    assert torch.equal(state(work / "again.pt")["model"][TABLE], after["model"][TABLE])
    assert run(work, "--align-loss", "cosine", name="out.pt", out="twice.pt") == 0
    assert len(state(work / "twice.pt")["extra_state"]["aligned"]) == 2


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_of_training_aligns_a_table_alone(work, loss, capsys):
    assert run(work, "--align-loss", loss, "--updates", 20) == 0
    first, last = map(float, re.search(r"loss (-?[\d.]+) to (-?[\d.]+)", capsys.readouterr().out).groups())
    assert last < first


def test_every_loss_of_training_is_named(capsys):
    with pytest.raises(SystemExit):
        cli.main(["align", "--help"])
    assert f"as of fairseq-train: {', '.join(LOSSES)} (default" in " ".join(capsys.readouterr().out.split())


def test_an_orthogonal_start_turns_the_rows_of_a_language(work):
    assert run(work, "--updates", 0, "--start", "en,fr") == 0
    before, after = (state(work / name)["model"][TABLE] for name in ("model.pt", "out.pt"))
    rows = (before != after).any(dim=1).nonzero().flatten()
    assert rows.tolist() == list(range(14, 24))
    assert torch.allclose(before[rows] @ before[rows].T, after[rows] @ after[rows].T, atol=1e-4)
    product = (torch.nn.functional.normalize(before[14:20]).T @ torch.nn.functional.normalize(before[4:10])).double()
    left, _, right = torch.linalg.svd(product)
    assert torch.allclose((before[rows] @ (left @ right).float() - after[rows]).abs().max(), torch.zeros(()), atol=1e-4)


def changed(before: torch.Tensor, after: torch.Tensor) -> list[int]:
    return (before != after).any(dim=1).nonzero().flatten().tolist()


def test_a_start_from_the_lexicon_gives_rows_of_translations_to_the_pieces_that_it_has(work):
    assert run(work, "--updates", 0, "--start", "lexicon:en,fr") == 0
    before, after = (state(work / name)["model"][TABLE] for name in ("model.pt", "out.pt"))
    assert changed(before, after) == list(range(14, 20))  # six pairs; the others of French stay
    assert torch.equal(after[14:20], before[4:10])
    (record,) = state(work / "out.pt")["extra_state"]["aligned"]
    assert record["start"] == "lexicon en,fr" and record["updates"] == 0


def write_vectors(path, words: list[str], vectors: torch.Tensor) -> None:
    lines = [" ".join([word, *map(repr, vector)]) for word, vector in zip(words, vectors.tolist(), strict=True)]
    path.write_text("\n".join([f"{len(words)} {vectors.shape[1]}", *lines]) + "\n", encoding="utf-8")


def test_a_start_from_word_vectors_turns_them_into_the_space_of_the_source_language(work):
    """The file has the table's own vectors of the translations, turned and twice as long, and words nobody asks for."""
    before = state(work / "model.pt")["model"][TABLE]
    turn = torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(1)))[0]
    words = [piece.removeprefix("\u2581") for piece in PIECES[10:]]
    write_vectors(work / "fr.vec", ["more", *words, words[0]], 2 * torch.cat([before[3:14], torch.ones(1, 8)]) @ turn)
    assert run(work, "--updates", 0, "--start", "vectors:en,fr", "--vectors", f"fr={work / 'fr.vec'}") == 0
    after = state(work / "out.pt")["model"][TABLE]
    assert changed(before, after) == list(range(14, 24))  # pieces of the text as well that no pair has
    expected = before[4:14] * before.norm(dim=1).mean() / before[4:14].norm(dim=1).mean()
    # six pairs fix six of eight dimensions: these rows come out as the words that translate them
    assert torch.allclose(after[14:20] / after[14].norm(), expected[:6] / expected[0].norm(), atol=1e-4)
    assert after[14:24].norm(dim=1).mean().item() == pytest.approx(before.norm(dim=1).mean().item(), rel=1e-5)
    (record,) = state(work / "out.pt")["extra_state"]["aligned"]
    assert record["start"] == "vectors en,fr (fr fr.vec)"


def test_vectors_of_the_source_language_change_its_rows_first(work):
    before = state(work / "model.pt")["model"][TABLE]
    english, french = ([piece.removeprefix("\u2581") for piece in part] for part in (PIECES[:10], PIECES[10:]))
    random = torch.randn(10, 5, generator=torch.Generator().manual_seed(2))
    write_vectors(work / "en.vec", english, random)
    write_vectors(work / "fr.vec", french, random)  # of the same space
    files = f"en={work / 'en.vec'},fr={work / 'fr.vec'}"
    assert run(work, "--updates", 0, "--start", "vectors:en,fr", "--vectors", files) == 0
    after = state(work / "out.pt")["model"][TABLE]
    assert changed(before, after) == list(range(4, 24))
    cosines = [torch.nn.functional.normalize(after[rows]) for rows in (slice(4, 14), slice(14, 24))]
    given = torch.nn.functional.normalize(random)
    assert torch.allclose(cosines[0] @ cosines[0].T, given @ given.T, atol=1e-4)  # the geometry of the file
    assert torch.allclose(cosines[0], cosines[1], atol=1e-4)  # six pairs fix all five dimensions
    assert run(work, "--updates", 0, "--start", "vectors:en,fr", "--vectors", f"en={work / 'en.vec'}", out="en.pt") == 0
    assert changed(before, state(work / "en.pt")["model"][TABLE]) == list(range(4, 14))


def test_what_cannot_be_is_refused_in_one_line(work, capsys):
    vocabulary.save(vocabulary.of_symbols(PIECES[:-1]), work / "other" / "dict.txt")
    torch.save({"model": {}}, work / "empty.pt")
    (work / "bad.vec").write_text("a 1 2\nb 1\n")
    (work / "far.vec").write_text("maison 1 2\n")
    for flags, message in (
        (["--updates", 0], "found --updates 0 without --start"),
        (["--lr", 0], "--lr: found 0, expected a number from 1e-06 to 10"),
        (["--align-pairs", -1], "--align-pairs: found -1, expected a number of at least 0"),
        (["--align-loss", "l1"], "found --align-loss l1, expected one of cosine, l2, contrastive"),
        (["--start", "en"], "found languages  for 1 lexicons, expected one for each"),
        (["--start", "en,de"], "de/train.idx: found no binarized data"),
        (["--start", "mean:en,fr"], "--start: found method 'mean', expected one of orthogonal, lexicon, vectors"),
        (["--start", "vectors:en,fr"], "found --start vectors without --vectors, expected both"),
        (["--start", "en,fr", "--vectors", "fr=a"], "found --vectors with --start orthogonal, expected both"),
        (["--vectors", "fr=a"], "found --vectors without --start, expected both"),
        (
            ["--start", "vectors:en,fr", "--vectors", "de=a"],
            "--vectors: found 'de=a', expected LANG=FILE for languages",
        ),
        (["--start", "vectors:en,fr", "--vectors", "fr=none.vec"], "none.vec: found No such file or directory"),
        (
            ["--start", "vectors:en,fr", "--vectors", f"fr={work / 'bad.vec'}"],
            "bad.vec:2: found 'b 1', expected a word",
        ),
        (["--start", "vectors:en,fr", "--vectors", f"fr={work / 'far.vec'}"], "found vectors of 0 words of"),
        (["--lexicon", work / "none.tsv"], "none.tsv: found No such file"),
    ):
        assert run(work, *flags) == 1
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert line.startswith("error: ") and message in line and not (work / "out.pt").exists()
    assert run(work, name="empty.pt") == 1 and "found no encoder" in capsys.readouterr().err
    assert run(work, out="dict.txt") == 1 and "dict.txt: found something there" in capsys.readouterr().err
