"""Frames out of videos, and videos into a film. Needs PyAV (the extra `media`), and nothing of Airflow."""
