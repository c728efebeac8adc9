"""Polling: when to ask for the status of a job, and how the wait for a job ends."""
