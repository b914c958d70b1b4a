"""From scores to tables: records, metrics, means over seeds, reports, figures, the paper's numbers."""
