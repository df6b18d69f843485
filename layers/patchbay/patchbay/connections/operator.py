"""The operator's command for data keys and deployment keys.

    python -m patchbay.connections.operator rotate-data-key --table <IntegrationsTable> \\
        --vault-key <VaultKeyArn> --organization <org_…>
    python -m patchbay.connections.operator reseal-secrets …
    python -m patchbay.connections.operator delete-data-key … --number 1
    python -m patchbay.connections.operator delete-data-keys … --through 2 --confirm <org_…>

    python -m patchbay.connections.operator rotate-deployment-key --table <IntegrationsTable> \\
        --vault-key <VaultKeyArn>
    python -m patchbay.connections.operator rewrap-data-keys …
    python -m patchbay.connections.operator delete-deployment-key … --number 1

It uses the table and the KMS key with the AWS credentials of its user, and prints one
JSON object. `delete-data-keys` makes the secrets that are sealed under these keys unreadable.
Deployment keys are of all organizations together; no secret needs them.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import BaseModel, ValidationError

from patchbay.connections.data_key_model import (
    DataKeys,
    DeletionQuery,
    DeploymentKeyList,
    Resealed,
    Rewrapped,
)
from patchbay.connections.vault import Vault
from patchbay.platform.actor import OPERATOR, Actor, acting
from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Table
from patchbay.platform.dynamodb_client import DynamoDBError
from patchbay.platform.errors import Conflict, PatchbayError
from patchbay.platform.ids import Stamp
from patchbay.platform.lists import ListQuery
from patchbay.platform.validation import problems_of
from patchbay.tenancy.keys import ALL_ORGANIZATIONS, BY_OWNER

_PAGE = 100


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0, or 1 after a line with the problem."""
    options = _parser().parse_args(arguments)
    try:
        table = Table(options.table)
        vault = Vault(table, options.vault_key)
        with acting(Actor(OPERATOR, utc_now())):
            if "organization" in options:
                done = _of_organization(vault, options)
            else:
                done = _of_deployment(vault, table, options)
            print(done.model_dump_json())
    except ValidationError as error:
        problem = problems_of(error)[0]
        print(f"{problem.pointer.removeprefix('/')} {problem.message}", file=sys.stderr)
        return 1
    except (PatchbayError, DynamoDBError, BotoCoreError, ClientError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _of_organization(vault: Vault, options: argparse.Namespace) -> BaseModel:
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


def _of_deployment(vault: Vault, table: Table, options: argparse.Namespace) -> BaseModel:
    keys = vault.keys.deployment_keys
    match options.command:
        case "rotate-deployment-key":
            return keys.rotate(utc_now())
        case "rewrap-data-keys":
            return _all_rewrapped(vault, table)
        case "delete-deployment-key":
            return _deleted(vault, table, options.number)
        case _:
            return keys.keys()


def _all_rewrapped(vault: Vault, table: Table) -> Rewrapped:
    done = Rewrapped(rewrapped=0, unreadable=[])
    for organization_id in _organizations(table):
        one = vault.keys.rewrap(organization_id, utc_now())
        done = Rewrapped(
            rewrapped=done.rewrapped + one.rewrapped, unreadable=done.unreadable + one.unreadable
        )
    return done


def _deleted(vault: Vault, table: Table, number: int) -> DeploymentKeyList:
    """Raises `Conflict` while a data key is wrapped under it.

    One that is missed costs a call of KMS when it is used: nothing is lost.
    """
    for organization_id in _organizations(table):
        if number in vault.keys.deployment_keys_in_use(organization_id):
            raise Conflict("Data keys are wrapped under it: run rewrap-data-keys first.", "IN_USE")
    vault.keys.deployment_keys.delete(number)
    return vault.keys.deployment_keys.keys()


def _organizations(table: Table) -> Iterator[str]:
    for item in table.query_all(ALL_ORGANIZATIONS, index=BY_OWNER, attributes=(f"{BY_OWNER}_sk",)):
        yield item[f"{BY_OWNER}_sk"]


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
        command.add_argument("--organization", required=True, help="its id, org_…")
    commands.add_parser("list-deployment-keys", help="the keys and which one is current")
    commands.add_parser("rotate-deployment-key", help="data keys are wrapped under a new key")
    commands.add_parser("rewrap-data-keys", help="those of all organizations, at once")
    drop = commands.add_parser("delete-deployment-key", help="an old one that opens no data key")
    drop.add_argument("--number", required=True, type=int)
    for command in commands.choices.values():
        command.add_argument(
            "--table", required=True, help="the stack's IntegrationsTableName output"
        )
        command.add_argument("--vault-key", required=True, help="the stack's VaultKeyArn output")
    return parser


if __name__ == "__main__":
    sys.exit(main())
