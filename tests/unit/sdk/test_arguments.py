"""What can't be sent, or would lead elsewhere than it says, is refused before anything is sent."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from patchbay_sdk import Patchbay, errors

from tests.unit.sdk.conftest import Call
from tests.unit.sdk.stand_in import KEY, ORGANIZATION, StandIn, answers, fails, stand_in

BASE = "https://patchbay.example.com"


@pytest.fixture
def proxy() -> Iterator[StandIn]:
    with stand_in() as running:
        running.does(answers(200, ORGANIZATION))
        yield running


@pytest.mark.enable_socket
@pytest.mark.parametrize("path", ["../../../../../../api-keys/key_1", "a/./b", "a/..", "..", ""])
def test_a_path_at_a_provider_does_not_lead_out_to_the_deployment(
    run: Call, server: StandIn, path: str
) -> None:
    server.does(answers(204))

    with pytest.raises(errors.InvalidArgument, match="path"):
        run(
            lambda client: client.proxy.request(
                "DELETE", path, organization_id="o", connection_id="c"
            )
        )

    assert server.asked == []


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    "path", ["/v1/../v1/organizations/o", "/a\nb", "no/slash", f"/{'a' * 70000}"]
)
def test_a_path_that_is_none_is_refused(run: Call, server: StandIn, path: str) -> None:
    with pytest.raises(errors.InvalidArgument):
        run(lambda client: client.request("GET", path))
    assert server.asked == []


@pytest.mark.enable_socket
def test_the_client_s_own_headers_are_sent_once(run: Call, server: StandIn) -> None:
    server.does(answers(200, {}))
    headers = {"authorization": "Bearer other", "user-agent": "other", "X-Other": "1"}

    run(lambda client: client.request("GET", "/later", headers=headers))

    [asked] = server.asked
    sent = [(name.lower(), value) for name, value in asked.headers.items()]
    assert [value for name, value in sent if name == "authorization"] == [f"Bearer {KEY}"]
    assert len([name for name, _ in sent if name == "user-agent"]) == 1
    assert ("x-other", "1") in sent


@pytest.mark.enable_socket
def test_without_a_key_a_credential_of_one_s_own_is_sent(server: StandIn) -> None:
    server.does(answers(200, {}))
    with Patchbay(base_url=server.url) as client:
        client.request("GET", "/later", headers={"authorization": "Bearer other"})
    assert server.asked[0].headers["authorization"] == "Bearer other"


@pytest.mark.parametrize("value", ['"1"\r\nX-Evil: 1', "é", "\x00"])
def test_a_header_that_would_be_two_is_refused_without_showing_it(value: str) -> None:
    client = Patchbay(KEY, base_url=BASE)
    with pytest.raises(errors.InvalidArgument, match="If-Match") as failed:
        client.organizations.update(organization_id="o", name="n", if_match=value)
    assert value not in str(failed.value)


@pytest.mark.parametrize(
    "url",
    [
        *("https://x.example:99999", "https://x.example:port", "https://exa mple.com"),
        *("https://x.example?", "https://x.example#", "https://x.example/\n", " https://x.example"),
        *("https://x.example\\y", "http://x.example", "http://127.0.0.1.x.example", "x.example"),
        *("https://u:p@x.example", "http://127.0.0.1@x.example", "https://", "https://[::1"),
        *("https://x..example", f"https://{'x' * 64}.example"),
    ],
)
def test_an_address_that_is_none_or_shows_the_key_is_refused(url: str) -> None:
    with pytest.raises(errors.InvalidArgument, match="base_url"):
        Patchbay(KEY, base_url=url)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://x.example//", "https://x.example/v1"),
        ("https://x.example/prefix/", "https://x.example/prefix/v1"),
        ("https://x.example.", "https://x.example./v1"),
        ("http://[::1]:8080", "http://[::1]:8080/v1"),
        ("http://LOCALHOST:8080/", "http://LOCALHOST:8080/v1"),
    ],
)
def test_an_address_may_have_a_path_and_a_slash_at_its_end(url: str, address: str) -> None:
    client = Patchbay(KEY, base_url=url)
    assert client._settings.request("GET", "/v1").url == address


@pytest.mark.enable_socket
def test_half_a_character_is_refused(run: Call, server: StandIn) -> None:
    """As in an argument of a program that is not UTF-8."""
    for call in (
        lambda client: client.spaces.get(slug="\udcff"),
        lambda client: client.request("GET", "/later", query={"q": "\udcff"}),
    ):
        with pytest.raises(errors.InvalidArgument, match="half a character"):
            run(call)
    assert server.asked == []


def test_an_empty_key_is_not_the_key_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHBAY_API_KEY", KEY)
    with pytest.raises(errors.InvalidArgument, match="api_key"):
        Patchbay("", base_url=BASE)


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf")])
def test_a_patience_that_is_none_is_refused_wherever_it_is_given(timeout: float) -> None:
    with pytest.raises(errors.InvalidArgument, match="timeout"):
        Patchbay(KEY, base_url=BASE, timeout=timeout)
    with pytest.raises(errors.InvalidArgument, match="timeout"):
        Patchbay(KEY, base_url=BASE).with_options(timeout=timeout)
    with pytest.raises(errors.InvalidArgument, match="max_retries"):
        Patchbay(KEY, base_url=BASE).with_options(max_retries=-1)


@pytest.mark.enable_socket
def test_a_proxy_of_the_environment_does_not_get_the_key_in_the_clear(
    run: Call, server: StandIn, proxy: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy.url)
    server.does(answers(200, ORGANIZATION))

    run(lambda client: client.organizations.get(organization_id="o"))

    assert len(server.asked) == 1
    assert proxy.asked == []


@pytest.mark.enable_socket
@pytest.mark.parametrize("no_proxy", ["", "other.example, localhost"])
def test_a_proxy_of_the_environment_carries_https_unless_it_is_told_not_to(
    run: Call, server: StandIn, monkeypatch: pytest.MonkeyPatch, no_proxy: str
) -> None:
    monkeypatch.setenv("no_proxy", no_proxy)
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.settimeout(10)
        monkeypatch.setenv("https_proxy", f"127.0.0.1:{proxy.getsockname()[1]}")
        server.url = "https://localhost:1"
        with ThreadPoolExecutor(1) as pool:
            line = pool.submit(first_line, proxy) if not no_proxy else None
            with pytest.raises(errors.ConnectionFailed) as failed:
                run(lambda client: client.request("GET", "/x"), max_retries=0)
            assert line is None or line.result() == b"CONNECT localhost:1 HTTP/1.1\r\n"

    assert not failed.value.sent


def first_line(proxy: socket.socket) -> bytes:
    connection, _ = proxy.accept()
    with connection, connection.makefile("rb") as reader:
        line = reader.readline()
        while reader.readline() != b"\r\n":
            pass
        connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
        return line


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("method", "headers"), [("post", {"idempotency-key": "mine"}), ("get", {}), ("Delete", {})]
)
def test_how_a_method_or_a_header_is_written_does_not_change_what_is_repeated(
    run: Call, server: StandIn, method: str, headers: dict[str, str]
) -> None:
    server.does(fails(503, "TEMPORARILY_UNAVAILABLE"), answers(200, {}))

    run(lambda client: client.request(method, "/later", headers=headers))

    assert [one.method for one in server.asked] == [method.upper()] * 2
