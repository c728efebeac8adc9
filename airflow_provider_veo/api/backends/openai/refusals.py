"""Decide whether an order that was answered by an error has surely made no job: a closed list.

An order costs money, so an answer that is not on the list leaves the order unknown: a proxy may have given up on an
order that its upstream has taken. The whole answer counts: the HTTP status, each status in the body, however deep, and
the words. One sign of an upstream that may have taken the order outweighs everything else.

An answer may quote the order. A quotation never names a refusal. If it surely is a quotation, it is not a sign of doubt
either.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from airflow_provider_veo.api.answers.answer import Answer, read_error
from airflow_provider_veo.api.answers.json_text import parse_json
from airflow_provider_veo.api.answers.text import LOOKED_AT
from airflow_provider_veo.api.errors import ApiError
from airflow_provider_veo.api.reasons import NAMES_A_REFUSAL, match_any
from airflow_provider_veo.api.verdict import Verdict

SURE_STATUSES = frozenset({400, 401, 402, 403, 404, 405, 413, 415, 422, 429, 501})
"""Statuses of a server that has not taken the order, as HTTP status or within the body."""


# An upstream may have taken the order. Sources: net/http and httpx, nginx, Envoy, Varnish, Cloudflare, QuantumNous/
# new-api (do_request_failed, bad_response_status_code, upstream_error), LiteLLM ("LiteLLM Retried: 2 times" means that
# it has sent earlier orders, which may have made jobs).
_DOUBT = match_any(
    r"(?<!set)time[ _-]?out|timed[ _-]?out|deadline|超时",
    r"do[ _]request[ _]failed|bad[ _-]?gateway|gateway[ _-]error|backend[ _-](fetch|error)|guru meditation",
    r"upstream[ _-](\w{1,20}[ _-])?(error|fail|connect|request|respon|server|unavailable|prematurely|closed)",
    r"上游.{0,6}(错误|失败|异常|无响应|请求)|网关(错误|异常)|(网络|连接).{0,4}(错误|异常|失败|重置|中断|断开)",
    r"connection.{0,20}(reset|closed|abort|broken|lost|terminat|refused|error|fail)|reset by peer|broken pipe",
    r"\beof\b|socket hang ?up|disconnect|\bE(CONN|PIPE)|client closed|cancell?ed|\baborted",
    r"(bad|invalid|no|empty|read|reading|parse|parsing)[ _](the[ _])?response|response[ _]body|无响应",
    r"internal[ _-]?(server[ _-]?)?(error|exception)|内部(错误|异常|服务)|(unknown|unexpected)[ _]error|未知错误",
    r"in[ _-]progress|already|duplicat|idempoten|重复|已存在|已提交|处理中|进行中",
    r"retried\W{0,3}[1-9]|max(imum)?[ _]retries[ _](exceeded|reached)|doing the fallback",
)
# Beside a status that means success, such words are not a refusal.
_TAKEN = match_any(
    r"\bsuccess|succeeded|accepted|submitted|created|queued|processing|pending|running|\bok\b",
    r"成功|排队|审核中|生成中|已接受|已创建",
)
_PASSES = match_any(
    r"rate[ _-]?limit|too[ _]many|throttl|saturat|overload|capacity|concurren|\bbusy\b|resource[ _]exhausted",
    r"high[ _]traffic|no deployments available|饱和|繁忙|限流|频率|频繁",
)

_STATUS_KEY = re.compile(r"(code|status)$", re.IGNORECASE)
# not sizes ("got 512x512"), nor addresses ("http://172.17.0.1"); IIS has "HTTP Error 502.3"
_STATUSES_IN_TEXT = (
    match_any(
        r"(?:code|status|http(?:/[\d.]+)?|error|returned|received|got)[\W_]{0,12}([1-5]\d\d)(?!\d|p\b|x\d|\.\d{1,3}\.)"
    ),
    match_any(r"(?<!\d)([1-5]\d\d)[\W_]{1,3}(?:error|status|response)"),
)
_UNAVAILABLE = re.compile(r"service[ _-](temporarily[ _-])?unavailable|服务不可用", re.IGNORECASE)
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")  # in JSON within a text, or within half an object
_ID_KEY = re.compile(r"((task|video|job|generation)[_-]?)?id", re.IGNORECASE)
_ID_IN_TEXT = match_any(
    r"""["']((task|video|job|generation)[_-]?)?id[\\"']{1,12}\s{0,9}:\s{0,9}[\\"']{0,12}(?!null|none)\w"""
)
_LONGEST_REFUSAL = 65_536  # characters; no more of an error is read, and matching more takes seconds
_ECHOES = ("input", "prompt")  # FastAPI sends the order back
_DEPTH = 6  # how deep bodies may be nested in the texts of bodies


def judge(error: ApiError) -> Verdict:
    """Decide whether an order that was answered by an error has surely made no job.

    Args:
        error: Error of the call that ordered.
    """
    answer = error.answer
    if answer is None or getattr(error, "job_id", None):
        return Verdict.UNKNOWN
    if len(answer.text) > _LONGEST_REFUSAL:
        return Verdict.UNKNOWN
    # in a body that was cut at our limit, only the fields separate a quoted order from text of the server
    values = list(_iterate_values((answer.is_cut and answer.json()) or answer.text))
    everything = _ESCAPE.sub(_unescape, "\n".join(f"{key}: {value}" for key, value in values))
    words = answer.own.remove_from(everything[:LOOKED_AT], surely=True) + everything[LOOKED_AT:]
    named = answer.own.remove_from(everything[:LOOKED_AT])
    has_job = _ID_IN_TEXT.search(words) or any(_ID_KEY.fullmatch(key) and value for key, value in values)
    if has_job or _DOUBT.search(words):
        return Verdict.UNKNOWN
    is_api_error = _is_api_error(answer)
    in_body = {status for key, value in values if (status := _read_http_status(key, value))}
    passes = bool(_PASSES.search(named)) or (error.retry_after is not None and _has_error(answer))
    statuses = in_body | {int(number) for pattern in _STATUSES_IN_TEXT for number in pattern.findall(words)}
    statuses |= {503} if _UNAVAILABLE.search(words) else set()
    if answer.ok:
        if not is_api_error or _TAKEN.search(words) or not (in_body or _names_refusal(answer)):
            return Verdict.UNKNOWN
    else:
        statuses.add(answer.status)
    sure = SURE_STATUSES | ({503} if is_api_error and (passes or NAMES_A_REFUSAL.search(named)) else set())
    if not statuses <= sure:
        return Verdict.UNKNOWN
    limited = 429 in statuses and (is_api_error or error.retry_after is not None)
    busy = 503 in statuses and passes
    return Verdict.REFUSED_FOR_NOW if (limited or busy) and not error.permanent else Verdict.REFUSED


def _is_api_error(answer: Answer) -> bool:
    """Return whether the body is a whole error object, rather than a web page, a plain text or half an object."""
    body = answer.json()
    return answer.is_whole and isinstance(body, dict) and bool(str(read_error(body)))


def _has_error(answer: Answer) -> bool:
    """Return whether the body has the field `error`. A proxy's `{"message": "Service Unavailable"}` has none."""
    body = answer.json()
    return isinstance(body, dict) and bool(body.get("error"))


def _names_refusal(answer: Answer) -> bool:
    """Return whether the body of a success names a refusal, in its code or in the words of its field `error`."""
    body = answer.json()
    detail = read_error(body, own=None)
    words = answer.own.remove_from(f"{detail.code} {detail.message}" if body.get("error") else detail.code)
    return bool(NAMES_A_REFUSAL.search(words) or _PASSES.search(words))


def _iterate_values(body: Any) -> Iterator[tuple[str, Any]]:
    """Yield each value of a body with its name, including those of JSON bodies within its texts."""
    todo: list[tuple[str, Any, int]] = [("", body, _DEPTH)]
    while todo:
        key, value, depth = todo.pop()
        if isinstance(value, dict):
            todo += [(str(name), part, depth) for name, part in value.items() if name not in _ECHOES]
        elif isinstance(value, list):
            todo += [(key, part, depth) for part in value]
        else:
            nested = parse_json(value) if depth and isinstance(value, str) and value.strip()[:1] in ("{", "[") else None
            if nested is None:
                yield key, value
            else:
                todo.append((key, nested, depth - 1))


def _unescape(found: re.Match[str]) -> str:
    return chr(int(found[1], 16))


def _read_http_status(key: str, value: Any) -> int | None:
    """Return a value as a status if its name says that it is one: a number, or a text like "504"."""
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()
    is_status = _STATUS_KEY.search(key) and text.isdecimal() and len(text) == 3
    return int(text) if is_status else None
