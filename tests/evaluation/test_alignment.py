"""The command ``fairseq-align alignment`` on a model that is hardly trained, against brute force."""

import json
import shutil
import sys
from dataclasses import asdict

import numpy as np
import pytest
import torch

from fairseq_align import cli
from fairseq_align.data import binarized
from fairseq_align.embeddings.retrieval import BLOCK
from fairseq_align.errors import InputError
from fairseq_align.evaluation.alignment import score_alignment, states
from fairseq_align.evaluation.bands import BANDS
from fairseq_align.evaluation.checkpoint import load
from fairseq_align.evaluation.embedding_map import pca
from fairseq_align.evaluation.whole_vocabulary import WholeVocabulary
from fairseq_align.lexicon import coverage
from fairseq_align.lexicon import words as lexicon
from fairseq_align.lexicon.words import Words
from fairseq_align.results import embedding_map
from fairseq_align.results import records as results
from fairseq_align.text import vocabulary
from fairseq_align.training.fingerprint import ALLOW
from tests.embeddings.test_spelling import cosine
from tests.results.scores import pos

TARGET = "en-transliterate+invert"
ABOUT = ["--objective", "align_mlm", "--derivation", "transliterate+invert", "--lexicon-rate", "0.5"]


@pytest.fixture(scope="module")
def model(toy, run, tmp_path_factory):
    """A checkpoint of one layer after 20 updates."""
    folder = tmp_path_factory.mktemp("model")
    run(
        ["fairseq-train", toy / "data-bin", "--user-dir", "fairseq_align", "--cpu"]
        + ["--task", "align_mlm", "--langs", f"en,{TARGET}", "--tokens-per-sample", 32, "--arch", "roberta_base"]
        + ["--criterion", "align_mlm", "--lexicon", toy / "lexicon.tsv", "--encoder-layers", 1]
        + ["--encoder-embed-dim", 16, "--encoder-ffn-embed-dim", 32, "--encoder-attention-heads", 2]
        + ["--max-positions", 32, "--batch-size", 8, "--max-update", 20, "--optimizer", "adam", "--lr", 0.01]
        + ["--disable-validation", "--num-workers", 0, "--save-dir", folder, "--no-epoch-checkpoints"]
    )
    return folder / "checkpoint_last.pt"


def align(model, toy, tmp_path, *flags) -> list[dict]:
    """Records of the command."""
    path = tmp_path / "results.jsonl"
    arguments = ["alignment", model, toy / "data-bin", "--lang", TARGET, "--results", path, *ABOUT, *flags]
    assert cli.main([str(argument) for argument in arguments]) == 0
    return results.read(path)


def pick(records, **fields) -> float:
    (record,) = [r for r in records if all(r.get(name) == value for name, value in fields.items())]
    return record["value"]


def test_scores_of_a_checkpoint_equal_brute_force(model, toy, tmp_path):
    files = ["--lexicon", toy / "lexicon.tsv", "--heldout-lexicon", toy / "lexicon.heldout.tsv"]
    records = align(model, toy, tmp_path, *files, "--isomorphism", 0)
    table = torch.load(model, weights_only=True)["model"]["encoder.sentence_encoder.embed_tokens.weight"].double()
    unit = table / table.norm(dim=1, keepdim=True)
    dictionary = vocabulary.load(toy / "data-bin" / "dict.txt")
    names = {"seen": "lexicon.tsv", "heldout": "lexicon.heldout.tsv"}
    pairs = {split: lexicon.load(toy / name, dictionary) for split, name in names.items()}
    sides = []
    for lang, side in (("en", "source"), (TARGET, "target")):
        text = np.unique(binarized.read(toy / "data-bin" / lang / "train").tokens)
        known = set(text[text >= dictionary.nspecial].tolist())
        sides.append(sorted(known | {int(i) for some in pairs.values() for i in getattr(some, side).ids}))
    cosines = (unit[sides[0]] @ unit[sides[1]].T).numpy()
    scaled = 2 * cosines - np.sort(cosines, 1)[:, -10:].mean(1)[:, None] - np.sort(cosines, 0)[-10:].mean(0)[None]
    for split, some in pairs.items():
        rows = [sides[0].index(int(i)) for i in some.source.ids], [sides[1].index(int(i)) for i in some.target.ids]
        for scores, prefix in ((cosines, ""), (scaled, "csls_")):
            for direction, of_pairs in ((None, scores[rows[0]]), ("backward", scores.T[rows[1]])):
                gold = rows[1] if direction is None else rows[0]
                behind = of_pairs[np.arange(len(gold)), gold][:, None] - of_pairs
                tied_before = (abs(behind) <= 1e-6) & (np.arange(of_pairs.shape[1]) < np.array(gold)[:, None])
                ranks = 1 + (behind < -1e-6).sum(1) + tied_before.sum(1)
                about = {"split": split, "direction": direction}
                for k in (1, 5, 10):
                    expected = pytest.approx((ranks <= k).mean(), abs=1e-6)
                    assert pick(records, metric=f"{prefix}p@{k}", **about) == expected
                # at the edge of a tie, float32 may put a word one rank further; exact data are in test_retrieval.py
                assert pick(records, metric=f"{prefix}mrr", **about) == pytest.approx((1 / ranks).mean(), abs=1e-5)
        expected = pytest.approx(cosines[rows].mean(), abs=1e-6)
        assert pick(records, metric="cos", split=split, direction=None) == expected
    of_lexicons = {r["lexicon"] for r in records if r["split"] != "whole"}
    assert of_lexicons == {results.checksum(toy / name) for name in names.values()}
    assert {r["checkpoint"] for r in records} == {results.checksum(model)} and {r.get("oov") for r in records} == {
        0,
        None,
    }


def brute_force(table: torch.Tensor, queries: list[int], gold: list[int], candidates: list[int]) -> np.ndarray:
    """Whether the nearest candidate of each query is its translation; the first of several that are equally near."""
    unit = (table / table.norm(dim=1, keepdim=True)).double().numpy()
    cosines = unit[queries] @ unit[candidates].T
    nearest = (cosines >= cosines.max(1, keepdims=True) - 1e-6).argmax(1)
    return np.array(candidates)[nearest] == np.array(gold)


@pytest.mark.parametrize("overlap", [0, 0.25])
def test_the_papers_measure_asks_for_every_piece_of_the_vocabulary(model, toy, tmp_path, overlap):
    """In a lexicon or not, in a text or not; and a random 40 % of them, among the same candidates."""
    data = tmp_path / "data-bin"
    shutil.copytree(toy / "data-bin", data)
    record = json.loads((data / TARGET / "derivation.json").read_text()) | {"overlap": overlap}
    (data / TARGET / "derivation.json").write_text(json.dumps(record))
    table = torch.load(model, weights_only=True)["model"]["encoder.sentence_encoder.embed_tokens.weight"].clone()
    half = record["source_pieces"]
    assert table.shape[0] == 4 + 2 * half + 1  # specials, pieces, derived pieces, <mask>
    translated = slice(4 + half, 4 + half + half // 2)
    table[translated] = table[4 : 4 + half // 2] + 0.1 * table[translated]  # half of the words find their translation
    checkpoint = load(model, data)
    with torch.no_grad():
        checkpoint.model.encoder.sentence_encoder.embed_tokens.weight.copy_(table)
    pairs = lexicon.load(toy / "lexicon.heldout.tsv", checkpoint.dictionary)
    scores = list(score_alignment(checkpoint, pairs, ("en", TARGET), isomorphism_size=0))
    whole, sample = (score for score in scores if score.split == "whole")
    shared = set(np.random.default_rng(record["seed"]).permutation(half)[: round(overlap * half)].tolist())
    queries = [4 + piece for piece in range(half) if piece not in shared]
    candidates = sorted({4 + piece + (0 if piece in shared else half) for piece in range(half)})
    right = brute_force(table, queries, [half + query for query in queries], candidates)
    assert 0.3 < right.mean() < 0.9
    assert (whole.metric, whole.band, whole.direction, whole.n) == ("p@1", None, None, len(queries))
    assert whole.value == pytest.approx(right.mean(), abs=1e-9)
    assert sample.band == "sample:0.4" and sample.n == round(0.4 * len(queries))
    # independent of the lexicon, which has the seed 1, too
    assert abs(sample.value - right.mean()) < 4 * (right.mean() * (1 - right.mean()) / sample.n) ** 0.5


def test_there_is_no_whole_vocabulary_without_derived_pieces_or_from_them(model, toy, tmp_path, capsys):
    data = tmp_path / "data-bin"
    shutil.copytree(toy / "data-bin", data)
    checkpoint = load(model, data)
    assert WholeVocabulary.load(data, (TARGET, "en"), checkpoint.dictionary) is None
    record = data / TARGET / "derivation.json"
    made = json.loads(record.read_text())
    record.write_text(json.dumps(made | {"source_pieces": 7}))
    flags = ["--heldout-lexicon", toy / "lexicon.heldout.tsv", *ABOUT]
    assert cli.main([str(f) for f in ("alignment", model, data, "--lang", TARGET, *flags)]) == 1
    assert "derivation.json: found 7 pieces before derivation, expected half of the" in capsys.readouterr().err
    record.write_text(json.dumps(made | {"dictionary": "0123456789ab"}))
    with pytest.raises(
        ValueError, match=f"found dictionary 0123456789ab before .* expected {made['dictionary']}, half"
    ):
        WholeVocabulary.load(data, ("en", TARGET), checkpoint.dictionary)
    record.write_text(json.dumps(made | {"transforms": ["invert"]}))
    assert WholeVocabulary.load(data, ("en", TARGET), checkpoint.dictionary) is None
    record.unlink()  # a language as it is
    assert WholeVocabulary.load(data, ("en", TARGET), checkpoint.dictionary) is None


def test_words_that_may_be_alike_in_spelling_are_compared_by_it_and_derived_pieces_are_not(model, toy, tmp_path):
    data = tmp_path / "data-bin"
    shutil.copytree(toy / "data-bin", data)
    checkpoint = load(model, data)
    pairs = lexicon.load(toy / "lexicon.heldout.tsv", checkpoint.dictionary)
    scores = score_alignment(checkpoint, pairs, ("en", TARGET), isomorphism_size=0)
    assert not [score for score in scores if score.metric.startswith("spelling")]
    (data / TARGET / "derivation.json").unlink()
    scores = list(score_alignment(checkpoint, pairs, ("en", TARGET), layers=(None, 1), bands=["overlap"]))
    spelt = {(score.direction, score.band): score for score in scores if score.metric == "spelling_p@1"}
    assert len(spelt) == len([s for s in scores if s.metric.startswith("spelling")]) == 4  # once for all layers
    assert spelt[None, None].layer is None and spelt[None, None].value == spelt[None, "overlap:none"].value
    # "▁ba~" is nearest to "▁ba" unless a shorter one shares more of it; by words of Python
    symbols, text = checkpoint.dictionary.symbols, binarized.read(data / TARGET / "train").tokens
    translations = set(pairs.target.ids.tolist())
    candidates = sorted(set(text[text >= 4].tolist())) + sorted(translations - set(text.tolist()))
    right = 0
    for source, target in zip(pairs.source.ids.tolist(), pairs.target.ids.tolist(), strict=True):
        cosines = [round(cosine(symbols[source], symbols[candidate]), 6) for candidate in candidates]
        right += candidates[cosines.index(max(cosines))] == target
    assert spelt[None, None].value == pytest.approx(right / len(pairs)) and 0.2 < right / len(pairs) <= 1


def test_kinds_of_words_stand_beside_the_spelling_baseline_where_words_have_a_spelling(model, toy, tmp_path):
    data = tmp_path / "data-bin"
    shutil.copytree(toy / "data-bin", data)
    checkpoint = load(model, data)
    pairs = lexicon.load(toy / "lexicon.heldout.tsv", checkpoint.dictionary)

    def kinds() -> dict:
        scores = score_alignment(checkpoint, pairs, ("en", TARGET), bands=["kind"], isomorphism_size=0)
        return {(score.metric, score.band): score for score in scores if score.band and not score.direction}

    assert {band for _, band in kinds()} == {"sample:0.4"}  # pieces of another script are spelt like nothing
    (data / TARGET / "derivation.json").unlink()
    found = kinds()
    # "ba~" is one letter from "ba", a third of it; of shorter words that is half or all. There are no names: capitals
    # stand at the beginning of sentences
    words = [checkpoint.dictionary[piece].removeprefix("\u2581") for piece in pairs.source.ids.tolist()]
    assert set(map(len, pairs.source.tuples())) == {1}
    alike = sum(1 / (len(word) + 1) <= 0.4 for word in words)
    assert found["p@1", "kind:alike"].n == alike > 0
    assert sum(score.n for (metric, _), score in found.items() if metric == "p@1") == len(words)
    for band in {band for _, band in found}:
        assert found["spelling_p@1", band].n == found["p@1", band].n == found["csls_p@1", band].n


def test_layers_bands_mapping_shape_and_words_out_of_vocabulary(model, toy, tmp_path, monkeypatch):
    monkeypatch.setenv(ALLOW, "lexicon")  # the pairs of the training and three more
    text = (toy / "lexicon.tsv").read_text(encoding="utf-8").split("\n")
    rows = [line.split("\t") for line in text if "\t" in line]
    several = "\t".join(f"{rows[0][i]} {rows[1][i]}" for i in range(2))  # a word of two pieces
    path = tmp_path / "some.tsv"
    same = f"{rows[0][0]}\t{rows[0][0]}"  # a word and itself
    path.write_text("\n".join([*text[:-1], several, same, "▁ыыы\t▁жжж", ""]), encoding="utf-8")
    flags = ["--layers", "embeddings,0,1", "--by", "frequency,pieces,overlap", "--mapping", "procrustes"]
    flags += ["--isomorphism", 50]
    records = align(model, toy, tmp_path, "--lexicon", path, *flags)
    assert {(r.get("layer"), r.get("mapping")) for r in records} == {
        (layer, mapping) for layer in (None, 0, 1) for mapping in (None, "procrustes")
    }
    seen = [r for r in records if r["split"] == "seen"]
    whole = [r for r in seen if r["metric"] == "p@1" and r.get("band") is None and r.get("direction") is None]
    assert len(whole) == 6 and {(r["n"], r["oov"]) for r in whole} == {(len(rows) + 1, 1)}
    bands = [r for r in records if r["metric"] == "csls_mrr" and r.get("direction") is None and r.get("layer") == 1]
    for kind in ("frequency", "pieces", "overlap"):  # every word is in one band of each kind
        parts = [r for r in bands if (r.get("band") or "").startswith(kind) and r.get("mapping") is None]
        assert sum(r["n"] for r in parts) == len(rows) + 1 and len(parts) > 1
    embeddings = {"split": "seen", "layer": None, "mapping": None, "direction": None}
    # nothing is nearer to the word than itself
    assert pick(records, metric="p@1", band="overlap:some", **embeddings) == 1
    cosine = {"metric": "cos", "split": "seen", "layer": None, "direction": None, "band": None}
    assert pick(records, mapping="procrustes", **cosine) > pick(records, mapping=None, **cosine)
    shape = [r for r in records if r["split"] == "vocabulary"]
    assert {(r["metric"], r.get("layer"), r["n"]) for r in shape} == {
        (metric, layer, 50) for metric in ("eigenvectors", "gromov_hausdorff") for layer in (None, 0, 1)
    }


def test_states_are_those_of_the_word_alone(model, toy):
    checkpoint = load(model, toy / "data-bin")
    dictionary = checkpoint.dictionary
    words = Words.of([[7], [9, 8, 11], [5, 6]])
    found = states(checkpoint.model, words, 1)
    for word, state in zip(words.tuples(), found, strict=True):
        tokens = torch.tensor([[dictionary.bos(), *word, dictionary.eos()]])
        with torch.no_grad():
            features = checkpoint.model(tokens, features_only=True)[0]
        assert torch.allclose(features[0, 1:-1].mean(0), state, atol=1e-6)
    with pytest.raises(InputError, match="found a word of 31 pieces, expected at most 30, the positions of the model"):
        states(checkpoint.model, Words.of([[7] * 31]), 1)


def test_the_library_gives_the_scores_of_the_command(model, toy, tmp_path):
    """From paths to scores without a command line; the command adds what it knows of the run."""
    records = align(model, toy, tmp_path, "--heldout-lexicon", toy / "lexicon.heldout.tsv", "--layers", "embeddings,1")
    checkpoint = load(model, toy / "data-bin")
    pairs = lexicon.load(toy / "lexicon.heldout.tsv", checkpoint.dictionary)
    scores = list(score_alignment(checkpoint, pairs, ("en", TARGET), layers=(None, 1)))
    assert len(scores) == len(records) == 2 * (18 + 2 + 2)  # of the lexicon, in shape, of the whole vocabulary
    for score, record in zip(scores, records, strict=True):
        assert all(record.get(name) == value for name, value in asdict(score).items())
    with pytest.raises(InputError, match="found pairs of heldout, expected seen ones, which the mapping is learnt on"):
        next(score_alignment(checkpoint, pairs, ("en", TARGET), mapping="procrustes"))


def test_a_kind_of_bands_from_outside_the_package_is_scored(model, toy, tmp_path, monkeypatch):
    monkeypatch.setitem(
        BANDS, "parity", lambda queries: [("even", "odd")[row % 2] for row in range(len(queries.words))]
    )
    files = ["--heldout-lexicon", toy / "lexicon.heldout.tsv", "--isomorphism", 0]
    records = align(model, toy, tmp_path, *files, "--by", "parity")
    records = [r for r in records if r["split"] == "heldout"]
    sizes = {r["band"]: r["n"] for r in records if r["metric"] == "p@1" and r.get("direction") is None and "band" in r}
    whole = next(r["n"] for r in records if "band" not in r)
    assert sizes == {"parity:even": (whole + 1) // 2, "parity:odd": whole // 2}


def test_the_help_states_the_default_of_the_library(capsys):
    with pytest.raises(SystemExit):
        cli.main(["alignment", "--help"])
    assert f"default: {BLOCK}," in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("count", "band"),
    [(0, "0"), (1, "1-9"), (9, "1-9"), (10, "10-99"), (999, "100-999"), (1000, "1000+"), (10**7, "1000+")],
)
def test_bands_of_frequency(count, band):
    assert coverage.band(count) == band


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--heldout-lexicon", "lexicon.heldout.tsv", "--mapping", "procrustes"], "--lexicon, which the mapping"),
        (["--lexicon", "lexicon.tsv", "--layers", "7"], "found 7, expected embeddings or a number from 0 to 1"),
        (["--lexicon", "lexicon.tsv", "--source-lang", "xx"], "xx/train.idx: found no binarized data"),
        (["--lexicon", "none.tsv"], "none.tsv: found No such file or directory, expected a lexicon"),
    ],
)  # fmt: skip
def test_what_is_missing_is_named_in_one_line(model, toy, capsys, flags, message):
    files = [str(toy / flag) if flag.endswith(".tsv") else flag for flag in flags]
    assert cli.main(["alignment", str(model), str(toy / "data-bin"), "--lang", TARGET, *ABOUT, *files]) == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert message in line


def test_the_command_itself_prints_signatures_and_lines_of_json(model, toy, run, tmp_path):
    path = tmp_path / "results.jsonl"
    done = run(
        ["fairseq-align", "alignment", model, toy / "data-bin", "--lang", TARGET, *ABOUT]
        + ["--heldout-lexicon", toy / "lexicon.heldout.tsv", "--results", path]
    )
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert done.stdout.splitlines() == [results.signature(record) for record in records] and len(records) == 22


def map_of(models, toy, out, *flags) -> int:
    lexicons = ["--lexicon", toy / "lexicon.tsv", "--heldout-lexicon", toy / "lexicon.heldout.tsv"]
    arguments = ["map", *models, "--data", toy / "data-bin", "--lang", TARGET, *lexicons, "--out", out, *flags]
    return cli.main([str(argument) for argument in arguments])


def test_a_map_has_the_most_frequent_words_where_the_embeddings_have_them(model, toy, tmp_path, capsys):
    assert map_of([model, model], toy, tmp_path / "map.json", "--pairs", 20, "--names", "before,after") == 0
    made = embedding_map.read(tmp_path / "map.json")
    assert made.langs == ("en", TARGET) and [panel.name for panel in made.panels] == ["before", "after"]
    assert sorted(pair.split for pair in made.pairs) == ["heldout"] * 10 + ["seen"] * 10
    assert made.panels[0][1:] == made.panels[1][1:]  # it is the same checkpoint

    lines = {split: (toy / name).read_text(encoding="utf-8").splitlines()
             for split, name in (("seen", "lexicon.tsv"), ("heldout", "lexicon.heldout.tsv"))}  # fmt: skip
    checkpoint = load(model, toy / "data-bin")
    dictionary, table = checkpoint.dictionary, checkpoint.model.encoder.sentence_encoder.embed_tokens.weight.detach()
    counts = np.bincount(binarized.read(toy / "data-bin" / "en" / "train").tokens, minlength=len(dictionary))
    for split in ("seen", "heldout"):
        entries = [line.split("\t")[:2] for line in lines[split] if not line.startswith("#")]
        words = [source for source, _ in entries if source[0] == "\u2581" and any(map(str.isalpha, source))]
        least = sorted((counts[dictionary.index(word)] for word in words), reverse=True)[9]
        mine = [f"\u2581{pair.source}" for pair in made.pairs if pair.split == split]
        assert min(counts[dictionary.index(word)] for word in mine) == least and set(mine) <= set(words)
        translations = dict(entries)
        assert all(translations[f"\u2581{p.source}"] == f"\u2581{p.target}" for p in made.pairs if p.split == split)

    unit = torch.nn.functional.normalize(table, dim=-1)
    source, target = (unit[[dictionary.index(f"\u2581{pair[side]}") for pair in made.pairs]] for side in (0, 1))
    assert made.panels[0].cosines == pytest.approx((source * target).sum(-1).tolist(), abs=1e-5)
    decomposition = pytest.importorskip("sklearn.decomposition", reason="waits for scikit-learn")
    expected = decomposition.PCA(2)
    points = expected.fit_transform(torch.cat([source, target]).double().numpy())
    found = np.array([*made.panels[0].source, *made.panels[0].target])
    assert np.abs(found) == pytest.approx(np.abs(points), abs=1e-4)
    assert made.panels[0].explained == pytest.approx(expected.explained_variance_ratio_.sum(), abs=1e-5)
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == f"before: mean cosine {np.mean(made.panels[0].cosines):.3f} of 20 pairs"


def test_a_map_says_what_is_missing(model, toy, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "umap", None)
    assert map_of([model], toy, tmp_path / "map.json", "--method", "umap") == 1
    assert "found no umap-learn, expected it; EXTRAS=umap bash install.sh brings it" in capsys.readouterr().err
    assert map_of([tmp_path / "none.pt"], toy, tmp_path / "map.json") == 1
    assert "none.pt: found No such file" in capsys.readouterr().err and not (tmp_path / "map.json").exists()


def test_checkpoints_of_one_objective_are_told_apart_by_their_folders(model, toy, tmp_path):
    models = [tmp_path / name / "model.pt" for name in ("a", "b", "c")]
    for path in models:
        path.parent.mkdir()
        shutil.copy(model, path)
    scores = {"objective": "dict_mlm", "lexicon_rate": 0.25, "variant": "wide"}  # of a recipe that trained it
    results.append(tmp_path / "c.jsonl", pos(0.5) | scores)
    arguments = ["map", *models, "--data", toy / "data-bin", "--out", tmp_path / "map.json", "--pairs", 4]
    assert cli.main([str(argument) for argument in arguments]) == 0  # languages and lexicon are those of the training
    assert [panel.name for panel in embedding_map.read(tmp_path / "map.json").panels] == [
        "ALIGN-MLM, a",
        "ALIGN-MLM, b",
        "DICT-MLM wide, 25 %",
    ]


def test_equal_vectors_have_a_plane():
    points, share = pca(np.ones((4, 3)))
    assert points.tolist() == [[0, 0]] * 4 and share == 1
