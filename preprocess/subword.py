#!/usr/bin/env python3
"""The command ``fairseq-align subword``."""

import sys

from fairseq_align.cli import main

sys.argv[1:1] = ["subword"]
raise SystemExit(main())
