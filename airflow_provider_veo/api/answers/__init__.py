"""Answers of servers as data: bounded, decoded, cleaned and masked."""
