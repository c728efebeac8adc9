"""What all operators of this provider share."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_veo.hooks.veo import VeoHook
from airflow_provider_veo.retry_policy import default_retry_policy


class VeoOperator(BaseOperator):
    """An operator with a connection and, on Airflow 3.3+, with `VeoRetryPolicy` unless another policy is given.

    Args:
        conn_id: the Airflow connection of type `veo`.
    """

    def __init__(self, *, conn_id: str = VeoHook.default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id
        # the attribute exists since Airflow 3.3; an argument or default_args have set it by now
        if getattr(self, "retry_policy", False) is None:
            self.retry_policy = default_retry_policy()
