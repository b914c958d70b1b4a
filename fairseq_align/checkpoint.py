"""Loading checkpoints without running code from them.

torch unpickles with ``weights_only=True`` and refuses every class it has not been told of. fairseq's checkpoints hold a
few plain containers beside the tensors; these, and no others, are registered here, so that training, resuming,
``fairseq-validate`` and ``from_pretrained`` work with no environment variable and no unsafe load.
"""

import argparse
import collections
import typing

import torch
from fairseq.distributed.utils import _TensorPlaceholder
from omegaconf import DictConfig, ListConfig
from omegaconf.base import ContainerMetadata, Metadata
from omegaconf.nodes import AnyNode

# Namespace: the arguments of a checkpoint. The rest: the configuration, and the stand-ins for tensors, of a checkpoint
# that rank 0 broadcasts to the others. Building any of them sets attributes and calls nothing.
SAFE_CLASSES = (
    argparse.Namespace,
    collections.defaultdict,
    typing.Any,
    DictConfig,
    ListConfig,
    ContainerMetadata,
    Metadata,
    AnyNode,
    _TensorPlaceholder,
)


def register_safe_classes() -> None:
    torch.serialization.add_safe_globals(list(SAFE_CLASSES))
