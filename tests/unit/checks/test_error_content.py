"""What is read of an error: where it may stand, under which keys, and how much of it."""

import json
from typing import Any

import pytest

from patchbay.checks.error_content import MAX_PLACES, MAX_SENTENCES, ErrorContent, read_error

EXPIRED = {"auth_expired"}
# A word that has a code only as a name, and a sentence that is too long for a name.
WORD, SENTENCE = "token_expired", "Sorry, but the access token has expired"
PAGE = {"content-type": "text/html"}
FORM = {"content-type": "application/x-www-form-urlencoded"}


def read(
    body: Any, headers: dict[str, str] | None = None, *, is_error: bool = True
) -> ErrorContent:
    text = body if isinstance(body, str) else json.dumps(body)
    return read_error(headers or {}, text, is_error=is_error)


# Places

ERRORS = [
    *("error", "errors", "fault", "faults", "exception", "exceptions", "innererror"),
    *("odata.error", "errorDetail", "error_details", "o:errorDetails", "errorInfo", "apiErrors"),
    *("errorResponse", "root_cause", "originalError", "errorChain"),
]
PARTS_OF_ERRORS = [
    *("details", "detail", "extensions", "cause", "causes", "problems", "reason", "message"),
    "data",
]
ENVELOPES = [
    *("meta", "status", "response", "result", "responseStatus", "header", "http", "parameters"),
    "context",
]


@pytest.mark.parametrize("key", ERRORS)
def test_an_error_under_its_key_is_one_even_if_the_answer_is_not(key: str) -> None:
    for inside in ({"name": WORD}, [{"name": WORD}]):
        assert read({key: inside}, is_error=False).names == EXPIRED
    assert read({key: {"message": SENTENCE}}, is_error=False).sentences == EXPIRED


@pytest.mark.parametrize("key", PARTS_OF_ERRORS)
def test_a_part_of_an_error_is_read_only_within_one(key: str) -> None:
    assert read({key: {"name": WORD}}, is_error=True).names == EXPIRED
    assert read({"error": {key: [{"name": WORD}]}}, is_error=False).names == EXPIRED
    assert read({key: {"code": WORD}}, is_error=False).names == set()


@pytest.mark.parametrize("key", ENVELOPES)
def test_an_envelope_is_read_and_is_no_error_by_itself(key: str) -> None:
    assert read({key: {"code": WORD}}, is_error=False).names == EXPIRED
    assert read({key: {"name": WORD}}, is_error=False).names == set()
    assert read({key: {"name": WORD}}, is_error=True).names == EXPIRED


def test_data_of_the_provider_is_not_read() -> None:
    assert read({"data": {"code": WORD}}, is_error=False).names == set()
    for is_error in (True, False):
        assert read({"items": {"code": WORD}}, is_error=is_error).names == set()
    assert read({"items": [{"error": WORD}]}, is_error=False).names == set()


# Keys

NAMES = [
    *("error", "errors", "code", "type", "status", "reason", "category", "errorCode", "error-type"),
    *("errorKey", "errorName", "o:errorCode", "statusCode", "httpStatus", "subCode"),
    *("error_subcode", "faultCode", "exceptionCode", "exceptionType", "exception", "err"),
    *("errcode", "errno", "errorCategory", "tag", "documentation_url", "retCode"),
]
NAMES_OF_ERRORS = ["name", "title", "message", "detail", "value", "key"]
SENTENCES = [
    *("message", "errorMessage", "error_description", "description", "detail", "details", "title"),
    *("msg", "errorMsg", "errmsg", "reason", "error", "errors", "faultstring", "statusMessage"),
    *("messages", "errorMessages", "userMessage", "developerMessage", "errorSummary", "text"),
    *("value", "data", "retMsg"),
]
OTHERS = ["x", "id", "errorid", "codes", "messaged"]


@pytest.mark.parametrize("key", [*NAMES, *NAMES_OF_ERRORS, *OTHERS])
def test_a_name_stands_under_the_keys_of_names(key: str) -> None:
    for spelled in (key, key.upper(), key.replace("_", "")):
        assert read({spelled: WORD}).names == (set() if key in OTHERS else EXPIRED)
        assert read({spelled: WORD}, is_error=False).names == (EXPIRED if key in NAMES else set())


@pytest.mark.parametrize("key", [*SENTENCES, *OTHERS, "name", "code"])
def test_a_sentence_stands_under_the_keys_of_sentences_of_an_error(key: str) -> None:
    found = EXPIRED if key in SENTENCES else set()
    assert read({key: SENTENCE}).sentences == found
    assert read({key: [SENTENCE]}).sentences == found
    assert read({key: SENTENCE}, is_error=False).sentences == set()


@pytest.mark.parametrize(
    "key",
    [
        *("needed", "scope", "scopes", "requiredScope", "required_scopes", "missingScope"),
        *("missing-scopes", "requiredGranularScopes"),
    ],
)
@pytest.mark.parametrize("value", ["a b", "a,b", "a, b", ["a", "b"], ["a b"]])
def test_scopes_stand_under_the_keys_of_scopes(key: str, value: object) -> None:
    assert read({key: value}).scopes == {"a", "b"}
    assert read({key: value}, is_error=False).scopes == {"a", "b"}
    assert read({"x": value, "y": 7}).scopes == set()


@pytest.mark.parametrize(
    "key",
    [*("retryAfter", "retry_after_seconds", "retryInSeconds", "retryDelay", "secondsUntilRetry")],
)
def test_a_wait_stands_under_the_keys_of_waits(key: str) -> None:
    assert read({key: 7}).wait_seconds == 7
    assert read({"x": 7}).wait_seconds is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        *[(7, 7.0), (1.5, 1.5), ("7", 7.0), ("1.5s", 1.5), ("30 sec", 30.0), ("2 seconds", 2.0)],
        *[("1 second", 1.0), ("3S", 3.0), (True, None), ("soon", None), ("1m", None), (None, None)],
        *[("123456789", 123_456_789.0), ("1234567890", None), ([7], None), (-1, None)],
    ],
)
def test_a_wait_is_a_number_of_seconds(value: object, seconds: float | None) -> None:
    assert read({"retryAfter": value}).wait_seconds == seconds


@pytest.mark.parametrize(
    ("sentence", "seconds"),
    [
        *[
            ("Try again in 5 seconds", 5.0),
            ("Retry after 90 s.", 90.0),
            ("RETRY IN 2 MINUTES", 120),
        ],
        *[("retry after 1 minute", 60.0), ("retry after 3 m", 180.0), ("Retry in 250 ms", 0.25)],
        *[("available in 1.5s", 1.5), ("retry after 1 second", 1.0), ("retry in 5 hours", None)],
        *[("retry in 1234567 s", None), ("in 5 seconds", None)],
    ],
)
def test_a_sentence_may_have_a_wait(sentence: str, seconds: float | None) -> None:
    assert read({"message": sentence}).wait_seconds == seconds


def test_the_first_wait_of_several_sentences_counts() -> None:
    assert read({"messages": ["retry in 5 s", "retry in 9 s"]}).wait_seconds == 5


# Marks of an error


@pytest.mark.parametrize(
    ("body", "is_one"),
    [
        *[({"ok": False}, True), ({"ok": True}, False), ({"ok": 0}, False), ({"ok": None}, False)],
        *[({"success": False}, True), ({"succeeded": False}, True), ({"successful": False}, True)],
        *[({"error": True}, True), ({"error": 1}, True), ({"isError": 1}, False)],
        *[({"isError": True}, True)],
        *[({"hasError": True}, True), ({"has_errors": True}, True), ({"error": False}, False)],
        *[({"status": "error"}, True), ({"status": "FAIL"}, True), ({"status": "failed"}, True)],
        *[({"status": "failure"}, True), ({"status": "success"}, False), ({"status": 5}, False)],
        *[
            ({"stat": "fail"}, True),
            ({"stat": "ok"}, False),
            ({"status": 1, "stat": "fail"}, False),
        ],
    ],
)
def test_an_object_may_say_that_it_is_an_error(body: dict[str, object], is_one: bool) -> None:
    found = read({**body, "message": SENTENCE}, is_error=False)
    assert found.sentences == (EXPIRED if is_one else set())


@pytest.mark.parametrize("key", ["errcode", "errno", "errorCode", "retCode", "code", "error"])
@pytest.mark.parametrize("text", ["errmsg", "error_message", "message", "msg", "retMsg"])
def test_a_number_beside_a_text_marks_an_error_unless_it_says_that_all_is_well(
    key: str, text: str
) -> None:
    for number, found in ((1, EXPIRED), (-1, EXPIRED), (0, set[str]()), (200, set[str]())):
        assert read({key: number, text: SENTENCE}, is_error=False).sentences == found
    assert read({key: 1, "title": SENTENCE}, is_error=False).sentences == set()
    assert read({"other": 1, text: SENTENCE}, is_error=False).sentences == set()
    assert read({key: "1", text: SENTENCE}, is_error=False).sentences == set()
    if key != "error":
        assert read({key: True, text: SENTENCE}, is_error=False).sentences == set()


# Numbers


@pytest.mark.parametrize(
    ("value", "statuses"),
    [
        *[(401, {"auth_invalid"}), ("401", {"auth_invalid"}), (404, {"not_found"}), (True, set())],
        *[("4O1", set()), ("0000000401", set()), ("000000401", {"auth_invalid"}), (12, set())],
        *[("٤٠١", set()), (401.0, set()), ([401], {"auth_invalid"}), ([[401]], set())],
    ],
)
def test_a_number_may_be_a_status(value: object, statuses: set[str]) -> None:
    assert read({"code": value}).statuses == statuses


def test_a_number_of_a_provider_needs_a_mark_beside_it() -> None:
    # 190 is Facebook's for a token that is not valid
    assert read({"error": {"code": 190, "fbtrace_id": "x"}}).names == {"auth_invalid"}
    assert read({"error": {"code": 190, "type": "OAuthException"}}).names >= {"auth_invalid"}
    assert read({"error": {"code": 190}}).names == set()
    assert read({"error": {"code": 190, "type": ["OAuthException"]}}).names == set()


def test_a_number_of_microsoft_entra_counts_before_names() -> None:
    found = read({"error_description": "AADSTS7000222: The client secret keys are expired."})
    assert found.numbered == EXPIRED
    assert read({"messages": ["AADSTS7000222: no", "something else"]}).numbered == EXPIRED


def test_what_happened_to_a_token_is_a_hint_of_its_description_only() -> None:
    assert read({"error_description": "it was revoked"}).hints == {"auth_revoked"}
    assert read({"errorDescription": "it expired"}).hints == EXPIRED
    assert read({"description": "it expired"}).hints == set()
    assert read({"error_description": "it expired"}, is_error=False).hints == set()
    assert read({"error_description": ["it expired"]}).hints == set()
    nested = {"error_description": "it expired", "error": {"error_description": "it was revoked"}}
    assert read(nested).hints == {"auth_expired", "auth_revoked"}
    assert read({"error_description": "x" * 500 + " expired"}).hints == set()
    assert read({"error_description": "x" * 492 + " expired"}).hints == EXPIRED


# Bounds


def test_twenty_sentences_are_read_and_500_characters_of_each() -> None:
    assert read({"messages": ["no"] * (MAX_SENTENCES - 1) + [SENTENCE]}).sentences == EXPIRED
    assert read({"messages": ["no"] * MAX_SENTENCES + [SENTENCE]}).sentences == set()
    assert read({"messages": [7] * MAX_SENTENCES + [SENTENCE]}).sentences == EXPIRED
    assert read({"message": "x" * 478 + " access token expired"[:22]}).sentences == EXPIRED
    assert read({"message": "x" * 480 + " access token expired"}).sentences == set()
    assert MAX_SENTENCES == 20


def test_twenty_names_of_a_list_are_read() -> None:
    assert read({"code": ["x"] * 19 + [WORD]}).names == EXPIRED
    assert read({"code": ["x"] * 20 + [WORD]}).names == set()
    assert read({"code": [["x"], WORD]}).names == EXPIRED
    assert read({"code": [[WORD]]}).names == set()


def test_a_name_has_up_to_200_visible_characters() -> None:
    url = "https://example.com/" + "a" * 166 + "/token_expired"
    assert read({"code": url}).names == EXPIRED
    assert read({"code": "h" + url}).names == set()
    for odd in (f" {WORD}", f"{WORD} ", f"{WORD}\n", f"é{WORD}"):
        assert read({"code": odd}).names == set()


def test_fifty_scopes_are_read_and_a_thousand_characters_of_each_text() -> None:
    many = [f"s{number}" for number in range(60)]
    assert read({"scopes": many}).scopes == set(many[:50])
    assert read({"scope": " ".join(many)}).scopes == set(many[:50])
    assert read({"scope": "x" * 1001}).scopes == {"x" * 1000}
    assert read({"scopes": [7, "a"]}).scopes == {"a"}


def test_200_places_are_read_nearest_first() -> None:
    nested: object = {"code": WORD}
    for _ in range(MAX_PLACES - 1):
        nested = {"error": nested}
    assert read(nested).names == EXPIRED
    assert read({"error": nested}).names == set()
    assert MAX_PLACES == 200


# Forms of a body


@pytest.mark.parametrize(
    ("body", "names"),
    [
        *[('"token_expired"', EXPIRED), ("token_expired", EXPIRED), ("  token_expired ", EXPIRED)],
        *[("", set()), ("   ", set()), ("octopus", set())],
    ],
)
def test_a_text_is_a_name(body: str, names: set[str]) -> None:
    assert read(body).names == names
    assert read(body, is_error=False).names == set()


def test_a_text_is_a_sentence_too() -> None:
    assert read(SENTENCE).sentences == EXPIRED
    assert read(f"X: {SENTENCE}").sentences == EXPIRED
    # "Limit exceeded" is known only if it is all that is said.
    for text in ("limit exceeded", '"limit exceeded"', ' "limit exceeded" '):
        assert read(text).sentences == {"rate_limited"}
    assert read('"limit exceeded').sentences == set()


def test_a_text_that_is_a_number_has_no_marks() -> None:
    assert read("401").statuses == {"auth_invalid"}
    assert read("190").names == set()


def test_a_list_of_texts_is_read_if_the_answer_is_an_error() -> None:
    found = read([WORD, SENTENCE])
    assert (found.names, found.sentences) == (EXPIRED, EXPIRED)
    assert read([WORD, SENTENCE], is_error=False) == ErrorContent()


def test_a_text_before_json_may_have_blanks() -> None:
    assert read('  {"name": "use_dpop_nonce", "x": "y"}').names == {"request_rejected"}
    assert read('  {"code": "token_expired"} {"x": 1').names == EXPIRED


def test_a_key_has_up_to_60_characters() -> None:
    assert read({"code" + "_" * 56 + "x": WORD}).names == EXPIRED
    assert read({"code" + "_" * 55 + "x": WORD}).names == set()
    assert read(json.dumps(SENTENCE)).sentences == EXPIRED


@pytest.mark.parametrize(
    "guard",
    [
        ")]}'",
        ")]}',",
        ")]}",
        "for (;;);",
        "for(;;);",
        "while(1);",
        "while (1);",
        "  )]}'\n",
        "\ufeff",
    ],
)
def test_what_stands_before_json_is_skipped(guard: str) -> None:
    assert read(guard + '{"error": "use_dpop_nonce", "x": 1}').names == {"request_rejected"}


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ('{"code": "token_expired", "x', EXPIRED),
        ('{"code": "token_expired", "x": [1, {"y": "z', EXPIRED),
        ('{"code": "token_expired"} trailing', EXPIRED),
        ('[{"code": "token_expired"}, {"co', EXPIRED),
        ('{"x": "}]", "code": "token_expired", ', EXPIRED),
        ('[{"code": "token_expired"}x', EXPIRED),
        ('{"code": "token_expired", "x": "\\\n}', EXPIRED),
        ('{"code": "token_expired"', set()),
        ('{"code": "token_exp', set()),
        ("{" * 40, set()),
        # Up to 32 levels deep.
        ('{"x": ' + "[" * 31 + "]" * 31 + ', "code": "token_expired", "y', EXPIRED),
        ('{"x": ' + "[" * 32 + "]" * 32 + ', "code": "token_expired", "y', set()),
    ],
)
def test_a_body_that_is_cut_off_is_read_up_to_its_last_whole_member(
    body: str, names: set[str]
) -> None:
    assert read(body).names == names


def test_sentences_by_field_have_the_name_of_the_field() -> None:
    assert read({"errors": {"access_token": ["has expired"]}}).sentences == EXPIRED
    assert read({"errors": {"client_certificate": "has expired"}}).sentences == EXPIRED
    assert read({"errors": {"x": {"y": "z"}, "access_token": ["a", "b", "has expired"]}}).sentences
    assert not read({"errors": {"access_token": ["a", "b", "c", "has expired"]}}).sentences
    late = {f"f{number}": "no" for number in range(20)} | {"access_token": "has expired"}
    assert not read({"errors": late}).sentences
    assert read({"errors": {"access_token": ["has expired"]}}, is_error=False).sentences == EXPIRED


@pytest.mark.parametrize("tag", ["title", "h1", "h2"])
def test_the_headings_of_a_page_are_read(tag: str) -> None:
    page = f"<html><{tag} class='x'>{SENTENCE}</{tag}></html>"
    assert read(page, PAGE).sentences == EXPIRED
    assert read(page.upper(), PAGE).sentences == EXPIRED
    assert read(page, PAGE, is_error=False).sentences == set()
    assert read(f"<html><p>{SENTENCE}</p></html>", PAGE).sentences == set()
    five = "<h1>no</h1>" * 4 + f"<h1>{SENTENCE}</h1>"
    assert read(f"<html>{five}", PAGE).sentences == EXPIRED
    assert read(f"<html><h1>no</h1>{five}", PAGE).sentences == set()


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("<Error><Code>token_expired</Code></Error>", EXPIRED),
        ("<x:Error xmlns:x='y'><x:Code a='b'> token_expired </x:Code></x:Error>", EXPIRED),
        ("<Error><Code><![CDATA[token_expired]]></Code></Error>", EXPIRED),
        ("<Error><Other>token_expired</Other></Error>", set()),
        ('<rsp><err code="token_expired"/></rsp>', EXPIRED),
        ("<rsp><error code=token_expired x='y'></error></rsp>", EXPIRED),
        ('<rsp><Err code="token_expired"/></rsp>', EXPIRED),
        ('<rsp><other code="token_expired"/></rsp>', set()),
        ("<e>" + "<code>x</code>" * 19 + "<code>token_expired</code></e>", EXPIRED),
        ("<e>" + "<code>x</code>" * 20 + "<code>token_expired</code></e>", set()),
        ("<e>" + '<err code="x"/>' * 19 + '<err code="token_expired"/></e>', EXPIRED),
        ("<e>" + '<err code="x"/>' * 20 + '<err code="token_expired"/></e>', set()),
    ],
)
def test_the_elements_and_attributes_of_xml_are_read(body: str, names: set[str]) -> None:
    assert read(body).names == names


def test_two_thousand_elements_are_read() -> None:
    last = "<code>token_expired</code>"
    assert read("<e>" + "<x>y</x>" * 1999 + last).names == EXPIRED
    assert read("<e>" + "<x>y</x>" * 2000 + last).names == set()


def test_the_end_of_character_data_is_no_part_of_it() -> None:
    found = read("<e><message><![CDATA[limit exceeded]]></message></e>")
    assert found.sentences == {"rate_limited"}


def test_five_faults_of_xml_rpc_are_read() -> None:
    def fault(sentence: str) -> str:
        return f"<member><name>faultString</name><value>{sentence}</value></member>"

    assert read(fault(SENTENCE), is_error=False).sentences == EXPIRED
    assert read(fault(f"<string>{SENTENCE}</string>"), is_error=False).sentences == EXPIRED
    assert read(fault("no") * 4 + fault(SENTENCE), is_error=False).sentences == EXPIRED
    assert read(fault("no") * 5 + fault(SENTENCE), is_error=False).sentences == set()
    other = fault(SENTENCE).replace("faultString", "other")
    assert read(other, is_error=False).sentences == set()


def test_a_soap_fault_is_an_error_whatever_the_status() -> None:
    fault = "<s:Envelope><s:Body><s:Fault><faultstring>{}</faultstring></s:Fault></s:Body>"
    found = read(fault.format(SENTENCE), is_error=False)
    assert found.is_fault
    assert found.sentences == EXPIRED
    other = read(f"<Faulty><message>{SENTENCE}</message></Faulty>", is_error=False)
    assert not other.is_fault
    assert other.sentences == set()


@pytest.mark.parametrize(
    ("body", "headers", "names"),
    [
        ("code=token_expired&x=y", {"content-type": "APPLICATION/X-WWW-Form-URLENCODED"}, EXPIRED),
        ("code=use_dpop_nonce&x=y", FORM, {"request_rejected"}),
        ("code=use_dpop_nonce&x=y", {}, set()),
        ("error=token_expired&x=y", {}, EXPIRED),
        ("error_code=token_expired", {}, EXPIRED),
        ("error=token_expired" + "&x=y" * 49, {}, EXPIRED),
        ("error=token_expired" + "&x=y" * 50, {}, set()),
    ],
)
def test_a_form_is_read(body: str, headers: dict[str, str], names: set[str]) -> None:
    assert read(body, headers).names == names


def test_4096_characters_of_a_form_are_read() -> None:
    end = "&code=use_dpop_nonce"
    for length, names in ((4096, {"request_rejected"}), (4097, set[str]())):
        assert read("x=".ljust(length - len(end), "y") + end, FORM).names == names


# Headers


@pytest.mark.parametrize(
    "name",
    [
        *("x-amzn-errortype", "x-ms-error-code", "x-mashery-error-code", "ratelimit-reason"),
        *("x-authentication-denied-reason", "x-seraph-loginreason"),
    ],
)
def test_a_header_may_have_the_name_of_an_error(name: str) -> None:
    assert read("", {name: WORD}, is_error=False).names == EXPIRED
    assert read("", {"x-other": WORD}).names == set()


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("token_expired;x", EXPIRED),
        ("use_dpop_nonce:http://internal.amazon.com/x", {"request_rejected"}),
        ("x;token_expired", set()),
        ("a" * 187 + "/token_expired", set()),
    ],
)
def test_a_name_in_a_header_ends_at_a_semicolon_or_a_url(value: str, names: set[str]) -> None:
    assert read("", {"x-amzn-errortype": value}).names == names


@pytest.mark.parametrize(
    ("challenge", "found"),
    [
        ('Bearer error="token_expired"', (EXPIRED, set(), set())),
        ("Bearer realm=x, Error = token_expired", (EXPIRED, set(), set())),
        ('Basic realm="x", Bearer error="token_expired"', (EXPIRED, set(), set())),
        ('Bearer error_description="it expired"', (set(), EXPIRED, set())),
        ('Bearer error_description="\\"it\\" expired"', (set(), EXPIRED, set())),
        ('Bearer scope="a b"', (set(), set(), {"a", "b"})),
        ('Bearer code="token_expired"', (set(), set(), set())),
        ("error=token_expired".rjust(8192), (EXPIRED, set(), set())),
        ("error=token_expired".rjust(8193), (set(), set(), set())),
        ('Bearer scope="a\\"b"', (set(), set(), {'a"b'})),
    ],
)
def test_the_parameters_of_each_challenge_are_read(
    challenge: str, found: tuple[set[str], set[str], set[str]]
) -> None:
    content = read("", {"www-authenticate": challenge}, is_error=False)
    assert (content.names, content.hints, content.scopes) == found


def test_nothing_is_read_of_nothing() -> None:
    assert read("") == ErrorContent()
    assert ErrorContent() == ErrorContent(
        set(), set(), set(), set(), set(), set(), None, False, set(), 0
    )
