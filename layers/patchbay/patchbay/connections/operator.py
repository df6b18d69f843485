"""The operator's command for the data keys of an organization.

    python -m patchbay.connections.operator rotate-data-key --table <IntegrationsTable> \\
        --vault-key <VaultKeyArn> --organization <org_…>
    python -m patchbay.connections.operator reseal-secrets …
    python -m patchbay.connections.operator delete-data-key … --number 1
    python -m patchbay.connections.operator delete-data-keys … --through 2 --confirm <org_…>

It uses the table and the KMS key with the AWS credentials of its user, and prints one
JSON object. `delete-data-keys` makes the secrets that are sealed under these keys unreadable.
"""

import argparse
import sys
from collections.abc import Sequence

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import BaseModel, ValidationError

from patchbay.connections.data_key_model import DataKeys, DeletionQuery, Resealed
from patchbay.connections.vault import Vault
from patchbay.platform.actor import OPERATOR, Actor, acting
from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Table
from patchbay.platform.errors import PatchbayError
from patchbay.platform.ids import Stamp
from patchbay.platform.lists import ListQuery
from patchbay.platform.validation import problems_of

_PAGE = 100


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0, or 1 after a line with the problem."""
    options = _parser().parse_args(arguments)
    try:
        vault = Vault(Table(options.table), options.vault_key)
        with acting(Actor(OPERATOR, utc_now())):
            print(_done(vault, options).model_dump_json())
    except ValidationError as error:
        problem = problems_of(error)[0]
        print(f"{problem.pointer.removeprefix('/')} {problem.message}", file=sys.stderr)
        return 1
    except (PatchbayError, BotoCoreError, ClientError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _done(vault: Vault, options: argparse.Namespace) -> BaseModel:
    organization_id: str = options.organization
    match options.command:
        case "rotate-data-key":
            return vault.keys.rotate(organization_id, Stamp.fresh(utc_now()))
        case "reseal-secrets":
            return _all_resealed(vault, organization_id)
        case "delete-data-key":
            vault.delete_key(organization_id, options.number)
            return _keys(vault, organization_id)
        case "delete-data-keys":
            query = DeletionQuery(through=options.through, confirm=options.confirm)
            return vault.delete_keys(organization_id, query, utc_now())
        case _:
            return _keys(vault, organization_id)


def _keys(vault: Vault, organization_id: str) -> DataKeys:
    return vault.keys.keys(organization_id)


def _all_resealed(vault: Vault, organization_id: str) -> Resealed:
    done = Resealed(resealed=0, unreadable=[], next_cursor=None)
    while True:
        query = ListQuery(limit=_PAGE, cursor=done.next_cursor)
        page = vault.reseal(organization_id, query, utc_now())
        done = Resealed(
            resealed=done.resealed + page.resealed,
            unreadable=[*done.unreadable, *page.unreadable],
            next_cursor=page.next_cursor,
        )
        if done.next_cursor is None:
            return done


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m patchbay.connections.operator")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    listing = commands.add_parser("list-data-keys", help="the keys and which one is current")
    rotate = commands.add_parser("rotate-data-key", help="new secrets are sealed under a new key")
    reseal = commands.add_parser("reseal-secrets", help="old secrets are sealed under it too")
    delete = commands.add_parser("delete-data-key", help="an old one that no secret needs")
    delete.add_argument("--number", required=True)
    shred = commands.add_parser("delete-data-keys", help="with the secrets under them")
    shred.add_argument("--through", required=True, type=int, help="all keys up to this number")
    shred.add_argument("--confirm", required=True, help="the organization's id, once more")
    for command in (listing, rotate, reseal, delete, shred):
        command.add_argument(
            "--table", required=True, help="the stack's IntegrationsTableName output"
        )
        command.add_argument("--vault-key", required=True, help="the stack's VaultKeyArn output")
        command.add_argument("--organization", required=True, help="its id, org_…")
    return parser


if __name__ == "__main__":
    sys.exit(main())
