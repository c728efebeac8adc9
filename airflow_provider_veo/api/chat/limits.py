"""How much of a chat stream is kept. A server may send anything, for as long as the call may take."""

from __future__ import annotations

EVENT_LIMIT = 2**20
"""Characters of one event, and of an answer that is no stream: parsed JSON takes 25 times its text in memory."""

LINE_LIMIT = 2**18
"""Characters of one line of the text for people. The head of a longer one is read."""

BLOCK_LIMIT = 2**19
"""Characters of a fenced block. A longer one is read in several parts."""

MOST_PAGES = 8
"""Choices whose texts are put together: twice as many as can be ordered. Of others each piece is read by itself."""

ECHO_LIMIT = 10_000
"""Characters of the prompt that the server repeats."""

WORD_LIMIT = 100
"""Characters of the server's own words, such as the reason to finish."""

MOST_COUNTED = 1_000
"""Addresses beyond those that were ordered that are told apart, to be counted once each."""
