"""Reads the headers about limits: whether an allowance is used up, and when it is reset. Pure.

The draft of the IETF (https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/) has
`RateLimit: "default";r=0;t=30`, its earlier versions `RateLimit-Remaining` and `RateLimit-Reset`.
Providers spell these in many ways: `X-RateLimit-Remaining`, `X-Rate-Limit-Remaining-Requests`,
`X-HubSpot-RateLimit-Daily-Remaining`, `X-DayLimit-Remaining`. A few send the used part of a whole:
`Sforce-Limit-Info: api-usage=15000/15000`, `X-Shopify-Shop-Api-Call-Limit: 40/40`.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from patchbay.egress.retry_after import MAX_SECONDS, retry_after_seconds

_REMAINING: Final = re.compile(
    r"(?:limit|quota|requests|calls)[a-z0-9-]*remaining|remaining-(?:requests|calls|quota|limit)"
)
_RESET: Final = re.compile(r"limit[a-z0-9-]*-reset(?:-after)?$")
_ZERO: Final = re.compile(r"\s*0+(?:\.0+)?\s*")
_USED_OF_ALL: Final = re.compile(r"\b(\d{1,12})/(\d{1,12})\b")
_USED_OF_ALL_IN: Final = ("sforce-limit-info", "x-shopify-shop-api-call-limit")
_PARAMETER: Final = re.compile(r"(?:^|[;,\s])(r|remaining|t|reset)\s*=\s*\"?(\d{1,12})")
_NUMBER: Final = re.compile(r"\d{1,15}(?:\.\d{1,9})?")
_DURATION: Final = re.compile(
    r"(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9}(?:\.\d{1,9})?)s)?(?:(\d{1,9})ms)?"
)
_IN_MILLISECONDS: Final = ("retry-after-ms", "x-ms-retry-after-ms")
# Less is a number of seconds, more is a time: of 2001 in seconds, of 2001 in milliseconds.
_LEAST_TIME: Final = 10**9
_LEAST_TIME_MS: Final = 10**12


def is_used_up(headers: Mapping[str, str]) -> bool:
    """Whether one of the allowances has nothing left. `headers` are by lower-case name."""
    return any(True for _ in _used_up(headers))


def wait_seconds(headers: Mapping[str, str], now: datetime) -> int | None:
    """Seconds to wait from `now` (aware): by `Retry-After`, or else until every used-up allowance,
    or every one whose rest is not said, is reset. At most a day; None if no header has it."""
    asked = asked_wait(headers, now)
    if asked is not None:
        return asked
    waits = [wait for wait in _resets(headers, now) if wait is not None]
    if not waits and not any(map(_REMAINING.search, headers)):
        # Discord and others say only when, not how many are left.
        resets = (headers[name] for name in headers if _RESET.search(name))
        found = (_seconds_until(value.partition(",")[0].strip(), now) for value in resets)
        waits = [wait for wait in found if wait is not None]
    return max(waits, default=None)


def asked_wait(headers: Mapping[str, str], now: datetime) -> int | None:
    """Seconds to wait by `Retry-After`, None if it is absent or unreadable."""
    for name in _IN_MILLISECONDS:
        value = headers.get(name, "").strip()
        if _NUMBER.fullmatch(value):
            return bounded(float(value) / 1000)
    value = headers.get("retry-after", "").strip()
    if _NUMBER.fullmatch(value):
        return bounded(float(value))
    return retry_after_seconds(value, now)


def bounded(seconds: float) -> int:
    """Whole seconds, rounded up, from 0 to a day."""
    return max(0, min(-int(-seconds // 1), MAX_SECONDS))


def _used_up(headers: Mapping[str, str]) -> Iterator[str]:
    """The names of the headers that say so."""
    for name, value in headers.items():
        if _REMAINING.search(name):
            # Several lines of one header are joined by commas.
            if any(_ZERO.fullmatch(part) for part in value.split(",")):
                yield name
        elif name in _USED_OF_ALL_IN:
            if any(int(used) >= int(all_) > 0 for used, all_ in _USED_OF_ALL.findall(value)):
                yield name
        elif name in {"ratelimit", "x-ratelimit"} and any(_policies_used_up(value)):
            yield name


def _policies_used_up(value: str) -> Iterator[dict[str, int]]:
    """The parameters of those policies of a `RateLimit` header that have nothing remaining."""
    value = value[:2000]
    for policy in [value] if "remaining" in value else value.split(","):
        parameters = {name[0]: int(number) for name, number in _PARAMETER.findall(policy)}
        # `reset` and `remaining` begin alike; the older form has both in full.
        if "remaining" in policy:
            found = dict(_PARAMETER.findall(policy))
            parameters = {"r": int(found.get("remaining", 1)), "t": int(found.get("reset", 0))}
        if parameters.get("r") == 0:
            yield parameters


def _resets(headers: Mapping[str, str], now: datetime) -> Iterator[int | None]:
    for name in _used_up(headers):
        if name in {"ratelimit", "x-ratelimit"}:
            for policy in _policies_used_up(headers[name]):
                yield bounded(policy["t"]) if policy.get("t") else None
            continue
        for word in ("reset", "reset-after"):
            value = headers.get(name.replace("remaining", word), "").strip()
            if value:
                yield _seconds_until(value.partition(",")[0].strip(), now)


def _seconds_until(value: str, now: datetime) -> int | None:
    """Of a reset: seconds, a time in seconds or milliseconds since 1970, a duration (`6m0s`), an
    ISO 8601 time, or an HTTP date."""
    if _NUMBER.fullmatch(value):
        number = float(value)
        if number >= _LEAST_TIME_MS:
            number /= 1000
        return bounded(number - now.timestamp() if number >= _LEAST_TIME else number)
    duration = _DURATION.fullmatch(value)
    if value and duration:
        hours, minutes, seconds, milliseconds = (float(part or 0) for part in duration.groups())
        return bounded(hours * 3600 + minutes * 60 + seconds + milliseconds / 1000)
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return retry_after_seconds(value, now)
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return bounded((at - now).total_seconds())
