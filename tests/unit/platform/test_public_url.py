import pytest

from patchbay.platform.public_url import own_name


@pytest.mark.parametrize(
    ("origin", "name"),
    [
        ("https://connect.acme.com", "connect.acme.com"),
        ("https://connect.acme.com:8443", "connect.acme.com"),
        ("", ""),
        ("http://127.0.0.1:3000", ""),
        ("https://localhost:3000", ""),
        ("https://[::1]:3000", ""),
    ],
)
def test_the_host_of_a_custom_domain_is_a_name_of_this_deployment(origin: str, name: str) -> None:
    assert own_name(origin) == name
