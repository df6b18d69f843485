"""What the README and the docs tell to paste, pasted block by block, gives what they show."""

import pytest

from local.provider import Provider
from tests.e2e.harness import Stack, Watched
from tests.e2e.stories import documents, settled, story, told


def test_the_pages_that_lead_through_patchbay_have_a_story() -> None:
    pages = {"docs/quickstart.md", "docs/registry.md", "docs/saas.md"}
    assert {"README.md", *pages} <= set(documents())


# The schedule ticks for docs/alerts.md first: by its next tick the others are done.
@pytest.mark.parametrize("document", sorted(documents(), key="docs/monitors.md".__eq__))
def test_what_a_document_shows_is_true(
    stack: Stack, watched: Watched, server: Provider, document: str
) -> None:
    # Given a running local cloud and provider, on the ports of this test
    steps = story(document)
    # When all blocks are pasted one after the other
    outputs = told(steps, stack, server.port)
    # Then each shows what the document shows
    for step, output in zip(steps, outputs, strict=True):
        assert settled(output) == settled(step.shown), step.commands
