"""The dialects of known servers, one module for each. `base` has their common parts."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from airflow_provider_veo.emulator.dialects.base import VideosDialect
from airflow_provider_veo.emulator.dialects.dialect import Dialect
from airflow_provider_veo.emulator.dialects.fastvideo import FastVideo
from airflow_provider_veo.emulator.dialects.gemini import Gemini
from airflow_provider_veo.emulator.dialects.litellm import LiteLLM
from airflow_provider_veo.emulator.dialects.new_api import NewApi
from airflow_provider_veo.emulator.dialects.openai import OpenAI
from airflow_provider_veo.emulator.dialects.openrouter import OpenRouter
from airflow_provider_veo.emulator.dialects.relay import Relay
from airflow_provider_veo.emulator.dialects.sglang import SGLang
from airflow_provider_veo.emulator.dialects.veo_gateway import VeoGateway
from airflow_provider_veo.emulator.dialects.vertex import Vertex
from airflow_provider_veo.emulator.dialects.vllm_omni import VllmOmni

OPENAI_DIALECTS: Mapping[str, type[VideosDialect]] = MappingProxyType(
    {dialect.name: dialect for dialect in (VeoGateway, Relay, NewApi, LiteLLM, VllmOmni, SGLang, FastVideo, OpenAI)}
)
"""The dialects that the backend `openai` understands, by name."""

_OTHERS: tuple[type[Dialect], ...] = (OpenRouter, Gemini, Vertex)
DIALECTS: Mapping[str, type[Dialect]] = MappingProxyType(
    {**OPENAI_DIALECTS, **{dialect.name: dialect for dialect in _OTHERS}}
)
"""All dialects by name; the first is the default."""
