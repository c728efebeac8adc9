"""Polling: the next status call, and the end of the wait."""
