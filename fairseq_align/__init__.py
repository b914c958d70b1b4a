"""fairseq_align: ALIGN-MLM for fairseq. ``--user-dir fairseq_align`` imports this package, which registers all."""

from fairseq_align.version import __version__

__all__ = ["__version__"]

try:
    import fairseq  # noqa: F401
except Exception as error:  # fairseq 0.12.2 raises ValueError; every module below would, too, on its first use
    FAIRSEQ_ERROR: Exception | None = error  # `fairseq-align doctor` shows it
else:
    FAIRSEQ_ERROR = None
    from fairseq_align.errors import show_as_one_line
    from fairseq_align.training import checkpoints as checkpoint
    from fairseq_align.training import failures as failure
    from fairseq_align.training import resharding as shards
    from fairseq_align.training import stopping as preemption

    checkpoint.register_safe_classes()
    checkpoint.guard()
    shards.remember()
    preemption.heed()
    failure.share()
    show_as_one_line()

    # fairseq scans only tasks/ and models/, and a criterion that nobody imports does not exist
    import fairseq_align.criterions.align_mlm
    import fairseq_align.criterions.sequence_tagging
    import fairseq_align.models.tagger
    import fairseq_align.tasks.align_mlm
    import fairseq_align.tasks.sequence_tagging
    import fairseq_align.training.adamw  # noqa: F401
