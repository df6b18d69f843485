"""Publisher names that are well known: only the operator may use them first, or assign them.

A publisher name is all that tells a user of the catalog who made an integration. So a name is also
reserved if it only looks like one of these, or adds a word that says nothing: `g1thub`, `git-hub`,
`stripe-official`. An organization that already owns a name keeps it.

The names are the publishers of `catalog/`, which a test compares, and services of the same kind.
"""

import re
from collections.abc import Iterator
from typing import Final

_CATALOG_AND_ALIKE: Final = """
adobe adyen airbyte airtable algolia amazon amazonaws amplitude anthropic apple asana atlassian
auth0 aws azure bamboohr basecamp bigcommerce bigquery bitbucket braintree braze calendly
chargebee circleci clickhouse clickup cloudflare cohere confluence confluent contentful
databricks datadog deepseek digitalocean discord docker docusign dropbox elasticsearch facebook
figma firebase fivetran freshdesk freshworks gemini github gitlab gmail google grafana
greenhouse heroku hubspot huggingface instagram intercom intuit jira kafka klaviyo kubernetes
launchdarkly linkedin lookerstudio magento mailchimp mailgun mariadb marketo microsoft
microsoft365 mistral mixpanel mongodb mysql netlify netsuite newrelic notion office365 okta
onedrive openai opsgenie oracle outlook pagerduty patchbay paypal perplexity pinecone pipedrive
plaid postgres postgresql postmark powerbi quickbooks rabbitmq razorpay reddit redis salesforce
salesloft sap segment sendgrid sentry servicenow sharepoint shopify slack smtp snowflake splunk
spotify sqlserver square statuspage stripe supabase surveymonkey tableau telegram tiktok trello
twilio twitter typeform vercel weaviate whatsapp woocommerce wordpress workday xero youtube
zapier zendesk zoho zoom
"""
NAMES: Final = frozenset(_CATALOG_AND_ALIKE.split())

_SAYS_NOTHING: Final = """
ai api app by co com corp dev for get hq inc integration integrations io labs llc ltd net
official org real support team the try use verified
"""
"""Words around a name that say nothing of who is meant."""

_ALIKE: Final = str.maketrans("0123456789i", "olzeasgtbgl")
"""Characters of the pattern that look like letters, and the letters. The pattern has no others: no
capitals, no accents, no other scripts."""

_ALIKE_PAIRS: Final = (("rn", "m"), ("vv", "w"), ("cl", "d"))
_TRAILING_DIGITS: Final = re.compile(r"[0-9]+$")


def is_reserved(publisher: str) -> bool:
    """Whether a name of the pattern of publishers is one of these, or looks like one."""
    return any(form in _RESERVED for form in _forms(publisher))


def _look(name: str) -> str:
    """The same for names that look alike: without hyphens, each character as what it looks like."""
    look = name.replace("-", "").translate(_ALIKE)
    for pair, letter in _ALIKE_PAIRS:
        look = look.replace(pair, letter)
    return look


def _forms(publisher: str) -> Iterator[str]:
    """How a name looks, as it is and without what says nothing at its ends."""
    waiting = {_look(publisher), _look(_TRAILING_DIGITS.sub("", publisher))}
    seen: set[str] = set()
    while waiting:
        form = waiting.pop()
        seen.add(form)
        yield form
        shorter = {form.removeprefix(word) for word in _AFFIXES}
        shorter |= {form.removesuffix(word) for word in _AFFIXES}
        waiting |= shorter - seen


_RESERVED: Final = frozenset(map(_look, NAMES))
_AFFIXES: Final = tuple(map(_look, _SAYS_NOTHING.split()))
