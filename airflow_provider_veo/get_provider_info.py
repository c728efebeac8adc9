"""What Airflow's provider manager wants to know about this package."""

from __future__ import annotations

from typing import Any

_INTEGRATION = "Veo"


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata (schema: `airflow/provider_info.schema.json`, `provider.yaml.schema.json`)."""
    return {
        "package-name": "airflow-provider-veo",
        "name": "Veo",
        "description": "Videos from prompts by Veo 3.1 and every other server that speaks the `/v1/videos` protocol.",
        "integrations": [
            {
                "integration-name": _INTEGRATION,
                "external-doc-url": "https://deepmind.google/models/veo/",
                "tags": ["ai", "service"],
            }
        ],
        "operators": [
            {
                "integration-name": _INTEGRATION,
                "python-modules": [
                    "airflow_provider_veo.operators.chat",
                    "airflow_provider_veo.operators.create",
                    "airflow_provider_veo.operators.download",
                    "airflow_provider_veo.operators.media",
                ],
            }
        ],
        "sensors": [{"integration-name": _INTEGRATION, "python-modules": ["airflow_provider_veo.sensors.video"]}],
        "task-decorators": [
            {"name": "veo_video", "class-name": "airflow_provider_veo.decorators.video.veo_video_task"},
        ],
        "hooks": [{"integration-name": _INTEGRATION, "python-modules": ["airflow_provider_veo.hooks.veo"]}],
        "triggers": [{"integration-name": _INTEGRATION, "python-modules": ["airflow_provider_veo.triggers.video"]}],
        "extra-links": ["airflow_provider_veo.links.video.VeoVideoLink"],
        "connection-types": [
            {
                "connection-type": "veo",
                "hook-class-name": "airflow_provider_veo.hooks.veo.VeoHook",
                "hook-name": "Veo (OpenAI-style video API)",
                "ui-field-behaviour": {
                    # The port stays visible, since Airflow 3.3.1 and 3.3.2 cannot test a stored connection
                    # without one: see pull request 73298 of apache/airflow.
                    "hidden-fields": ["schema", "login"],
                    "relabeling": {"host": "Base URL", "password": "API key", "port": "Port (optional)"},
                    "placeholders": {"host": "https://api.example.com", "port": "443", "password": "sk-..."},
                },
                "conn-fields": _CONNECTION_FIELDS,
            }
        ],
        "config": {
            "veo": {
                "description": "Settings of the Veo provider.",
                "options": {
                    "storage": {
                        "description": "Base of relative destinations: an absolute path or a URI.",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "s3://aws_default@my-bucket/videos",
                        "default": "",
                    },
                    "salvage": {
                        "description": (
                            "Folder for paid videos that their destination does not take: an absolute path or a URI. "
                            "The next try takes them from there; nothing removes them. "
                            "Empty: the folder _veo/salvage below [veo] storage; without that, none."
                        ),
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "/data/salvage",
                        "default": "",
                    },
                    "page_roots": {
                        "description": (
                            "Folders below which the Veo page may open files: absolute paths or URIs, separated by "
                            "commas or line breaks. For the API server, which reads an object by the connection that "
                            "its folder here names. Empty: the folder of [veo] storage; without that, none."
                        ),
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "/data/videos, s3://aws_default@my-bucket/videos",
                        "default": "",
                    },
                    "poll_interval": {
                        "description": (
                            "Seconds between two status calls for one video, give or take a tenth. "
                            "Empty: a schedule that learns from the job's progress and from earlier jobs."
                        ),
                        "version_added": "0.1.0",
                        "type": "float",
                        "example": "10",
                        "default": "",
                    },
                    "max_in_flight_polls": {
                        "description": (
                            "Status calls that a triggerer sends at once for one connection. A call without an answer "
                            "for half a second counts no more; four times this number is the most sockets."
                        ),
                        "version_added": "0.1.0",
                        "type": "integer",
                        "example": "10",
                        "default": "32",
                    },
                    "shortest_deferral": {
                        "description": (
                            "Seconds that a deferral takes at least, 0 to 600: Airflow 3.3 may fail a task that goes "
                            "on within some six seconds of its deferral. 0: the task goes on at once."
                        ),
                        "version_added": "0.1.0",
                        "type": "float",
                        "example": "0",
                        "default": "10",
                    },
                    "task_tab": {
                        "description": (
                            "Show the tab Video on task instances. Airflow before 3.4 shows it on the tasks of all "
                            "operators; from 3.4 on it is on this provider's tasks only, whatever is set here."
                        ),
                        "version_added": "0.1.0",
                        "type": "boolean",
                        "example": "True",
                        "default": "False",
                    },
                },
            }
        },
    }


_CONNECTION_FIELDS = {
    "profile": {
        "label": "Gateway profile",
        "description": (
            "Models, prices and frame rules of the gateway. generic knows none, and suits every server. "
            "Empty: the profile of the host, or else generic."
        ),
        "schema": {"type": ["string", "null"], "enum": ["veo-gateway", "generic"], "default": ""},
    },
    "default_model": {
        "label": "Default model",
        "description": "Ordered when a task names no model.",
        "schema": {"type": ["string", "null"], "default": "veo-3.1-fast"},
    },
    "auth_scheme": {
        "label": "Authorization",
        "description": "bearer: 'Authorization: Bearer KEY'; raw: 'Authorization: KEY'.",
        "schema": {"type": ["string", "null"], "enum": ["bearer", "raw"], "default": "bearer"},
    },
    "request_format": {
        "label": "Request format",
        "description": "Of orders; auto: JSON, and multipart when there are frames or the server reads no JSON.",
        "schema": {"type": ["string", "null"], "enum": ["auto", "json", "multipart"], "default": "auto"},
    },
    "timeout": {
        "label": "Timeout (s)",
        "description": "For a connection, the answer to an order, and how long a transfer may be too slow.",
        "schema": {"type": ["integer", "null"], "default": 60, "minimum": 1},
    },
    "verify": {
        "label": "Verify TLS",
        "description": "true, false, or the path of a CA bundle.",
        "schema": {"type": ["string", "null"], "default": "true"},
    },
    "allow_private_addresses": {
        "label": "Allow private addresses",
        "description": "true: take videos from your own network, too, when a server outside of it says they are there.",
        "schema": {"type": ["string", "null"], "enum": ["true", "false"], "default": "false"},
    },
    "headers": {
        "label": "Further headers",
        "description": 'Sent to the API with each request: a JSON object like {"x-portkey-provider": "openai"}.',
        "schema": {"type": ["string", "null"], "default": ""},
    },
}
