"""How long each part of a dial took."""

from dataclasses import dataclass


@dataclass(slots=True)
class DialTimings:
    """How long each part of a dial took, filled in as it goes: None if not reached or not needed.

    `first_byte_ms` is from the request to the first byte of the answer. `certificate_expires_at` is
    when the first certificate that was verified expires, in seconds since 1970.
    """

    egress_ms: int | None = None
    dns_ms: int | None = None
    tcp_ms: int | None = None
    tls_ms: int | None = None
    first_byte_ms: int | None = None
    certificate_expires_at: float | None = None

    def note_certificate(self, expires_at: float | None) -> None:
        """Keeps the earliest end of the certificates seen, such as those of redirect targets."""
        if expires_at is not None:
            known = self.certificate_expires_at
            self.certificate_expires_at = expires_at if known is None else min(known, expires_at)

    def take(self, other: "DialTimings") -> None:
        """Takes over the timings of the dial that counts, and keeps the certificates seen."""
        self.egress_ms, self.dns_ms = other.egress_ms, other.dns_ms
        self.tcp_ms, self.tls_ms = other.tcp_ms, other.tls_ms
        self.first_byte_ms = other.first_byte_ms
        self.note_certificate(other.certificate_expires_at)

    def durations(self) -> tuple[int | None, ...]:
        """In the order in which they happen: egress, dns, tcp, tls."""
        return self.egress_ms, self.dns_ms, self.tcp_ms, self.tls_ms
