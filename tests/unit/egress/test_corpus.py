"""Every row of the corpus is tried, each with its verdict."""

from pathlib import Path

from tests.unit.egress.corpus import count, kinds

TESTS = Path(__file__).parents[2]
TABLES = {
    "url": "unit/egress/test_egress_corpus.py",
    "dns_behaviour": "unit/checks/test_dns.py",
    "redirect": "unit/egress/test_redirects.py",
    "redirect_secret": "unit/egress/test_redirects.py",
    "response": "unit/checks/test_hostile_responses.py",
    "header": "unit/egress/test_headers.py",
    "driver": "unit/checks/test_driver_corpus.py",
    "env": "unit/egress/test_env_corpus.py",
}


def test_every_kind_of_rows_has_a_table_test_that_takes_all_of_them() -> None:
    for kind, module in TABLES.items():
        assert f'@rows("{kind}")' in (TESTS / module).read_text(), kind
    # Secrets are bound where they are stored: those rows are tried on the API.
    edits = (TESTS / "integration/test_endpoint_edits.py").read_text()
    bound = ("K01", "K06", "K07", "K08", "K14", "K16", "K17", "K18")
    assert all(f'"{row}"' in edits for row in bound)
    assert kinds() == {*TABLES, "secret"}


def test_no_row_is_lost() -> None:
    assert count() == 159
