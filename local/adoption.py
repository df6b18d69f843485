"""What CloudFormation needs to import the tables and the key that `sam delete` has kept.

    python -m local.adoption FOLDER INTEGRATIONS_TABLE EVENTS_TABLE VAULT_KEY

writes `template.yaml`, a part of the template with these three alone, and `resources.json`, which
says what they are. docs/operating/adopting.md has the commands that take them.
"""

import json
import re
import sys
from pathlib import Path
from typing import Final

from local.paths import ROOT

_TYPES: Final = {
    "IntegrationsTable": ("AWS::DynamoDB::Table", "TableName"),
    "EventsTable": ("AWS::DynamoDB::Table", "TableName"),
    "VaultKey": ("AWS::KMS::Key", "KeyId"),
}
"""The resources that outlive their stack, with their types and what identifies them."""
_PARAMETERS: Final = ("TableEncryption", "DeletionProtection")
_CONDITIONS: Final = ("ShowsUseOfTableKey", "ProtectsTables")


def template(text: str) -> str:
    """The part of a template that can be imported: CloudFormation refuses transforms there."""
    kept = {
        "Parameters": [_block(text, name) for name in _PARAMETERS],
        "Conditions": [_line(text, name) for name in _CONDITIONS],
        "Resources": [_block(text, name) for name in _TYPES],
    }
    sections = "".join(f"\n{name}:\n{''.join(parts)}" for name, parts in kept.items())
    return f'AWSTemplateFormatVersion: "2010-09-09"\n{sections}'


def resources(
    integrations_table: str, events_table: str, vault_key: str
) -> list[dict[str, object]]:
    """What a change set of the type IMPORT takes as the resources to import."""
    names = (integrations_table, events_table, vault_key.rpartition("/")[2])
    return [
        {
            "ResourceType": kind,
            "LogicalResourceId": logical_id,
            "ResourceIdentifier": {identifier: name},
        }
        for (logical_id, (kind, identifier)), name in zip(_TYPES.items(), names, strict=True)
    ]


def _block(text: str, name: str) -> str:
    [found] = re.findall(rf"^  {name}:\n(?:    .*\n|\n(?=    ))*", text, re.MULTILINE)
    return str(found)


def _line(text: str, name: str) -> str:
    [found] = re.findall(rf"^  {name}: .*\n", text, re.MULTILINE)
    return str(found)


def main(folder: str, *names: str) -> None:
    written = Path(folder)
    written.mkdir(parents=True, exist_ok=True)
    (written / "template.yaml").write_text(template((ROOT / "template.yaml").read_text()))
    (written / "resources.json").write_text(json.dumps(resources(*names), indent=2) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
