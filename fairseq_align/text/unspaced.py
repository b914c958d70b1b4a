"""Text that is written without spaces between its words, and would become words as long as sentences."""

import logging
import re

logger = logging.getLogger(__name__)

LONGEST = {  # letters of scripts that are written so, and how many of them a word hardly exceeds
    "\u3005-\u3007\u3041-\u30ff\u3400-\u9fff\uf900-\ufaff\uff66-\uff9d\U00020000-\U0003134f": 8,  # Chinese, Japanese
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ece\u1000-\u103f\u1780-\u17d3": 16,  # Thai, Lao, Burmese, Khmer
}
SHARE = 0.25  # of the letters, in longer words, of a text that was not segmented; of segmented ones it is below 0.1

_RUNS = [(re.compile(f"[{letters}]+"), longest) for letters, longest in LONGEST.items()]


class Watch:
    """Looks at tokenised sentences, and says whether their words are as long as words are.

    Example:
        >>> watch = Watch()
        >>> watch.see("我喜欢在图书馆里看书和写字 。")
        >>> watch.is_unspaced, watch.longest
        (True, '我喜欢在图书馆里看书和写字')
    """

    def __init__(self):
        self.letters = self.in_long_words = 0
        self.longest = ""

    def see(self, sentence: str) -> None:
        """Count the letters of a sentence whose words are parted by spaces."""
        for runs, longest in _RUNS:
            for run in runs.findall(sentence):
                self.letters += len(run)
                if len(run) > longest:
                    self.in_long_words += len(run)
                    self.longest = max(self.longest, run, key=len)

    @property
    def is_unspaced(self) -> bool:
        return self.in_long_words > SHARE * self.letters

    def warn(self, where: object) -> None:
        """Say in the log what to do, if the text was not segmented."""
        if self.is_unspaced:
            shown = self.longest[:20] + "..." * (len(self.longest) > 20)
            logger.warning(
                "%s: found words such as %s, expected spaces between words; Chinese, Japanese, Thai, Lao, Burmese and "
                "Khmer are written without: segment the text first, see Text without spaces in docs/data.md",
                where,
                shown,
            )
