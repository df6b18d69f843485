"""Writes the page of each integration in `catalog/`, and their index, to `docs/catalog/`.

    python -m local.catalog_pages            write docs/catalog/
    python -m local.catalog_pages --check    exit 1 if a page is out of date

A page says what a customer enters, how the integration authenticates, what its test asks of the
provider, and from which page of the provider's documentation each of these is.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final

from patchbay_cli.definition_files import DefinitionFile

from local.paths import LAYER, ROOT
from local.publishing import catalog_files
from local.written_files import settle

PAGES: Final = ROOT / "docs/catalog"
_NOTE: Final = (
    "<!-- Written by `make catalog-pages` from catalog/. Edit the entry, not this page. -->"
)
_OAUTH: Final = (
    "authorizationUrl",
    "tokenUrl",
    "refreshUrl",
    "revocationUrl",
    "scopes",
    "scopeSeparator",
    "authorizationParams",
    "tokenParams",
    "refreshParams",
    "grantType",
    "clientAuth",
    "tokenBodyFormat",
    "pkce",
    "stateInExchange",
    "redirectUriInRefresh",
    "capture",
    "lookup",
    "tokenResponse",
    "defaultExpiresIn",
)


def pages(entries: list[DefinitionFile]) -> dict[str, str]:
    """The text of each page, by its file name."""
    written = {f"{entry.definition['slug']}.md": "\n".join(_page(entry)) for entry in entries}
    return {"README.md": "\n".join(_index(entries)), **written}


def _index(entries: list[DefinitionFile]) -> Iterator[str]:
    yield from (_NOTE, "", "# The catalog", "")
    publishers = {entry.definition["publisher"] for entry in entries}
    yield f"{len(entries)} integrations of {len(publishers)} providers. The page of each links the"
    yield "provider's own documentation of its facts. None was tried with an account of a provider:"
    yield "please report what differs. None is made or endorsed by its provider: all are of the"
    yield "tier `community`."
    yield ""
    yield from _reviews(entries)
    by_category = defaultdict(list)
    for entry in entries:
        by_category[entry.definition["manifest"]["category"]].append(entry)
    for category, members in sorted(by_category.items()):
        yield from (
            "",
            f"## {category}",
            "",
            "| integration | key | authentication | reviewed |",
            "|---|---|---|---|",
        )
        for entry in sorted(members, key=lambda one: str(one.definition["name"]).lower()):
            definition = entry.definition
            link = f"[{definition['name']}]({definition['slug']}.md)"
            how, when = definition["authConfig"]["type"], entry.reviewed or "no"
            yield f"| {link} | `{entry.key}` | {how} | {when} |"
    yield ""


def _reviews(entries: list[DefinitionFile]) -> Iterator[str]:
    days = sorted(entry.reviewed for entry in entries if entry.reviewed)
    count = f"{len(days)} of {len(entries)}"
    when = f" from {days[0]} to {days[-1]}" if days else ""
    if days and days[0] == days[-1]:
        when = f" on {days[0]}"
    yield f"{count} were reviewed{when}: how they authenticate and every request"
    yield "of their checks were read in what the provider itself publishes: its documentation, its"
    yield "description of its API or a copy of it, or its own client. The facts of the others were"
    yield "not checked since they were written."


def _page(entry: DefinitionFile) -> Iterator[str]:
    definition = entry.definition
    manifest, auth = definition["manifest"], definition["authConfig"]
    yield from (_NOTE, "", f"# {definition['name']}", "", definition["description"], "")
    yield from ("| | |", "|---|---|")
    yield f"| key, version | `{entry.key}`, {entry.version} |"
    yield f"| category | {manifest['category']} |"
    yield f"| trust tier | {definition.get('trustTier', 'community')} |"
    yield f"| reviewed | {entry.reviewed or 'not since it was written'} |"
    yield f"| capabilities | {', '.join(manifest.get('capabilities', [])) or 'none'} |"
    yield from ("", "## What a customer enters", "")
    yield from _fields(definition)
    yield from ("", "## Authentication", "")
    yield from _authentication(auth)
    yield from ("", "## What a test asks", "")
    for number, step in enumerate(manifest["checks"]["steps"], 1):
        yield from _step(number, step)
    yield from ("", "## Sources", "", "| for | page |", "|---|---|")
    for fact, link in entry.documentation.items():
        yield f"| {fact} | <{link}> |"
    yield ""


def _fields(definition: Mapping[str, Any]) -> Iterator[str]:
    schema = definition["variablesSchema"]
    rows = [
        (name, "variable", rule, name in schema.get("required", ()))
        for name, rule in schema.get("properties", {}).items()
    ]
    declared = definition["manifest"].get("secretsSchema", {})
    from patchbay.checks.recipe import Recipe

    recipe = Recipe(definition["manifest"], definition["authConfig"], schema)
    rows += [
        (
            name,
            "secret",
            declared.get("properties", {}).get(name, {}),
            name in recipe.required_secrets,
        )
        for name in recipe.asked_secrets
    ]
    if not rows:
        yield "Nothing: an account is connected at the provider."
        return
    yield from ("| field | kind | required | |", "|---|---|---|---|")
    for name, kind, rule, required in rows:
        says = [rule.get("title"), rule.get("description")]
        if "default" in rule:
            says.append(f"Default: `{rule['default']}`.")
        text = ". ".join(part.rstrip(".") for part in says if part)
        yield f"| `{name}` | {kind} | {'yes' if required else 'no'} | {_cell(text)} |"


def _authentication(auth: Mapping[str, Any]) -> Iterator[str]:
    if auth["type"] == "none":
        yield "None in a header: the steps log in with the secrets above."
        return
    header = auth.get("authHeaderName", "Authorization")
    prefix = auth.get("authValuePrefix", "Bearer" if header == "Authorization" else "")
    if auth["type"] == "basic":
        parts = {
            name: auth.get(name, f"{{{{secrets.{name}}}}}") for name in ("username", "password")
        }
        yield f"HTTP Basic: `{json.dumps(parts, ensure_ascii=False)}`."
        return
    yield f"`{auth['type']}`, sent as `{' '.join(filter(None, [f'{header}:', prefix, '…']))}`."
    if auth["type"] != "oauth2":
        if auth.get("scopes"):
            yield f"It needs the scopes {_code(auth['scopes'])}."
    else:
        yield from ("", "| member | value |", "|---|---|")
        for member in _OAUTH:
            if member in auth:
                yield f"| `{member}` | {_cell(_code(auth[member]))} |"


def _step(number: int, step: Mapping[str, Any]) -> Iterator[str]:
    what = f"proves `{step['capability']}`" if "capability" in step else "has to pass"
    request = step.get("request")
    asks = f"kind `{step['kind']}`"
    if request:
        asks = f"`{request.get('method', 'GET')} {request['url']}`"
    yield f"{number}. **{step['name']}**, {what}: {asks}"


def _code(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(f"`{one}`" for one in value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"`{text}`" if text.strip() else "a space"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main(arguments: list[str]) -> int:
    """The command line."""
    sys.path.insert(0, str(LAYER))
    wanted = {PAGES / name: text for name, text in pages(catalog_files()).items()}
    return settle(
        wanted,
        "make catalog-pages",
        check="--check" in arguments,
        present=list(PAGES.glob("*.md")),
        name=lambda path: f"docs/catalog/{path.name}",
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
