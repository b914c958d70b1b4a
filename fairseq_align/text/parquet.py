"""Tables in Parquet and Arrow, as Hugging Face's ``datasets`` keep them, read row by row; needs the extra ``parquet``.

    a.parquet, a.arrow                  a table
    folder/train-00000-of-00002.parquet, ...    a split in several files, as on the hub
    folder/state.json, data-*.arrow     what ``Dataset.save_to_disk`` has written
    folder/train/, folder/test/, ...    what ``DatasetDict.save_to_disk`` has written: name the folder of one split

The package ``datasets`` is not needed. Formats: https://arrow.apache.org; https://huggingface.co/docs/datasets
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fairseq_align.errors import InputError, needed, reason_of
from fairseq_align.files import read_lines

if TYPE_CHECKING:
    from pyarrow import RecordBatch, Schema

SUFFIXES = (".parquet", ".arrow")
BATCH = 1000  # rows in memory at a time
_PART = re.compile(r"-\d+-of-\d+$")


def is_table(path: str | Path) -> bool:
    """Whether a path is a folder, or a file of ``SUFFIXES``."""
    return Path(path).suffix in SUFFIXES or Path(path).is_dir()


def texts(path: str | Path, column: str = "text") -> Iterator[str]:
    """Lines of a text file as ``files.read_lines``, or of the cells of one column of a table.

    Raises:
        InputError: the file cannot be read, or the table has no such column, or one of other values than text.
    """
    if not is_table(path):
        yield from (line for _, line in read_lines(path))
        return
    for number, row in rows(path, [column], "name another one with --column"):
        cell = row[column]
        if not isinstance(cell, str | None):
            raise InputError(f"{path}:{number}: found {cell!r:.40} in column {column}, expected text; name another one")
        yield from (cell or "").split("\n")


def rows(path: str | Path, columns: Sequence[str] | None = None, advice: str = "") -> Iterator[tuple[int, dict]]:
    """Rows of a table with their numbers, from 1; the numbers of a class (``ClassLabel``) are replaced by its names.

    Args:
        columns: which to read; None: all.
        advice: end of the message where a column is missing.

    Raises:
        InputError: there is no such table, or it is damaged, or a column is missing; or pyarrow is not installed.
    """
    number = 0
    for file in _files(Path(path)):
        with _opened(file, columns, advice) as (schema, batches):
            classes = _classes(schema)
            for batch in batches:
                for row in batch.to_pylist():
                    number += 1
                    for name in classes.keys() & row.keys():
                        row[name] = _class_name(row[name], classes[name])
                    yield number, row


def _files(path: Path) -> list[Path]:
    """The files of a table, in their order."""
    if not path.is_dir():
        return [path]
    if (path / "state.json").is_file():
        try:
            named = json.loads((path / "state.json").read_text(encoding="utf-8"))["_data_files"]
            return [path / Path(entry["filename"]).name for entry in named]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path}/state.json: found {error!r}, expected a dataset's; save it again") from error
    files = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES)
    splits = sorted({_PART.sub("", file.stem) for file in files})
    if len(splits) > 1:
        raise InputError(f"{path}: found tables {', '.join(splits)}, expected one; name the files of one of them")
    if not files:
        inner = sorted(folder.name for folder in path.iterdir() if folder.is_dir())
        found = f"folders {', '.join(inner)}" if inner else "no table"
        raise InputError(f"{path}: found {found}, expected {' or '.join(SUFFIXES)} files; name a folder of some")
    return files


@contextmanager
def _opened(path: Path, columns: Sequence[str] | None, advice: str) -> Iterator[tuple[Schema, Iterator[RecordBatch]]]:
    """The schema of a file and its rows, ``BATCH`` or so at a time."""
    arrow = needed("pyarrow", "parquet")
    try:
        with arrow.memory_map(str(path)) as file:
            if path.suffix == ".parquet":
                table = needed("pyarrow.parquet", "parquet").ParquetFile(file)
                schema = table.schema_arrow
                _check_columns(path, schema, columns, advice)
                yield schema, table.iter_batches(BATCH, columns=columns)
            else:
                reader = arrow.ipc.open_stream(file)
                _check_columns(path, reader.schema, columns, advice)
                yield reader.schema, (batch.select(columns) if columns else batch for batch in reader)
    except (arrow.ArrowException, OSError) as error:
        raise InputError(f"{path}: found {reason_of(error):.200}, expected a {path.suffix}; get it again") from error


def _check_columns(path: Path, schema: Schema, columns: Sequence[str] | None, advice: str) -> None:
    missing = [name for name in columns or () if name not in schema.names]
    if missing:
        raise InputError(f"{path}: found columns {', '.join(schema.names)}, expected {', '.join(missing)}; {advice}")


def _classes(schema: Schema) -> dict[str, list[str]]:
    """Names of the classes of each column that has any, as ``datasets`` writes them into a schema."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return {name: feature["names"] for name, feature in features.items() if feature.get("_type") == "ClassLabel"}
    except (KeyError, ValueError, TypeError, AttributeError):  # not written by datasets
        return {}


def _class_name(value: object, names: list[str]) -> object:
    """The name of a class; a number without one, such as -1, and what is no number stay."""
    return names[value] if isinstance(value, int) and 0 <= value < len(names) else value
