"""Limits on the parts of a chat stream that are kept: a server may send any text, for as long as the call may take."""

from __future__ import annotations

EVENT_LIMIT = 2**20
"""Characters of one event, and of an answer that is not a stream. Parsed JSON takes 25 times its text in memory."""

LINE_LIMIT = 2**18
"""Characters of one line of the text for people. Of a longer line, the beginning is read."""

BLOCK_LIMIT = 2**19
"""Characters of a fenced block. A longer block is read in several parts."""

MOST_CHOICES = 8
"""Choices whose pieces are joined to a text: twice as many as can be ordered. Of other choices each piece is read by
itself."""

ECHO_LIMIT = 10_000
"""Characters of the prompt that the server repeats."""

WORD_LIMIT = 100
"""Characters of a short value of the server, such as the reason to finish."""

MOST_COUNTED = 1_000
"""Most addresses beyond the ordered ones that are counted. Each is counted once."""
