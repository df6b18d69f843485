"""What hostile servers answer: none of it is repeated, and what it costs is bounded."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.checks.refusals import Answer, refusal, refusal_within
from patchbay.checks.request_context import RequestContext
from tests.unit.checks.provider_answers import NOW

CONTEXT = RequestContext(("invoices:read", "channels:read", "repo"), path="/variables/account")

JSON = st.recursive(
    st.none() | st.booleans() | st.text(max_size=20) | st.sampled_from(["token_expired", "x"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["error", "errors", "details", "code"]), inner)
    ),
    max_leaves=20,
)
MEANINGS = {
    "the credential was not accepted",
    "the credential has expired",
    "the credential was revoked",
    "the credential may not do this",
    "the credential lacks a scope",
    "the API does not accept this request",
    "too many calls",
}


@given(st.sampled_from([400, 401, 403]), JSON, st.text(max_size=200))
def test_whatever_a_server_says_none_of_it_is_repeated(
    status: int, document: object, challenge: str
) -> None:
    said = refusal(
        Answer(status, {"www-authenticate": challenge}, json.dumps(document)), CONTEXT, NOW
    )
    assert said.meaning in MEANINGS
    assert said.summary == f"The provider answered {status}: {said.meaning}."


@given(
    st.integers(100, 999),
    st.dictionaries(
        st.sampled_from(
            ["retry-after", "x-ratelimit-remaining", "x-ratelimit-reset", "ratelimit", "server"]
        ),
        st.text(max_size=30),
    ),
    st.text(max_size=300),
)
def test_whatever_a_server_sends_there_is_a_judgment(
    status: int, headers: dict[str, str], text: str
) -> None:
    found = refusal(Answer(status, headers, text), CONTEXT, NOW)
    assert found.retry_after_seconds is None or 0 <= found.retry_after_seconds <= 86_400
    refusal_within(Answer(status, headers, text), CONTEXT, NOW)


def repeated(part: str) -> str:
    return part * (65_536 // len(part))


@pytest.mark.parametrize(
    "body",
    [
        repeated("["),
        repeated('{"error":'),
        "[" + repeated(","),
        "[" + repeated('"token_expired",'),
        '{"errors":['
        + repeated('{"code":"invalid_x","message":"a token of an ip of a key is no"},'),
        '{"error":"' + repeated('\\"'),
        '{"error":"' + repeated('\\"') + "\\",
        '{"errors":[' + repeated('"' + "token " * 80 + '",'),
        '{"error":"' + "invalid_" * 24 + '"}' + repeated(" "),
        "<x>" + repeated("<"),
        "<x>" + repeated("<a>" + " " * 521),
        "<x>" + repeated("<a><![CDATA["),
        "<x>" + repeated("<error " + 'a="b" ' * 80 + ">"),
        "<x>" + repeated("<code>a</code>"),
        "<html>" + repeated("<title>" + "token " * 40),
        repeated("<!-- "),
        repeated("invalid api key "),
        repeated("ip "),
        "error=x&" + repeated("a=b&"),
    ],
)
@pytest.mark.parametrize("status", [200, 403, 500])
def test_what_a_hostile_body_costs_is_bounded(status: int, body: str) -> None:
    answer = Answer(status, {}, body)
    began = time.process_time()
    refusal(answer, CONTEXT, NOW)
    refusal_within(answer, CONTEXT, NOW)
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    "headers",
    [
        {"www-authenticate": repeated('&\\"')},
        {"www-authenticate": repeated('Bearer error="invalid_token" ')},
        {"www-authenticate": repeated("a" + " " * 50)},
        {"www-authenticate": 'error="' + repeated('\\"')},
        {"ratelimit": repeated('"d";r=0;t=1,')},
        {"x-ratelimit-remaining": repeated("0,"), "x-ratelimit-reset": repeated("1,")},
        {"sforce-limit-info": repeated("1/1 ")},
        {"retry-after": repeated("9")},
    ],
)
def test_what_hostile_headers_cost_is_bounded(headers: dict[str, str]) -> None:
    began = time.process_time()
    for status in (401, 403):
        refusal(Answer(status, headers), CONTEXT, NOW)
    assert time.process_time() - began < 0.15
