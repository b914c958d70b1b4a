"""Dictionaries as they are given away: MUSE, TSV, PanLex, dictd, TEI; read, written in pieces, counted."""

import gzip
import re
from collections import Counter
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase, digits

import pytest

from fairseq_align.errors import InputError
from fairseq_align.lexicon import coverage, dictd, tei, wordlist
from fairseq_align.lexicon import file as lexicon

ENTRIES = [  # headword, entry, its pairs
    ("00-database-info", "FreeDict", []),
    ("abandon", "abandon /əˈbændən/\nabandonner, délaisser\n", [("abandon", "abandonner"), ("abandon", "délaisser")]),
    (
        "house",
        'house /haʊs/ <n, sg>\n1. maison; logis (vieilli)\n   "a big house" - une grande maison\n2. [pol.] chambre\n',
        [("house", "maison"), ("house", "logis"), ("house", "chambre")],
    ),
    ("ice cream", "ice cream\nglace\n", [("ice cream", "glace")]),
    ("see also", "see also <v>\n {look}\n", [("see also", "")]),
]


def base64(number: int) -> str:
    alphabet = ascii_uppercase + ascii_lowercase + digits + "+/"
    text = alphabet[number % 64]
    while number := number // 64:
        text = alphabet[number % 64] + text
    return text


def write_dictd(folder, name="eng-fra", packed=True):
    data, index = b"", []
    for headword, entry, _ in ENTRIES:
        index.append(f"{headword}\t{base64(len(data))}\t{base64(len(entry.encode()))}")
        data += entry.encode()
    (folder / f"{name}.index").write_text("\n".join(index) + "\n", encoding="utf-8")
    if packed:
        (folder / f"{name}.dict.dz").write_bytes(gzip.compress(data))
    else:
        (folder / f"{name}.dict").write_bytes(data)
    return folder / f"{name}.index"


def pairs(read) -> list[tuple[str, str]]:
    return [(pair.source, pair.target) for pair in read]


@pytest.mark.parametrize("packed", [True, False])
def test_dictd_by_hand(tmp_path, packed):
    assert pairs(dictd.read(write_dictd(tmp_path, packed=packed))) == sum((found for *_, found in ENTRIES), [])


def test_a_broken_dictd_is_named(tmp_path):
    index = write_dictd(tmp_path)
    for line, message in [("house\tA\tzzzz", "eng-fra.index:1: found"), ("house", ":1: found 'house', expected")]:
        index.write_text(line + "\n")
        with pytest.raises(InputError, match=message):
            list(dictd.read(index))
    (tmp_path / "eng-fra.dict.dz").write_bytes(b"no gzip")
    with pytest.raises(InputError, match="dict.dz: .* expected what dictzip compressed"):
        list(dictd.read(index))
    (tmp_path / "eng-fra.dict.dz").unlink()
    with pytest.raises(InputError, match="eng-fra.dict: found no such file nor eng-fra.dict.dz"):
        list(dictd.read(index))


TEI = """<?xml version="1.0" encoding="UTF-8"?>
<TEI xmlns="http://www.tei-c.org/ns/1.0"><text><body>
<entry><form><orth>house</orth><pron>haʊs</pron></form><gramGrp><pos>n</pos></gramGrp>
 <sense n="1"><cit type="trans"><quote>maison</quote></cit><cit type="trans"><quote>grand
   logis</quote></cit>
   <cit type="example"><quote>a big house</quote><cit type="trans"><quote>x</quote></cit></cit></sense>
 <sense n="2"><usg>pol.</usg><cit type="translation"><quote>chambre</quote></cit></sense></entry>
<entry><form><orth>colour</orth><orth>color</orth></form>
 <sense><cit type="trans"><quote>couleur</quote></cit></sense></entry>
<entry><form><orth>lone</orth></form><sense><def>nothing</def></sense></entry>
</body></text></TEI>
"""


def test_tei_by_hand(tmp_path):
    (tmp_path / "eng-fra.tei").write_text(TEI, encoding="utf-8")
    expected = [("house", "maison"), ("house", "grand logis"), ("house", "chambre")]
    expected += [("colour", "couleur"), ("color", "couleur"), ("lone", "")]
    assert pairs(tei.read(tmp_path / "eng-fra.tei")) == expected
    (tmp_path / "eng-fra.tei.gz").write_bytes(gzip.compress(TEI.encode()))
    assert pairs(tei.read(tmp_path / "eng-fra.tei.gz")) == expected
    (tmp_path / "eng-fra.tei").write_text(TEI.replace("</entry>", "", 1), encoding="utf-8")
    with pytest.raises(InputError, match=r"eng-fra.tei:\d+: found mismatched tag.*, expected well-formed TEI"):
        list(tei.read(tmp_path / "eng-fra.tei"))


def test_panlex_columns_name_the_languages(tmp_path):
    path = tmp_path / "panlex.tsv"
    path.write_text("eng-000\thouse\tfra-000\tmaison\t7\nfra-000\tchat\teng-000\tcat\neng-000\tdog\tdeu-000\tHund\n")
    assert list(wordlist.read(path, ("eng", "fra"))) == [
        ("house", "maison", 7.0),
        ("cat", "chat", 1.0),
        ("dog", "", 1.0),
    ]
    with pytest.raises(InputError, match="panlex.tsv:1: found columns of languages, eng-000 and fra-000; name the two"):
        list(wordlist.read(path))


def test_every_reason_for_leaving_a_pair_out_is_counted(run, toy, tmp_path):
    """The script, on dictionaries of every form together; the vocabulary has all letters of the toy language."""
    word, other = (toy / "corpus" / "train.txt").read_text(encoding="utf-8").split()[:2]
    lines = [f"{word}\t{other}", f"{word.upper()}\t{other}", f"{word}\t{word}", f"{word} {word}\t{other}", f"{word}\tЖ"]
    (tmp_path / "a.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "b.tei").write_text(TEI.replace("lone", word), encoding="utf-8")
    script = ["python", "preprocess/lexicon.py", "words", tmp_path / "a.tsv", tmp_path / "b.tei"]
    script += [write_dictd(tmp_path), "--model", toy / "spm" / "spm.model", "--dict", toy / "spm" / "dict.txt"]
    text = toy / "corpus" / "train.txt"
    script += ["--frequency", text, text]
    done = run([*script, "--lower", "--several-words", "skip", "--out", tmp_path / "lexicon.tsv"])
    counts = {name: int(count) for count, name in re.findall(r"(\d+) ([a-z ]+)", done.stdout.splitlines()[0])}
    # a.tsv: 1 kept, 1 duplicate, 1 identical, 1 of several words, Ж; b.tei: 4 kept, grand logis, no translation;
    # eng-fra: abandonner and logis kept, maison and chambre again, délaisser, ice cream, no translation
    assert counts == {
        "read": 18, "kept": 7, "no translation": 2, "several words": 3,
        "out of vocabulary": 2, "identical": 1, "duplicate": 3,
    }  # fmt: skip
    entries, _ = lexicon.read(tmp_path / "lexicon.tsv")
    words = text.read_text(encoding="utf-8").split()
    assert len(entries) == 7
    assert entries[0].weight == pytest.approx(((1 + words.count(word)) * (1 + words.count(other))) ** 0.25, rel=1e-4)


def test_every_real_dictionary_is_read(data_dir):
    """Lines as the table of the data counts them."""
    for path in sorted((data_dir / "dictionaries").glob("*.txt")):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert len(list(wordlist.read(path))) == len([line for line in lines if line.strip()]) > 500


def test_an_installed_freedict_is_read():
    index = Path("/usr/share/dictd/freedict-eng-fra.index")
    if not index.exists():
        pytest.skip("waits for Debian's dict-freedict-eng-fra")
    found = pairs(dictd.read(index))
    assert len(found) > 8000 and ("house", "maison") in found


def test_coverage_by_hand():
    counts = Counter({"the": 1200, "cat": 12, "sat": 10, "mat": 1})
    words = [("▁the",), ("▁c", "at"), ("▁c", "at"), ("▁the", "▁mat"), ("▁", "x", "y"), ("▁a", "b", "c", "d", "ef")]
    assert coverage.bands(counts, words) == [
        ("1000+", 1, 1, 1200, 1200), ("100-999", 0, 0, 0, 0), ("10-99", 2, 1, 22, 12), ("1-9", 1, 0, 1, 0),
        ("all", 4, 2, 1223, 1212),
    ]  # fmt: skip
    assert coverage.lengths(words) == {"1": 1, "2": 2, "3": 1, "4+": 1}
    assert coverage.in_characters(words) == [("▁", "x", "y")]


def test_frequent_pairs_weigh_more_by_hand():
    entries = [lexicon.Entry(("▁c", "at"), ("▁chat",)), lexicon.Entry(("▁ice", "▁cream"), ("▁glace",), 2.0)]
    counts = Counter({"cat": 15, "ice": 100, "cream": 3}), Counter({"chat": 3})
    found = [entry.weight for entry in coverage.weigh(entries, *counts, power=0.5)]
    assert found == pytest.approx([(16 * 4) ** 0.25, 2 * (4 * 1) ** 0.25])
    assert [entry.weight for entry in coverage.weigh(entries, *counts, power=0)] == [1, 2]
    with pytest.raises(InputError, match="found power 2 of the frequency, expected a number from 0 to 1"):
        coverage.weigh(entries, *counts, power=2)


def test_a_lexicon_is_inspected(run, tmp_path):
    """The script; a lexicon that covers less than half of the running words gets a warning."""
    (tmp_path / "lexicon.tsv").write_text("▁the\t▁la\n▁c at\t▁ch at\n▁c at\t▁ch at\n▁ok\t▁ok\n", encoding="utf-8")
    (tmp_path / "en.txt").write_text("the cat sat\nthe the the\n", encoding="utf-8")
    (tmp_path / "fr.txt").write_text("le chat noir\n", encoding="utf-8")
    script = ["python", "preprocess/lexicon.py", "inspect", tmp_path / "lexicon.tsv"]
    done = run([*script, "--source-text", tmp_path / "en.txt", "--target-text", tmp_path / "fr.txt"]).stdout
    assert "lexicon.tsv: 4 pairs, 1 identical, 1 duplicate" in done
    assert "source: 3 words; pieces: 2 of 1, 1 of 2; 0 in single characters\n" in done
    lines = [line.split() for line in done.splitlines()]
    assert ["all", "3", "66.7%", "6", "83.3%"] in lines and ["all", "3", "33.3%", "3", "33.3%"] in lines
    assert re.findall("warning: fewer than half of the running words of (.*) are in the lexicon", done) == [
        str(tmp_path / "fr.txt")
    ]
