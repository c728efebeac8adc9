"""Apache Airflow provider for Veo and every other OpenAI-style video API.

The names in `__all__` of these modules are public: `airflow_provider_veo.api`, `api.chat.events`, `api.errors`,
`decorators`, `emulator`, `exceptions`, `hooks`, `links`, `operators`, `policies`, `sensors`, `testing` and `triggers`.
Everything else is internal, and may change with each version.
"""

__version__ = "0.1.0"
