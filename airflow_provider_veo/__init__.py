"""Apache Airflow provider for Veo, Gemini Omni and other video APIs.

The names in `__all__` of these modules are public: `airflow_provider_veo.api`, `api.chat.events`, `api.errors`,
`decorators`, `emulator`, `exceptions`, `hooks`, `links`, `operators`, `policies`, `sensors`, `testing` and `triggers`.
Everything else is internal, and may change with each version.
"""

__version__ = "0.1.0"
