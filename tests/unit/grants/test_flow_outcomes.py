import pytest

from patchbay.grants.flow_outcomes import WORDS, FlowOutcome, outcome_of_error


def test_every_outcome_has_words_for_a_person() -> None:
    assert set(WORDS) == set(FlowOutcome)
    for title, text in WORDS.values():
        assert title.endswith(".")
        assert text.endswith(".")
        assert not any(character in title + text for character in '<>&"{')


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        ("access_denied", FlowOutcome.DENIED),
        ("user_cancelled_authorize", FlowOutcome.DENIED),
        ("invalid_scope", FlowOutcome.SCOPE_REFUSED),
        ("invalid_request", FlowOutcome.APPLICATION_REFUSED),
        ("interaction_required", FlowOutcome.SIGN_IN_REQUIRED),
        ("server_error", FlowOutcome.PROVIDER_FAILED),
        ("<script>", FlowOutcome.PROVIDER_FAILED),
        ("", FlowOutcome.PROVIDER_FAILED),
    ],
)
def test_an_error_of_a_callback_has_a_meaning(error: str, outcome: FlowOutcome) -> None:
    assert outcome_of_error(error) is outcome
