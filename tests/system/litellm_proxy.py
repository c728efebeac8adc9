"""A real LiteLLM proxy in front of a gateway, in a separate process."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from airflow_provider_veo.api.backends.profiles import VEO_GATEWAY
from dev.server_process import ServerProcess, is_answering

HOME = Path(sys.prefix, "litellm")
PROGRAM = HOME / "bin" / "litellm"

MODEL_WITHOUT_RETRIES = "veo-3.1-once"
"""Name of the gateway's `veo-3.1` for which LiteLLM is configured not to repeat requests."""


class LiteLLMProxy(ServerProcess):
    """A proxy on loopback: `with LiteLLMProxy(...) as proxy: ... proxy.url ...`.

    It knows the models of the Veo 3.1 gateway. Its configuration is that of LiteLLM's documentation, with the default
    retries.

    Args:
        folder: Folder for the configuration and the log of the proxy.
        upstream: Base URL of the gateway, without `/v1`.
        upstream_key: API key of the gateway.
        key: API key of the proxy.
        others: LiteLLM's parameters of further models, by name.
    """

    name = "litellm"
    start_timeout = 180.0

    def __init__(
        self, folder: Path, upstream: str, upstream_key: str, key: str, others: Mapping[str, Mapping[str, str]]
    ) -> None:
        super().__init__(folder)
        self.url = f"http://127.0.0.1:{self.port}"
        self._config = folder / "litellm.yaml"  # JSON is YAML
        account = {"api_base": f"{upstream}/v1", "api_key": upstream_key}
        models = [
            {"model_name": name, "litellm_params": {"model": f"openai/{name}", **account}}
            for name in VEO_GATEWAY.models
        ]
        once = {"model": "openai/veo-3.1", "num_retries": 0, **account}
        models.append({"model_name": MODEL_WITHOUT_RETRIES, "litellm_params": once})
        models += [{"model_name": name, "litellm_params": parameters} for name, parameters in others.items()]
        self._config.write_text(json.dumps({"model_list": models, "general_settings": {"master_key": key}}))

    def _command(self) -> list[str]:
        if not PROGRAM.exists():
            raise FileNotFoundError(
                f"LiteLLM's proxy is not installed in {HOME}. `make test-system` installs it, and so does "
                f"`make VENV={sys.prefix} {HOME}/ready` alone."
            )
        return [str(PROGRAM), "--config", str(self._config), "--host", "127.0.0.1", "--port", str(self.port)]

    def _environment(self) -> dict[str, str]:
        return super()._environment() | {
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # the default asks GitHub for prices at the start
            "LITELLM_DONT_SHOW_FEEDBACK_BOX": "true",
            # for an id that it cannot read, the proxy asks api.openai.com, which must not be reached from here
            "HTTPS_PROXY": "http://127.0.0.1:9",
        }

    def _answers(self) -> bool:
        return is_answering(f"{self.url}/health/readiness")
