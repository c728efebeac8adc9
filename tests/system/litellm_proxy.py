"""A real LiteLLM proxy in front of a gateway, in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from airflow_lab import _free_ports

from airflow_provider_veo.api.models import CARD

if TYPE_CHECKING:
    from typing_extensions import Self

HOME = Path(sys.prefix, "litellm")
START_TIMEOUT = 180.0
END_TIMEOUT = 20.0

MODEL_WITHOUT_RETRIES = "veo-3.1-once"
"""`veo-3.1` of the gateway under a name for which LiteLLM is told not to repeat anything."""


class LiteLLMProxy:
    """Runs the proxy on loopback: `with LiteLLMProxy(...) as proxy: ... proxy.url ...`.

    It knows the models of the card, and is configured as LiteLLM's documentation shows, with its default retries.

    Args:
        folder: for its configuration and its log.
        upstream: base URL of the gateway, without `/v1`.
        upstream_key: what the gateway wants.
        key: what the proxy wants.
    """

    def __init__(self, folder: Path, upstream: str, upstream_key: str, key: str) -> None:
        port = _free_ports(1)[0]
        self.url = f"http://127.0.0.1:{port}"
        self.log = folder / "litellm.log"
        config = folder / "litellm.yaml"  # JSON is YAML
        account = {"api_base": f"{upstream}/v1", "api_key": upstream_key}
        models = [{"model_name": name, "litellm_params": {"model": f"openai/{name}", **account}} for name in CARD]
        once = {"model": "openai/veo-3.1", "num_retries": 0, **account}
        models.append({"model_name": MODEL_WITHOUT_RETRIES, "litellm_params": once})
        config.write_text(json.dumps({"model_list": models, "general_settings": {"master_key": key}}))
        self._command = [HOME / "bin" / "litellm", "--config", config, "--host", "127.0.0.1", "--port", str(port)]
        # nothing is inherited: what this machine has set for LiteLLM or OpenAI must not reach this one
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # or it asks GitHub for prices when it starts
            "LITELLM_DONT_SHOW_FEEDBACK_BOX": "true",
            # to an id that it cannot read, the proxy answers with what api.openai.com says: here, nobody does
            "HTTPS_PROXY": "http://127.0.0.1:9",
        }

    def __enter__(self) -> Self:
        if not self._command[0].exists():
            raise FileNotFoundError(
                f"LiteLLM's proxy is not installed in {HOME}. `make test-system` installs it, and so does "
                f"`make VENV={sys.prefix} {HOME}/ready` alone."
            )
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait_until_healthy()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._signal(signal.SIGTERM)
            self._process.wait(END_TIMEOUT)
        finally:
            self._signal(signal.SIGKILL)  # whatever of its process group has not gone
            self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def _wait_until_healthy(self) -> None:
        give_up_at = time.monotonic() + START_TIMEOUT
        while not self._healthy():
            if self._process.poll() is not None or time.monotonic() > give_up_at:
                raise RuntimeError(f"LiteLLM's proxy did not start:\n{self.log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.1)

    def _healthy(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health/readiness", trust_env=False).is_success
        except httpx.TransportError:
            return False
