"""Whose the names below a domain are."""

import pytest

from patchbay.egress.public_suffixes import is_below_own_domain, is_own_domain

PUBLIC = (
    *("com", "uk", "co.uk", "com.au", "xn--p1ai", "kawasaki.jp", "x.kawasaki.jp", "ck"),
    *("github.io", "herokuapp.com", "azurewebsites.net", "s3.amazonaws.com"),
    *("compute.amazonaws.com", "blob.core.windows.net", "unknown-ending"),
)
OWNED = (
    *("example.com", "example.co.uk", "zoho.com.cn", "salesforce.com", "my.salesforce.com"),
    *("acme.github.io", "city.kawasaki.jp", "www.ck", "example.unknown-ending", "amazonaws.com"),
)


@pytest.mark.parametrize("domain", PUBLIC)
def test_a_domain_in_which_anybody_gets_a_name_has_no_owner(domain: str) -> None:
    assert not is_own_domain(domain)
    assert not is_below_own_domain(f"evil.{domain}", domain)
    assert not is_below_own_domain(f"a.evil.{domain}", domain)


@pytest.mark.parametrize("domain", OWNED)
def test_names_below_a_domain_belong_to_its_owner(domain: str) -> None:
    assert is_own_domain(domain)
    assert is_below_own_domain(f"a.b.{domain}", domain)
    assert not is_below_own_domain(domain, domain)
    assert not is_below_own_domain(f"evil{domain}", domain)
    assert not is_below_own_domain(f"{domain}.evil.com", domain)


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("evil.s3.amazonaws.com", "amazonaws.com"),
        ("evil.blob.core.windows.net", "windows.net"),
        ("evil.x.compute.amazonaws.com", "compute.amazonaws.com"),
    ],
)
def test_a_domain_with_an_owner_may_have_strangers_further_below(host: str, domain: str) -> None:
    assert not is_below_own_domain(host, domain)


def test_shops_of_shopify_are_shopify() -> None:
    assert is_own_domain("myshopify.com")
    assert is_below_own_domain("acme.myshopify.com", "myshopify.com")
