import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent

setup(
    name="fairseq_align",
    version=re.search(r'__version__ = "(.+)"', (HERE / "fairseq_align/version.py").read_text(encoding="utf-8"))[1],
    description="ALIGN-MLM for fairseq: masked language models whose word embeddings follow a bilingual dictionary",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.11",
    packages=find_packages(include=["fairseq_align", "fairseq_align.*"]),
    install_requires=[
        "conllu>=5",
        "fairseq-fixed==0.12.3.1",
        "numpy>=1.26",
        "omegaconf",  # fairseq-fixed names the version
        "packaging>=22",
        "protobuf",  # the format of SentencePiece's models
        "sacremoses>=0.1",
        "scipy>=1.15",
        "sentencepiece>=0.2",
        "torch>=2.10",
        "tqdm",
    ],
    extras_require={
        "hf": ["huggingface_hub", "safetensors", "tokenizers", "transformers>=4.50"],
        "plot": ["matplotlib>=3.8", "tensorboardX>=2.6"],
        "test": ["hypothesis", "pytest>=8", "pytest-timeout", "pytest-xdist", "ruff", "scikit-learn", "setuptools", "wheel"],
    },
    entry_points={"console_scripts": ["fairseq-align = fairseq_align.cli:main"]},
)
