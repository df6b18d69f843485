"""Whose fault it is that targets are unreachable: tables, and what attackers can't change."""

from collections.abc import Sequence
from random import Random

import pytest

from patchbay.checks.codes import Code, describe
from patchbay.checks.report import CheckReport, Step
from patchbay.checks.verdict import verdict
from patchbay.monitors.own_network import (
    UNREACHABLE,
    OwnEvidence,
    SeenTest,
    offline_report,
    own_faults,
)
from tests.unit.monitors.doubles import failed, passed

NOTHING: frozenset[Code] = frozenset()
LOOKUPS: frozenset[Code] = frozenset({"dns_error"})
UNKNOWN = OwnEvidence()


def seen(
    organization: str,
    target: str | Sequence[str],
    report: CheckReport | None = None,
    *,
    worked_before: bool = True,
) -> SeenTest:
    """An unreachable target of an organization, unless there is a report."""
    targets = frozenset([target] if isinstance(target, str) else target)
    return SeenTest(organization, targets, worked_before, report or failed("connect_timeout"))


def lost(count: int, code: Code = "connect_timeout", prefix: str = "lost") -> list[SeenTest]:
    """Organizations that each lost a target of their own."""
    return [seen(f"{prefix}-{n}", f"https://{prefix}-{n}:443", failed(code)) for n in range(count)]


def connected(count: int) -> list[SeenTest]:
    return [seen(f"fine-{n}", f"https://fine-{n}:443", passed()) for n in range(count)]


@pytest.mark.parametrize(
    ("code", "dialed"),
    [
        ("config_invalid", False),
        ("egress_blocked", False),
        # A 404 is the answer of a server that was reached.
        ("not_found", True),
        ("payment_required", True),
        ("dns_error", True),
    ],
)
def test_what_was_answered_was_dialed(code: Code, dialed: bool) -> None:
    step = Step(name="x", status="failed", code=code, summary=describe(code).title)
    report = verdict([step], proven=False, called=True, latency_ms=1)
    assert seen("o", "https://x:443", report).dialed is dialed


@pytest.mark.parametrize("names", [None, True, False])
@pytest.mark.parametrize("internet", [None, True, False])
def test_evidence_of_our_own_decides_whatever_the_tests_say(
    internet: bool | None, names: bool | None
) -> None:
    evidence = OwnEvidence(internet, names)
    everyone = own_faults(lost(100), evidence)
    nobody = own_faults([*lost(1), *connected(100)], evidence)
    if internet is False:
        assert (everyone, nobody) == (UNREACHABLE, UNREACHABLE)
    elif internet is True:
        assert everyone == nobody == (LOOKUPS if names is False else NOTHING)
    else:
        assert everyone == (UNREACHABLE - LOOKUPS if names else UNREACHABLE)
        assert nobody == (LOOKUPS if names is False else NOTHING)


@pytest.mark.parametrize(
    ("first", "last", "both"),
    [
        (True, True, True),
        (True, False, False),
        (False, True, False),
        (None, True, True),
        (False, None, False),
        (None, None, None),
    ],
)
def test_of_two_looks_the_worse_counts_for_the_internet(
    first: bool | None, last: bool | None, both: bool | None
) -> None:
    seen_twice = OwnEvidence(internet=first).and_then(OwnEvidence(internet=last))
    assert seen_twice == OwnEvidence(internet=both)


@pytest.mark.parametrize(
    ("first", "last", "both"),
    [
        (True, True, True),
        (True, False, True),
        (False, True, True),
        (False, False, False),
        (None, False, False),
        (None, None, None),
    ],
)
def test_one_answer_of_a_name_server_in_two_looks_is_enough(
    first: bool | None, last: bool | None, both: bool | None
) -> None:
    # Or a tenant whose lookups drown one of ours would hide the dead names of others
    seen_twice = OwnEvidence(names=first).and_then(OwnEvidence(names=last))
    assert seen_twice == OwnEvidence(names=both)


@pytest.mark.parametrize(
    ("page", "down"),
    [
        # Exactly five organizations, and one fewer.
        (lost(5), True),
        (lost(4), False),
        # Exactly 80 %, and one organization fewer.
        ([*lost(8), *connected(2)], True),
        ([*lost(8), *connected(3)], False),
        ([*lost(7), *connected(2)], False),
        ([*lost(23), *connected(6)], False),
        # No test, and none that failed.
        ([], False),
        (connected(20), False),
        # What was never dialed says nothing: it neither shows an outage nor dilutes one.
        ([*lost(5), *lost(9, "egress_blocked", "x")], True),
        ([*lost(5), *lost(9, "config_invalid", "x")], True),
        ([*lost(5), *lost(9, "internal_error", "x")], True),
        # Any answer shows a network, even to a connection that was failing before.
        (
            lost(5)
            + [
                seen(f"x-{n}", f"https://x-{n}:443", failed("auth_invalid"), worked_before=False)
                for n in range(9)
            ],
            False,
        ),
        # An organization that reached one of its targets has a network.
        ([*lost(5), seen("lost-0", "https://other:443", passed())], False),
        # A target that somebody reached is not a witness.
        ([*lost(24), seen("fine", "https://lost-3:443", passed())], True),
        ([*lost(5), seen("fine", "https://lost-3:443", passed())], False),
    ],
)  # fmt: skip
def test_without_evidence_the_organizations_decide(page: list[SeenTest], down: bool) -> None:
    assert own_faults(page, UNKNOWN) == (UNREACHABLE if down else NOTHING)


@pytest.mark.parametrize("code", sorted(UNREACHABLE))
def test_each_way_of_being_unreachable_counts(code: Code) -> None:
    assert own_faults(lost(5, code), UNKNOWN) == UNREACHABLE


@pytest.mark.parametrize(
    "code", ["tls_error", "certificate_expired", "provider_timeout", "rate_limited", "auth_invalid"]
)
def test_a_server_that_got_further_was_reached(code: Code) -> None:
    assert own_faults(lost(20, code), UNKNOWN) == NOTHING


def test_targets_that_were_failing_before_say_nothing() -> None:
    page = [seen(f"o-{n}", f"https://{n}:443", worked_before=n >= 16) for n in range(20)]
    assert own_faults(page, UNKNOWN) == NOTHING
    # Neither do they dilute: five others that lost the network are enough.
    assert own_faults([*page, *lost(1)], UNKNOWN) == UNREACHABLE


def test_one_organization_with_many_dead_targets_is_one_witness() -> None:
    attacker = [seen("attacker", f"https://dead-{n}:443") for n in range(60)]
    assert own_faults([*attacker, *lost(1)], UNKNOWN) == NOTHING
    assert own_faults([*attacker, *lost(3)], UNKNOWN) == NOTHING


def test_one_provider_that_is_down_is_one_witness_however_many_use_it() -> None:
    users = [seen(f"o-{n}", "https://api.example.com:443") for n in range(50)]
    assert own_faults(users, UNKNOWN) == NOTHING
    # An attacker who adds dead targets of its own adds one witness, not many.
    dead = [seen("attacker", f"https://dead-{n}:443") for n in range(60)]
    assert own_faults(users + dead, UNKNOWN) == NOTHING
    two = [seen(f"p-{n}", "https://api.example.org:443") for n in range(50)]
    assert own_faults(users + two + dead, UNKNOWN) == NOTHING


def test_pairs_of_organizations_and_targets_are_found_whatever_the_order() -> None:
    # Given organizations whose first target is the same, and whose second is their own
    page = [seen("o-0", "https://shared:443")]
    page += [seen(f"o-{n}", ["https://shared:443", f"https://own-{n}:443"]) for n in range(1, 5)]
    # Then all five are witnesses, in any order
    for seed in range(30):
        Random(seed).shuffle(page)  # noqa: S311 - a repeatable test, no secret
        assert own_faults(page, UNKNOWN) == UNREACHABLE
    assert own_faults(page[:4], UNKNOWN) == NOTHING


def test_a_test_of_several_targets_does_not_show_that_each_was_reached() -> None:
    # Given an attacker whose test passes, and who names the targets of others beside its own
    names = [f"https://lost-{n}:443" for n in range(20)]
    page = [*lost(20), seen("attacker", ["https://own:443", *names], passed())]
    # Then it does not hide that the others lost the network
    assert own_faults(page, UNKNOWN) == UNREACHABLE


CODES: list[Code] = [*sorted(UNREACHABLE), "auth_invalid", "egress_blocked", "config_invalid"]


def anything(chance: Random, organizations: int, prefix: str) -> list[SeenTest]:
    """Any results of these organizations."""
    return [
        seen(
            f"{prefix}-{chance.randrange(organizations)}",
            [f"https://{chance.choice(['a', 'lost', prefix])}-{chance.randrange(9)}:443"
             for _ in range(chance.randint(1, 4))],
            passed() if chance.random() < 0.2 else failed(chance.choice(CODES)),
            worked_before=chance.random() < 0.7,
        )
        for _ in range(chance.randrange(60))
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(200))
def test_no_results_of_attackers_change_what_our_own_evidence_says(seed: int) -> None:
    chance = Random(seed)  # noqa: S311 - a repeatable test, no secret
    victim = [seen("victim", "https://victim:443", failed(chance.choice(CODES)))]
    attackers = anything(chance, organizations=100, prefix="attacker")
    for evidence in (
        OwnEvidence(internet=True, names=True),
        OwnEvidence(internet=True),
        OwnEvidence(internet=False),
        OwnEvidence(internet=True, names=False),
    ):
        alone = own_faults(victim, evidence)
        assert own_faults([*attackers, *victim], evidence) == alone
        assert own_faults([*victim, *attackers], evidence) == alone


@pytest.mark.parametrize("seed", range(200))
def test_fewer_than_five_organizations_together_never_decide(seed: int) -> None:
    chance = Random(seed)  # noqa: S311 - a repeatable test, no secret
    # Given four colluding organizations, and victims of one provider that is down or of none
    attackers = anything(chance, organizations=4, prefix="attacker")
    neighbors = connected(chance.randrange(9))
    assert own_faults([*attackers, *neighbors], UNKNOWN) == NOTHING
    three = anything(chance, organizations=3, prefix="attacker")
    victims = [seen(f"victim-{n}", "https://down:443") for n in range(chance.randrange(9))]
    assert own_faults([*three, *victims], UNKNOWN) == NOTHING


@pytest.mark.parametrize("seed", range(100))
def test_an_organization_alone_does_not_hide_that_we_are_offline(seed: int) -> None:
    chance = Random(seed)  # noqa: S311 - a repeatable test, no secret
    # Given an attacker that reaches what it likes (a target beside us), while nobody else does
    attacker = [
        seen("attacker", f"https://own-{chance.randrange(9)}:443", passed())
        for _ in range(chance.randint(1, 200))
    ]
    assert own_faults([*lost(5), *attacker], UNKNOWN) == UNREACHABLE


def test_a_test_that_could_not_leave_our_network_blames_the_platform_and_keeps_its_steps() -> None:
    # given
    report = failed("auth_invalid")
    assert not report.retryable

    # when
    offline = offline_report(report)

    # then
    assert (offline.code, offline.category) == ("monitor_offline", "platform")
    assert (offline.blame, offline.retryable) == ("platform", True)
    assert offline.message.startswith("The monitor had no network")
    assert offline.steps == report.steps
    assert not offline.passed
