"""fairseq criterions: ``align_mlm``, masked-LM loss plus alignment loss, and ``sequence_tagging``."""

import fairseq  # noqa: F401   registers the plugin, before a module of this room is half imported
