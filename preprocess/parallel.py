#!/usr/bin/env python3
"""The command ``fairseq-align parallel``."""

import sys

from fairseq_align.cli import main

sys.argv[1:1] = ["parallel"]
raise SystemExit(main())
