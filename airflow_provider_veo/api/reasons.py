"""Why something failed, found in the words of a server.

The words and patterns for a reason stand here, and only here; those for the status of a job are in `status_words`.
Sources: QuantumNous/new-api (quota_not_enough, model_not_found, task_not_exist), documentation and logs of the gateways
and their resellers, Google's PUBLIC_ERROR_* words and filter texts, OpenAI's error codes, LiteLLM.
"""

from __future__ import annotations

import re

from airflow_provider_veo.api.answers.answer import ERROR_LIMIT, ErrorDetail
from airflow_provider_veo.api.answers.own_words import NO_TEXTS, OwnWords
from airflow_provider_veo.api.errors import Reason


def any_of(*patterns: str) -> re.Pattern[str]:
    """Return a pattern that finds each of several, whatever the case of the letters."""
    return re.compile("|".join(patterns), re.IGNORECASE)


_QUOTA = (
    r"quota_not_enough|quota.{0,60}not enough",
    r"insufficient[ _-]?((user|account)[ _-]?)?(quota|balance|funds|credit)",
    r"balance.{0,20}(insufficient|not enough|too low)|billing_(hard_limit|not_active|disabled)",
    r"credits are depleted|spending_cap_exceeded|余额不足|额度不足|配额不足|欠费",
)
_MODEL = (
    r"no available channel|model_not_found|model.{0,40}(not found|does not exist|not available)",
    r"no longer available|unsupported_model|无可用渠道|模型不存在",
)
_MODERATION = (
    r"moderation|content[ _-]?(policy|filter)|policy[ _-]violation",
    r"sensitive[ _-](content|words)|prohibited|敏感|违规",
)
NAMES_A_REFUSAL = any_of(*_QUOTA, *_MODEL, *_MODERATION, "PUBLIC_ERROR_", "missing_model|parse_request_failed")
"""Words that name by themselves why an order was refused."""

# LiteLLM's 400 to any key but the master key, where it has no database to look others up in
_NO_KEY = any_of("no connected db")
_REASON_OF_WORDS = (
    (Reason.AUTHENTICATION, _NO_KEY),
    (Reason.QUOTA, any_of(*_QUOTA)),
    (Reason.NOT_FOUND, any_of("task_not_(exist|found)|task not (exist|found)|video not found")),
    (Reason.MODEL_UNAVAILABLE, any_of(*_MODEL)),
    (
        Reason.MODERATION,
        any_of(
            *_MODERATION,
            # the last two are Google's: "violates ... usage guidelines", "Support codes: 58061214"
            r"moderated|safety|responsible ai|\brai\b|\bnsfw\b|审核|usage guidelines|support codes?:",
            r"PUBLIC_ERROR_(?!.*(QUOTA|RATE|HIGH_TRAFFIC))",
        ),
    ),
)
# Every order has a prompt. A server that misses it has read no field, since it wants another format. FastAPI's words,
# and vLLM's for the same.
_FIELDS_NOT_READ = any_of(r"\bbody\W{1,6}prompt\W.{0,20}field required")
# The filter of the soundtrack often lets the same prompt pass at the next try: no moderation. Words of the reference
# gateway, and of Google (googleapis/js-genai#1272).
_AUDIO_FILTER = any_of(r"audio[ _-]?filtered", r"issue with the audio")
# The whole of what servers say of a job that they do not know; more words may be those of a prompt.
_UNKNOWN_JOB = any_of(
    r"\W{0,3}(the )?(requested )?(task|video|job)( with)?( id)?[\W_]{0,3}(\S{1,1024}\W{1,3})?"
    r"((is|was|does|could)[ _])?not[ _](be )?(found|exists?)\W{0,3}"
)

# Closed lists for an answer about a completed job. It may quote a prompt that nobody here knows, so these are sentences
# that no prompt has by chance, and words of machines. Not among them is new-api's "Failed to resolve Gemini video URL",
# which also comes of a network error, and passes then. Sources: LiteLLM's routes for Gemini and Vertex, new-api's for
# Gemini, Google's filter.
_NO_VIDEO = any_of(
    r"\bno (response data|generated samples) in (the )?completed operation\b",
    r"\bno (generated )?videos?( (data|content|url|uri))?( (was|were))? (found|generated|returned) in (the )?"
    r"(completed |operation )?(operation|response|result)\b",
    r"\b(gemini|vertex|veo) video url not found\b|PUBLIC_ERROR_AUDIO_FILTERED",
)
_FILTERED = any_of(
    r"\bveo could not generate videos? because\b|\bblocked by your current safety settings\b",
    r"\\?\"rai_?media_?filtered_?(count\\?\"\s{0,9}:\s{0,9}\\?\"?[1-9]|reasons\\?\"\s{0,9}:\s{0,9}\[\s{0,9}\\?\")",
)
_FILTER_CODE = any_of(
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

# The error code of a failed job: a status of HTTP (vLLM-Omni), or one of gRPC (Google's operations). Other codes tell
# of the gateway's upstream, of which the caller's key and connection know nothing.
_REASON_OF_JOB_CODE = {
    "400": Reason.BAD_REQUEST,
    "422": Reason.BAD_REQUEST,
    "3": Reason.BAD_REQUEST,
    "429": Reason.RATE_LIMITED,
    "8": Reason.RATE_LIMITED,
}


def reason_of(detail: ErrorDetail, status: int | None = None, own: OwnWords = NO_TEXTS) -> Reason:
    """Say why, from the server's words and (for an HTTP error) the status.

    The words go first: "no money" comes as 402, 403 or 429, "no such model" as 404 or 503, and an unknown task
    as 400.

    Args:
        detail: what the server says.
        status: of HTTP, or one that the body carries; None for a job.
        own: what was ordered. Quoted by the server, it decides nothing.
    """
    if status == 401:  # no word can make a refused key anything else
        return Reason.AUTHENTICATION
    words = own.remove_from(f"{detail.code} {detail.message}"[:ERROR_LIMIT])
    if status in (400, 422) and _FIELDS_NOT_READ.search(words):
        return Reason.REQUEST_FORMAT
    if _AUDIO_FILTER.search(words):
        return Reason.UNKNOWN
    return reason_in(words) or _reason_of_status(status)


def reason_of_order(reason: Reason, status: int) -> Reason:
    """Return what a reason means of a call that names no job, so that the server cannot have forgotten it.

    Args:
        reason: that its answer names.
        status: of HTTP.
    """
    if status in _NO_ROUTE and reason in (Reason.NOT_FOUND, Reason.BAD_REQUEST, Reason.SERVER):
        return Reason.NO_ROUTE
    return Reason.BAD_REQUEST if reason is Reason.NOT_FOUND else reason


def reason_of_answer_about_a_job(detail: ErrorDetail, status: int) -> Reason:
    """Say why asking for a job has failed. The words may quote a prompt that nobody here knows, so that none decides.

    Args:
        detail: what the server says.
        status: of HTTP, or one that the body carries.
    """
    if status != 401 and _UNKNOWN_JOB.fullmatch(detail.message[:ERROR_LIMIT].strip()):
        return Reason.NOT_FOUND
    if status == 400 and _NO_KEY.search(detail.message[:ERROR_LIMIT]):  # final, with this reason or another
        return Reason.AUTHENTICATION
    return reason_of(ErrorDetail(code=detail.code), status)


def reason_in(words: str) -> Reason | None:
    """Return the reason that words name, or None."""
    return next((reason for reason, pattern in _REASON_OF_WORDS if pattern.search(words)), None)


def reason_of_job(detail: ErrorDetail, own: OwnWords = NO_TEXTS, otherwise: Reason = Reason.UNKNOWN) -> Reason:
    """Say why a job has failed, from the server's words and its error code.

    Args:
        detail: what the server says.
        own: what was ordered. Quoted by the server, it decides nothing.
        otherwise: what it means if neither tells.
    """
    words = own.remove_from(f"{detail.code} {detail.message}"[:ERROR_LIMIT])
    if _AUDIO_FILTER.search(words):
        return Reason.UNKNOWN
    codes = (_REASON_OF_JOB_CODE[code] for code in detail.code.split("/") if code in _REASON_OF_JOB_CODE)
    return reason_in(words) or next(codes, otherwise)


def reason_without_video(detail: ErrorDetail, text: str) -> Reason | None:
    """Say why a completed job has no video; None where an answer does not say that it has none.

    Args:
        detail: what the server says.
        text: of the answer.
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
