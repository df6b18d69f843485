"""Grants: what a provider issued for an endpoint, and what its owner is shown of it.

A grant has a **generation**, the number of the attempt whose answer it holds. An attempt to renew
it takes the next number together with the lease, so an answer is stored only over older ones. An
**incarnation** begins when an account is connected, or when pasted tokens are first refreshed: what
an attempt obtained for an earlier one is never stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal

from patchbay.checks.codes import Code
from patchbay.grants.client_origin import OF_ENDPOINT, ClientOrigin
from patchbay.platform.clock import from_text, to_sortable
from patchbay.platform.dynamodb import Item

TOKENS: Final = ("access_token", "refresh_token")
"""The secrets that a grant holds in place of those that were entered."""

ENDED_TOLD: Final = "ended"
"""What `told` is when the end was announced."""

type EndReason = Literal["refused", "answer_lost", "expired"]
type RenewedBy = Literal["refresh_token", "access_token", "client"]


class GrantStatus(StrEnum):
    """How a grant is doing."""

    ACTIVE = "active"
    EXPIRING = "expiring"
    """It ends within 21 days, and no refresh can change that."""
    FAILING = "failing"
    """Its last refresh failed; the next one is tried at `retry_at`."""
    REAUTHORIZE = "reauthorize"
    """It has ended: the account must be connected again."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to call the provider, held by one attempt until `until`."""

    id: str
    attempt: int
    began_at: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class RefreshFailure:
    """The last attempt that failed: it says nothing about the grant. `count` is how many in a
    row."""

    code: Code
    summary: str
    at: datetime
    retry_at: datetime
    count: int = 1


@dataclass(frozen=True, slots=True)
class GrantEnd:
    """Why a grant ended. `lost_at` is when the refresh began whose answer was lost."""

    reason: EndReason
    code: Code
    at: datetime
    lost_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """A grant as it is stored; its tokens are sealed in the same item.

    `generation` 0 has no tokens yet: those that were entered are still the current ones.
    `renewed_by` is what another access token is issued for; None if nothing is. `ends_are_fixed`:
    the last refresh did not move `refresh_expires_at`. `lost_at` is when an attempt began whose
    answer may be lost. `told` is the last warning of its end.
    """

    organization_id: str
    endpoint_id: str
    incarnation: str
    generation: int = 0
    attempts: int = 0
    origin: ClientOrigin = OF_ENDPOINT
    redirect_uri: str | None = None
    """That of the authorization; None for tokens that were pasted."""
    integration_id: str = ""
    renewed_by: RenewedBy | None = None
    obtained_at: datetime | None = None
    expires_at: datetime | None = None
    refresh_expires_at: datetime | None = None
    ends_are_fixed: bool = False
    scopes_asked: tuple[str, ...] = ()
    scopes_granted: tuple[str, ...] | None = None
    scopes_missing: tuple[str, ...] = ()
    entered_token: bool = False
    """Whether an access token was entered since, which goes before the one of the grant."""
    rejected_at: datetime | None = None
    """When the grant was last renewed because the provider rejected its token."""
    lease: Lease | None = None
    lost_at: datetime | None = None
    failure: RefreshFailure | None = None
    end: GrantEnd | None = None
    told: str | None = None
    put_off_until: datetime | None = None
    """Before this, the wheel does not look at it."""
    sealed: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The sealed tokens, and the attributes that say under what."""

    @property
    def ends_at(self) -> datetime | None:
        """When nothing can renew it any more, as far as the provider said."""
        if self.renewed_by == "refresh_token":
            return self.refresh_expires_at
        return None if self.renewed_by == "client" else self.expires_at

    @property
    def has_tokens(self) -> bool:
        return "sealed" in self.sealed

    @property
    def held(self) -> Lease:
        """The lease of the attempt that goes on. Raises `ValueError` if there is none."""
        if self.lease is None:
            raise ValueError("nobody has the lease")
        return self.lease


_TIMES: Final = (
    *("obtained_at", "expires_at", "refresh_expires_at", "rejected_at", "lost_at"),
    "put_off_until",
)
_PLAIN: Final = (
    *("organization_id", "endpoint_id", "incarnation", "generation", "attempts"),
    *("integration_id", "renewed_by", "ends_are_fixed", "entered_token", "told", "redirect_uri"),
)
SEALED_PARTS: Final = ("data_key", "binding", "nonce", "sealed")


def encoded(grant: Grant) -> Item:
    """Its attributes but for the key, the sealed parts, and the lease, which have writers of their
    own. None stands for an attribute that is not there."""
    failure, end = grant.failure, grant.end
    return {
        **{name: getattr(grant, name) for name in _PLAIN},
        **{name: _time(getattr(grant, name)) for name in _TIMES},
        "origin": grant.origin.organization_id,
        "scopes_asked": list(grant.scopes_asked),
        "scopes_granted": None if grant.scopes_granted is None else list(grant.scopes_granted),
        "scopes_missing": list(grant.scopes_missing),
        "failure": failure
        and {
            "code": failure.code,
            "summary": failure.summary,
            "at": to_sortable(failure.at),
            "retry_at": to_sortable(failure.retry_at),
            "count": failure.count,
        },
        "end": end
        and {
            "reason": end.reason,
            "code": end.code,
            "at": to_sortable(end.at),
            "lost_at": _time(end.lost_at),
        },
    }


def encoded_lease(lease: Lease) -> Item:
    return {
        "lease_id": lease.id,
        "lease_attempt": lease.attempt,
        "lease_began_at": to_sortable(lease.began_at),
        "lease_until": to_sortable(lease.until),
    }


LEASE_ATTRIBUTES: Final = ("lease_id", "lease_attempt", "lease_began_at", "lease_until")


def decoded(item: Item) -> Grant:
    failure, end = item.get("failure"), item.get("end")
    granted = item.get("scopes_granted")
    plain = {name: item[name] for name in _PLAIN if name in item}
    times: dict[str, Any] = {name: _moment(item.get(name)) for name in _TIMES}
    return Grant(
        **plain,
        **times,
        origin=ClientOrigin(item.get("origin")),
        scopes_asked=tuple(item.get("scopes_asked", ())),
        scopes_granted=None if granted is None else tuple(granted),
        scopes_missing=tuple(item.get("scopes_missing", ())),
        lease=Lease(
            item["lease_id"],
            item["lease_attempt"],
            from_text(item["lease_began_at"]),
            from_text(item["lease_until"]),
        )
        if "lease_id" in item
        else None,
        failure=RefreshFailure(
            failure["code"],
            failure["summary"],
            from_text(failure["at"]),
            from_text(failure["retry_at"]),
            failure["count"],
        )
        if failure
        else None,
        end=GrantEnd(end["reason"], end["code"], from_text(end["at"]), _moment(end.get("lost_at")))
        if end
        else None,
        sealed={name: item[name] for name in ("pk", "sk", *SEALED_PARTS) if name in item}
        if "sealed" in item
        else {},
    )


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else to_sortable(moment)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else from_text(text)
