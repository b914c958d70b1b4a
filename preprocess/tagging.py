#!/usr/bin/env python3
"""The command ``fairseq-align tagging``."""

import sys

from fairseq_align.cli import main

sys.argv[1:1] = ["tagging"]
raise SystemExit(main())
