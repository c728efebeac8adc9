"""Metadata of this package for Airflow's provider manager."""

from __future__ import annotations

from typing import Any

_INTEGRATION = "Veo"


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata (schema: `airflow/provider_info.schema.json`, `provider.yaml.schema.json`)."""
    return {
        "package-name": "airflow-provider-veo",
        "name": "Veo",
        "description": (
            "Videos from prompts, by Veo on Google Cloud, Gemini Omni, OpenRouter, and all servers with the "
            "`/v1/videos` protocol."
        ),
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
                "hook-name": "Veo (video generation)",
                "ui-field-behaviour": {
                    # The port stays visible because Airflow 3.3.1 and 3.3.2 cannot test a stored connection
                    # without one (pull request 73298 of apache/airflow).
                    "hidden-fields": ["schema", "login"],
                    "relabeling": {"host": "Base URL", "password": "API key", "port": "Port (optional)"},
                    "placeholders": {
                        "host": "https://api.example.com; empty for the backends vertex, gemini and openrouter",
                        "port": "443",
                        "password": "sk-...; empty for Google Cloud",
                        "keyfile_dict": '{"type": "service_account", ...}',
                        "location": "us-central1",
                        "output_uri": "gs://my-bucket/videos/",
                    },
                },
                "conn-fields": _CONNECTION_FIELDS,
            }
        ],
        "config": {
            "veo": {
                "description": "Settings of the Veo provider.",
                "options": {
                    "storage": {
                        "description": (
                            "Folder for relative destinations: an absolute path or a URI that all workers share. "
                            "Airflow versions except 3.3 also keep order files there, below _veo/orders. By them, a "
                            "task that is cleared collects a paid video instead of ordering another one."
                        ),
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "s3://aws_default@my-bucket/videos",
                        "default": "",
                    },
                    "salvage": {
                        "description": (
                            "Folder for paid videos whose destination does not take them: an absolute path or a URI. "
                            "The next try takes them from there; nothing removes them. "
                            "Empty: the folder _veo/salvage below [veo] storage, or none without a storage."
                        ),
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "/data/salvage",
                        "default": "",
                    },
                    "on_clear": {
                        "description": (
                            "Action of a task that is cleared before its paid video is delivered, unless the task's "
                            "own on_clear says otherwise. collect: it collects that video and orders nothing. new: it "
                            "orders another video, which is charged again."
                        ),
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "new",
                        "default": "collect",
                    },
                    "installation": {
                        "description": (
                            "Name of this installation of Airflow. It keeps the order files of several installations "
                            "apart that share the folder of [veo] storage. All workers need the same name. Empty: "
                            "the base_url of [api], before Airflow 3 that of [webserver]."
                        ),
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "production",
                        "default": "",
                    },
                    "page_roots": {
                        "description": (
                            "Folders from which the Veo page may open files: absolute paths or URIs, separated by "
                            "commas or line breaks. The API server reads an object by the connection in the URI of "
                            "its folder. Empty: the folder of [veo] storage, or none without a storage."
                        ),
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "/data/videos, s3://aws_default@my-bucket/videos",
                        "default": "",
                    },
                    "poll_interval": {
                        "description": (
                            "Seconds between two status calls for one job, with a random deviation of a tenth. "
                            "Empty: a schedule that learns from the job's progress and from earlier jobs."
                        ),
                        "version_added": "0.1.0",
                        "type": "float",
                        "example": "10",
                        "default": "",
                    },
                    "max_in_flight_polls": {
                        "description": (
                            "Most simultaneous status calls of a triggerer for one connection. A call without an "
                            "answer for half a second no longer counts. The most sockets are four times this number."
                        ),
                        "version_added": "0.1.0",
                        "type": "integer",
                        "example": "10",
                        "default": "32",
                    },
                    "shortest_deferral": {
                        "description": (
                            "Shortest time of a deferral in seconds, 0 to 600. Airflow 3.3 may fail a task that "
                            "continues within about six seconds of its deferral. 0: the task continues at once."
                        ),
                        "version_added": "0.1.0",
                        "type": "float",
                        "example": "0",
                        "default": "10",
                    },
                    "task_tab": {
                        "description": (
                            "Show the tab Video on task instances. Airflow before 3.4 shows it for the tasks of all "
                            "operators. Airflow 3.4 and later ignore this setting and show it for tasks of this "
                            "provider only."
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
    "backend": {
        "label": "Backend",
        "description": (
            "Protocol of the API. openai: /v1/videos; openrouter; gemini: Gemini Omni by an API key, or on Google "
            "Cloud with a project; vertex: Veo on Google Cloud. Empty: the backend of the host, or else openai."
        ),
        "schema": {
            "type": ["string", "null"],
            "enum": ["openai", "openrouter", "gemini", "vertex"],
            "default": None,
        },
    },
    "profile": {
        "label": "Gateway profile",
        "description": (
            "Models, prices and frame rules of a gateway of the backend openai. generic knows none, and suits every "
            "server. Empty: the profile of the host, or else generic."
        ),
        "schema": {
            "type": ["string", "null"],
            "enum": ["veo-gateway", "laozhang", "new-api", "litellm", "vllm-omni", "sglang", "fastvideo", "generic"],
            "default": None,
        },
    },
    "default_model": {
        "label": "Default model",
        "description": "Model to order if a task names none. Empty: the default of the profile or the backend.",
        "schema": {"type": ["string", "null"], "default": None},
    },
    "auth_scheme": {
        "label": "Authorization",
        "description": "bearer: 'Authorization: Bearer KEY'; raw: 'Authorization: KEY'.",
        "schema": {"type": ["string", "null"], "enum": ["bearer", "raw"], "default": "bearer"},
    },
    "request_format": {
        "label": "Request format",
        "description": "Format of orders. auto: multipart with frames or if the server reads no JSON, else JSON.",
        "schema": {"type": ["string", "null"], "enum": ["auto", "json", "multipart"], "default": "auto"},
    },
    "timeout": {
        "label": "Timeout (s)",
        "description": "Limit for connecting, for the answer to an order, and for a transfer that is too slow.",
        "schema": {"type": ["integer", "null"], "default": 60, "minimum": 1},
    },
    "verify": {
        "label": "Verify TLS",
        "description": "Check of certificates: true, false, or the path of a CA bundle.",
        "schema": {"type": ["string", "null"], "default": "true"},
    },
    "allow_private_addresses": {
        "label": "Allow private addresses",
        "description": "true: a server outside your network may name video addresses within your network.",
        "schema": {"type": ["string", "null"], "enum": ["true", "false"], "default": "false"},
    },
    "headers": {
        "label": "Further headers",
        "description": 'Headers of all requests to the API: a JSON object like {"x-portkey-provider": "openai"}.',
        "schema": {"type": ["string", "null"], "default": ""},
    },
    "project": {
        "label": "Google Cloud: project",
        "description": "ID of the project that orders and pays. Empty: the project of the credentials.",
        "schema": {"type": ["string", "null"], "default": None},
    },
    "location": {
        "label": "Google Cloud: location",
        "description": "Location of the orders. Empty: us-central1 for vertex, global for gemini.",
        "schema": {"type": ["string", "null"], "default": None},
    },
    "output_uri": {
        "label": "Google Cloud: folder for videos",
        "description": "Folder of a bucket in which Google stores the videos. Empty: the answer holds the video.",
        "schema": {"type": ["string", "null"], "default": None},
    },
    "google_conn_id": {
        "label": "Google Cloud: connection",
        "description": "ID of a connection of the type google_cloud_platform, whose credentials are used.",
        "schema": {"type": ["string", "null"], "default": None},
    },
    "keyfile_dict": {
        "label": "Google Cloud: key",
        "description": "JSON text of the key of a service account, or of other credentials.",
        "schema": {"type": ["string", "null"], "format": "password", "default": None},
    },
    "key_path": {
        "label": "Google Cloud: path of the key",
        "description": "Path of a file with such a JSON text, on the workers, the triggerers and the API server.",
        "schema": {"type": ["string", "null"], "default": None},
    },
    "scope": {
        "label": "Google Cloud: scopes",
        "description": "Scopes of the tokens, separated by commas. Empty: cloud-platform.",
        "schema": {"type": ["string", "null"], "default": None},
    },
    "quota_project_id": {
        "label": "Google Cloud: quota project",
        "description": "ID of the project whose quota the requests use. Empty: the default of the credentials.",
        "schema": {"type": ["string", "null"], "default": None},
    },
    "impersonation_chain": {
        "label": "Google Cloud: impersonation chain",
        "description": "Service accounts to act as, separated by commas. The last one sends the requests.",
        "schema": {"type": ["string", "null"], "default": None},
    },
}
