"""What pyproject.toml cannot say: an editable install is found by fairseq, too."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

BESIDE_FAIRSEQ = "fairseq looks here for --user-dir fairseq_align, and imports it from the clone of its source.\n"


class BuildPy(build_py):
    """``--user-dir NAME`` has to be a folder beside fairseq's own, which an editable install otherwise does not make.

    A folder without ``__init__.py`` is enough: Python passes it over for the package in the clone.
    """

    def run(self):
        super().run()
        if self.editable_mode:
            folder = Path(self.get_finalized_command("install").install_lib, "fairseq_align")
            folder.mkdir()
            (folder / "README.txt").write_text(BESIDE_FAIRSEQ, encoding="utf-8")


setup(cmdclass={"build_py": BuildPy})
