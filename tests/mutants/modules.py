"""The modules that decide about safety, counts, and blame, and the tests that must notice any
change of them: fast ones, of that module alone."""

from pathlib import Path
from typing import Final

from tests.mutants.trials import ROOT, Target

_TESTS: Final = {
    "egress.addresses": ("egress/test_addresses.py",),
    "egress.host_names": ("egress/test_host_names.py",),
    "egress.policy": ("egress/test_policy.py",),
    "egress.cookies": ("egress/test_cookies.py",),
    "egress.public_suffixes": ("egress/test_public_suffixes.py",),
    "tenancy.access": ("tenancy/test_access.py",),
    "tenancy.quotas": ("tenancy/test_quotas.py",),
    "registry.reserved_publishers": ("registry/test_reserved_publishers.py",),
    "checks.binding": ("checks/test_binding.py",),
    "checks.captures": ("checks/test_captures.py",),
    "checks.expiry_times": ("checks/test_expiry_times.py",),
    "checks.authorization_code": ("checks/test_authorization_code.py",),
    "checks.url_members": (
        "checks/test_auth_config_binding.py",
        "checks/test_authorization_code.py",
    ),
    "checks.redaction": ("checks/test_redaction.py",),
    "checks.encodings": ("checks/test_encodings.py", "checks/test_redaction.py"),
    "checks.refusals": ("checks/test_refusals.py",),
    "checks.word_meanings": ("checks/test_word_meanings.py", "checks/test_refusals.py"),
    "checks.error_content": ("checks/test_error_content.py", "checks/test_refusals.py"),
    "monitors.own_network": ("monitors/test_own_network.py",),
    "platform.sentences": ("platform/test_sentences.py",),
    "platform.limits": ("platform/test_limits.py",),
    "platform.pacing": ("platform/test_pacing.py",),
    "platform.schema_costs": ("platform/test_schema_sizes.py",),
    "connections.health_state": ("connections/test_health_state.py",),
    "alerts.condition_results": ("alerts/test_condition_results.py",),
    "alerts.state_machine": ("alerts/test_state_machine.py",),
    "health.buckets": ("health/test_buckets.py",),
    "health.bucket_codec": ("health/test_buckets.py",),
    "health.summary": ("health/test_summary.py",),
    "grants.client_places": ("grants/test_client_places.py",),
    "grants.issuers": ("grants/test_issuers.py",),
    "connections.wheel": ("connections/test_wheel.py",),
    "monitors.wheel": ("monitors/test_wheel.py",),
}


def targets() -> list[Target]:
    layer = ROOT / "layers" / "patchbay"
    return [
        Target(
            f"patchbay.{module}",
            layer / Path("patchbay", *module.split(".")).with_suffix(".py"),
            tuple(f"tests/unit/{test}" for test in tests),
        )
        for module, tests in _TESTS.items()
    ]
