"""Domains in which anybody gets a name, by the Public Suffix List (https://publicsuffix.org). Pure.

The owner of `example.com` decides about all names below it. Nobody decides so about `co.uk`,
`github.io`, or `s3.amazonaws.com`: the next name there may be a stranger's. The list is that of the
release of the library, so it gets newer with the dependencies. Of an ending that is not on it, the
last label is a public suffix.
"""

from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

_OF_ONE_PROVIDER: Final = frozenset({"myshopify.com"})
"""On the list to keep the cookies of customers apart, and yet all names below lead to servers of
the provider: a customer gets a name, but never the requests to it."""


def is_below_own_domain(host: str, domain: str) -> bool:
    """Whether a host is below a domain, and belongs to its owner. Both are in lower case."""
    if not host.endswith(f".{domain}"):
        return False
    suffix = _list().publicsuffix(host)
    return suffix is not None and (len(suffix) < len(domain) or suffix in _OF_ONE_PROVIDER)


def is_own_domain(domain: str) -> bool:
    """Whether a domain has an owner, to whom the names right below it belong."""
    return is_below_own_domain(f"x.{domain}", domain)


@cache
def _list() -> "PublicSuffixList":
    # It is read in a tenth of a second, and most processes never ask.
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()
