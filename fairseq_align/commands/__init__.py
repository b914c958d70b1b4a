"""Commands that make data: flags to one function of a room. ``fairseq-align NAME`` is ``commands/NAME.py``.

Their ``add_parser`` is a row of ``cli.COMMANDS``; ``progress`` is the bar that they share.
"""
