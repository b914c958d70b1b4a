"""Fuzz one reader guided by coverage, with atheris: python -m tests.stress.guided TEI -max_total_time=60

Further arguments are libFuzzer's. atheris is no dependency of this package: pip install atheris
"""

import logging
import sys

import atheris

with atheris.instrument_imports(include=["fairseq_align", "conllu"]):
    from tests.stress import fuzz


def main() -> None:
    logging.disable()
    reader = fuzz.READERS[sys.argv.pop(1)]
    names = list(reader.files)
    with fuzz.folder() as where, fuzz.folder() as corpus:
        for number, name in enumerate(names):
            (corpus / name).write_bytes(bytes([number]) + reader.files[name])

        def one(data: bytes) -> None:
            """The first byte chooses the file that the others are."""
            if data:
                fuzz.answer(reader, {**reader.files, names[data[0] % len(names)]: data[1:]}, where)

        atheris.Setup([*sys.argv, str(corpus)], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
