#!/usr/bin/env python3
"""The command ``fairseq-align lexicon``."""

import sys

from fairseq_align.cli import main

sys.argv[1:1] = ["lexicon"]
raise SystemExit(main())
