"""fairseq's optimizers of ``--fp16`` and ``--amp``: steps of the right size, all that a checkpoint needs, refusals.

``--fp16`` trains a float32 copy of weights in half; ``--amp`` has weights in float32. Both multiply the loss by a scale
that keeps gradients in the range of half precision, and divide gradients by it before a step.
"""

from collections.abc import Callable, Iterator

from fairseq.optim.amp_optimizer import AMPOptimizer
from fairseq.optim.dynamic_loss_scaler import DynamicLossScaler
from fairseq.optim.fp16_optimizer import FP16Optimizer, MemoryEfficientFP16Optimizer
from fairseq.trainer import Trainer
from torch import Tensor

from fairseq_align.errors import InputError

WEIGHTS, COUNTERS, SCALER = "fp32_weights", "loss_scale_counters", "grad_scaler"  # keys in the optimizer's state
COUNTED = "_iter", "_last_overflow_iter", "_last_rescale_iter", "_overflows_since_rescale"


def refuse_cpu(build: Callable, trainer: Trainer) -> None:
    """``Trainer._build_optimizer``, which has no ``--fp16`` on a CPU.

    fairseq files the float32 copy under the number of the current GPU and looks it up by the device of the weights:
    with ``--cpu`` beside a GPU it finds no weights to copy, and trains nothing.

    Raises:
        InputError: ``--fp16``, and the weights are on the CPU.
    """
    if trainer.cfg.common.fp16 and trainer.device.type == "cpu":
        raise InputError("found --fp16 on a CPU, expected a GPU; leave it out, or take --autocast bf16")
    build(trainer)


def refuse_unsupported(
    init: Callable, wrapper: MemoryEfficientFP16Optimizer, cfg, params, optimizer, allow_unsupported=False, **more
) -> None:
    """``MemoryEfficientFP16Optimizer(...)``, for an optimizer that does not turn gradients into float32 itself.

    Raises:
        InputError: ``optimizer`` is no such one.
    """
    if not (allow_unsupported or optimizer.supports_memory_efficient_fp16):
        raise InputError(
            f"found --optimizer {cfg.optimizer._name} with weights in half alone, expected one that computes in "
            "float32; take --optimizer adam, or --fp16 in place of --memory-efficient-fp16"
        )
    init(wrapper, cfg, params, optimizer, allow_unsupported, **more)


def fp16_state(state_dict: Callable, optimizer: FP16Optimizer) -> dict:
    """``FP16Optimizer.state_dict``, with the float32 weights and the counts that move the scale."""
    state = state_dict(optimizer)
    state[WEIGHTS] = list(_weights(optimizer))
    if optimizer.scaler is not None:  # bfloat16 has none
        state[COUNTERS] = {name: getattr(optimizer.scaler, name) for name in COUNTED}
    return state


def load_fp16_state(load: Callable, optimizer: FP16Optimizer, state: dict, overrides: dict | None = None) -> None:
    """``FP16Optimizer.load_state_dict``; without float32 weights in ``state``, they stay those of the halves.

    Raises:
        InputError: the float32 weights are not as many as those to train.
    """
    load(optimizer, state, overrides)
    for weights, saved in zip(_weights(optimizer), state.get(WEIGHTS, ()), strict=WEIGHTS in state):
        if weights.shape != saved.shape:
            raise InputError(
                f"found {saved.numel():,} float32 weights in the checkpoint, expected the {weights.numel():,} that are "
                "to train; give --reset-optimizer"
            )
        weights.copy_(saved)
    _count(optimizer.scaler, state.get(COUNTERS, {}))


def _weights(optimizer: FP16Optimizer) -> Iterator[Tensor]:
    """The float32 copy: one tensor a device, or, with ``--fp16-no-flatten-grads``, one a parameter."""
    copy = optimizer.fp32_params
    for weights in copy.values() if isinstance(copy, dict) else copy:
        yield weights.detach()


def _count(scaler: DynamicLossScaler | None, counters: dict[str, int]) -> None:
    for name in COUNTED if scaler is not None and counters else ():
        setattr(scaler, name, counters[name])


def amp_window(init: Callable, optimizer: AMPOptimizer, cfg, *args, **more) -> None:
    """``AMPOptimizer(...)``, whose scale grows as ``--amp-scale-window`` says and not as ``--amp-init-scale`` does."""
    init(optimizer, cfg, *args, **more)
    if cfg.common.amp_scale_window is not None:
        optimizer.scaler.set_growth_interval(cfg.common.amp_scale_window)


def amp_step(step: Callable, optimizer: AMPOptimizer) -> None:
    """``AMPOptimizer.step``, of torch's optimizer, whose gradients ``clip_grad_norm`` has divided by the scale.

    fairseq gives its own wrapper to the scaler, which does not know it and divides them again.
    """
    optimizer.scaler.step(optimizer.optimizer)
    optimizer.scaler.update()


def amp_state(state_dict: Callable, optimizer: AMPOptimizer) -> dict:
    """``AMPOptimizer.state_dict``, with the scale and when it grows."""
    return {**state_dict(optimizer), SCALER: optimizer.scaler.state_dict()}


def load_amp_state(load: Callable, optimizer: AMPOptimizer, state: dict, overrides: dict | None = None) -> None:
    """``AMPOptimizer.load_state_dict``; without a scale in ``state`` it begins anew."""
    load(optimizer, state, overrides)
    if state.get(SCALER):  # that of a run on a CPU is empty
        optimizer.scaler.load_state_dict(state[SCALER])
