#!/usr/bin/env python3
"""The command ``fairseq-align xnli``."""

import sys

from fairseq_align.cli import main

sys.argv[1:1] = ["xnli"]
raise SystemExit(main())
