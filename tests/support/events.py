"""What a run wrote for TensorBoard."""

import struct
from pathlib import Path

import pytest

HEADER, FOOTER = 12, 4  # bytes around each record: its length (uint64) and a checksum; another checksum


def scalars(folder: Path) -> dict[str, set[str]]:
    """Names of the scalars in each folder of event files, by its name (``train``, ``valid``)."""
    waits = "waits for tensorboardX: bash install.sh brings it"
    events = pytest.importorskip("tensorboardX.proto.event_pb2", reason=waits)
    found: dict[str, set[str]] = {}
    for path in folder.rglob("events.*"):
        data, at = path.read_bytes(), 0
        while at < len(data):
            (length,) = struct.unpack_from("<Q", data, at)
            event = events.Event.FromString(data[at + HEADER : at + HEADER + length])
            found.setdefault(path.parent.name, set()).update(value.tag for value in event.summary.value)
            at += HEADER + length + FOOTER
    return found
