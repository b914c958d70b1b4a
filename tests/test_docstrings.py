"""The examples in docstrings give what they show."""

import doctest
from importlib import import_module

import pytest

from tests.support.warm import REPO

ELSEWHERE = {"tagger.py"}  # needs a trained tagger: tests/models/test_tagger.py runs it
MODULES = [
    path
    for path in sorted((REPO / "fairseq_align").rglob("*.py"))
    if ">>>" in path.read_text(encoding="utf-8") and path.name not in ELSEWHERE
]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_examples_give_what_they_show(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = import_module(".".join(path.relative_to(REPO).with_suffix("").parts))
    results = doctest.testmod(module)
    assert results.attempted and not results.failed
