"""What this package changes in fairseq: one table, applied once, shown by ``fairseq-align doctor``.

fairseq 0.12 has no hook in these places, or one that only a task of our own has. Models are fine-tuned with fairseq's
own tasks, too (``sentence_prediction``), and what is promised about checkpoints, signals and ranks holds for those as
well. What a hook of a task can do for all is done with it: ``autocast.PrecisionTask`` is the example to follow.
"""

import inspect
import sys
from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple

from fairseq import checkpoint_utils, options, trainer, utils
from fairseq.data.iterators import EpochBatchIterator
from fairseq.distributed import utils as distributed_utils
from fairseq.file_io import PathManager
from fairseq.models.roberta.model import RobertaModel
from fairseq.models.transformer.transformer_encoder import TransformerEncoderBase
from fairseq.optim.amp_optimizer import AMPOptimizer
from fairseq.optim.fp16_optimizer import FP16Optimizer, MemoryEfficientFP16Optimizer
from fairseq.tasks import FairseqTask
from fairseq.trainer import Trainer

from fairseq_align.errors import InputError, show_in_one_line
from fairseq_align.training import (
    checkpoints,
    failures,
    fingerprint,
    fitting,
    half_precision,
    kernels,
    literals,
    preflight,
    resharding,
    start,
    stopping,
    validation,
    waits,
)
from fairseq_align.training.program import in_command
from fairseq_align.training.replacement import is_replaced, replace


class Patch(NamedTuple):
    """A function of fairseq that is replaced.

    Attributes:
        owner: the module or class that holds it.
        attribute: its name there.
        wrapper: called as ``wrapper(stock, ...)`` for ``stock(...)``.
        why: what goes wrong without it.
        wanted: whether this process needs it.
    """

    owner: object
    attribute: str
    wrapper: Callable
    why: str
    wanted: Callable[[], bool] = lambda: True

    @property
    def name(self) -> str:
        """Where it is: ``fairseq.trainer.Trainer.load_checkpoint``."""
        module = "" if inspect.ismodule(self.owner) else f"{self.owner.__module__}."
        return f"{module}{self.owner.__name__}.{self.attribute}"

    @property
    def applied(self) -> bool:
        return is_replaced(self.owner, self.attribute)


PATCHES = (
    Patch(
        checkpoint_utils, "load_checkpoint_to_cpu", checkpoints.read_safely,
        "a checkpoint could run code, and a damaged one ends in a call stack",
    ),
    Patch(
        Trainer, "load_checkpoint", checkpoints.resume_from_whole,
        "a damaged checkpoint_last.pt ends a run that has other checkpoints",
    ),
    Patch(
        Trainer, "state_dict", fingerprint.state_dict,
        "a checkpoint does not know its vocabulary, lexicons, data and settings",
    ),
    Patch(
        checkpoint_utils, "load_model_ensemble_and_task", fingerprint.load_with_vocabulary,
        "a model meets another vocabulary of the same size without a word",
    ),
    Patch(
        FairseqTask, "get_batch_iterator", preflight.check_lengths,
        "items longer than the model or --max-tokens are left out with a warning, or end in a call stack",
    ),
    Patch(
        Trainer, "get_train_iterator", preflight.before_first_update,
        "a run that cannot validate ends at its first validation, with nothing saved",
    ),
    Patch(
        Trainer, "save_checkpoint", start.save,
        "a checkpoint does not say what began its run, nor how long its score has not been better",
    ),
    Patch(
        RobertaModel, "upgrade_state_dict_named", fitting.without_other_heads,
        "a tagger cannot be the start of a classifier, or of a tagger with other labels",
    ),
    Patch(PathManager, "copy", checkpoints.copy_whole, "an interrupted copy leaves half a file"),
    Patch(PathManager, "rename", checkpoints.rename_written, "a name can be on the disk before its data"),
    Patch(
        EpochBatchIterator, "state_dict", resharding.state_dict,
        "a checkpoint does not say for how many ranks its place in the epoch holds",
    ),
    Patch(
        EpochBatchIterator, "load_state_dict", resharding.load_state_dict,
        "another number of ranks goes on at the wrong batch",
    ),
    Patch(
        checkpoint_utils, "load_checkpoint", stopping.begin,
        "the same command does not go on, two runs write to one folder, a signal ends training without a checkpoint, "
        "and a rank that fails leaves the others waiting",
    ),
    Patch(
        distributed_utils, "call_main", stopping.launch, "ranks that a command starts do not get the signals it gets"
    ),
    Patch(
        trainer, "NanDetector", failures.detect_in_forward,
        "its hooks of the backward pass raise an error in place of the one that they are to explain",
    ),
    Patch(
        Trainer, "_log_oom", failures.refuse_oom,
        "a rank that has no memory leaves its batch out, and all ranks then wait for each other",
    ),
    Patch(sys, "excepthook", show_in_one_line, "the line that says how to mend an input drowns in a call stack",
          in_command),
    Patch(
        Trainer, "get_valid_iterator", validation.every_item,
        "validation leaves out the items beyond a multiple of eight",
    ),
    Patch(
        options, "get_validation_parser", validation.every_item_by_default,
        "fairseq-validate leaves out the items beyond a multiple of eight",
    ),
    Patch(
        Trainer, "_build_optimizer", half_precision.refuse_cpu,
        "--fp16 on a CPU ends in a call stack, or trains nothing",
    ),
    Patch(
        MemoryEfficientFP16Optimizer, "__init__", half_precision.refuse_unsupported,
        "an optimizer that cannot train weights in half alone ends in a call stack",
    ),
    Patch(
        FP16Optimizer, "state_dict", half_precision.fp16_state,
        "a checkpoint of --fp16 has the weights in half and lacks the float32 copy that is trained",
    ),
    Patch(
        FP16Optimizer, "load_state_dict", half_precision.load_fp16_state,
        "a resumed --fp16 goes on from rounded weights",
    ),
    Patch(
        AMPOptimizer, "__init__", half_precision.amp_window,
        "--amp-scale-window, the updates until the scale of --amp grows, is read from another flag",
    ),
    Patch(
        AMPOptimizer, "step", half_precision.amp_step,
        "--amp divides gradients by the scale of the loss twice and hardly trains",
    ),
    Patch(AMPOptimizer, "state_dict", half_precision.amp_state, "a checkpoint of --amp lacks the scale of the loss"),
    Patch(AMPOptimizer, "load_state_dict", half_precision.load_amp_state, "a resumed --amp begins with another scale"),
    Patch(
        TransformerEncoderBase, "forward_scriptable", waits.ask_once,
        "every layer asks the GPU whether anything is padded, and waits for the answer",
    ),
    Patch(
        utils, "get_activation_fn", kernels.activation_fn,
        "GELU copies half precision to float32 and back, a sixth of what a step reads and writes",
    ),
    Patch(
        utils, "multi_tensor_total_norm", kernels.norm_of_all,
        "without apex the norm of each gradient is taken by itself, a hundred small kernels",
    ),
    Patch(
        utils, "clip_grad_norm_", waits.norm_on_host,
        "--fp16 asks the GPU four times how large the gradients are",
    ),
    Patch(
        Trainer, "clip_grad_norm", waits.figures_with_norm,
        "the log waits for the step of the optimizer, and the next update begins when nothing is under way",
    ),
    Patch(
        Trainer, "_aggregate_logging_outputs", waits.totals_on_host,
        "ranks wait for the GPU once for each figure that they have added up",
    ),
    Patch(
        Trainer, "_reduce_and_log_stats", waits.log_in_one_copy,
        "an update waits for the GPU a dozen times, once for each figure of the log",
    ),
    *(
        Patch(
            import_module(f"fairseq.{module}"), "eval", literals.evaluate,
            "a setting could run code: a checkpoint's, a data file's or a command's",
        )
        for module in literals.EVALUATING
    ),
)  # fmt: skip


def install() -> None:
    """Apply the table, and tell torch which classes a checkpoint may hold; what is applied already stays as it is.

    Raises:
        InputError: a function is no longer fairseq's own, because another plugin has replaced it; nothing is changed.
    """
    wanted = [patch for patch in PATCHES if patch.wanted()]
    for patch in wanted:
        stock = getattr(patch.owner, patch.attribute, None)  # None: a function of builtins that nobody has replaced
        module = str(getattr(stock, "__module__", None))
        theirs = module.partition(".")[0] != "fairseq" and not patch.applied
        if stock is not None and patch.owner is not sys and theirs:
            raise InputError(
                f"{patch.name}: found a function of {module}, expected fairseq's own; another plugin has replaced it, "
                "and the two cannot be used together"
            )
    checkpoints.register_safe_classes()
    for patch in wanted:
        replace(patch.owner, patch.attribute, patch.wrapper)
