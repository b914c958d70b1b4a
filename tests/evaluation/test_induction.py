"""``fairseq-align induce``: by hand, against all similarities in float64, and through the real commands."""

import json
from collections import Counter

import numpy as np
import pytest
import torch

from fairseq_align import cli
from fairseq_align.data import binarized
from fairseq_align.evaluation import induction
from fairseq_align.evaluation.checkpoint import load
from fairseq_align.evaluation.induction import Answer
from fairseq_align.huggingface import architecture, fairseq_checkpoint
from fairseq_align.huggingface.architecture import Architecture, Model
from fairseq_align.lexicon import coverage, file, wordlist
from fairseq_align.lexicon import words as lexicon_words
from fairseq_align.results import records
from fairseq_align.text import subword, vocabulary
from fairseq_align.training.parts import TABLE
from tests.support.training import MODEL, OPTIMIZER, RUN, TARGET

# words of two invented languages: the spelling of ten gives their translation away, the others share nothing
ENGLISH = ["nation", "station", "animal", "central", "moment", "patient", "capital", "original", "total", "signal"]
FRENCH = [
    "nationo",
    "stationo",
    "animalo",
    "centralo",
    "momento",
    "patiento",
    "capitalo",
    "originalo",
    "totalo",
    "signalo",
]
ENGLISH += [f"{a}{b}b{c}" for a in "pqr" for b in "ei" for c in "ou"]
FRENCH += [f"{a}{b}g{c}" for a in "wzy" for b in "ua" for c in "ie"]


def answers(right: str) -> tuple[list[Answer], dict]:
    """Answers for words 4, 5, ..., the best first, right (``+``) or wrong (``-``); ``.`` has no answer."""
    gold = {(4 + number,): {(100 + number,)} for number in range(len(right))}
    given = [Answer((4 + number,), (100 + number if sign == "+" else 99,), 1 - number / 100)
             for number, sign in enumerate(right) if sign != "."]  # fmt: skip
    return given, gold


def test_precision_at_each_coverage_by_hand():
    # 20 words, 8 answers: right, right, wrong, right, then wrong. Of 5 % of the words, 1: 1/1; of 15 %, 3: 2/3;
    # of 40 %, 8: 3/8; more have no answer
    given, gold = answers("++-+----............")
    given.insert(1, Answer((999,), (100,), 0.995))  # nobody asks for it
    found = {score["band"]: score for score in induction.precision_at(given, gold) if score["metric"] == "precision"}
    expected = [1, 1, 2 / 3, 3 / 4, 3 / 5, 3 / 6, 3 / 7, 3 / 8]
    names = ["0.05", "0.1", "0.15", "0.2", "0.25", "0.3", "0.35", "0.4"]
    assert list(found) == [*(f"coverage:{name}" for name in names), None]
    assert [found[f"coverage:{name}"]["value"] for name in names] == pytest.approx(expected)
    assert [score["n"] for score in found.values()] == [1, 2, 3, 4, 5, 6, 7, 8, 8]
    assert found[None]["value"] == pytest.approx(3 / 8)
    others = [score for score in induction.precision_at(given, gold) if score["metric"] != "precision"]
    assert others[2] == {"metric": "score", "value": 0.98, "n": 3, "band": "coverage:0.15"}
    assert others[-1] == {"metric": "coverage", "value": 8 / 20, "n": 20, "band": None}


def test_without_answers_there_is_a_coverage_alone():
    assert list(induction.precision_at(*answers("...."))) == [{"metric": "coverage", "value": 0, "n": 4, "band": None}]


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """Text of two languages and a checkpoint of random weights, and a lexicon."""
    folder = tmp_path_factory.mktemp("induction")
    rng = np.random.default_rng(1)
    texts = {}
    for lang, words in (("en", ENGLISH), ("fr", FRENCH)):
        draws = [rng.permutation(words)[:9].tolist() + [words[i % len(words)], ".", "12"] for i in range(300)]
        texts[lang] = [" ".join(sentence) for sentence in draws]
        (folder / f"{lang}.txt").write_text("\n".join(texts[lang]) + "\n", encoding="utf-8")
    cli_run("subword", "train", "--input", folder / "en.txt", folder / "fr.txt", "--vocab-size", 48, "--out", folder)
    processor, dictionary = subword.load(folder / "spm.model"), vocabulary.load(folder / "dict.txt")
    for lang in texts:
        ids = [[*map(dictionary.index, processor.encode(text, out_type=str)), dictionary.eos()] for text in texts[lang]]
        with binarized.writer(folder / lang / "train", len(dictionary)) as out:
            out.add(np.concatenate(ids), np.array(list(map(len, ids))))

    def pieces(word: str) -> tuple[str, ...]:
        return tuple(processor.encode(word, out_type=str))

    pairs = [file.Entry(pieces(one), pieces(other)) for one, other in zip(ENGLISH, FRENCH, strict=True)]
    assert max(len(entry.source) for entry in pairs) > 1
    file.write(folder / "heldout.tsv", pairs, dictionary)
    size = Architecture("masked_lm", len(dictionary) + 1, 1, dim=16, ffn_dim=16, heads=2, positions=12)
    torch.manual_seed(1)
    tensors = {name: torch.randn(shape) for name, shape in architecture.shapes(size).items()}
    torch.save(fairseq_checkpoint.to_checkpoint(Model(size, tensors), str(folder)), folder / "model.pt")
    return folder


def cli_run(*words) -> int:
    return cli.main(list(map(str, words)))


def induce(work, out, *flags) -> int:
    about = ["--lang", "fr", "--source-lang", "en", "--objective", "mlm"]
    return cli_run("induce", work / "model.pt", work, "--out", out, *about, *flags)


def expected_pairs(work, csls: bool, both_ways: bool) -> dict[tuple[str, str], float]:
    """Pairs of all whole words by similarities in float64, one after the other."""
    dictionary = vocabulary.load(work / "dict.txt")
    table = torch.load(work / "model.pt", weights_only=False)["model"][TABLE].double().numpy()
    sides = []
    for lang in ("en", "fr"):
        text = " ".join(dictionary[piece] for piece in binarized.read(work / lang / "train").tokens)
        words = Counter(text.replace("</s>", "").replace(" \u2581", "\n\u2581").split("\n"))
        sides.append([word.split() for word in words if any(map(str.isalpha, word))])
    vectors = [[table[[dictionary.index(piece) for piece in word]].mean(0) for word in side] for side in sides]
    cosines = np.array([[x @ y / np.sqrt(x @ x * (y @ y)) for y in vectors[1]] for x in vectors[0]])
    scores = cosines
    if csls:
        means = [np.sort(cosines, axis=1)[:, -10:].mean(1), np.sort(cosines, axis=0)[-10:].mean(0)]
        scores = 2 * cosines - means[0][:, None] - means[1][None]
    nearest, back = scores.argmax(1), scores.argmax(0)
    words = [[coverage.spelling(word) for word in side] for side in sides]
    assert sorted(words[0]) == sorted(ENGLISH) and sorted(words[1]) == sorted(FRENCH)
    return {(words[0][i], words[1][j]): scores[i, j] for i, j in enumerate(nearest)
            if scores[i, j] > 0 and (not both_ways or back[j] == i)}  # fmt: skip


@pytest.mark.parametrize("csls", [True, False], ids=["CSLS", "cosine"])
@pytest.mark.parametrize("both_ways", [True, False], ids=["both ways", "one way"])
def test_the_dictionary_has_the_words_that_are_nearest_in_float64(work, tmp_path, csls, both_ways, capsys):
    flags = ["--similarity", "csls" if csls else "cosine", *([] if both_ways else ["--one-way"]), "--block", 7]
    assert induce(work, tmp_path / "induced.txt", *flags) == 0
    found = list(wordlist.read(tmp_path / "induced.txt"))
    expected = expected_pairs(work, csls, both_ways)
    assert {pair[:2]: pair.weight for pair in found} == pytest.approx(expected, abs=1e-5) and len(
        found
    ) > 5  # six digits
    weights = [pair.weight for pair in found]
    assert weights == sorted(weights, reverse=True)
    shown = (
        f"induced.txt: {len(found)} pairs of 22 en and 22 fr words, scores from {weights[0]:.3f} to {weights[-1]:.3f}"
    )
    assert shown in capsys.readouterr().out
    assert induce(work, tmp_path / "top.txt", *flags, "--top", 3, "--min-score", f"{weights[1]:.4f}") == 0
    best = [pair for pair in found if pair.weight > float(f"{weights[1]:.4f}")][:3]
    assert list(wordlist.read(tmp_path / "top.txt")) == best


def test_a_word_and_itself_are_no_pair(work):
    checkpoint = load(work / "model.pt", work)
    induced = induction.induce(checkpoint, ("en", "en"), both_ways=False)
    assert len(induced.words[0]) == 22 and not induced.answers
    gold = {word: {word} for word in induced.words[0]}
    assert not induction.spelling_answers(induced, gold, checkpoint.dictionary, both_ways=False)


def test_what_was_induced_comes_back_through_the_command_lexicon(work, tmp_path, capsys):
    """The words are spelt as the SentencePiece model cuts them again."""
    assert induce(work, tmp_path / "induced.txt") == 0
    made = ["--model", work / "spm.model", "--dict", work / "dict.txt", "--out", tmp_path / "induced.tsv"]
    assert cli_run("lexicon", "words", tmp_path / "induced.txt", *made) == 0
    dictionary = vocabulary.load(work / "dict.txt")
    induced = induction.induce(load(work / "model.pt", work), ("en", "fr"))
    pairs = lexicon_words.load(tmp_path / "induced.tsv", dictionary)
    kept = [answer for answer in induced.answers if answer.score > 0]
    found = zip(pairs.source.tuples(), pairs.target.tuples(), strict=True)
    assert list(found) == [(answer.source, answer.target) for answer in kept]
    assert pairs.weights.tolist() == pytest.approx([answer.score for answer in kept], rel=1e-5)


def test_scores_stand_beside_spelling_and_chance(work, tmp_path, capsys):
    path = tmp_path / "results.jsonl"
    files = ["--heldout-lexicon", work / "heldout.tsv", "--results", path]
    assert induce(work, tmp_path / "induced.txt", *files) == 0
    read = {(record["metric"], record.get("band")): record for record in records.read(path)}
    printed = capsys.readouterr().out.splitlines()
    assert printed[-len(read) :] == [records.signature(record) for record in read.values()]
    right = {*zip(ENGLISH, FRENCH, strict=True)}
    found = [pair[:2] for pair in wordlist.read(tmp_path / "induced.txt")]
    answered = induction.induce(load(work / "model.pt", work), ("en", "fr")).answers
    assert read["coverage", None]["value"] == len(answered) / 22 and read["coverage", None]["n"] == 22
    taken = read["precision", "coverage:0.2"]
    assert taken["n"] == 4 and taken["value"] == len(right.intersection(found[:4])) / 4
    assert read["score", "coverage:0.2"]["value"] == pytest.approx(answered[3].score)
    assert read["chance", None]["value"] == pytest.approx(1 / 22)  # each has one translation among 22 words
    # ten of 22 words are nearest to their translations in spelling; what shares no pair of characters has no answer
    assert read["spelling_precision", "coverage:0.45"]["value"] == 1
    assert {read[key]["lexicon"] for key in read} == {records.checksum(work / "heldout.tsv")}
    assert {read[key]["split"] for key in read} == {"heldout"} and {read[key]["oov"] for key in read} == {0}
    assert {read[key]["similarity"] for key in read} == {"csls"} and not any("pairing" in read[key] for key in read)
    assert induce(work, tmp_path / "other.txt", *files, "--similarity", "cosine", "--one-way") == 0
    others = records.read(path)[len(read) :]
    assert {(record["similarity"], record["pairing"]) for record in others} == {("cosine", "one-way")}
    assert len(records.latest(records.read(path))) == len(read) + len(others)


def test_what_cannot_be_is_refused_in_one_line(work, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    dictionary = vocabulary.load(work / "dict.txt")
    with binarized.writer(work / "signs" / "train", len(dictionary)) as out:
        out.add(np.array([dictionary.index("\u2581."), 2]), np.array([2]))
    for flags, message in (
        (["--words", 0], "--words: found 0, expected a number of at least 1"),
        (["--min-score", -1], "--min-score: found -1, expected a number from 0 to 4"),
        (["--min-score", 3.5], "expected higher ones than 3.5; lower it"),
        (["--results", tmp_path / "r.jsonl"], "found --results without pairs to score; name --heldout-lexicon"),
        (["--heldout-lexicon", tmp_path / "none.tsv"], "none.tsv: found No such file"),
        (["--lang", "de"], "de/train.idx: found no binarized data"),
        (["--lang", "signs"], "signs/train.bin: found no whole word, expected a text"),
        (["--layer", 2], "found 2, expected embeddings or a number from 0 to 1"),
    ):
        assert induce(work, tmp_path / "out.txt", *flags) == 1
        (line,) = [line for line in capsys.readouterr().err.strip().splitlines() if line.startswith("error: ")]
        assert message in line and not (tmp_path / "out.txt").exists() and not (tmp_path / "r.jsonl").exists()
    assert cli_run("induce", tmp_path / "none.pt", work, "--out", tmp_path / "out.txt") == 1
    assert "none.pt: found No such file" in capsys.readouterr().err


def test_the_real_command_finds_what_training_has_aligned(run, toy, tmp_path):
    """The pairs of the lexicon, asked for as if they were held out; the report draws the scores alone."""
    train = ["fairseq-train", toy / "data-bin", "--user-dir", "fairseq_align", "--task", "align_mlm"]
    train += [
        "--langs",
        f"en,{TARGET}",
        "--criterion",
        "align_mlm",
        "--arch",
        "roberta_base",
        "--batch-size",
        8,
        *MODEL,
    ]
    train += [*OPTIMIZER, *RUN, "--lexicon", toy / "lexicon.tsv", "--heldout-lexicon", toy / "lexicon.heldout.tsv"]
    run([*train, "--max-update", 30, "--save-dir", tmp_path / "model"])
    path = tmp_path / "results.jsonl"
    command = [
        "fairseq-align",
        "induce",
        tmp_path / "model" / "checkpoint_last.pt",
        toy / "data-bin",
        "--results",
        path,
    ]
    command += ["--heldout-lexicon", toy / "lexicon.tsv", "--out", tmp_path / "induced.txt"]
    done = run(command)  # languages and objective are those of the training
    read = [json.loads(line) for line in path.read_text().splitlines()]
    values = {(record["metric"], record.get("band")): record["value"] for record in read}
    assert {record["lang"] for record in read} == {TARGET} and {record["objective"] for record in read} == {"align_mlm"}
    assert values["precision", None] > 5 * values["chance", None] and values["coverage", None] > 0.1
    assert not any(metric.startswith("spelling") for metric, _ in values)  # the derived script shares no character
    first, *_ = (tmp_path / "induced.txt").read_text(encoding="utf-8").splitlines()
    source, target, score = first.split("\t")
    assert target == f"{source}~" and 0 < float(score) < 4 and "induced.txt: " in done.stdout
    run(["fairseq-align", "report", path, "--out", tmp_path / "report"])
    text = (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
    assert "## Induced dictionary" in text and "![Precision of induced dictionaries](induction.png)" in text
    assert (tmp_path / "report" / "induction.png").stat().st_size > 5000
