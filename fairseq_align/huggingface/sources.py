"""Where a model comes from: a folder, an archive of fairseq, or the hub. Nothing that could run code is unpickled."""

import re
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from fairseq_align import files
from fairseq_align.errors import InputError, needed

FAIRSEQ_FILES = ("model.pt", "dict.txt", "sentencepiece.bpe.model")  # of xlmr.base.tar.gz
HUB_FILES = ("*.json", "*.safetensors", "*.model", "README.md")
_HUB_NAME = re.compile(r"(?:\w[\w.-]*/)?\w[\w.-]*")


def check(source: str) -> None:
    """Raise ``InputError`` unless a source is there or can be a name on the hub; asked before what takes seconds."""
    if not Path(source).exists() and not _HUB_NAME.fullmatch(source):
        raise InputError(f"{source}: found nothing there, expected a folder, an archive or a model of the hub")


def unpack(archive: Path, folder: Path) -> None:
    """Extract fairseq's files from an archive, whatever folder they are in.

    Raises:
        InputError: the archive is damaged or holds more than it may (see ``files.open_unpacked``), or a member is no
            plain file or folder inside it.
    """
    try:
        with open(archive, "rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with (
            files.open_unpacked(archive, "gzip" if packed else "") as file,
            tarfile.open(fileobj=file, mode="r|" if packed else "r|*") as tar,
        ):
            for member in tar:
                path = Path(member.name)
                if (
                    path.is_absolute()
                    or ".." in path.parts
                    or not (member.isfile() or member.isdir())
                    or member.issparse()
                ):
                    raise InputError(f"{archive}: found {member.name!r}, expected plain files inside; do not unpack it")
                if member.isfile() and path.name in FAIRSEQ_FILES:
                    with open(folder / path.name, "wb") as file:
                        shutil.copyfileobj(tar.extractfile(member), file)
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise InputError(f"{archive}: found {reason}, expected a whole archive; check its checksum") from error


def download(name: str) -> Path:
    """The folder of a model of the hub, in its cache; what is there already is not downloaded again.

    Raises:
        InputError: there is no such model, or no network.
    """
    check(name)
    hub = needed("huggingface_hub")
    try:
        folder = Path(hub.snapshot_download(name, allow_patterns=list(HUB_FILES), ignore_patterns="*/*"))
        if not list(folder.glob("*.safetensors")):
            hub.snapshot_download(name, allow_patterns="pytorch_model*.bin*", ignore_patterns="*/*")
        return folder
    except (OSError, ValueError, RuntimeError) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise InputError(
            f"{name}: found no such folder, and no model of the hub ({reason:.160}); check the name and the network"
        ) from error


@contextmanager
def located(source: str, beside: Path) -> Iterator[Path]:
    """Context manager: the folder of a model: the source itself, the content of an archive, or the hub's cache.

    Args:
        source: folder, archive, or name on the hub.
        beside: folder for the content of an archive, which is removed at the end of the block.
    """
    path = Path(source)
    if path.is_file():
        with tempfile.TemporaryDirectory(dir=beside) as folder:
            unpack(path, Path(folder))
            yield Path(folder)
    else:
        with nullcontext(path if path.is_dir() else download(source)) as folder:
            yield folder
