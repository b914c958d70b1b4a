#!/usr/bin/env python3
"""The command ``fairseq-align derive``."""

import sys

from fairseq_align.cli import main

sys.argv[1:1] = ["derive"]
raise SystemExit(main())
