"""The operator's command: creates organizations, and replaces lost admin keys.

    python -m patchbay.tenancy.operator create-organization --table <IntegrationsTable> \\
        --name "Acme" --space-slug main --space-name "Main"
    python -m patchbay.tenancy.operator issue-key --table <IntegrationsTable> --space-slug main

It writes to the table with the AWS credentials of its user: there is no default key and no open
sign-up. It prints one JSON object with an admin key, which can't be read again.
"""

import argparse
import sys
from collections.abc import Sequence

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import ValidationError

from patchbay.platform.actor import OPERATOR, Actor, acting
from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Table
from patchbay.platform.dynamodb_client import DynamoDBError
from patchbay.platform.errors import PatchbayError
from patchbay.platform.ids import Stamp
from patchbay.platform.strict_json import compact
from patchbay.platform.validation import problems_of
from patchbay.tenancy.access import Permission
from patchbay.tenancy.api_key_store import ApiKeyStore
from patchbay.tenancy.model import NewApiKey, NewOrganization, NewSpace, Space
from patchbay.tenancy.quotas import Quotas
from patchbay.tenancy.store import TenancyStore


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0, or 1 after a line with the problem."""
    options = _parser().parse_args(arguments)
    with acting(Actor(OPERATOR, utc_now())):
        return _run(options)


def _run(options: argparse.Namespace) -> int:
    try:
        table, stamp = Table(options.table), Stamp.fresh(utc_now())
        quotas = Quotas.without_limits(table)
        store = TenancyStore(table, quotas)
        if options.command == "issue-key":
            space = store.space(options.space_slug)
        else:
            space = _new_space(
                store,
                NewOrganization(name=options.name),
                NewSpace(slug=options.space_slug, name=options.space_name),
                stamp,
            )
        print(compact(_with_key(ApiKeyStore(table, store, quotas), space, stamp)).decode())
    except ValidationError as error:
        problem = problems_of(error)[0]
        print(f"{problem.pointer.removeprefix('/')} {problem.message}", file=sys.stderr)
        return 1
    except (PatchbayError, DynamoDBError, BotoCoreError, ClientError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _new_space(
    store: TenancyStore, organization: NewOrganization, space: NewSpace, stamp: Stamp
) -> Space:
    store.require_free(space.slug)  # before an organization is created that would have no space
    owner = store.create_organization(organization, stamp)
    return store.create_space(owner.id, space, stamp)


def _with_key(keys: ApiKeyStore, space: Space, stamp: Stamp) -> dict[str, str]:
    # Who may use credentials is granted, by this key, to those who need it.
    permissions = [one for one in Permission if one is not Permission.USE]
    new = NewApiKey(name="operator", permissions=permissions)
    key = keys.issue(space.organization_id, new, OPERATOR, stamp)
    return {
        "organization_id": space.organization_id,
        "space_id": space.id,
        "space_slug": space.slug,
        "api_key": key.key,
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m patchbay.tenancy.operator")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    create = commands.add_parser(
        "create-organization", help="an organization with its first space and an admin key"
    )
    issue = commands.add_parser(
        "issue-key", help="another admin key for the organization that owns a space"
    )
    for command in (create, issue):
        command.add_argument(
            "--table", required=True, help="the stack's IntegrationsTableName output"
        )
        command.add_argument("--space-slug", required=True)
    create.add_argument("--name", required=True, help="of the organization")
    create.add_argument("--space-name", required=True)
    return parser


if __name__ == "__main__":
    sys.exit(main())
