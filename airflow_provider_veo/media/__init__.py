"""Extract frames from videos, and join videos. Needs PyAV (the extra `media`) and nothing of Airflow."""
