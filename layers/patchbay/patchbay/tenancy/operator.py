"""The operator's command: the first organization, space and admin key of a deployment.

    python -m patchbay.tenancy.operator create-organization --table <IntegrationsTable> \\
        --name "Acme" --space-slug main --space-name "Main"

It writes to the table with the AWS credentials of whoever runs it: there is no default key and no
open sign-up. It prints one JSON object, with the key, which can't be read again.
"""

import argparse
import sys
from collections.abc import Sequence

from pydantic import ValidationError

from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Table
from patchbay.platform.errors import PatchbayError
from patchbay.platform.ids import Stamp
from patchbay.platform.strict_json import compact
from patchbay.tenancy.access import Permission
from patchbay.tenancy.model import NewApiKey, NewOrganization, NewSpace
from patchbay.tenancy.store import TenancyStore


def main(arguments: Sequence[str] | None = None) -> int:
    """0, or 1 with one line that says what is wrong."""
    options = _parser().parse_args(arguments)
    try:
        answer = _create_organization(
            TenancyStore(Table(options.table)),
            NewOrganization(name=options.name),
            NewSpace(slug=options.space_slug, name=options.space_name),
        )
    except ValidationError as error:
        for found in error.errors(include_url=False):
            print(f"{'.'.join(map(str, found['loc']))}: {found['msg']}", file=sys.stderr)
        return 1
    except PatchbayError as error:
        print(error, file=sys.stderr)
        return 1
    print(compact(answer).decode())
    return 0


def _create_organization(
    store: TenancyStore, organization: NewOrganization, space: NewSpace
) -> dict[str, str]:
    stamp = Stamp.fresh(utc_now())
    store.require_free(space.slug)  # before an organization is made that would have no space
    owner = store.create_organization(organization, stamp)
    made = store.create_space(owner.id, space, stamp)
    key = store.issue_key(
        owner.id,
        NewApiKey(name="operator", permissions=list(Permission)),
        "operator",
        stamp,
    )
    return {
        "organization_id": owner.id,
        "space_id": made.id,
        "space_slug": made.slug,
        "api_key": key.key,
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m patchbay.tenancy.operator")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    create = commands.add_parser(
        "create-organization", help="an organization with its first space and an admin key"
    )
    create.add_argument("--table", required=True, help="the stack's IntegrationsTableName output")
    create.add_argument("--name", required=True, help="of the organization")
    create.add_argument("--space-slug", required=True)
    create.add_argument("--space-name", required=True)
    return parser


if __name__ == "__main__":
    sys.exit(main())
