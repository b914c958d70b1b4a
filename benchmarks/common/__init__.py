"""What the benchmarks share: shapes of models, random corpora, trainers made of flags, interleaved timing, records."""
