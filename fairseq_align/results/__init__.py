"""Results: scores as JSON lines, what tasks and metrics there are, and tables and figures of a study from its scores.

``records`` owns results.jsonl and ``metrics`` the table of tasks; ``report.report`` writes a report.
"""

from fairseq_align.results.records import append, latest, read, signature

__all__ = ["append", "latest", "read", "signature"]
