#!/usr/bin/env python3
"""The command ``fairseq-align corpus``."""

import sys

from fairseq_align.cli import main

sys.argv[1:1] = ["corpus"]
raise SystemExit(main())
