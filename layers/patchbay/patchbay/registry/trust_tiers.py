"""How far the operator vouches for a publisher."""

from enum import StrEnum


class TrustTier(StrEnum):
    FIRST_PARTY = "first_party"
    VENDOR_OFFICIAL = "vendor_official"
    VERIFIED_PARTNER = "verified_partner"
    VERIFIED_PUBLISHER = "verified_publisher"
    COMMUNITY = "community"
