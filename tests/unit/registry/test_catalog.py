"""The providers that ship in `catalog/`: each can be published, and each can be tested."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
import trustme
from semver import Version

from local.logs import functions
from patchbay.checks.kinds.http import HttpProbe
from patchbay.checks.plan import Plan
from patchbay.egress.ports import may_dial
from patchbay.platform.ids import new_id
from patchbay.platform.json_schema import DocumentSchema
from patchbay.registry.model import Integration, NewIntegration, Visibility
from patchbay.registry.publishing import draft_problems
from patchbay.registry.recipes import recipe_of_draft
from patchbay.registry.trust_tiers import TrustTier

NOW: Final = datetime(2026, 2, 17, 10, tzinfo=UTC)
FILES: Final = sorted((Path(__file__).parents[3] / "catalog").glob("*.json"))

CATEGORIES: Final = frozenset(
    {
        *("payments", "crm", "messaging", "email", "developer-tools", "storage", "database"),
        *("vector-db", "ai-llm", "analytics", "project-management", "calendar"),
        *("helpdesk", "sms", "infrastructure"),
        *("shipping",),
        *("identity",),
        *("accounting", "design", "social"),
        *("documents", "website"),
        *("commerce", "media"),
    }
)


@dataclass(frozen=True)
class Provider:
    """What an entry is for, and where its provider keeps its documentation."""

    category: str
    documentation: tuple[str, ...]


PROVIDERS: Final = {
    "s3": Provider("storage", ("docs.aws.amazon.com",)),
    "airtable": Provider("database", ("airtable.com",)),
    "anthropic": Provider("ai-llm", ("platform.claude.com",)),
    "asana": Provider("project-management", ("developers.asana.com",)),
    "calendly": Provider("calendar", ("developer.calendly.com",)),
    "databricks": Provider("database", ("docs.databricks.com",)),
    "datadog": Provider("developer-tools", ("docs.datadoghq.com",)),
    "github": Provider("developer-tools", ("docs.github.com",)),
    "gitlab": Provider("developer-tools", ("docs.gitlab.com",)),
    "google-calendar": Provider("calendar", ("developers.google.com",)),
    "google-drive": Provider("storage", ("developers.google.com",)),
    "hubspot": Provider("crm", ("developers.hubspot.com",)),
    "intercom": Provider("helpdesk", ("developers.intercom.com",)),
    "jira": Provider("project-management", ("developer.atlassian.com",)),
    "mailchimp": Provider("email", ("mailchimp.com",)),
    "mysql": Provider("database", ("dev.mysql.com",)),
    "notion": Provider("project-management", ("developers.notion.com",)),
    "openai": Provider("ai-llm", ("platform.openai.com",)),
    # Its API's own description is a repository.
    "pagerduty": Provider("developer-tools", ("developer.pagerduty.com", "github.com/PagerDuty")),
    "pinecone": Provider("vector-db", ("docs.pinecone.io",)),
    "pipedrive": Provider("crm", ("pipedrive.readme.io", "developers.pipedrive.com")),
    "postgresql": Provider("database", ("www.postgresql.org",)),
    "postmark": Provider("email", ("postmarkapp.com",)),
    "redis": Provider("database", ("redis.io",)),
    "salesforce": Provider("crm", ("help.salesforce.com", "developer.salesforce.com")),
    "segment": Provider("analytics", ("segment.com", "docs.segmentapis.com")),
    # Part of Twilio.
    "sendgrid": Provider("email", ("www.twilio.com",)),
    "smtp": Provider("email", ("www.rfc-editor.org",)),
    "sentry": Provider("developer-tools", ("docs.sentry.io",)),
    "slack": Provider("messaging", ("docs.slack.dev",)),
    "square": Provider("payments", ("developer.squareup.com",)),
    "stripe": Provider("payments", ("docs.stripe.com",)),
    "twilio": Provider("sms", ("www.twilio.com",)),
    "weaviate": Provider("vector-db", ("docs.weaviate.io",)),
    "cloudflare": Provider("infrastructure", ("developers.cloudflare.com",)),
    "digitalocean": Provider("infrastructure", ("docs.digitalocean.com",)),
    "hetzner-cloud": Provider("infrastructure", ("docs.hetzner.cloud",)),
    "linode": Provider("infrastructure", ("techdocs.akamai.com",)),
    "vultr": Provider("infrastructure", ("www.vultr.com",)),
    "vercel": Provider("developer-tools", ("vercel.com",)),
    "netlify": Provider(
        "developer-tools",
        (
            "docs.netlify.com",
            "open-api.netlify.com",
        ),
    ),
    "heroku": Provider("developer-tools", ("devcenter.heroku.com",)),
    "render": Provider(
        "developer-tools",
        (
            "api-docs.render.com",
            "render.com",
        ),
    ),
    "circleci": Provider("developer-tools", ("circleci.com",)),
    "buildkite": Provider("developer-tools", ("buildkite.com",)),
    "fastly": Provider("infrastructure", ("www.fastly.com",)),
    "snyk": Provider("developer-tools", ("docs.snyk.io",)),
    "launchdarkly": Provider("developer-tools", ("launchdarkly.com",)),
    "honeycomb": Provider(
        "developer-tools",
        (
            "docs.honeycomb.io",
            "api-docs.honeycomb.io",
        ),
    ),
    "grafana": Provider("developer-tools", ("grafana.com",)),
    "statuspage": Provider("developer-tools", ("developer.statuspage.io",)),
    "pingdom": Provider("developer-tools", ("docs.pingdom.com",)),
    "better-stack": Provider("developer-tools", ("betterstack.com",)),
    "new-relic": Provider("developer-tools", ("docs.newrelic.com",)),
    "deepl": Provider("ai-llm", ("developers.deepl.com",)),
    "dnsimple": Provider("infrastructure", ("developer.dnsimple.com",)),
    "klaviyo": Provider("email", ("developers.klaviyo.com",)),
    "mollie": Provider("payments", ("docs.mollie.com",)),
    "okta": Provider("identity", ("developer.okta.com", "github.com/okta")),
    "turso": Provider("database", ("docs.turso.tech",)),
    "workos": Provider("identity", ("workos.com", "github.com/workos")),
    "clerk": Provider("identity", ("clerk.com", "github.com/clerk")),
    "elevenlabs": Provider("ai-llm", ("elevenlabs.io", "help.elevenlabs.io")),
    "deepgram": Provider("ai-llm", ("developers.deepgram.com",)),
    "mistral": Provider("ai-llm", ("docs.mistral.ai",)),
    "cohere": Provider("ai-llm", ("docs.cohere.com",)),
    "meilisearch": Provider("database", ("www.meilisearch.com", "github.com/meilisearch")),
    "algolia": Provider("database", ("www.algolia.com", "github.com/algolia")),
    "adyen": Provider("payments", ("docs.adyen.com", "github.com/Adyen")),
    "checkly": Provider("developer-tools", ("www.checklyhq.com",)),
    "mailgun": Provider("email", ("documentation.mailgun.com", "github.com/mailgun")),
    "resend": Provider("email", ("resend.com", "github.com/resend")),
    "typesense": Provider("database", ("typesense.org",)),
    "logz-io": Provider("developer-tools", ("docs.logz.io", "github.com/logzio")),
    "ably": Provider("messaging", ("ably.com", "github.com/ably")),
    "mixpanel": Provider(
        "analytics", ("docs.mixpanel.com", "developer.mixpanel.com", "github.com/mixpanel")
    ),
    "recurly": Provider("payments", ("github.com/recurly",)),
    "upstash": Provider("database", ("upstash.com", "github.com/upstash")),
    "auth0": Provider("identity", ("auth0.com",)),
    "shippo": Provider("shipping", ("docs.goshippo.com", "github.com/goshippo")),
    "brevo": Provider("email", ("developers.brevo.com", "github.com/getbrevo")),
    "apify": Provider("developer-tools", ("docs.apify.com", "github.com/apify")),
    "shortcut": Provider("project-management", ("github.com/useshortcut",)),
    "gocardless": Provider("payments", ("github.com/gocardless",)),
    "easypost": Provider("shipping", ("docs.easypost.com", "github.com/EasyPost")),
    "knock": Provider("messaging", ("docs.knock.app", "github.com/knocklabs")),
    "zendesk": Provider("helpdesk", ("developer.zendesk.com",)),
    "box": Provider("storage", ("developer.box.com", "github.com/box")),
    "canva": Provider("design", ("www.canva.dev", "github.com/canva-sdks")),
    "discord": Provider("messaging", ("docs.discord.com",)),
    "x": Provider("social", ("docs.x.com",)),
    "dropbox": Provider("storage", ("dropbox.tech", "github.com/dropbox")),
    "xero": Provider("accounting", ("developer.xero.com", "github.com/XeroAPI")),
    "miro": Provider("project-management", ("developers.miro.com", "github.com/miroapp")),
    "asana-oauth": Provider("project-management", ("developers.asana.com", "github.com/Asana")),
    "airtable-oauth": Provider("database", ("github.com/Airtable", "airtable.com")),
    "github-oauth": Provider("developer-tools", ("docs.github.com", "github.blog")),
    "mastodon": Provider("social", ("docs.joinmastodon.org",)),
    "webflow": Provider("website", ("github.com/webflow",)),
    "quickbooks": Provider("accounting", ("github.com/intuit", "github.com/IntuitDeveloper")),
    "gmail": Provider("email", ("github.com/googleapis",)),
    "google-sheets": Provider("documents", ("github.com/googleapis",)),
    "google-analytics": Provider("analytics", ("github.com/googleapis",)),
    "youtube": Provider("media", ("github.com/googleapis",)),
    "bigquery": Provider("database", ("github.com/googleapis",)),
    "outlook": Provider("email", ("learn.microsoft.com",)),
    "microsoft-teams": Provider("messaging", ("learn.microsoft.com",)),
    "spotify": Provider("media", ("github.com/spotify",)),
    "twitch": Provider("media", ("github.com/twitchdev",)),
    "shopify": Provider("commerce", ("github.com/Shopify", "shopify.dev")),
    "docusign": Provider("documents", ("github.com/docusign",)),
    "todoist-oauth": Provider("project-management", ("github.com/Doist",)),
    "okta-oauth": Provider("identity", ("developer.okta.com",)),
    "zoho-crm": Provider("crm", ("www.zoho.com", "zoho.com", "github.com/zoho")),
    "jira-oauth": Provider(
        "project-management", ("developer.atlassian.com", "github.com/atlassian")
    ),
    "basecamp": Provider("project-management", ("github.com/basecamp",)),
    "gitlab-oauth": Provider("developer-tools", ("docs.gitlab.com",)),
    "notion-oauth": Provider(
        "project-management", ("developers.notion.com", "github.com/makenotion")
    ),
}

WITHOUT_SCOPES: Final = {"basecamp", "notion-oauth"}
"""What a client may do there is said elsewhere than in the authorization URL, or is all."""

POSTS_THAT_READ: Final = {
    # These change nothing, by their documentation.
    "https://slack.com/api/auth.test",
    "https://api.dropboxapi.com/2/files/list_folder",
    "https://api.dropboxapi.com/2/users/get_current_account",
}

# For variables without a default or an enum.
SAMPLES: Final = {
    "ca_certificate": trustme.CA().cert_pem.bytes().decode(),
    "account_sid": "AC" + "0" * 32,
    "company_domain": "acme",
    "data_center": "us21",
    "bucket": "reports",
    "database": "app",
    "endpoint": "https://minio.example.com:9000",
    "options": "endpoint=ep-cool-darkness-123456",
    "sender": "app@example.com",
    "email": "jane@example.com",
    "host": "db.example.com",
    "my_domain": "acme.my.salesforce.com",
    "organization": "acme",
    "organization_id": "AAAAAAAAAAAAAAAA",
    "site": "acme",
    "subdomain": "acme",
    "user": "app",
}
SAMPLES_OF_ENTRY: Final = {
    "auth0": {"domain": "acme.us.auth0.com"},
    "mixpanel": {"username": "patchbay.a1b2c3.mp-service-account", "project_id": "2195193"},
    "ably": {"account_id": "VgQpOZ"},
    "typesense": {"base_url": "https://xxx.a1.typesense.net"},
    "checkly": {"account_id": "d43967ee-81db-4e0b-a18c-06be5c995288"},
    "algolia": {"application_id": "abcdefghij"},
    "meilisearch": {"base_url": "https://ms-1.fra.meilisearch.io"},
    "turso": {"organization_slug": "my-org"},
    "okta": {"domain": "acme.okta.com"},
    "dnsimple": {"account_id": "1010"},
    "statuspage": {"page_id": "kctbh9vrtdwd"},
    "grafana": {"base_url": "https://acme.grafana.net"},
    "databricks": {"host": "dbc-a1b2345c-d6e7.cloud.databricks.com"},
    "x": {"user_id": "2244994945"},
    "xero": {"tenant_id": "fe79f7dd-b6d4-4a92-ba7b-538af6289c58"},
    "mastodon": {"host": "social.example.com"},
    "quickbooks": {"realm_id": "4620816365"},
    "google-sheets": {"spreadsheet_id": "1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgvE2upms"},
    "shopify": {"shop": "acme"},
    "docusign": {
        "account_id": "7c5a7b0e-3fd9-4e53-8b27",
        "api_host": "na3.docusign.net",
    },
    "okta-oauth": {"domain": "acme.okta.com"},
    "zoho-crm": {"accounts_server": "accounts.zoho.eu", "api_domain": "www.zohoapis.eu"},
    "jira-oauth": {"cloud_id": "11223344-a1b2-3b33-c444-def123456789"},
    "basecamp": {"contact": "app@example.com", "account_id": "99999999"},
}
SECRET: Final = "sample-secret-0123456789"
_CLIENT: Final = trustme.CA().issue_cert("client.example.com")
SECRETS_IN_PEM: Final = {
    "client_certificate": _CLIENT.cert_chain_pems[0].bytes().decode(),
    "client_key": _CLIENT.private_key_pem.bytes().decode(),
}


@dataclass(frozen=True)
class Entry:
    """A file of the catalog: the body of a create, and what belongs to the file alone."""

    path: Path
    version: str
    documentation: dict[str, str]
    body: dict[str, Any]
    reviewed: str | None

    @property
    def slug(self) -> str:
        return str(self.body["slug"])

    @property
    def steps(self) -> list[dict[str, Any]]:
        steps: list[dict[str, Any]] = self.body["manifest"]["checks"]["steps"]
        return steps


def read(path: Path) -> Entry:
    body = json.loads(path.read_text())
    reviewed = body.pop("reviewed", None)
    return Entry(path, body.pop("version"), body.pop("documentation"), body, reviewed)


ENTRIES: Final = [read(path) for path in FILES]
each_entry: Final = pytest.mark.parametrize(
    "entry", ENTRIES, ids=[entry.path.stem for entry in ENTRIES]
)


def new_integration(entry: Entry) -> NewIntegration:
    return NewIntegration.model_validate(entry.body | {"workspaceId": "a-space"})


def draft_of(entry: Entry) -> Integration:
    """The draft that a create makes of the entry."""
    return Integration.draft_of(
        new_integration(entry),
        id=new_id("int", NOW),
        organization_id=new_id("org", NOW),
        created_by="a-test",
        at=NOW,
    )


def sample_variables(entry: Entry, schema: Mapping[str, Any]) -> dict[str, object]:
    samples = SAMPLES | SAMPLES_OF_ENTRY.get(entry.slug, {})
    return {
        name: rule["default"]
        if "default" in rule
        else rule["enum"][0]
        if "enum" in rule
        else samples[name]
        for name, rule in schema["properties"].items()
    }


def plan_of(entry: Entry) -> Plan:
    """The plan of a test of an endpoint that gives a value for everything it is asked for."""
    draft = draft_of(entry)
    recipe = recipe_of_draft(draft)
    return recipe.plan(
        sample_variables(entry, draft.variables_schema),
        {name: SECRETS_IN_PEM.get(name, SECRET) for name in recipe.secret_names},
    )


def test_there_are_thirty_providers_or_more() -> None:
    assert len({entry.body["publisher"] for entry in ENTRIES}) >= 30


def test_no_two_entries_are_the_same_integration() -> None:
    keys = Counter((entry.body["publisher"], entry.slug) for entry in ENTRIES)
    assert [key for key, count in keys.items() if count > 1] == []


def test_every_category_has_a_provider() -> None:
    assert {entry.slug for entry in ENTRIES} == set(PROVIDERS)
    assert {provider.category for provider in PROVIDERS.values()} == CATEGORIES
    declared = {entry.slug: entry.body["manifest"]["category"] for entry in ENTRIES}
    assert declared == {slug: provider.category for slug, provider in PROVIDERS.items()}


@each_entry
def test_an_entry_is_the_body_of_a_create(entry: Entry) -> None:
    new = new_integration(entry)
    assert (new.trust_tier, new.visibility) == (TrustTier.COMMUNITY, Visibility.PUBLIC)
    assert new.description


@each_entry
def test_an_entry_can_be_published(entry: Entry) -> None:
    assert draft_problems(draft_of(entry)) == []
    assert Version.is_valid(entry.version)


@each_entry
def test_a_file_is_named_for_its_slug(entry: Entry) -> None:
    assert entry.path.name == f"{entry.slug}.json"


@each_entry
def test_an_entry_names_the_documentation_of_its_provider(entry: Entry) -> None:
    # given
    places = PROVIDERS[entry.slug].documentation

    # when
    pages = [urlsplit(page) for page in entry.documentation.values()]

    # then
    assert pages
    for page in pages:
        assert page.scheme == "https"
        assert f"{page.netloc}{page.path}".startswith(tuple(f"{place}/" for place in places))


@each_entry
def test_an_entry_says_which_page_each_of_its_facts_is_from(entry: Entry) -> None:
    facts = {"authentication", *(step["name"] for step in entry.steps)}
    assert facts - entry.documentation.keys() == set()
    assert "scopes" in entry.documentation or entry.body["authConfig"]["type"] != "oauth2"


@each_entry
def test_an_entry_begins_with_a_gate_that_has_to_pass(entry: Entry) -> None:
    first = entry.steps[0]
    assert (first["category"], first["mandatory"]) == ("gate", True)


@each_entry
def test_a_capability_that_is_refused_is_no_broken_connection(entry: Entry) -> None:
    capabilities = [step for step in entry.steps if step["category"] == "capability"]
    assert not any(step.get("mandatory") for step in capabilities)
    assert {step["capability"] for step in capabilities} <= set(
        entry.body["manifest"]["capabilities"]
    )


@each_entry
def test_an_oauth_integration_says_which_scopes_it_asks_for(entry: Entry) -> None:
    auth_config = entry.body["authConfig"]
    if auth_config["type"] == "oauth2":
        assert bool(auth_config.get("scopes")) is (entry.slug not in WITHOUT_SCOPES)


@each_entry
def test_the_samples_are_what_an_entry_asks_for(entry: Entry) -> None:
    schema = entry.body["variablesSchema"]
    assert DocumentSchema(schema).problems(sample_variables(entry, schema), "/variables") == []


@each_entry
def test_an_entry_with_all_its_values_has_a_plan(entry: Entry) -> None:
    plan = plan_of(entry)
    assert plan.problems == ()
    assert [step.name for step in plan.steps] == [step["name"] for step in entry.steps]


@each_entry
def test_the_first_gate_proves_access(entry: Entry) -> None:
    assert plan_of(entry).steps[0].compiled.proves_access


@each_entry
def test_requests_are_encrypted_and_go_where_checks_may_dial(entry: Entry) -> None:
    # when
    probes = [step.compiled.probe for step in plan_of(entry).steps]

    # then
    targets = [probe.request.target for probe in probes if isinstance(probe, HttpProbe)]
    assert {target.scheme for target in targets} <= {"https"}
    assert all(may_dial("http", target.port) for target in targets)


@each_entry
def test_requests_only_read(entry: Entry) -> None:
    # A query of GraphQL changes nothing, and publishing refuses a mutation.
    posts = {
        step["request"]["url"]
        for step in entry.steps
        if step.get("request", {}).get("method", "GET") not in ("GET", "HEAD")
        and "graphql" not in step["request"].get("body", {})
    }
    assert posts <= POSTS_THAT_READ


def test_make_logs_knows_every_function() -> None:
    root = FILES[0].parents[1]
    files = {path.stem for path in (root / "functions").glob("*.py")}
    assert set(functions((root / "template.yaml").read_text())) == files
