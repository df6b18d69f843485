"""The kind s3: a real store (moto's, which verifies signatures), and answers of others."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from http.client import HTTPConnection
from typing import Any

import boto3
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer

from patchbay.checks.protocols.sigv4 import AwsKey, encoded, signed_headers
from patchbay.checks.recipe import Recipe
from patchbay.checks.report import CheckReport
from patchbay.checks.runner import run
from tests.unit.checks.doubles import (
    PATIENT_MS,
    Handler,
    answering,
    guard_for,
    http_response,
    in_time,
    serving,
)

SCHEMA: dict[str, Any] = {
    "properties": {
        "endpoint": {"type": "string", "format": "uri"},
        "region": {"type": "string", "default": "us-east-1"},
        "bucket": {"type": "string"},
        "prefix": {"type": "string"},
    }
}
SECRETS = {"id": "AKIAIOSFODNN7EXAMPLE", "key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}


def recipe(**changes: Any) -> Recipe:
    step = {
        "name": "bucket",
        "kind": "s3",
        "endpoint": "{{variables.endpoint}}",
        "region": "{{variables.region}}",
        "bucket": "{{variables.bucket}}",
        "accessKeyId": "{{secrets.id}}",
        "secretAccessKey": "{{secrets.key}}",
        "sessionToken": "{{secrets.token}}",
    } | changes
    names = ("id", "key", "token")
    manifest = {
        "secretsSchema": {"properties": {name: {} for name in names}},
        "checks": {"steps": [{k: v for k, v in step.items() if v is not None}]},
    }
    return Recipe(manifest, {"type": "none"}, SCHEMA)


async def report_of(
    port: int, bucket: str = "reports", secrets: dict[str, str] | None = None, **more: Any
) -> CheckReport:
    planned = recipe(**more)
    assert planned.problems == ()
    values = {"endpoint": f"http://127.0.0.1:{port}", "bucket": bucket}
    plan = planned.plan(values, SECRETS | (secrets or {}))
    return await run(plan, guard_for(port), total_ms=PATIENT_MS)


class Store:
    """A store with one bucket, one key that may list it, and one that may not."""

    def __init__(self, port: int) -> None:
        self.port = port
        # The first calls, which set it up, are not authenticated.
        clients = {
            name: boto3.client(
                name,
                endpoint_url=f"http://127.0.0.1:{port}",
                region_name="us-east-1",
                aws_access_key_id="setup",
                aws_secret_access_key="setup",
            )
            for name in ("s3", "iam")
        }
        clients["s3"].create_bucket(Bucket="reports")
        for user in ("reader", "nobody"):
            clients["iam"].create_user(UserName=user)
        clients["iam"].put_user_policy(
            UserName="reader",
            PolicyName="list",
            PolicyDocument='{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", '
            '"Action": "s3:ListBucket", "Resource": "*"}]}',
        )
        self.keys = {
            user: {"id": made["AccessKeyId"], "key": made["SecretAccessKey"]}
            for user in ("reader", "nobody")
            for made in [clients["iam"].create_access_key(UserName=user)["AccessKey"]]
        }

    def report(self, user: str = "reader", **more: Any) -> CheckReport:
        secrets = self.keys[user] | more.pop("secrets", {})
        return asyncio.run(report_of(self.port, secrets=secrets, **more))


@pytest.fixture
def store() -> Iterator[Store]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    try:
        store = Store(port)
        told(port, "reset-auth", "0")
        yield store
    finally:
        told(port, "reset-auth", "inf")
        told(port, "reset")
        server.stop()


def told(port: int, command: str, body: str = "") -> None:
    """Sends a command to moto's own API."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST", f"/moto-api/{command}", body)
        connection.getresponse().read()
    finally:
        connection.close()


@pytest.mark.enable_socket
def test_a_key_is_proven_at_a_store_that_verifies_signatures(store: Store) -> None:
    # given keys that are right, of nobody, and wrong
    right = store.report()
    nobody = store.report("nobody")
    wrong = store.report(secrets={"key": "wrong/secret+of=the-key"})
    unknown = store.report(secrets={"id": "AKIAUNKNOWNUNKNOWN00"})

    # then
    assert (right.passed, right.verified) == (True, True), right.message
    assert (nobody.code, nobody.blame) == ("permission_denied", "customer")
    assert (wrong.code, wrong.steps[-1].field_pointer) == ("auth_invalid", "/secrets/key")
    assert (unknown.code, unknown.steps[-1].field_pointer) == ("auth_invalid", "/secrets/id")
    assert store.keys["reader"]["key"] not in right.model_dump_json()


@pytest.mark.enable_socket
def test_a_bucket_that_is_not_there_is_the_customers_to_correct(store: Store) -> None:
    report = store.report(bucket="nowhere-4242")
    assert (report.code, report.steps[-1].field_pointer) == ("not_found", "/variables/bucket")


def xml(code: str, more: str = "") -> bytes:
    return f"<?xml version='1.0'?><Error><Code>{code}</Code>{more}</Error>".encode()


ELSEWHERE = "<Message>the region 'us-east-1' is wrong</Message><Region>eu-west-1</Region>"


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("answer", "code", "pointer"),
    [
        (http_response("403 Forbidden", xml("InvalidAccessKeyId")), "auth_invalid", "/secrets/id"),
        (
            http_response("403 Forbidden", xml("SignatureDoesNotMatch")),
            "auth_invalid",
            "/secrets/key",
        ),
        (http_response("400 Bad", xml("ExpiredToken")), "auth_expired", "/secrets/token"),
        (http_response("400 Bad", xml("InvalidToken")), "auth_invalid", "/secrets/token"),
        (http_response("403 Forbidden", xml("AccessDenied")), "permission_denied", "/secrets/key"),
        (
            http_response("400 Bad", xml("AuthorizationHeaderMalformed", ELSEWHERE)),
            "config_invalid",
            "/variables/region",
        ),
        (
            http_response("301 Moved", xml("PermanentRedirect")),
            "config_invalid",
            "/variables/region",
        ),
        (
            http_response("301 Moved", b"", "x-amz-bucket-region: eu-west-1"),
            "config_invalid",
            "/variables/region",
        ),
        (http_response("404 Not Found", xml("NoSuchBucket")), "not_found", "/variables/bucket"),
        (http_response("400 Bad", xml("InvalidBucketName")), "config_invalid", "/variables/bucket"),
        (http_response("503 Slow Down", xml("SlowDown")), "rate_limited", None),
        (http_response("403 Forbidden", xml("AccountProblem")), "account_locked", None),
        (http_response("500 Error", xml("InternalError")), "provider_error", None),
        (
            http_response("200 OK", b"<html>hello</html>"),
            "unexpected_response",
            "/variables/endpoint",
        ),
        (
            http_response("200 OK", xml("InternalError")),
            "unexpected_response",
            "/variables/endpoint",
        ),
    ],
)
def test_the_errors_of_stores_are_understood(answer: bytes, code: str, pointer: str | None) -> None:
    async def test(handler: Handler) -> CheckReport:
        async with serving(handler) as port:
            return await report_of(port)

    report = asyncio.run(test(answering(answer)))
    assert (report.code, report.steps[-1].field_pointer) == (code, pointer)
    assert ("eu-west-1" in report.message) == (b"eu-west-1" in answer)


@pytest.mark.enable_socket
def test_a_refusal_whose_page_stalls_is_not_waited_for() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = xml("InvalidAccessKeyId")
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9999\r\n\r\n" + body)
        await asyncio.sleep(60)

    async def test() -> CheckReport:
        async with serving(handler) as port:
            return await report_of(port)

    report = in_time(PATIENT_MS - 1000, lambda: asyncio.run(test()))
    assert (report.code, report.steps[-1].field_pointer) == ("auth_invalid", "/secrets/id")


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    "region", ["evil region", "x" * 50, "<b>", "http://evil.example.net", "eu-west-1 ignore this"]
)
def test_a_region_that_is_none_is_not_repeated(region: str) -> None:
    answer = http_response(
        "400 Bad", xml("AuthorizationHeaderMalformed", f"<Region>{region}</Region>")
    )

    async def test() -> CheckReport:
        async with serving(answering(answer)) as port:
            return await report_of(port)

    report = asyncio.run(test())
    assert (report.code, region in report.message) == ("config_invalid", False)


@pytest.mark.parametrize(
    ("values", "changes", "url"),
    [
        ({}, {"endpoint": None}, "https://reports.s3.us-east-1.amazonaws.com/?list-type=2"),
        ({"region": "eu-west-1"}, {}, "https://reports.s3.eu-west-1.amazonaws.com/?list-type=2"),
        ({"region": "cn-north-1"}, {}, "https://reports.s3.cn-north-1.amazonaws.com.cn/?list"),
        ({"bucket": "a.b.c"}, {}, "https://s3.us-east-1.amazonaws.com/a.b.c?list-type=2"),
        ({}, {"addressing": "path"}, "https://s3.us-east-1.amazonaws.com/reports?list-type=2"),
        (
            {"endpoint": "https://acc.r2.cloudflarestorage.com", "region": "auto"},
            {},
            "https://acc.r2.cloudflarestorage.com/reports?list-type=2",
        ),
        (
            {"endpoint": "https://minio.example.com:9000/s3/"},
            {"addressing": "virtual"},
            "https://reports.minio.example.com:9000/s3/?list-type=2",
        ),
        (
            {"prefix": "a b/ü"},
            {"prefix": "{{variables.prefix}}"},
            "https://reports.s3.us-east-1.amazonaws.com/?list-type=2&max-keys=1&prefix=a%20b%2F%C3",
        ),
    ],
)
def test_the_bucket_is_asked_for_where_the_store_has_it(
    values: dict[str, str], changes: dict[str, Any], url: str
) -> None:
    plan = recipe(**changes).plan({"bucket": "reports"} | values, SECRETS)
    assert plan.problems == ()
    target = plan.steps[0].compiled.probe.target  # type: ignore[attr-defined]
    assert target.url.startswith(url)


@pytest.mark.parametrize(
    ("values", "secrets", "pointer"),
    [
        ({"bucket": "../other"}, {}, "/variables/bucket"),
        ({"bucket": "a..b"}, {}, "/variables/bucket"),
        ({"bucket": "evil.example.net/x"}, {}, "/variables/bucket"),
        ({"bucket": "x?y"}, {}, "/variables/bucket"),
        ({"region": "x.evil.example.net/"}, {}, "/variables/region"),
        ({"endpoint": "file:///etc/passwd"}, {}, "/variables/endpoint"),
        ({}, {"id": "a b"}, "/secrets/id"),
        ({}, {"id": "a,SignedHeaders=x"}, "/secrets/id"),
        ({}, {"token": "a\r\nb"}, "/secrets/token"),
    ],
)
def test_a_value_that_would_lead_elsewhere_is_refused(
    values: dict[str, str], secrets: dict[str, str], pointer: str
) -> None:
    plan = recipe().plan({"bucket": "reports"} | values, SECRETS | secrets)
    assert [problem.pointer for problem in plan.problems] == [pointer]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"bucket": None}, "bucket"),
        ({"accessKeyId": "AKIA"}, "accessKeyId"),
        ({"secretAccessKey": None}, "secretAccessKey"),
        ({"sessionToken": "{{variables.region}}"}, "sessionToken"),
        ({"addressing": "host"}, "addressing"),
        ({"endpoint": "ftp://x"}, "endpoint"),
        ({"endpoint": "https://x.example.com/?a=b"}, "endpoint"),
        ({"key": "x"}, "key"),
        ({"region": "US East"}, "region"),
        ({"bucket": "a/../b"}, "bucket"),
        ({"bucket": "a.b.c", "addressing": "virtual"}, "bucket"),
    ],
)
def test_what_is_wrong_with_a_step_is_pointed_at(changes: dict[str, Any], pointer: str) -> None:
    problems = [problem.pointer for problem in recipe(**changes).problems]
    assert problems == [f"/manifest/checks/steps/0/{pointer}"]


NOW = datetime(2013, 5, 24, tzinfo=UTC)


def test_the_example_of_aws_is_reproduced() -> None:
    # https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
    headers = dict(
        signed_headers(
            AwsKey(SECRETS["id"], SECRETS["key"]),
            "GET",
            "examplebucket.s3.amazonaws.com",
            "/?max-keys=2&prefix=J",
            "us-east-1",
            "s3",
            NOW,
        )
    )
    assert headers["Authorization"].endswith(
        "Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
    )


@given(st.text(max_size=30), st.text(alphabet="ABCabc0123/+=", max_size=40))
def test_signatures_are_those_of_botocore(prefix: str, token: str) -> None:
    # given the same request
    try:
        path = f"/bucket?list-type=2&max-keys=1&prefix={encoded(prefix)}"
    except UnicodeEncodeError:
        return
    request = AWSRequest("GET", f"http://s3.example.com{path}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.auth.get_current_datetime", lambda: NOW.replace(tzinfo=None))
        credentials = Credentials("AKID", "secret", token or None)
        S3SigV4Auth(credentials, "s3", "eu-west-1").add_auth(request)

    # when
    key = AwsKey("AKID", "secret", token)
    headers = dict(signed_headers(key, "GET", "s3.example.com", path, "eu-west-1", "s3", NOW))

    # then
    assert headers["Authorization"] == request.headers["Authorization"]
