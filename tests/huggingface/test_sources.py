import io
import tarfile
from pathlib import Path

import pytest

from tests.huggingface.models import (
    imported,
    refused,
)


def test_an_archive_that_leaves_its_folder_is_refused(spm, tmp_path, capsys):
    for name, kind in (("../model.pt", tarfile.REGTYPE), ("/model.pt", tarfile.REGTYPE), ("dict.txt", tarfile.SYMTYPE)):
        with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as tar:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            tar.addfile(member, io.BytesIO())
        refused(capsys, tmp_path, ["import", tmp_path / "x.tar.gz", tmp_path / "out"], "expected plain files inside")
    (tmp_path / "x.tar.gz").write_bytes(b"no archive")
    refused(capsys, tmp_path, ["import", tmp_path / "x.tar.gz", tmp_path / "out"], "expected a whole archive")


def test_a_name_is_looked_for_on_the_hub(plain, tmp_path, monkeypatch, capsys):
    """Torch weights are fetched only where there are no safetensors; without a network the message is one line."""
    hub = pytest.importorskip("huggingface_hub", reason="waits for the extra hf: EXTRAS=hf bash install.sh")
    asked = []

    def snapshot_download(name, allow_patterns, **others):
        asked.append((name, allow_patterns))
        return str(plain)

    monkeypatch.setattr(hub, "snapshot_download", snapshot_download)
    imported(Path("owner/xlmr"), tmp_path / "out")
    assert asked == [("owner/xlmr", ["*.json", "*.safetensors", "*.model", "README.md"])]
    capsys.readouterr()

    def offline(*_, **others):
        raise hub.errors.LocalEntryNotFoundError("no network")

    monkeypatch.setattr(hub, "snapshot_download", offline)
    refused(capsys, tmp_path, ["import", "owner/xlmr", tmp_path / "new"], r"no model of the hub \(no network\)")
