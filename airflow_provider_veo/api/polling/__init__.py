"""Polling: the times of the status calls for a job, and the end of the wait."""
