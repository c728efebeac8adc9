"""The dialects of known servers, one module for each. `base` has their common parts."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from airflow_provider_veo.emulator.dialects.base import Dialect
from airflow_provider_veo.emulator.dialects.fastvideo import FastVideo
from airflow_provider_veo.emulator.dialects.litellm import LiteLLM
from airflow_provider_veo.emulator.dialects.new_api import NewApi
from airflow_provider_veo.emulator.dialects.openai import OpenAI
from airflow_provider_veo.emulator.dialects.relay import Relay
from airflow_provider_veo.emulator.dialects.sglang import SGLang
from airflow_provider_veo.emulator.dialects.veo_gateway import VeoGateway
from airflow_provider_veo.emulator.dialects.vllm_omni import VllmOmni

DIALECTS: Mapping[str, type[Dialect]] = MappingProxyType(
    {dialect.name: dialect for dialect in (VeoGateway, Relay, NewApi, LiteLLM, VllmOmni, SGLang, FastVideo, OpenAI)}
)
"""All dialects by name; the first is the default."""
