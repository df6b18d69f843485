"""Attacks on a local cloud by other users of the machine, and by pages in its user's browser.

The emulator runs the code that it is given. A caller without the credentials of this start, which
only its owner can read, has to be turned away before the emulator sees the request.
"""

import asyncio
import base64
import datetime as dt
import hashlib
import io
import json
import os
import re
import socket
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from botocore.auth import HmacV1Auth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from local.emulator import REGION, Account, Emulator
from local.proxy import Proxy
from tests.integration.emulating import emulating

pytestmark = pytest.mark.enable_socket

ROLE = "arn:aws:iam::000000000000:role/spy"
SPY = """
import os
def handler(event, context):
    return {name: os.environ.get(name) for name in event}
"""
OF_BROWSERS = ("Cookie", "Origin", "Sec-Fetch-Site")
FUNCTIONS = "/2015-03-31/functions"


@dataclass(frozen=True)
class Sent:
    """What a server answered."""

    status: int
    headers: dict[str, str]
    body: str


def send(
    url: str,
    method: str,
    target: str,
    headers: list[tuple[str, str]] | None = None,
    body: bytes = b"",
) -> Sent:
    """One request, with exactly these headers and a length. `Host` is the address by default."""
    address = urlsplit(url).netloc
    connection = HTTPConnection(address, timeout=30)
    connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
    sent = headers or []
    if not any(name.lower() == "host" for name, _ in sent):
        sent = [("Host", address), *sent]
    for name, value in [*sent, ("Content-Length", str(len(body)))]:
        connection.putheader(name, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    try:
        received = {name.lower(): value for name, value in answer.getheaders()}
        return Sent(answer.status, received, answer.read().decode())
    finally:
        connection.close()


def signed(
    account: Account,
    method: str,
    target: str,
    body: bytes = b"",
    *,
    service: str = "lambda",
    host: str = "",
    headers: dict[str, str] | None = None,
    token: str | None = None,
) -> list[tuple[str, str]]:
    """The headers of a request that these credentials sign, `Host` among them."""
    host = host or urlsplit(account.url).netloc
    request = AWSRequest(method, f"http://{host}{target}", headers=headers or {}, data=body)
    credentials = Credentials(account.access_key_id, account.secret_access_key, token)
    SigV4Auth(credentials, service, REGION).add_auth(request)
    return [("Host", host), *((name, str(value)) for name, value in request.headers.items())]


def spy(name: str) -> bytes:
    """The body of a request that creates a function."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("spy.py", SPY)
    function = {
        "FunctionName": name,
        "Runtime": "python3.13",
        "Handler": "spy.handler",
        "Role": ROLE,
        "Code": {"ZipFile": base64.b64encode(packed.getvalue()).decode()},
    }
    return json.dumps(function).encode()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """One emulator for the attacks on it. In the end, none has left a function behind."""
    with emulating(tmp_path_factory.mktemp("emulator")) as started:
        yield started
        assert started.account.client("lambda").list_functions()["Functions"] == []


def assert_refused(sent: Sent) -> None:
    assert (sent.status, "the local cloud refuses" in sent.body) == (403, True), sent
    # A page of another site may not even read that.
    assert "access-control-allow-origin" not in sent.headers


class TestWithoutTheCredentialsOfThisStart:
    """Another user of the machine finds the port. The emulator would take any of these for root."""

    @pytest.mark.parametrize(
        ("key_id", "secret"),
        [
            ("test", "test"),
            ("000000000000", "test"),
            ("123456789012", "test"),
            ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        ],
    )
    def test_a_guessed_key_creates_no_function(
        self, running: Emulator, key_id: str, secret: str
    ) -> None:
        guessed = replace(running.account, access_key_id=key_id, secret_access_key=secret)
        body = spy("guessed")
        headers = signed(guessed, "POST", FUNCTIONS, body)
        assert_refused(send(running.account.url, "POST", FUNCTIONS, headers, body))

    @pytest.mark.parametrize(
        "authorization",
        [
            None,
            "",
            "Bearer test",
            "Basic dGVzdDp0ZXN0",
            "AWS test:c2lnbmF0dXJl",
            "AWS4-HMAC-SHA256",
            "AWS4-HMAC-SHA256 Credential=, SignedHeaders=host, Signature=0",
            "AWS4-ECDSA-P256-SHA256 Credential=test/20260217/lambda/aws4_request, "
            "SignedHeaders=host;x-amz-region-set, Signature=00",
        ],
    )
    def test_an_unsigned_request_creates_no_function(
        self, running: Emulator, authorization: str | None
    ) -> None:
        headers = [] if authorization is None else [("Authorization", authorization)]
        url = running.account.url
        assert_refused(send(url, "POST", FUNCTIONS, headers, spy("unsigned")))

    def test_the_key_id_alone_is_not_enough(self, running: Emulator) -> None:
        knows_half = replace(running.account, secret_access_key="test")
        body = spy("half")
        headers = signed(knows_half, "POST", FUNCTIONS, body)
        assert_refused(send(running.account.url, "POST", FUNCTIONS, headers, body))

    @pytest.mark.parametrize(
        ("method", "target"),
        [
            ("GET", "/_ministack/health"),
            ("GET", "/health"),
            ("GET", "/_localstack/health"),
            ("POST", "/_ministack/reset"),
            ("POST", "/_ministack/config"),
            ("GET", "/_ministack/sqs/messages"),
            ("GET", "/_ministack/lambda-code/000000000000/us-east-1/f"),
            ("PUT", "/_ministack/cfn-response/x"),
            ("POST", "/_ministack/rds/iam-auth"),
            ("GET", "/_aws/execute-api/aaaaaaaa/$default/"),
            ("GET", "/restapis/aaaaaaaa/$default/_user_request_/"),
            ("GET", "/?Action=ListQueues"),
            ("GET", "/oauth2/authorize"),
            ("OPTIONS", FUNCTIONS),
        ],
    )
    def test_no_path_is_open(self, running: Emulator, method: str, target: str) -> None:
        assert_refused(send(running.account.url, method, target))

    def test_no_websocket_is_open(self, running: Emulator) -> None:
        upgrade = [
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ]
        target = "/_aws/execute-api/aaaaaaaa/prod"
        headers = [*signed(running.account, "GET", target), *upgrade]
        assert send(running.account.url, "GET", target, headers).status == 403

    def test_the_emulator_listens_on_one_port(self, running: Emulator) -> None:
        sockets = {
            match[1]
            for entry in Path(f"/proc/{running.process.pid}/fd").iterdir()
            if (match := re.fullmatch(r"socket:\[(\d+)\]", os.readlink(entry)))
        }
        listening = []
        for table in ("tcp", "tcp6"):
            for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
                _, local, _, state, *_, inode = line.split()[:10]
                if state == "0A" and inode in sockets:
                    listening.append(local)
        port = urlsplit(running.account.url).port
        assert listening == [f"0100007F:{port:04X}"]


class TestWithASignatureOfAnother:
    """Somebody holds one request of ours, or one pair of credentials too few."""

    def test_a_signature_is_for_its_request_alone(self, running: Emulator) -> None:
        account = running.account
        harmless = signed(account, "GET", FUNCTIONS)
        body = spy("replayed")
        assert_refused(send(account.url, "POST", FUNCTIONS, harmless, body))
        assert_refused(send(account.url, "GET", FUNCTIONS + "/x", harmless))
        assert_refused(send(account.url, "GET", FUNCTIONS + "?Marker=x", harmless))
        # The body that was signed is not the one that is sent.
        headers = signed(account, "POST", FUNCTIONS, spy("signed"))
        assert_refused(send(account.url, "POST", FUNCTIONS, headers, body))

    def test_a_signature_is_old_after_minutes(
        self, running: Emulator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        then = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=16)
        monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: then)
        headers = signed(running.account, "GET", FUNCTIONS)
        assert_refused(send(running.account.url, "GET", FUNCTIONS, headers))

    def test_a_signature_covers_the_host(self, running: Emulator) -> None:
        headers = dict(signed(running.account, "GET", FUNCTIONS))
        headers["Authorization"] = headers["Authorization"].replace("host;", "")
        assert_refused(send(running.account.url, "GET", FUNCTIONS, list(headers.items())))

    @pytest.mark.parametrize(
        "extra",
        [
            "X-Amz-Credential=test/20260217/us-east-1/lambda/aws4_request",
            "AWSAccessKeyId=test",
            "X-Amz-Credential=123456789012/20260217/us-east-1/lambda/aws4_request",
        ],
    )
    def test_a_request_names_one_caller(self, running: Emulator, extra: str) -> None:
        # Given a caller that the front would refuse, beside a signature in an unusual spelling
        account = running.account
        target = f"{FUNCTIONS}?{extra}"
        headers = dict(signed(account, "GET", target))
        headers["Authorization"] = headers["Authorization"].replace("Credential=", "credential=")
        assert_refused(send(account.url, "GET", target, list(headers.items())))

    def test_two_authorizations_are_none(self, running: Emulator) -> None:
        account = running.account
        headers = [
            ("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260217/us-east-1/lambda/x"),
            *signed(account, "GET", FUNCTIONS),
        ]
        assert_refused(send(account.url, "GET", FUNCTIONS, headers))

    def test_a_signed_link_is_refused(self, running: Emulator) -> None:
        account = running.account
        credentials = Credentials(account.access_key_id, account.secret_access_key)
        link = AWSRequest("GET", f"{account.url}/bucket/key")
        S3SigV4QueryAuth(credentials, "s3", REGION, expires=60).add_auth(link)
        assert_refused(send(account.url, "GET", str(link.url).removeprefix(account.url)))
        old_style = AWSRequest("GET", f"{account.url}/bucket/key")
        HmacV1Auth(credentials).add_auth(old_style)
        headers = [(name, str(value)) for name, value in old_style.headers.items()]
        assert_refused(send(account.url, "GET", "/bucket/key", headers))


class TestFromABrowser:
    """A page of another site sends requests to this machine, or has its own name lead here."""

    @pytest.mark.parametrize(
        "origin", ["https://evil.example", "null", "http://127.0.0.1:3000", "http://localhost"]
    )
    def test_an_origin_is_refused_even_with_the_credentials(
        self, running: Emulator, origin: str
    ) -> None:
        account = running.account
        headers = [*signed(account, "GET", FUNCTIONS), ("Origin", origin)]
        assert_refused(send(account.url, "GET", FUNCTIONS, headers))
        preflight = [("Origin", origin), ("Access-Control-Request-Method", "POST")]
        assert_refused(send(account.url, "OPTIONS", FUNCTIONS, preflight))

    @pytest.mark.parametrize(
        "host",
        [
            "evil.example",
            "evil.example:{port}",
            "127.0.0.1.evil.example:{port}",
            "localhost.evil.example:{port}",
            "aaaaaaaa.execute-api.localhost:{port}",
            "127.0.0.1",
            "127.0.0.1:1",
            "0.0.0.0:{port}",
            "127.0.0.2:{port}",
        ],
    )
    def test_another_name_is_refused_even_with_the_credentials(
        self, running: Emulator, host: str
    ) -> None:
        account = running.account
        named = host.format(port=urlsplit(account.url).port)
        headers = signed(account, "GET", FUNCTIONS, host=named)
        assert_refused(send(account.url, "GET", FUNCTIONS, headers))

    def test_two_hosts_are_none(self, running: Emulator) -> None:
        account = running.account
        headers = [*signed(account, "GET", FUNCTIONS), ("Host", "evil.example")]
        assert send(account.url, "GET", FUNCTIONS, headers).status in (400, 403)

    @pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]"])
    def test_the_names_of_this_machine_are_served(self, running: Emulator, name: str) -> None:
        account = running.account
        host = f"{name}:{urlsplit(account.url).port}"
        headers = signed(account, "GET", FUNCTIONS, host=host)
        assert send(account.url, "GET", FUNCTIONS, headers).status == 200


class TestWithTheTokenOfOurProxy:
    """The proxy's token opens APIs, which have keys of their own, and nothing else."""

    TARGET = "/_aws/execute-api/aaaaaaaa/$default/"

    def test_it_opens_apis(self, running: Emulator) -> None:
        headers = [("X-Patchbay-Api-Token", running.api_token), ("Origin", "http://127.0.0.1:1")]
        # MiniStack itself answers that it has no such API.
        answer = send(running.account.url, "GET", self.TARGET, headers)
        assert (answer.status, "refuses" in answer.body) == (404, False)

    def test_it_opens_nothing_else(self, running: Emulator) -> None:
        headers = [("X-Patchbay-Api-Token", running.api_token)]
        url = running.account.url
        for target in (FUNCTIONS, "/_ministack/health", "/%5Faws", "/_aws/execute-apix/"):
            assert_refused(send(url, "GET", target, headers))

    def test_a_wrong_one_opens_nothing(self, running: Emulator) -> None:
        url, token = running.account.url, running.api_token
        for wrong in ("", "x", token[:-1], token + "x"):
            headers = [("X-Patchbay-Api-Token", wrong)]
            assert_refused(send(url, "GET", self.TARGET, headers))
        twice = [("X-Patchbay-Api-Token", token), ("X-Patchbay-Api-Token", token)]
        assert_refused(send(url, "GET", self.TARGET, twice))


class TestFunctions:
    """Functions act as their roles, with credentials that nobody else can know."""

    @pytest.fixture
    def function(self, tmp_path: Path) -> Iterator[tuple[Emulator, Callable[..., Any]]]:
        with emulating(tmp_path) as running:
            trusts_lambda = {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
            running.account.client("iam").create_role(
                RoleName="spy",
                AssumeRolePolicyDocument=json.dumps(
                    {"Version": "2012-10-17", "Statement": [trusts_lambda]}
                ),
            )
            client = running.account.client("lambda")
            client.create_function(**json.loads(spy("spy"), object_hook=_unpacked))
            yield (
                running,
                lambda *names: json.load(
                    client.invoke(FunctionName="spy", Payload=json.dumps(names).encode())["Payload"]
                ),
            )

    def test_a_function_has_credentials_that_cannot_be_derived(
        self, function: tuple[Emulator, Callable[..., Any]]
    ) -> None:
        # Given a function that tells its environment
        running, environment = function
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
        given = environment(*names)
        # When somebody derives its credentials from names, as MiniStack would
        arn = f"arn:aws:lambda:{REGION}:000000000000:function:spy"
        digest = hashlib.sha256(f"{arn}:{ROLE}".encode()).hexdigest()
        derived = Account(
            running.account.url,
            f"ASIA{digest[:16].upper()}",
            hashlib.sha256(f"secret:{digest}".encode()).hexdigest(),
        )
        token = hashlib.sha256(f"token:{digest}".encode()).hexdigest()
        target, body = "/", b"Action=GetCallerIdentity&Version=2011-06-15"
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        headers = signed(derived, "POST", target, body, service="sts", headers=form, token=token)
        # Then they open nothing
        assert_refused(send(derived.url, "POST", target, headers, body))
        # And the function's own are those of its role
        own = Account(running.account.url, given[names[0]], given[names[1]])
        headers = signed(
            own, "POST", target, body, service="sts", headers=form, token=given[names[2]]
        )
        identity = send(own.url, "POST", target, headers, body)
        assert (identity.status, "assumed-role/spy/spy" in identity.body) == (200, True)

    def test_a_function_is_not_told_what_opens_the_rest(
        self, function: tuple[Emulator, Callable[..., Any]]
    ) -> None:
        running, environment = function
        names = ("PATCHBAY_API_TOKEN", "PATCHBAY_LISTENING_FD", "PYTHONPATH")
        assert set(environment(*names).values()) == {None}
        assert environment("AWS_ACCESS_KEY_ID") != {
            "AWS_ACCESS_KEY_ID": running.account.access_key_id
        }


def _unpacked(value: dict[str, Any]) -> dict[str, Any]:
    if "ZipFile" in value:
        value["ZipFile"] = base64.b64decode(value["ZipFile"])
    return value


def test_the_credentials_of_the_last_start_are_worth_nothing(tmp_path: Path) -> None:
    with emulating(tmp_path) as last:
        pass
    with emulating(tmp_path) as now:
        stolen = replace(last.account, url=now.account.url)
        with pytest.raises(ClientError) as refused:
            stolen.client("lambda").list_functions()
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert last.api_token != now.api_token


@pytest.fixture
def url() -> Iterator[str]:
    """Of our proxy, on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    with proxied(port) as url:
        yield url


class TestTheApi:
    """The API's own port has keys, but a browser's user should not even be asked."""

    @pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
    def test_this_machine_is_served(self, url: str, name: str) -> None:
        host = f"{name}:{urlsplit(url).port}"
        assert send(url, "GET", "/v1/catalog", [("Host", host)]).status == 200

    @pytest.mark.parametrize(
        "host",
        [
            "evil.example",
            "evil.example:{port}",
            "127.0.0.1.evil.example:{port}",
            "127.0.0.1:1",
            "127.0.0.1",
            "0.0.0.0:{port}",
            "",
        ],
    )
    def test_another_name_is_not(self, url: str, host: str) -> None:
        named = host.format(port=urlsplit(url).port)
        answer = send(url, "GET", "/v1/catalog", [("Host", named)])
        assert answer.status == 403
        assert "upstream" not in answer.body

    def test_two_names_are_none(self, url: str) -> None:
        hosts = [("Host", urlsplit(url).netloc), ("Host", "evil.example")]
        assert send(url, "GET", "/v1/catalog", hosts).status in (400, 403)

    @pytest.mark.parametrize(
        "origin",
        [
            "https://evil.example",
            "null",
            "http://127.0.0.1",
            "https://127.0.0.1:{port}",
            "http://localhost:{port}",
            "http://127.0.0.1:1",
        ],
    )
    def test_a_page_of_another_site_is_refused(self, url: str, origin: str) -> None:
        named = origin.format(port=urlsplit(url).port)
        for method in ("GET", "POST", "OPTIONS"):
            answer = send(url, method, "/v1/catalog", [("Origin", named)])
            assert answer.status == 403
            assert "access-control-allow-origin" not in answer.headers

    def test_two_origins_are_those_of_another(self, url: str) -> None:
        origins = [("Origin", url), ("Origin", "https://evil.example")]
        assert send(url, "POST", "/v1/catalog", origins).status == 403

    @pytest.mark.parametrize("site", ["cross-site", "same-site"])
    def test_what_another_site_embeds_is_refused(self, url: str, site: str) -> None:
        for mode, destination in [("no-cors", "image"), ("cors", "empty"), ("navigate", "iframe")]:
            headers = [
                ("Sec-Fetch-Site", site),
                ("Sec-Fetch-Mode", mode),
                ("Sec-Fetch-Dest", destination),
            ]
            assert send(url, "GET", "/docs", headers).status == 403

    def test_our_own_pages_and_links_to_them_work(self, url: str) -> None:
        # The page of the reference calls the API from where it is.
        own = [("Origin", url), ("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Mode", "cors")]
        assert send(url, "POST", "/v1/catalog", own).status == 200
        typed = [("Sec-Fetch-Site", "none"), ("Sec-Fetch-Mode", "navigate")]
        assert send(url, "GET", "/docs", typed).status == 200
        link = [
            ("Sec-Fetch-Site", "cross-site"),
            ("Sec-Fetch-Mode", "navigate"),
            ("Sec-Fetch-Dest", "document"),
        ]
        assert send(url, "GET", "/docs", link).status == 200

    @pytest.mark.parametrize(
        ("target", "mode", "destination", "status"),
        [
            ("/embed.js", "no-cors", "script", 200),
            ("/install/acme/crm?session=x", "navigate", "iframe", 200),
            ("/embed.js", "no-cors", "image", 403),
            ("/v1/catalog?/embed.js", "no-cors", "script", 403),
            ("/v1/install", "navigate", "iframe", 403),
            ("/app", "navigate", "iframe", 403),
            ("/install/acme/crm", "cors", "empty", 403),
        ],
    )
    def test_other_sites_may_load_only_what_is_made_for_them(
        self, url: str, target: str, mode: str, destination: str, status: int
    ) -> None:
        headers = [
            ("Sec-Fetch-Site", "cross-site"),
            ("Sec-Fetch-Mode", mode),
            ("Sec-Fetch-Dest", destination),
        ]
        assert send(url, "GET", target, headers).status == status

    def test_what_a_session_depends_on_passes_as_it_is(self, url: str) -> None:
        headers = {"Cookie": "a=1; __Host-b=2", "Origin": url, "Sec-Fetch-Site": "same-origin"}
        answer = send(url, "POST", "/v1/catalog", list(headers.items()))
        assert json.loads(answer.body)["said"] == headers
        # What was not said is not made up
        answer = send(url, "GET", "/v1/catalog")
        assert json.loads(answer.body)["said"] == dict.fromkeys(OF_BROWSERS)

    def test_each_cookie_that_is_set_stays_one(self, url: str) -> None:
        connection = HTTPConnection(urlsplit(url).netloc, timeout=30)
        connection.request("GET", "/v1/catalog?cookie=a%3D1;+Secure&cookie=b%3D2")
        answer = connection.getresponse()
        set_cookies = [value for name, value in answer.getheaders() if name == "Set-Cookie"]
        connection.close()
        assert set_cookies == ["a=1; Secure", "b=2"]

    def test_nobody_can_bring_the_token_of_the_emulator(self, url: str) -> None:
        answer = send(url, "GET", "/v1/catalog", [("X-Patchbay-Api-Token", "mine")])
        assert json.loads(answer.body)["tokens"] == ["the-token"]


class TestItsOwnErrors:
    """They have the envelope of the API, as if they were the API's."""

    @pytest.mark.parametrize(
        ("method", "target", "headers", "status", "code"),
        [
            ("GET", "/v1/catalog", [("Origin", "https://evil.example")], 403, "FOREIGN_REQUEST"),
            ("GET", "/" + "a" * 12_000, [], 414, "URI_TOO_LONG"),
            ("GET", "/v1/catalog?q=" + "a" * 200_000, [], 414, "URI_TOO_LONG"),
            ("GET", "/v1/catalog", [("X-Long", "a" * 12_000)], 431, "HEADERS_TOO_LARGE"),
            ("GET", "/crash", [], 500, "INTERNAL_ERROR"),
            ("OPTIONS", "/nowhere", [], 404, "NOT_FOUND"),
        ],
    )
    def test_they_are_envelopes(
        self,
        url: str,
        method: str,
        target: str,
        headers: list[tuple[str, str]],
        status: int,
        code: str,
    ) -> None:
        answer = send(url, method, target, headers)
        assert answer.status == status
        error = json.loads(answer.body)["error"]
        assert (error["code"], error["status"]) == (code, status)
        assert error["trace_id"]
        assert error["timestamp"]

    def test_options_lists_the_methods_of_a_path(self, url: str) -> None:
        answer = send(url, "OPTIONS", "/v1/integrations", [])
        assert (answer.status, answer.body) == (204, "")
        assert answer.headers["allow"] == "GET, POST, OPTIONS"


@contextmanager
def proxied(port: int) -> Iterator[str]:
    """Our proxy on this port, before a server that tells the tokens it was shown."""

    async def told(request: web.Request) -> web.Response:
        tokens = request.headers.getall("X-Patchbay-Api-Token", [])
        if request.path.endswith("/crash"):
            return web.json_response({"message": "Internal Server Error"}, status=500)
        said = {name: request.headers.get(name) for name in OF_BROWSERS}
        answer = web.json_response({"upstream": True, "tokens": tokens, "said": said})
        for cookie in request.query.getall("cookie", []):
            answer.headers.add("Set-Cookie", cookie)
        return answer

    proxy = Proxy(port)

    async def serve(ready: asyncio.Event, done: asyncio.Event) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", told)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        async with proxy.serving():
            proxy.open(f"http://127.0.0.1:{runner.addresses[0][1]}", "the-token", "api")
            ready.set()
            await done.wait()
        await runner.cleanup()

    with background(serve):
        yield proxy.url


@contextmanager
def background(serve: Callable[[asyncio.Event, asyncio.Event], Any]) -> Iterator[None]:
    """A coroutine in a thread of its own, from when it is ready to when it is told to end."""
    loop = asyncio.new_event_loop()
    ready, done = asyncio.Event(), asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(ready, done),))
    thread.start()
    asyncio.run_coroutine_threadsafe(ready.wait(), loop).result(10)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()
        loop.close()
