"""The video API (`/v1/videos` and its chat twin), free of Airflow."""
