"""Publisher names that are well known: only the operator may use them first, or assign them.

A publisher name is all that tells a user of the catalog who made an integration. So a name is also
reserved if it only looks like one of these, has one as a word, or adds a word that says nothing:
`g1thub`, `git-hub`, `stripes`, `stripe-payments`, `getslack`. What is refused too much, the
operator can assign. An organization that already owns a name keeps it.

The names are the publishers of `catalog/`, which a test compares, and services of the same kind.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import combinations, groupby
from typing import Final

_CATALOG_AND_ALIKE: Final = """
ably adobe adyen airbyte airtable algolia amazon amazonaws amplitude anthropic apify apple asana
atlassian auth0 aws azure bamboohr basecamp betterstack bigcommerce bigquery bitbucket box
braintree braze brevo buildkite calendly canva chargebee checkly circleci clerk clickhouse
clickup cloudflare cohere confluence confluent contentful databricks datadog deepgram deepl
deepseek digitalocean discord dnsimple docker docusign dropbox easypost elasticsearch elevenlabs
facebook fastly figma firebase fivetran freshdesk freshworks gemini github gitlab gmail
gocardless google grafana greenhouse heroku hetzner honeycomb hubspot huggingface instagram
intercom intuit jira kafka klaviyo knock kubernetes launchdarkly linear linkedin linode logzio
lookerstudio magento mailchimp mailgun mariadb marketo mastodon meilisearch microsoft
microsoft365 miro mistral mixpanel mollie mongodb mysql netlify netsuite newrelic notion
office365 okta onedrive openai opsgenie oracle outlook pagerduty patchbay paypal perplexity
pinecone pingdom pinterest pipedrive plaid postgres postgresql postmark powerbi quickbooks
rabbitmq razorpay recurly reddit redis render resend salesforce salesloft sap segment sendgrid
sentry servicenow sharepoint shippo shopify shortcut slack smtp snowflake snyk splunk spotify
sqlserver square statuspage stripe supabase surveymonkey tableau telegram tiktok todoist trello
turso twilio twitch twitter typeform typesense upstash vercel vultr weaviate webflow whatsapp
woocommerce wordpress workday workos x xero youtube zapier zendesk zoho zoom
"""
NAMES: Final = frozenset(_CATALOG_AND_ALIKE.split())

_SAYS_NOTHING: Final = """
account accounts addon ai alpha api apis app apps auth beta billing bot by certified client cloud co
com company connect connector connectors corp de dev developer developers enterprise eu for free
genuine get global gmbh group help hq inc integration integrations international io labs limited
live llc login ltd my net new official online or org original own partner partners pay payment
payments platform plugin plugins plus pro real sdk secure security service services shop sign site
software solutions sso status store support sync systems team tech test the tools trusted try uk us
use user verified web with www your
"""
"""Words around a name that say nothing of who is meant."""

_ANYWHERE: Final = 6
"""Looks of so many letters are found within other names too: `mystripepay`. Shorter ones are parts
of ordinary words, as `sap` is."""

_ALIKE: Final = str.maketrans("0123456789giq", "olzeasbtbbblb")
"""Characters of the pattern that look like letters, and the letters. The pattern has no others: no
capitals, no accents, no other scripts. 6 looks like b, and 9 like g, so b and g are one."""

_ALIKE_PAIRS: Final = (("rn", "m"), ("vv", "w"), ("cl", "d"))
_LIKE_CAPITALS: Final = re.compile("CHEROKEE|LISU|DESERET|OLD ITALIC|CARIAN|LYCIAN|LYDIAN")
_PUNYCODE: Final = re.compile("xn--(([a-z0-9]+)(?:-[a-z0-9]+)?)")
"""With the ASCII letters that a word may begin with, or with the next word, and without."""
_DIGITS: Final = "0123456789"


def is_reserved(publisher: str) -> bool:
    """Whether the key of a publisher is one of these, or looks like one."""
    words = publisher.split("-")
    return (
        _looks_like_capitals(publisher)
        or _has_reserved("".join(words))
        or any(map(_has_reserved, words))
        or any(_once(_look(run)) in _RESERVED for run in _runs(words))
    )


def _looks_like_capitals(publisher: str) -> bool:
    """Whether a word of it is in a script that can write any name in what look like Latin capitals.
    Whose name that is can't be seen."""
    return any(
        _LIKE_CAPITALS.match(unicodedata.name(letter, ""))
        for readings in _PUNYCODE.findall(publisher)
        for word in readings
        for letter in _decoded(word)
    )


def _decoded(word: str) -> str:
    try:
        return word.encode().decode("punycode")
    except UnicodeError:
        return ""


def _look(name: str) -> str:
    """The same for names that look alike: each character as what it looks like."""
    look = name.translate(_ALIKE)
    for pair, letter in _ALIKE_PAIRS:
        look = look.replace(pair, letter)
    return look


def _once(look: str) -> str:
    """With each letter once where it is repeated."""
    return "".join(letter for letter, _ in groupby(look))


def _runs(words: Sequence[str]) -> Iterator[str]:
    """Words that follow each other, written as one, with and without the numbers around them."""
    for first, end in combinations(range(len(words) + 1), 2):
        run = "".join(words[first:end])
        yield run
        yield run.strip(_DIGITS)


def _has_reserved(text: str) -> bool:
    """Whether a text without hyphens has a reserved name in it, or is one between words that say
    nothing."""
    once = _once(_look(text))
    if any(name in once for name in _FOUND_ANYWHERE):
        return True
    return any(
        _once(between) in _RESERVED
        for plain in (text, text.strip(_DIGITS))
        for between in _between_words(_look(plain))
    )


def _between_words(look: str) -> Iterator[str]:
    """The text, and what is left of it without words that say nothing at both ends."""
    starts = _ends_of_words(look, _AFFIXES)
    ends = [len(look) - n for n in _ends_of_words(look[::-1], _BACKWARDS)]
    for start in starts:
        for end in ends:
            yield look[start:end]


def _ends_of_words(look: str, words: Sequence[str]) -> list[int]:
    """The places up to which the text is nothing but these words, its beginning included."""
    ends = [0]
    for end in ends:  # which grows meanwhile
        found = (end + len(word) for word in words if look.startswith(word, end))
        ends += dict.fromkeys(n for n in found if n not in ends)
    return ends


_RESERVED: Final = frozenset(_once(_look(name)) for name in NAMES)
_FOUND_ANYWHERE: Final = frozenset(name for name in _RESERVED if len(name) >= _ANYWHERE)
_AFFIXES: Final = tuple(map(_look, [*_SAYS_NOTHING.split(), "s"]))
_BACKWARDS: Final = tuple(word[::-1] for word in _AFFIXES)
