"""What looks like a key, and what does not."""

import pytest
from patchbay_importers.key_shapes import looks_like_key, without_keys


@pytest.mark.parametrize(
    "text",
    [
        "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
        "9f86d081884c7d659a2feaa0c55ad015",
        "550e8400-e29b-41d4-a716-446655440000",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w5N",
        "bot123456:AAE-dGhpc2lzYXNlY3JldA",
        "aGVsbG9Xb3JsZEhlbGxvV29ybGQ",
        "AKIAIOSFODNN7EXAMPLE",
        "see https://a.example/me?key=4eC39HqLyjWDarjt for more",
        "1234567890",
    ],
)
def test_a_key(text: str) -> None:
    assert looks_like_key(text)
    assert without_keys(text) != text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v1",
        "/api/v2/users/me",
        "v20240101",
        "2024-01-01",
        "getCurrentUserAccountDetails",
        "get-2-factor-status-list",
        "https://www.googleapis.com/auth/drive.readonly",
        "application/vnd.api+json",
        "Rooms of a hotel, and who has booked them.",
        "oauth2",
        "{{variables.baseUrl}}",
        "users/12345",
    ],
)
def test_no_key(text: str) -> None:
    assert not looks_like_key(text)
    assert without_keys(text) == text
