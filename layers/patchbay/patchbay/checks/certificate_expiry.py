"""The warning about a certificate that expires soon. Pure."""

from typing import Final

from patchbay.checks.probe import Notice

WARN_DAYS: Final = 21
"""Let's Encrypt renews certificates 30 days before they expire: with fewer days left than this, a
renewal has failed."""
_DAY: Final = 86_400


def expiry_notice(expires_at: float, now: float) -> Notice | None:
    """A notice if fewer than 21 days are left. Both times are in seconds since 1970."""
    left = expires_at - now
    if left >= WARN_DAYS * _DAY:
        return None
    days = max(0, int(left // _DAY))
    when = "in less than a day" if days == 0 else "in 1 day" if days == 1 else f"in {days} days"
    return Notice(
        summary=f"The server's certificate expires {when}.",
        title="The server's certificate expires soon",
        remediation="The owner of the server must renew the certificate before it expires.",
    )
