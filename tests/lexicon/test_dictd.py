"""Dictionaries of dictd."""

import gzip
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase, digits

import pytest

from fairseq_align.errors import InputError
from fairseq_align.lexicon import dictd

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


def test_an_installed_freedict_is_read():
    index = Path("/usr/share/dictd/freedict-eng-fra.index")
    if not index.exists():
        pytest.skip("waits for Debian's dict-freedict-eng-fra")
    found = pairs(dictd.read(index))
    assert len(found) > 8000 and ("house", "maison") in found
