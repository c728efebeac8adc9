"""Apache Airflow provider for Veo and every other OpenAI-style video API."""

__version__ = "0.1.0"
