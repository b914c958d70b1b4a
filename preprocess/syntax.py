#!/usr/bin/env python3
"""The command ``fairseq-align syntax``."""

import sys

from fairseq_align.cli import main

sys.argv[1:1] = ["syntax"]
raise SystemExit(main())
