"""Task ``align_mlm``: masked language modelling in several languages, each a folder of binarized data."""

import logging
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Optional

from fairseq import utils
from fairseq.data import Dictionary
from fairseq.dataclass import ChoiceEnum
from fairseq.modules import LearnedPositionalEmbedding
from fairseq.tasks import register_task
from omegaconf import II, MISSING

from fairseq_align import ranges
from fairseq_align.data import binarized
from fairseq_align.data.blocks import BREAK_MODES, Blocks
from fairseq_align.data.code_switching import CodeSwitching, Switches, switches
from fairseq_align.data.masked_lm import MaskedLmDataset, Source
from fairseq_align.data.masking import DICT_MODES, Masking
from fairseq_align.data.sentence_pairs import ParallelItems
from fairseq_align.data.translations import Entries, Translations
from fairseq_align.embeddings.positions import PairPositions
from fairseq_align.errors import InputError
from fairseq_align.lexicon import words as lexicon_words
from fairseq_align.ranges import LENGTH, SHARE, Range, number
from fairseq_align.text import vocabulary
from fairseq_align.training.fingerprint import PATHS
from fairseq_align.training.parts import PartsConfig, PartsTask, TouchedRows

logger = logging.getLogger(__name__)


def _lexicons_flag(flag: str, text: str) -> str:
    """A field of lexicons, e.g. ``en:fr:en-fr.tsv,en:hi:en-hi.tsv``, whose contents a run remembers."""

    def paths(value: str) -> list[tuple[str, str]]:
        return [(f"{source}:{target}:", path) for source, target, path in _lexicons(value, flag)]

    return field(default=None, metadata={"help": f"{text}; default: none", PATHS: paths})


@dataclass
class AlignMlmTaskConfig(PartsConfig):
    data: str = field(
        default=MISSING,
        metadata={
            "help": "folder with dict.txt and one folder of binarized data a language; "
            "of several, separated by colons, one is read an epoch"
        },
    )
    langs: str = field(default=MISSING, metadata={"help": "comma-separated languages to train on, folders of the data"})
    tokens_per_sample: int = number(
        512, LENGTH, "most tokens in an item, <s> included; of a model with fewer positions, as many as these"
    )
    sample_break_mode: ChoiceEnum(BREAK_MODES) = field(
        default="none",
        metadata={
            "help": "none: every item full; complete: whole sentences, as many as fit; eos: one sentence an item"
        },
    )
    mask_prob: float = number(
        0.15, Range(0.01, 1, or_zero=True), "share of the tokens to predict; 0: none, for an alignment loss alone"
    )
    random_token_prob: float = number(0.1, SHARE, "share of the predicted tokens shown as a random token")
    leave_unmasked_prob: float = number(
        0.1, SHARE, "share of the predicted tokens shown as they are; with the random ones at most 1"
    )
    mask_whole_words: bool = field(
        default=False, metadata={"help": "predict whole words: all pieces of a word are treated alike"}
    )
    tlm_pairs: Optional[str] = field(
        default=None,
        metadata={
            "help": "translation language modelling on these pairs of languages, e.g. en:fr,en:hi, or, of text that is "
            "for this alone, of folders en-fr.en:en-fr.fr; their train data is aligned sentence by sentence; "
            "default: none"
        },
    )
    tlm_rate: float = number(
        0.25,
        Range(0, 100),
        "TLM items of an epoch as a fraction of all of them, which are the pairs of sentences without --tlm-pack; "
        "above 1 they repeat",
    )
    tlm_pack: bool = field(
        default=False,
        metadata={"help": "as many pairs in a TLM item as fit into --tokens-per-sample, one language after the other"},
    )
    tlm_restart_positions: bool = field(
        default=False, metadata={"help": "number the positions of the second language of a TLM item from the beginning"}
    )
    tlm_language_embedding: bool = field(
        default=False,
        metadata={"help": "add a learned vector to the second language of a TLM item; for a single pair of languages"},
    )
    dict_mlm: Optional[str] = _lexicons_flag(
        "--dict-mlm",
        "DICT-MLM with these lexicons, e.g. en:fr:en-fr.tsv,en:hi:en-hi.tsv, both ways",
    )
    dict_mlm_rate: float = number(
        0.5,
        SHARE,
        "share of the predicted tokens with a translation that DICT-MLM treats; words of several pieces are among them "
        "with --mask-whole-words",
    )
    dict_mlm_mode: ChoiceEnum(DICT_MODES) = field(
        default="input",
        metadata={
            "help": "input: the model sees the translation and predicts the token; authors: the same, and it sees "
            "that share of the tokens without a translation as they are; "
            "target: it sees <mask:LANG> of dict.txt and predicts the translation"
        },
    )
    code_switch: Optional[str] = _lexicons_flag(
        "--code-switch",
        "show some words of the training text in another language, by these lexicons, e.g. "
        "en:fr:en-fr.tsv,en:hi:en-hi.tsv, both ways; such words are not predicted",
    )
    code_switch_rate: float = number(0.1, SHARE, "share of the words with a translation that --code-switch replaces")
    realign: Optional[str] = _lexicons_flag(
        "--realign",
        "have words of TLM items that these lexicons pair, e.g. en:fr:en-fr.tsv, like states in a layer of "
        "the encoder, see --realign-layer; for the criterion align_mlm",
    )
    multilang_sampling_alpha: float = number(
        1.0,
        Range(0, 10),
        "languages are sampled in proportion to their size to this power; 1: as they are, 0: all alike",
    )
    sparse_embeddings: bool = field(
        default=False,
        metadata={
            "help": "rows of the word embeddings that no text and no drawn pair of an update has stay as they are; "
            "otherwise the output layer, which shares them, pushes every row at every update"
        },
    )
    seed: int = II("common.seed")


@register_task("align_mlm", dataclass=AlignMlmTaskConfig)
class AlignMlmTask(PartsTask):
    """Masked language modelling on ``<data>/<lang>/<split>``, for the criterions ``align_mlm`` and ``masked_lm``.

    The subset ``valid`` is that split of all languages, ``valid_<lang>`` that of one.

    Attributes:
        langs: languages of ``--langs``.
        words: first id of an ordinary token, and one more than the last.
        positions: most tokens in an item: ``--tokens-per-sample``, or the positions of the model if it has fewer.
        predicts: whether any token is to be predicted.
        realigns: whether batches name words that are to have like states.
        update_num: number of the current update, from 0; the criterion draws its pairs by it.
        dim: of the word embeddings, when the model is built.
        criterion_state: of the checkpoint that the model was loaded from, to be scored; None: none.
    """

    cfg: AlignMlmTaskConfig

    def __init__(self, cfg: AlignMlmTaskConfig, dictionary: Dictionary):
        ranges.check(AlignMlmTaskConfig, cfg)
        if cfg.random_token_prob + cfg.leave_unmasked_prob > 1:
            raise InputError(
                f"found --random-token-prob {cfg.random_token_prob} and --leave-unmasked-prob "
                f"{cfg.leave_unmasked_prob}, expected shares of at most 1 together; the others are masked"
            )
        super().__init__(cfg)
        self.dictionary = dictionary
        self.words = (dictionary.nspecial, dictionary.nspecial + len(vocabulary.pieces(dictionary)))
        self.mask_idx = dictionary.add_symbol(vocabulary.MASK)
        self.langs = cfg.langs.split(",")
        self.positions = cfg.tokens_per_sample
        self.predicts = cfg.mask_prob > 0
        self.realigns = bool(cfg.realign)
        self.update_num = 0
        self.state.add_factory("learnt", dict)  # pairs that the criterion found; in checkpoints
        self.state.add_factory("negatives", dict)  # hard ones; likewise
        self.dim: int | None = None
        self.criterion_state: dict | None = None
        self.touched = TouchedRows(len(dictionary), dictionary.pad()) if cfg.sparse_embeddings else None
        self._check_tlm()

    def _check_tlm(self) -> None:
        """Raise ``InputError`` for a setting that needs TLM's items, without such items."""
        pairs = _split(self.cfg.tlm_pairs)
        for name in ("tlm_pack", "tlm_restart_positions", "tlm_language_embedding", "realign"):
            if getattr(self.cfg, name) and not pairs:
                raise InputError(f"found --{name.replace('_', '-')} without --tlm-pairs, expected both or neither")
        if self.cfg.tlm_language_embedding and len(pairs) > 1:
            raise InputError(
                f"found --tlm-language-embedding and {len(pairs)} pairs in --tlm-pairs, expected one: its vector is "
                "that of the second language of every item"
            )

    @classmethod
    def setup_task(cls, cfg: AlignMlmTaskConfig, **kwargs) -> "AlignMlmTask":
        dictionary = vocabulary.load(Path(utils.split_paths(cfg.data)[0]) / "dict.txt")
        logger.info("dictionary: %d types", len(dictionary))
        return cls(cfg, dictionary)

    def load_dataset(self, split: str, epoch: int = 1, combine: bool = False, **kwargs) -> None:
        """Load a split of all languages, or ``<split>_<lang>`` of one.

        Raises:
            InputError: a language lacks the split.
        """
        paths = utils.split_paths(self.cfg.data)
        data = Path(paths[(epoch - 1) % len(paths)])
        name, _, lang = split.partition("_")
        train = name == "train"
        langs = [lang] if lang else self.langs
        languages = [
            Source(self._blocks(data / folder / name), *(self._tables(folder) if train else ())) for folder in langs
        ]
        parallel = [self._parallel(data, pair, name) for pair in _split(self.cfg.tlm_pairs)] if train else []
        word_starts = vocabulary.word_starts(self.dictionary)
        self.datasets[split] = MaskedLmDataset(
            languages,
            self._masking(),
            self.dictionary.pad(),
            self.cfg.seed,
            alpha=self.cfg.multilang_sampling_alpha if train else 1.0,
            parallel=parallel,
            parallel_rate=self.cfg.tlm_rate,
            # at rate 0 it would replace nothing, but draw from the generator that masks afterwards
            code_switching=CodeSwitching(self.cfg.code_switch_rate, word_starts) if self.cfg.code_switch_rate else None,
            word_starts=word_starts if train and self.realigns else None,
        )

    def _masking(self) -> Masking:
        return Masking(
            mask_prob=self.cfg.mask_prob,
            random_token_prob=self.cfg.random_token_prob,
            leave_unmasked_prob=self.cfg.leave_unmasked_prob,
            mask_idx=self.mask_idx,
            pad_idx=self.dictionary.pad(),
            words=self.words,
            word_starts=vocabulary.word_starts(self.dictionary) if self.cfg.mask_whole_words else None,
            dict_rate=self.cfg.dict_mlm_rate,
            dict_mode=str(self.cfg.dict_mlm_mode),
        )

    def build_model(self, cfg, from_checkpoint: bool = False):
        model = super().build_model(cfg, from_checkpoint)
        self.positions = min(self.cfg.tokens_per_sample, model.max_positions())  # fairseq loads the data afterwards
        self.dim = model.encoder.sentence_encoder.embed_tokens.embedding_dim
        self._number_second(model)
        return model

    def files_of(self, split: str) -> list[str]:
        """Paths in a folder of data, without their endings, of what a split is read from: see ``load_dataset``."""
        name, _, lang = split.partition("_")
        paired = [lang for pair in _split(self.cfg.tlm_pairs) for lang in pair.split(":")] if name == "train" else []
        return [f"{folder}/{name}" for folder in dict.fromkeys([*([lang] if lang else self.langs), *paired])]

    def build_criterion(self, cfg, from_checkpoint: bool = False):
        if not self.predicts and not (getattr(cfg, "align_weight", 0) or self.realigns):
            raise InputError(
                "found --mask-prob 0 without an alignment loss, expected something to learn; give --criterion "
                "align_mlm with an --align-weight above 0, or predict some tokens"
            )
        if self.realigns and not hasattr(cfg, "realign_weight"):
            raise InputError(f"found --realign with --criterion {cfg._name}, expected align_mlm, which has this term")
        criterion = super().build_criterion(cfg, from_checkpoint)
        if self.criterion_state:
            criterion.load_state_dict(self.criterion_state)
        return criterion

    def reduce_metrics(self, logging_outputs, criterion) -> None:
        """Log what the criterion says; of an update that had nothing to predict, a loss of 0 and not of 0 / 0."""
        if logging_outputs and not any(log.get("sample_size", 0) for log in logging_outputs):
            logging_outputs = [{**logging_outputs[0], "sample_size": 1}, *logging_outputs[1:]]
        super().reduce_metrics(logging_outputs, criterion)

    def _blocks(self, prefix: Path) -> Blocks:
        if not binarized.exists(prefix):
            folders = sorted(path.parent.name for path in prefix.parent.parent.glob(f"*/{prefix.name}.idx"))
            raise InputError(
                f"{prefix}.idx: found no binarized data, expected one of the languages with this split: "
                f"{', '.join(folders) or 'none is there'}; check --langs and the subset, or run fairseq-preprocess"
            )
        blocks = Blocks(
            prefix,
            self.positions,
            str(self.cfg.sample_break_mode),
            self.dictionary.bos(),
            len(self.dictionary),
        )
        logger.info("%s: %d tokens in %d blocks", prefix, len(blocks.tokens), len(blocks))
        return blocks

    def _parallel(self, data: Path, pair: str, split: str) -> Source:
        folders = pair.split(":")
        if len(folders) != 2 or "" in folders:
            raise InputError(f"--tlm-pairs: found {pair!r}, expected two languages, e.g. en:fr")
        items = ParallelItems(
            data / folders[0] / split,
            data / folders[1] / split,
            self.positions,
            self.dictionary.bos(),
            len(self.dictionary),
            pack=self.cfg.tlm_pack,
            begin_second=self._marks_second,
        )
        logger.info(
            "%s %s: %d pairs in %d items of %.1f tokens, %d more are too long for an item",
            pair, split, len(items.pairs), len(items), items.sizes.mean(), items.left_out,
        )  # fmt: skip
        if items.left_out > len(items.pairs):
            logger.warning(
                "%s %s: most pairs are longer than --tokens-per-sample %d: TLM sees the short ones alone", pair, split,
                self.cfg.tokens_per_sample,
            )  # fmt: skip
        langs = self._languages(pair)
        return Source(items, *self._tables(*langs), self.realigned.get(langs))

    def _languages(self, pair: str) -> tuple[str, ...]:
        """Languages of the folders of a pair: their names, or of others what they end in, ``en`` of ``en-fr.en``."""
        return tuple(name if name in self.langs else name.rpartition(".")[2] for name in pair.split(":"))

    @property
    def _marks_second(self) -> bool:
        return self.cfg.tlm_restart_positions or self.cfg.tlm_language_embedding

    def _number_second(self, model) -> None:
        """Have the model number the second language of TLM's items anew, and know it by its vector."""
        if self._marks_second:
            encoder = model.encoder.sentence_encoder
            if not isinstance(encoder.embed_positions, LearnedPositionalEmbedding):
                raise InputError(
                    "found --tlm-restart-positions or --tlm-language-embedding and a model without learned positions, "
                    "expected one with them, e.g. --arch roberta_base"
                )
            encoder.embed_positions = PairPositions(
                encoder.embed_positions,
                self.dictionary.bos(),
                self.cfg.tlm_restart_positions,
                self.cfg.tlm_language_embedding,
            )

    def _lexicons_of_text(self, name: str) -> Iterator[list[str]]:
        """What ``_lexicons`` yields; ``InputError`` where there is no text in either language of a lexicon."""
        flag = f"--{name.replace('_', '-')}"
        paired = [lang for pair in _split(self.cfg.tlm_pairs) for lang in self._languages(pair)]
        for source, target, path in _lexicons(getattr(self.cfg, name), flag):
            if {source, target}.isdisjoint([*self.langs, *paired]):
                raise InputError(
                    f"{flag}: found {source}:{target}, expected two languages, one of them at least among --langs "
                    f"{self.cfg.langs}; its words are those of their texts"
                )
            yield [source, target, path]

    @cached_property
    def translations(self) -> dict[str, Entries]:
        """Entries of the translation table of each language; read when a training set is loaded."""
        by_lang = defaultdict(Entries)
        for source, target, path in self._lexicons_of_text("dict_mlm"):
            pairs = lexicon_words.load(path, self.dictionary)
            forth = Entries.of(pairs, self._language_mask(target))
            logger.info(
                "DICT-MLM %s:%s: %d of %d pairs are single pieces and used, the others %s", source, target,
                len(forth.pieces), len(pairs), "as whole words" if self.cfg.mask_whole_words else "are not",
            )  # fmt: skip
            by_lang[source] += forth
            by_lang[target] += Entries.of(pairs, self._language_mask(source), reverse=True)
        return by_lang

    @cached_property
    def foreign(self) -> dict[str, Entries]:
        """Entries for code-switching of each language; read when a training set is loaded."""
        by_lang = defaultdict(Entries)
        for source, target, path in self._lexicons_of_text("code_switch"):
            pairs = lexicon_words.load(path, self.dictionary)
            by_lang[source] += Entries.of(pairs, self.mask_idx)
            by_lang[target] += Entries.of(pairs, self.mask_idx, reverse=True)
        return by_lang

    @cached_property
    def realigned(self) -> dict[tuple[str, str], Switches]:
        """Translations of the words of the first language of each pair of ``--tlm-pairs``."""
        pairs = [self._languages(pair) for pair in _split(self.cfg.tlm_pairs)]
        found = {}
        for source, target, path in _lexicons(self.cfg.realign, "--realign"):
            if (source, target) not in pairs and (target, source) not in pairs:
                raise InputError(
                    f"--realign: found {source}:{target}, expected a pair of --tlm-pairs {self.cfg.tlm_pairs or ''}; "
                    "words are paired in its parallel sentences"
                )
            forth = (source, target) in pairs
            entries = Entries.of(lexicon_words.load(path, self.dictionary), self.mask_idx, reverse=not forth)
            found[(source, target) if forth else (target, source)] = switches(entries)
        return found

    def _language_mask(self, lang: str) -> int:
        """Id of the mask symbol of a language; that of ``<mask>`` in the mode that shows no such symbols."""
        if str(self.cfg.dict_mlm_mode) != "target":
            return self.mask_idx
        symbol = vocabulary.language_mask(lang)
        if symbol not in self.dictionary:
            raise InputError(
                f"dict.txt: found no {symbol}, expected it for --dict-mlm-mode target; add it with "
                f"fairseq-align subword masks --langs {lang}"
            )
        return self.dictionary.index(symbol)

    def _tables(self, *langs: str) -> tuple[Translations | None, Switches | None]:
        """What translates the tokens of these languages, for DICT-MLM, and their words, for code-switching."""
        foreign = sum((self.foreign.get(lang, Entries()) for lang in langs), Entries())
        return self._translations(*langs), switches(foreign) or None

    def _translations(self, *langs: str) -> Translations | None:
        table = sum((self.translations.get(lang, Entries()) for lang in langs), Entries())
        translations = Translations(
            table.pieces, len(self.dictionary), table.words if self.cfg.mask_whole_words else ()
        )
        return translations if len(translations) else None

    def train_step(self, sample, model, criterion, optimizer, update_num, ignore_grad=False):
        self.update_num = update_num
        if self.touched is not None and not ignore_grad:
            self.touched.add(sample["net_input"]["src_tokens"])
            self.touched.add(sample["target"])
        return super().train_step(sample, model, criterion, optimizer, update_num, ignore_grad)

    @property
    def source_dictionary(self) -> Dictionary:
        return self.dictionary

    @property
    def target_dictionary(self) -> Dictionary:
        return self.dictionary

    def max_positions(self) -> int:
        return self.positions


def _split(names: str | None) -> list[str]:
    return names.split(",") if names else []


def _lexicons(value: str | None, flag: str) -> Iterator[list[str]]:
    """Source, target and path of each lexicon that a flag names."""
    for item in _split(value):
        parts = item.split(":", 2)
        if len(parts) < 3 or not all(parts):
            raise InputError(f"{flag}: found {item!r}, expected source:target:lexicon, e.g. en:fr:en-fr.tsv")
        yield parts
