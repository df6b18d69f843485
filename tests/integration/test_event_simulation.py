"""Eight writers, five spaces, forty days, and every fault: counts match the stored events.

A larger run, against an emulator of DynamoDB: `make simulate EVENTS=20000`.
"""

import pytest

from patchbay.platform.dynamodb import connect
from tests.simulator.simulation import Simulation


@pytest.mark.parametrize("seed", [1, 4])
def test_the_counts_are_exact_under_every_fault_at_once(
    tables: object, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    simulation = Simulation(
        connect(),
        ("IntegrationsTable", "EventsTable"),
        events=200,
        seed=seed,
        seeded_threads=True,
        sizes=(1, 2, 5, 10),
    )

    outcome = simulation.run()

    with capsys.disabled():
        print(f"\nseed {seed}\n{outcome}")
    assert outcome.differences == []
