"""The operator's command for the quotas of an organization.

    python -m patchbay.quota_operator show --table <IntegrationsTable> --organization <org_…>
    python -m patchbay.quota_operator recount … [--quota spaces]
    python -m patchbay.quota_operator set-limit … --quota spaces --limit 500
    python -m patchbay.quota_operator unset-limit … --quota spaces

It uses the table with the AWS credentials of its user, and prints one JSON object: of each quota
how many are used, and the limit of the organization's own, if it has one.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from patchbay.alerts.quotas import CHANNEL_QUOTA, RULE_QUOTA
from patchbay.connections.quotas import (
    CONNECTION_QUOTA,
    ENDPOINT_QUOTA,
    MONITOR_QUOTA,
    MONITORED_TEST_QUOTA,
)
from patchbay.grants.quotas import APPLICATION_QUOTA
from patchbay.installs.quotas import SESSION_QUOTA
from patchbay.platform.dynamodb import Table
from patchbay.platform.dynamodb_client import DynamoDBError
from patchbay.platform.errors import PatchbayError
from patchbay.platform.strict_json import compact
from patchbay.registry.quotas import DELETED_QUOTA, INTEGRATION_QUOTA, RELEASE_QUOTA
from patchbay.tenancy.quotas import API_KEY_QUOTA, SPACE_QUOTA, Quotas
from patchbay.tenancy.store import TenancyStore

ALL: Final = {
    quota.name: quota
    for quota in (
        SPACE_QUOTA,
        API_KEY_QUOTA,
        INTEGRATION_QUOTA,
        RELEASE_QUOTA,
        DELETED_QUOTA,
        ENDPOINT_QUOTA,
        CONNECTION_QUOTA,
        MONITOR_QUOTA,
        MONITORED_TEST_QUOTA,
        RULE_QUOTA,
        CHANNEL_QUOTA,
        SESSION_QUOTA,
        APPLICATION_QUOTA,
    )
}
"""Every kind of thing that is counted, by its name."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0, or 1 after a line with the problem."""
    options = _parser().parse_args(arguments)
    try:
        print(compact(_done(options)).decode())
    except (PatchbayError, DynamoDBError, BotoCoreError, ClientError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _done(options: argparse.Namespace) -> dict[str, object]:
    table = Table(options.table)
    quotas = Quotas.without_limits(table)
    owner: str = options.organization
    TenancyStore(table, quotas).organization(owner)
    named = [ALL[options.quota]] if options.quota else list(ALL.values())
    match options.command:
        case "recount":
            for quota in named:
                quotas.recount(owner, quota)
        case "set-limit":
            quotas.set_limit(owner, named[0], options.limit)
        case "unset-limit":
            quotas.set_limit(owner, named[0], None)
    return {quota.name: quotas.use(owner, quota)._asdict() for quota in named}


def _limit(text: str) -> int:
    limit = int(text)
    if limit < 0:
        raise ValueError
    return limit


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m patchbay.quota_operator")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    show = commands.add_parser("show", help="what is used, and limits of its own")
    recount = commands.add_parser("recount", help="counts again what there is")
    set_limit = commands.add_parser("set-limit", help="gives it a limit of its own")
    set_limit.add_argument("--limit", required=True, type=_limit, help="0 or more")
    unset_limit = commands.add_parser("unset-limit", help="the deployment's limit holds again")
    for command in (show, recount, set_limit, unset_limit):
        command.add_argument(
            "--table", required=True, help="the stack's IntegrationsTableName output"
        )
        command.add_argument("--organization", required=True, help="its id, org_…")
        required = command in (set_limit, unset_limit)
        command.add_argument("--quota", required=required, choices=sorted(ALL), help="one of them")
    return parser


if __name__ == "__main__":
    sys.exit(main())
