"""What of the SDK follows from the API document is up to date: `make sdk` writes it."""

from local.sdk import CLIENT, Sdk


def test_the_sdk_is_that_of_the_api_document() -> None:
    stale = [
        name
        for name, text in Sdk.committed().files().items()
        if (CLIENT / name).read_text() != text
    ]

    assert stale == [], "run `make sdk` and commit it"
