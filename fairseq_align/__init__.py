"""fairseq_align: ALIGN-MLM for fairseq, a plugin (``--user-dir fairseq_align``) and a library.

    import fairseq_align as fa

    model = fa.load("checkpoints/checkpoint_best.pt", "data-bin")
    pairs = fa.read_lexicon("en-fr.tsv", model.dictionary)
    for score in fa.score_alignment(model, pairs, langs=("en", "fr")):
        print(score)

Importing this package is quick and imports nothing else: the names of ``API`` are looked up when they are used. The
plugin registers with fairseq when fairseq is imported, whichever of the two comes first.
"""

import sys
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder

from fairseq_align.version import __version__

API = {  # public name -> where it is
    "load": "evaluation.checkpoint.load",
    "read_lexicon": "lexicon.words.load",
    "score_alignment": "evaluation.alignment.score_alignment",
    "evaluate": "evaluation.tasks.evaluate",
    "load_tagger": "models.tagger.load_tagger",
    "derive": "derivation.corpus.derive",
    "export": "huggingface.convert.export",
    "import_model": "huggingface.convert.import_model",
    "report": "results.report.report",
}
REGISTERING = (  # modules that register something with fairseq, which itself scans only tasks/ and models/
    "criterions.align_mlm",
    "criterions.sequence_tagging",
    "models.tagger",
    "tasks.align_mlm",
    "tasks.sentence_classification",
    "tasks.sequence_tagging",
    "training.adamw",
)

__all__ = ["__version__", *API]


def __getattr__(name: str):
    """A name of ``API``, from the module that has it."""
    if name not in API:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = API[name].rpartition(".")
    return getattr(import_module(f"{__name__}.{module}"), attribute)


def __dir__() -> list[str]:
    return sorted({*globals(), *API})


def register() -> None:
    """Patch fairseq and register tasks, criterions, models and the optimizer; a second call changes nothing.

    Raises:
        InputError: another plugin has replaced a function that this one replaces.
    """
    import_module(f"{__name__}.training.patches").install()
    for module in REGISTERING:
        import_module(f"{__name__}.{module}")


class _WithFairseq(MetaPathFinder, Loader):
    """Imports fairseq as ever, once, and registers the plugin right after."""

    def find_spec(self, name: str, path=None, target=None) -> ModuleSpec | None:
        if name != "fairseq":
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            self.loader, spec.loader = spec.loader, self
        return spec

    def create_module(self, spec: ModuleSpec):
        return self.loader.create_module(spec)

    def exec_module(self, module) -> None:
        module.__spec__.loader = module.__loader__ = self.loader
        try:
            self.loader.exec_module(module)
        except Exception as error:  # fairseq 0.12.2 raises ValueError
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise ImportError(
                f"fairseq: found {reason}, expected a fairseq that imports; run fairseq-align doctor"
            ) from error
        register()


if "fairseq" in sys.modules:
    register()
else:
    sys.meta_path.insert(0, _WithFairseq())
