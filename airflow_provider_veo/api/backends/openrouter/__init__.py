"""The backend for OpenRouter's video API: OpenAI's Videos API with other fields, prices and a list of models.

Its answers have the form of OpenAI's, so the functions of `backends.openai` read and judge them. Facts without another
source are from the official client openrouter 1.3.84, whose requests `tests/wire/openrouter.json` records.
"""

from airflow_provider_veo.api.backends.openrouter.backend import OpenRouterBackend

__all__ = ["OpenRouterBackend"]
