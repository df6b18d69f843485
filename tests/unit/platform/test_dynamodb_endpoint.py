"""The endpoint, the region, the credentials, and the proxies are those that botocore would use."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import UNSIGNED as NOT_SIGNED
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.exceptions import NoCredentialsError, NoRegionError, PartialCredentialsError

from patchbay.platform import aws_credentials
from patchbay.platform import dynamodb_endpoint as dynamodb_endpoint_module
from patchbay.platform.aws_credentials import ChainCredentials, credential_source
from patchbay.platform.aws_signature import AwsCredentials
from patchbay.platform.botocore_session import session
from patchbay.platform.dynamodb_endpoint import (
    DynamoDBEndpoint,
    EndpointUnusable,
    dynamodb_endpoint,
)
from patchbay.platform.proxied_connections import proxies_to

REGIONS = [
    region
    for partition in ("aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-eusc")
    for region in botocore.session.get_session().get_available_regions("dynamodb", partition)
]
EU = {"AWS_DEFAULT_REGION": "eu-central-1"}
UNSIGNED: Any = {"config": Config(signature_version=NOT_SIGNED)}
KEYS = {"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "S"}


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without settings of AWS."""
    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    session.cache_clear()
    return tmp_path


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Callable[[Mapping[str, str]], None]:
    def set_all(environment: Mapping[str, str]) -> None:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)

    return set_all


def of_botocore() -> tuple[str, str]:
    """The region, and where a request really goes."""
    client: Any = session().create_client("dynamodb", **UNSIGNED)
    seen: list[str] = []

    def stop(request: Any, **_: Any) -> Any:
        seen.append(request.url)
        return AWSResponse(request.url, 200, HTTPHeaders(), None)

    client.meta.events.register("before-send", stop)
    with suppress(AttributeError):
        client.list_tables()
    return client.meta.region_name, seen[0]


def in_parts(endpoint: DynamoDBEndpoint) -> tuple[str, str]:
    return endpoint.region, endpoint.url


def test_the_regions_of_the_usual_partitions_are_known_without_botocore(
    given: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: str | None) -> DynamoDBEndpoint:
        raise AssertionError("botocore was asked")

    monkeypatch.setattr(dynamodb_endpoint_module, "_of_botocore", refused)
    made: Any = session()
    resolver = made._get_internal_component("endpoint_resolver")
    usual = [region for region in REGIONS if not region.startswith(("us-iso", "eusc"))]
    assert len(usual) > 30
    for region in usual:
        given({"AWS_DEFAULT_REGION": region})
        host = resolver.construct_endpoint("dynamodb", region)["hostname"]
        assert in_parts(dynamodb_endpoint()) == (region, f"https://{host}/")


@pytest.mark.parametrize(
    "environment",
    [
        {"AWS_USE_FIPS_ENDPOINT": "true"},
        {"AWS_USE_FIPS_ENDPOINT": "false"},
        {"AWS_USE_DUALSTACK_ENDPOINT": "true"},
        {"AWS_USE_DUALSTACK_ENDPOINT": "true", "AWS_DEFAULT_REGION": "us-gov-west-1"},
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"},
        {"AWS_ENDPOINT_URL": "https://all.example.com", "AWS_ENDPOINT_URL_DYNAMODB": ""},
        {
            "AWS_ENDPOINT_URL": "https://all.example.com",
            "AWS_ENDPOINT_URL_DYNAMODB": "https://one.example.com:8443/",
        },
        {"AWS_ENDPOINT_URL_SQS": "https://sqs.example.com"},
        {
            "AWS_ENDPOINT_URL": "https://all.example.com",
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "TRUE",
        },
        {
            "AWS_ENDPOINT_URL": "https://all.example.com",
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
        },
        {"AWS_ENDPOINT_URL": "http://[::1]:8000"},
        {"AWS_DEFAULT_REGION": "local"},
        {"AWS_DEFAULT_REGION": "us-iso-east-1"},
        {"AWS_DEFAULT_REGION": "eusc-de-east-1"},
        {"AWS_DEFAULT_REGION": "cn-north-1", "AWS_USE_DUALSTACK_ENDPOINT": "true"},
        {"AWS_DEFAULT_REGION": "us-east-1", "AWS_REGION": "eu-west-1"},
    ],
    ids=str,
)
def test_variables_mean_what_they_mean_to_botocore(environment: Any, given: Any) -> None:
    given(EU | environment)
    assert in_parts(dynamodb_endpoint()) == of_botocore()


CONFIG = """
[default]
region = eu-west-3
[profile other]
region = ap-south-1
endpoint_url = https://profile.example.com
ca_bundle = /etc/ca.pem
aws_access_key_id = FROM-PROFILE
aws_secret_access_key = secret
"""


@pytest.mark.parametrize("profile", [{}, {"AWS_PROFILE": "other"}, {"AWS_PROFILE": "other"} | EU])
def test_a_profile_of_a_file_is_respected(profile: Any, given: Any, home: Path) -> None:
    (home / ".aws").mkdir()
    (home / ".aws/config").write_text(CONFIG)
    given(profile)
    assert in_parts(dynamodb_endpoint()) == of_botocore()
    assert dynamodb_endpoint().ca_bundle == ("/etc/ca.pem" if profile else None)


def test_lambdas_own_variable_of_the_region_is_enough(given: Any) -> None:
    given({"AWS_REGION": "eu-central-1"})
    assert dynamodb_endpoint().url == "https://dynamodb.eu-central-1.amazonaws.com/"


def test_without_a_region_there_is_no_endpoint() -> None:
    with pytest.raises(NoRegionError):
        dynamodb_endpoint()


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com",
        "example.com",
        "https://",
        "https://user:password@example.com",
        "https://example.com/?a=b",
        "https://example.com/#a",
        "https://example.com/a%20b",
        "https://example.com/a b",
        "https://example.com/\r\nX: y",
        "https://exämple.com",
        "https://example.com:99999",
        "https://example.com/a/../b",
        "https://example.com/.",
    ],
)
def test_an_endpoint_that_is_not_plain_is_refused(url: str, given: Any) -> None:
    given(EU | {"AWS_ENDPOINT_URL": url})
    with pytest.raises(EndpointUnusable):
        dynamodb_endpoint()


def test_account_based_endpoints_are_not_used_and_cannot_be_required(given: Any) -> None:
    given(EU | {"AWS_ACCOUNT_ID": "123456789012"})
    assert dynamodb_endpoint().url == "https://dynamodb.eu-central-1.amazonaws.com/"
    given({"AWS_ACCOUNT_ID_ENDPOINT_MODE": "required"})
    with pytest.raises(EndpointUnusable, match="AWS_ACCOUNT_ID_ENDPOINT_MODE"):
        dynamodb_endpoint()


def test_a_file_of_authorities_is_taken_from_the_environment(given: Any) -> None:
    given(EU | {"AWS_CA_BUNDLE": "/etc/other.pem"})
    assert dynamodb_endpoint().ca_bundle == "/etc/other.pem"


@pytest.mark.parametrize(
    ("environment", "proxy"),
    [
        ({}, {}),
        ({"HTTPS_PROXY": "http://proxy:3128"}, {"https": "http://proxy:3128"}),
        ({"https_proxy": "proxy:3128"}, {"https": "proxy:3128"}),
        ({"Https_Proxy": "proxy:3128"}, {"https": "proxy:3128"}),
        ({"HTTP_PROXY": "http://proxy:3128"}, {}),
        ({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": ".amazonaws.com"}, {}),
        ({"HTTPS_PROXY": "http://proxy:3128", "no_proxy": "*"}, {}),
    ],
    ids=str,
)
def test_a_proxy_is_used_if_botocore_would(environment: Any, proxy: Any, given: Any) -> None:
    given(EU | environment)
    assert proxies_to(dynamodb_endpoint()) == proxy


# ---------------------------------------------------------------- credentials


def test_credentials_of_the_environment_need_no_botocore(
    given: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(aws_credentials, "new_session")
    given(KEYS)
    assert credential_source().current() == AwsCredentials("A", "S")
    given({"AWS_SESSION_TOKEN": "T"})
    assert credential_source().current() == AwsCredentials("A", "S", "T")


@pytest.mark.parametrize(
    "environment",
    [
        KEYS | {"AWS_SECURITY_TOKEN": "old", "AWS_SESSION_TOKEN": "new"},
        KEYS | {"AWS_CREDENTIAL_EXPIRATION": "2999-01-01T00:00:00Z", "AWS_SESSION_TOKEN": "T"},
        KEYS | {"AWS_PROFILE": "other"},
        {"AWS_PROFILE": "other"},
    ],
    ids=str,
)
def test_other_credentials_are_those_that_botocore_finds(
    environment: Any, given: Any, home: Path
) -> None:
    (home / ".aws").mkdir()
    (home / ".aws/config").write_text(CONFIG)
    given(environment)
    theirs: Any = botocore.session.get_session().get_credentials()
    ours = credential_source().current()
    assert (ours.access_key_id, ours.secret_access_key, ours.session_token or None) == tuple(
        theirs.get_frozen_credentials()
    )[:3]


def test_without_credentials_calls_fail_as_those_of_botocore(given: Any) -> None:
    with pytest.raises(NoCredentialsError):
        credential_source().current()
    given({"AWS_ACCESS_KEY_ID": "A"})
    with pytest.raises(PartialCredentialsError):
        credential_source().current()


def test_a_file_whose_credentials_were_replaced_is_read_again(given: Any, home: Path) -> None:
    (home / ".aws").mkdir()
    file = home / ".aws/credentials"
    text = "[default]\naws_access_key_id = {0}\naws_secret_access_key = {0}\n"
    file.write_text(text.format("one"))
    source = credential_source()
    assert isinstance(source, ChainCredentials)
    assert source.current() == AwsCredentials("one", "one")
    assert not source.renew()
    file.write_text(text.format("two"))
    assert source.current() == AwsCredentials("one", "one")
    assert source.renew()
    assert source.current() == AwsCredentials("two", "two")
