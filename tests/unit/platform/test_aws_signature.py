"""Our signatures are those of botocore, for generated requests."""

from datetime import UTC, datetime

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from patchbay.platform.aws_signature import AwsCredentials, Signer

NAMES = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/=", min_size=1)
CREDENTIALS = st.builds(AwsCredentials, NAMES, st.text(min_size=1), st.just("") | NAMES)
REGIONS = st.sampled_from(["eu-central-1", "us-gov-west-1", "cn-north-1", "local"])
PLACES = st.sampled_from(
    [
        ("https", "dynamodb.eu-central-1.amazonaws.com", "/"),
        ("http", "127.0.0.1:4566", "/"),
        ("http", "[::1]:8000", "/"),
        ("https", "proxy.example.com", "/dynamo-db/v1.0"),
        ("https", "proxy.example.com", "/~me/"),
        ("https", "proxy.example.com:8443", "/a_b/"),
    ]
)
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the bounds of hypothesis are naive


@settings(max_examples=100)
@given(CREDENTIALS, REGIONS, PLACES, NAMES, st.binary(), MOMENTS)
def test_a_request_is_signed_as_botocore_signs_it(
    credentials: AwsCredentials,
    region: str,
    place: tuple[str, str, str],
    operation: str,
    body: bytes,
    at: datetime,
) -> None:
    scheme, host, path = place
    target = f"DynamoDB_20120810.{operation}"
    signer = Signer(region, host, path)
    signed = signer.headers(target, body, credentials, at.timestamp())
    theirs = AWSRequest(
        "POST",
        f"{scheme}://{host}{path}",
        {"Content-Type": signed["Content-Type"], "X-Amz-Target": target},
        body,
    )
    known = Credentials(
        credentials.access_key_id,
        credentials.secret_access_key,
        credentials.session_token or None,
    )
    with pytest.MonkeyPatch.context() as patch:
        naive = at.replace(tzinfo=None)
        patch.setattr("botocore.auth.get_current_datetime", lambda: naive)
        SigV4Auth(known, "dynamodb", region).add_auth(theirs)
    assert {name.lower(): value for name, value in signed.items() if name != "Host"} == {
        name.lower(): value.decode() if isinstance(value, bytes) else value
        for name, value in theirs.headers.items()
    }
    # And again with the key of the day, which is kept
    assert signer.headers(target, body, credentials, at.timestamp()) == signed


def test_a_kept_key_is_of_one_day_and_one_owner() -> None:
    signer = Signer("eu-central-1", "h")
    one, other = AwsCredentials("A", "one"), AwsCredentials("A", "other")
    times = (0.0, 86_399.0, 86_400.0)
    seen = {
        (owner.secret_access_key, at): signer.headers("t", b"", owner, at)["Authorization"]
        for at in times
        for owner in (one, other, one)
    }
    assert len(set(seen.values())) == len(seen)
    for (secret, at), signature in seen.items():
        fresh = Signer("eu-central-1", "h")
        assert (
            fresh.headers("t", b"", AwsCredentials("A", secret), at)["Authorization"] == signature
        )


def test_neither_secret_nor_token_is_in_its_text() -> None:
    credentials = AwsCredentials("AKIDEXAMPLE", "the-secret", "the-token")
    assert repr(credentials) == "AwsCredentials(access_key_id='AKIDEXAMPLE')"


@pytest.mark.parametrize("part", [0, 2])
@pytest.mark.parametrize("text", ["a\n", "a\r\nX-Evil: 1", "ä", "a\0"])
def test_credentials_cannot_add_headers(part: int, text: str) -> None:
    parts = ["a", "b", "c"]
    parts[part] = text
    with pytest.raises(ValueError, match="printable ASCII"):
        AwsCredentials(*parts)
