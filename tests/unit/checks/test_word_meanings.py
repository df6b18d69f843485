"""The codes of words, numbers, and sentences."""

import pytest

from patchbay.checks.word_meanings import (
    code_of_word,
    codes_of_number,
    codes_of_numbered_sentence,
    codes_of_sentence,
    hints_of_sentence,
)


@pytest.mark.parametrize(
    ("word", "code"),
    [
        # A word of the tables, in each spelling; no form matches it.
        ("use_dpop_nonce", "request_rejected"),
        ("USE-DPOP-NONCE", "request_rejected"),
        ("useDPoPNonce", "request_rejected"),
        ("use dpop nonce", "request_rejected"),
        # With the ending of an error.
        ("use_dpop_nonce_error", "request_rejected"),
        ("UseDpopNonceException", "request_rejected"),
        ("use_dpop_nonce_fault", "request_rejected"),
        ("use_dpop_nonce_thing", None),
        # As the last part of a name or URL, and only there.
        ("com.example.use_dpop_nonce", "request_rejected"),
        ("com.example#use_dpop_nonce", "request_rejected"),
        ("urn:example:use_dpop_nonce", "request_rejected"),
        ("https://example.com/problems/use-dpop-nonce", "request_rejected"),
        ("com.use_dpop_nonce.other", None),
        ("https://example.com/use-dpop-nonce/other", None),
        ("com.example.not_allowed_here", "permission_denied"),
        # By its form, in each spelling.
        ("not_allowed_here", "permission_denied"),
        ("NotAllowedHere", "permission_denied"),
        ("!not_allowed_here!", "permission_denied"),
        ("userSuspended", "account_locked"),
        ("IPNotAllowed", "address_not_allowed"),
        ("insufficient_api_scope_error", "scope_missing"),
        # "Invalid or expired" is one of them.
        ("token_invalid_or_expired", "auth_invalid"),
        # Up to three spaces are a word, more are a sentence.
        ("not allowed to read", "permission_denied"),
        ("not allowed to read it", None),
        # A token, but not the credential.
        ("page_token_expired", None),
        ("access_token_expired", "auth_expired"),
        ("", None),
        ("octopus", None),
    ],
)
def test_a_word_has_a_code_by_the_tables_or_by_its_form(word: str, code: str | None) -> None:
    assert code_of_word(word) == code


def test_a_word_has_at_most_200_characters() -> None:
    longest = "https://example.com/" + "a" * 166 + "/token_expired"
    assert len(longest) == 200
    assert code_of_word(longest) == "auth_expired"
    assert code_of_word("h" + longest) is None


@pytest.mark.parametrize(
    ("sentence", "codes"),
    [
        ("The access token expired", ["auth_expired"]),
        ("THE ACCESS TOKEN EXPIRED", ["auth_expired"]),
        ("The access token was revoked", ["auth_revoked"]),
        ("Invalid API key", ["auth_invalid"]),
        ("The token is invalid or expired", ["auth_invalid", "auth_invalid"]),
        ("The API key is invalid: too many requests", ["rate_limited", "auth_invalid"]),
        # Other tokens than the credential.
        ("Invalid CSRF token", []),
        ("The page token expired", []),
        ("The page token expired: too many requests", ["rate_limited"]),
        ("All is well", []),
    ],
)
def test_a_sentence_has_the_codes_of_what_it_says(sentence: str, codes: list[str]) -> None:
    assert [*codes_of_sentence(sentence)] == codes


@pytest.mark.parametrize(
    ("sentence", "hints"),
    [
        ("It was REVOKED", ["auth_revoked"]),
        ("it expired", ["auth_expired"]),
        ("revoked, or expired", ["auth_revoked", "auth_expired"]),
        ("invalid or expired", []),
        ("no", []),
    ],
)
def test_a_sentence_about_a_token_may_say_what_happened_to_it(
    sentence: str, hints: list[str]
) -> None:
    assert [*hints_of_sentence(sentence)] == hints


def test_a_number_counts_with_a_mark_of_its_provider_only() -> None:
    # 190 is Facebook's for a token that is not valid; other providers use the number too.
    assert [*codes_of_number(190, frozenset({"fbtrace_id"}))] == ["auth_invalid"]
    assert [*codes_of_number(190, frozenset({"message"}))] == []
    assert [*codes_of_number(987_654_321, frozenset({"fbtrace_id"}))] == []


@pytest.mark.parametrize(
    ("sentence", "codes"),
    [
        ("AADSTS7000222: The client secret keys are expired.", ["auth_expired"]),
        ("No: AADSTS7000215, and AADSTS7000222.", ["auth_invalid", "auth_expired"]),
        ("AADSTS1: no", []),
        ("xAADSTS7000222", []),
    ],
)
def test_a_number_of_microsoft_entra_is_found_in_a_sentence(
    sentence: str, codes: list[str]
) -> None:
    assert [*codes_of_numbered_sentence(sentence)] == codes
