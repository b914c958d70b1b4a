"""fairseq criterions: ``align_mlm``, masked-LM loss plus alignment loss, and ``sequence_tagging``."""
