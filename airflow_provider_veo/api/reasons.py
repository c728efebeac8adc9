"""The reasons why there is no video, the advice for each reason, and the search for a reason in an answer.

The words and patterns for a reason stand here, and only here; those for the status of a job are in `status_words`.
Sources: QuantumNous/new-api (quota_not_enough, model_not_found, task_not_exist), documentation and logs of the gateways
and their resellers, Google's PUBLIC_ERROR_* words and filter texts, OpenAI's error codes, LiteLLM, OpenRouter ("No
endpoints found for google/veo-9.").
"""

from __future__ import annotations

import re
from enum import Enum

from airflow_provider_veo.api.answers.answer import ERROR_LIMIT, ErrorDetail
from airflow_provider_veo.api.answers.own_words import NO_TEXTS, OwnWords


class Reason(str, Enum):
    """Category of a failure: first the reasons that servers give, then those of this package."""

    AUTHENTICATION = "authentication"
    FORBIDDEN = "forbidden"
    QUOTA = "quota"
    MODERATION = "moderation"
    MODEL_UNAVAILABLE = "model_unavailable"
    BAD_REQUEST = "bad_request"
    REQUEST_FORMAT = "request_format"
    NOT_FOUND = "not_found"
    NO_ROUTE = "no_route"
    RATE_LIMITED = "rate_limited"
    SERVER = "server"
    UNREADABLE = "unreadable"
    UNKNOWN = "unknown"

    INVALID_INPUT = "invalid_input"
    NOT_ORDERED = "not_ordered"
    UNKNOWN_SUBMISSION = "unknown_submission"
    TIMEOUT = "timeout"
    NETWORK = "network"
    CONTENT = "content"
    STORAGE = "storage"
    OTHER = "other"

    def __str__(self) -> str:
        return self.value  # Python 3.11 and later would write the member's name

    @property
    def permanent(self) -> bool:
        """Whether the same request would fail again, so that a retry cannot help."""
        return self in _ADVICE_FOR_PERMANENT

    @property
    def advice(self) -> str:
        """Next step for the reader; empty if the failure passes by itself."""
        return _ADVICE_FOR_PERMANENT.get(self) or _ADVICE_FOR_PASSING.get(self, "")


_ADVICE_FOR_PERMANENT = {
    Reason.AUTHENTICATION: "Check the API key (password) and auth_scheme of the Airflow connection.",
    Reason.FORBIDDEN: "The API key may not do this: check its group, model list and billing mode in the gateway.",
    Reason.QUOTA: "The account is out of money or quota: top it up.",
    Reason.MODERATION: "The content filter refused it: change the prompt or the frames.",
    Reason.MODEL_UNAVAILABLE: "The gateway has no channel for this model: choose another model, or ask its operator.",
    Reason.BAD_REQUEST: "The server does not accept the request: check model, seconds, size, frames and extra_body.",
    Reason.REQUEST_FORMAT: (
        "The server did not read the request's fields: in the Airflow connection, set request_format "
        'to "multipart" (or to "json", if it is "multipart" now).'
    ),
    Reason.NOT_FOUND: "Check the id and the connection, and how long this server keeps its jobs.",
    Reason.NO_ROUTE: (
        "There is no such route here: check that the connection's host is the base URL of a video API, like "
        "https://api.example.com, and whether this server offers the call."
    ),
    Reason.INVALID_INPUT: "Correct the input that the message names.",
}
_ADVICE_FOR_PASSING = {
    Reason.RATE_LIMITED: "If this continues, run fewer tasks in parallel (with an Airflow pool).",
    Reason.UNREADABLE: "Check that the connection's host is the base URL of a video API and not of a web page.",
}


def match_any(*patterns: str) -> re.Pattern[str]:
    """Return a pattern that finds each of several patterns, in upper or lower case."""
    return re.compile("|".join(patterns), re.IGNORECASE)


_QUOTA = (
    r"quota_not_enough|quota.{0,60}not enough",
    r"insufficient[ _-]?((user|account)[ _-]?)?(quota|balance|funds|credit)",
    r"balance.{0,20}(insufficient|not enough|too low)|billing_(hard_limit|not_active|disabled)",
    r"credits are depleted|spending_cap_exceeded|余额不足|额度不足|配额不足|欠费",
)
_MODEL = (
    r"no available channel|model_not_found|model.{0,40}(not found|does not exist|not available)",
    r"no longer available|unsupported_model|no endpoints found for|无可用渠道|模型不存在",
)
_MODERATION = (
    r"moderation|content[ _-]?(policy|filter)|policy[ _-]violation",
    r"sensitive[ _-](content|words)|prohibited|敏感|违规",
)
NAMES_A_REFUSAL = match_any(*_QUOTA, *_MODEL, *_MODERATION, "PUBLIC_ERROR_", "missing_model|parse_request_failed")
"""Words that name, without any context, why an order was refused."""

# LiteLLM answers 400 to any key except the master key if it has no database to look other keys up in.
_NO_KEY = match_any("no connected db")
_REASON_OF_WORDS = (
    (Reason.AUTHENTICATION, _NO_KEY),
    (Reason.QUOTA, match_any(*_QUOTA)),
    (Reason.NOT_FOUND, match_any("task_not_(exist|found)|task not (exist|found)|video not found")),
    (Reason.MODEL_UNAVAILABLE, match_any(*_MODEL)),
    (
        Reason.MODERATION,
        match_any(
            *_MODERATION,
            # the last two are Google's: "violates ... usage guidelines", "Support codes: 58061214"
            r"moderated|safety|responsible ai|\brai\b|\bnsfw\b|审核|usage guidelines|support codes?:",
            r"PUBLIC_ERROR_(?!.*(QUOTA|RATE|HIGH_TRAFFIC))",
        ),
    ),
)
# Every order has a prompt. A server that misses the prompt wants another format, and has read no field. The words are
# those of FastAPI and of vLLM.
_FIELDS_NOT_READ = match_any(r"\bbody\W{1,6}prompt\W.{0,20}field required")
# The filter of the soundtrack often lets the same prompt pass at the next try, so it does not count as moderation. The
# words are those of Veo gateways, and of Google (googleapis/js-genai#1272).
_AUDIO_FILTER = match_any(r"audio[ _-]?filtered", r"issue with the audio")
# The whole sentence that servers send about a job that they do not know; more words may be those of a prompt.
_UNKNOWN_JOB = match_any(
    r"\W{0,3}(the )?(requested )?(task|video|job)( with)?( id)?[\W_]{0,3}(\S{1,1024}\W{1,3})?"
    r"((is|was|does|could)[ _])?not[ _](be )?(found|exists?)\W{0,3}"
)

# Closed lists for an answer about a completed job. The answer may quote a prompt that is not known here. So the lists
# hold sentences that no prompt has by chance, and words of machines. new-api's "Failed to resolve Gemini video URL" is
# not on them: a network error causes it, too, and passes. Sources: LiteLLM's routes for Gemini and Vertex, new-api's
# route for Gemini, Google's filter.
_NO_VIDEO = match_any(
    r"\bno (response data|generated samples) in (the )?completed operation\b",
    r"\bno (generated )?videos?( (data|content|url|uri))?( (was|were))? (found|generated|returned) in (the )?"
    r"(completed |operation )?(operation|response|result)\b",
    r"\b(gemini|vertex|veo) video url not found\b|PUBLIC_ERROR_AUDIO_FILTERED",
)
# The last pattern of `_FILTERED` is LiteLLM's for a job of Vertex without videos. Its status calls a job `failed` that
# has an error, so a job that is `completed` and has no video is one whose videos Google has filtered (LiteLLM 1.110.2,
# llms/vertex_ai/videos/transformation.py).
_FILTERED = match_any(
    r"\bveo could not generate videos? because\b|\bblocked by your current safety settings\b",
    r"\\?\"rai_?media_?filtered_?(count\\?\"\s{0,9}:\s{0,9}\\?\"?[1-9]|reasons\\?\"\s{0,9}:\s{0,9}\[\s{0,9}\\?\")",
    r"\bno video data found in completed operation\b",
)
_FILTER_CODE = match_any(
    r"content[_-]?(filter(ed)?|policy([_-]violation)?|moderation|blocked)|prohibited[_-]content",
    r"(moderation|safety|rai)([_-](filter(ed)?|blocked|rejected|refused|violation))?",
    r"PUBLIC_ERROR_\w*(FILTER|UNSAFE|SAFETY|MODERATION)\w*",
)

_REASON_OF_STATUS = {
    401: Reason.AUTHENTICATION,
    402: Reason.QUOTA,
    403: Reason.FORBIDDEN,
    404: Reason.NOT_FOUND,
    408: Reason.SERVER,
    410: Reason.NOT_FOUND,
    415: Reason.REQUEST_FORMAT,
    425: Reason.SERVER,
    429: Reason.RATE_LIMITED,
}
_NO_ROUTE = (404, 405, 410, 501)
"""HTTP statuses of an address that takes no orders."""

# The error code of a failed job is an HTTP status (vLLM-Omni) or a gRPC status (Google's operations). Other codes are
# about the upstream of the gateway, which the caller's key and connection cannot change.
_REASON_OF_JOB_CODE = {
    "400": Reason.BAD_REQUEST,
    "422": Reason.BAD_REQUEST,
    "3": Reason.BAD_REQUEST,
    "429": Reason.RATE_LIMITED,
    "8": Reason.RATE_LIMITED,
}


def find_reason(detail: ErrorDetail, status: int | None = None, own: OwnWords = NO_TEXTS) -> Reason:
    """Return the reason that the server's message names; without a known message, the reason of the status.

    The words decide first: "no money" comes as 402, 403 or 429, "no such model" as 404 or 503, and an unknown task
    as 400.

    Args:
        detail: Message and code that the server sent.
        status: HTTP status, or a status that the body carries; None for a job.
        own: Texts of the order. A quotation of them decides nothing.
    """
    if status == 401:  # a refused key stays a refused key, with any message
        return Reason.AUTHENTICATION
    words = own.remove_from(f"{detail.code} {detail.message}"[:ERROR_LIMIT])
    if status in (400, 422) and _FIELDS_NOT_READ.search(words):
        return Reason.REQUEST_FORMAT
    if _AUDIO_FILTER.search(words):
        return Reason.UNKNOWN
    return find_reason_in(words) or _reason_of_status(status)


def find_reason_of_order(reason: Reason, status: int) -> Reason:
    """Return the meaning of a reason for a call that names no job: the server cannot have forgotten a job then.

    Args:
        reason: Reason that the answer names.
        status: HTTP status of the answer.
    """
    if status in _NO_ROUTE and reason in (Reason.NOT_FOUND, Reason.BAD_REQUEST, Reason.SERVER):
        return Reason.NO_ROUTE
    return Reason.BAD_REQUEST if reason is Reason.NOT_FOUND else reason


def find_reason_of_status_call(detail: ErrorDetail, status: int) -> Reason:
    """Return why a call about a job failed. The message does not decide: it may quote a prompt that is not known here.

    Args:
        detail: Message and code that the server sent.
        status: HTTP status, or a status that the body carries.
    """
    if status != 401 and _UNKNOWN_JOB.fullmatch(detail.message[:ERROR_LIMIT].strip()):
        return Reason.NOT_FOUND
    if status == 400 and _NO_KEY.search(detail.message[:ERROR_LIMIT]):  # final, with any reason
        return Reason.AUTHENTICATION
    return find_reason(ErrorDetail(code=detail.code), status)


def find_reason_in(words: str) -> Reason | None:
    """Return the reason that words name, or None."""
    return next((reason for reason, pattern in _REASON_OF_WORDS if pattern.search(words)), None)


def find_reason_of_job(detail: ErrorDetail, own: OwnWords = NO_TEXTS, otherwise: Reason = Reason.UNKNOWN) -> Reason:
    """Return why a job failed, from the server's message and the error code.

    Args:
        detail: Message and code that the server sent.
        own: Texts of the order. A quotation of them decides nothing.
        otherwise: Reason if neither the words nor the code name one.
    """
    words = own.remove_from(f"{detail.code} {detail.message}"[:ERROR_LIMIT])
    if _AUDIO_FILTER.search(words):
        return Reason.UNKNOWN
    codes = (_REASON_OF_JOB_CODE[code] for code in detail.code.split("/") if code in _REASON_OF_JOB_CODE)
    return find_reason_in(words) or next(codes, otherwise)


def find_reason_without_video(detail: ErrorDetail, text: str) -> Reason | None:
    """Return why a completed job has no video; None if the answer does not say that there is none.

    Args:
        detail: Message and code that the server sent.
        text: Whole text of the answer.
    """
    words = f"{detail.code} {detail.message}"
    has_none = _NO_VIDEO.search(words) is not None
    is_filtered = bool(_FILTERED.search(words) or _FILTERED.search(text))
    is_filtered |= not has_none and any(map(_FILTER_CODE.fullmatch, detail.code.split("/")))
    if is_filtered:
        return Reason.MODERATION
    return Reason.UNKNOWN if has_none else None


def _reason_of_status(status: int | None) -> Reason:
    if status is None:
        return Reason.UNKNOWN
    return _REASON_OF_STATUS.get(status) or (Reason.SERVER if status >= 500 else Reason.BAD_REQUEST)
