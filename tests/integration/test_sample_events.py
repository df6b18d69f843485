"""docs/operating/invoking.md: what each function prints for its event of `events/`."""

import importlib
import json
import re

from patchbay.platform.dynamodb import Table
from tests.integration.alerting import Context
from tests.integration.api import FUNCTIONS, ROOT, sample_event

PATIENT_SECONDS = 60
PAGE = ROOT / "docs" / "operating" / "invoking.md"
_COMMAND = re.compile(r"^\$ invoke (\w+)Function (\w+)( \| answer)?$", re.MULTILINE)


def printed(function: str, through_answer: bool) -> str:
    """What `sam local invoke` prints, or the page's `answer` of it."""
    handler = importlib.import_module(function).handler
    returned = handler(sample_event(function), Context(PATIENT_SECONDS))
    if not through_answer:
        return json.dumps(returned)
    codes = re.findall('"code":"([A-Z_]+)"', returned["body"])
    return " ".join([str(returned["statusCode"]), returned["headers"]["Content-Type"], *codes])


def test_the_page_has_each_function_and_what_it_prints(deployed: dict[str, Table]) -> None:
    [block] = re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL)
    commands = list(_COMMAND.finditer(block))
    shown = {}
    for command, following in zip(commands, [*commands[1:], None], strict=True):
        name, event, through_answer = command.groups()
        assert event.replace("_", "") == name.lower()
        end = following.start() if following else len(block)
        assert printed(event, bool(through_answer)) == block[command.end() : end].strip(), event
        shown[event] = name
    assert sorted(shown) == FUNCTIONS
