"""`capture`: variables that a provider fills in while an account is connected. Pure.

```json
{"callback": {"realmId": "realm_id",
              "accounts-server": {"variable": "accounts_server", "hosts": ["accounts.zoho.com"]}},
 "tokenResponse": {"/instance_url": {"variable": "instance", "hosts": ["*.salesforce.com"]}}}
```

What comes with a callback has passed through a browser, so anyone may have written it. A variable
that can be a whole host (`"format": "hostname"` or `"uri"`) is captured only if it is one of the
`hosts`; a name that begins with `*.` stands for all names below it that belong to the owner of the
domain. Neither `*.co.uk` nor `*.s3.amazonaws.com` has one: a stranger may have a name there. A
captured variable that is less than a host may not be a scheme or a port, and the host around it
must end with a domain that the author wrote, and that has an owner. A number of an answer is
captured as its text, so the variable is a string.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from patchbay.checks.json_pointer import MISSING, is_pointer, resolve
from patchbay.checks.step_reader import StepReader
from patchbay.checks.templates import Declarations, Placeholder, ValueRefused, Values
from patchbay.egress.failures import EgressBlocked
from patchbay.egress.public_suffixes import is_below_own_domain, is_own_domain
from patchbay.egress.url import DEFAULT_PORTS, literal_address, parse_host, parse_url
from patchbay.platform.validation import pointer

MAX_CAPTURES: Final = 10
MAX_HOSTS: Final = 50
MAX_VALUE: Final = 1024
"""Characters of a captured value."""

type CaptureForm = Literal["text", "hostname", "uri"]

_MARK: Final = "pb-captured"
_ANY: Final = "*."
_KEYS: Final = frozenset({"variable", "hosts"})


@dataclass(frozen=True, slots=True)
class Capture:
    """One variable, and where it comes from: a parameter, or a JSON Pointer."""

    source: str
    variable: str
    form: CaptureForm = "text"
    hosts: tuple[str, ...] = ()

    @property
    def pointer(self) -> str:
        return Placeholder("variables", self.variable).pointer

    def value(self, raw: object) -> str:
        """The value of the variable. Raises ValueRefused, which never has the value."""
        if isinstance(raw, bool) or not isinstance(raw, str | int | float):
            raise ValueRefused(self.pointer, "is not a string or a number")
        text = str(raw)
        if not 0 < len(text) <= MAX_VALUE or not text.isprintable():
            raise ValueRefused(self.pointer, "is empty, too long, or not printable")
        if self.form == "text":
            return text
        return self._place(text)

    def _place(self, text: str) -> str:
        try:
            if self.form == "hostname" and "://" not in text:
                return self._allowed(parse_host(text))
            url = parse_url(text)
        except EgressBlocked as error:
            raise ValueRefused(self.pointer, "is not a host, or an https URL of one") from error
        host = self._allowed(url.host)
        if url.scheme != "https" or url.port != DEFAULT_PORTS["https"] or "?" in url.path:
            raise ValueRefused(self.pointer, "is not an https URL without port and query")
        return host if self.form == "hostname" else url.address + url.path.rstrip("/")

    def _allowed(self, host: str) -> str:
        for pattern in self.hosts:
            if host == pattern or (
                pattern.startswith(_ANY) and is_below_own_domain(host, pattern.removeprefix(_ANY))
            ):
                return host
        raise ValueRefused(self.pointer, "is not one of the hosts that the integration allows")


def captured(captures: Iterable[Capture], document: object) -> Iterator[tuple[str, str]]:
    """The variables that a document has at their pointers; others are left out.

    Raises ValueRefused.
    """
    for capture in captures:
        raw = resolve(document, capture.source)
        if raw is not MISSING and raw not in (None, ""):
            yield capture.variable, capture.value(raw)


def unlimited(captures: Iterable[Capture]) -> frozenset[str]:
    """The captured variables that no list of hosts limits."""
    return frozenset(capture.variable for capture in captures if not capture.hosts)


def read_captures(
    reader: StepReader, at: str, spec: object, *, are_pointers: bool
) -> tuple[Capture, ...]:
    """The captures of an object at `at`. Problems are reported."""
    members = reader.members(at, spec)
    if members is None:
        return ()
    if len(members) > MAX_CAPTURES:
        reader.report(at, f"has more than {MAX_CAPTURES} variables")
        return ()
    found = []
    for source, target in members.items():
        here = f"{at}{pointer([source])}"
        if are_pointers and not (source and is_pointer(source)):
            reader.report(here, "is not a JSON Pointer")
        elif not are_pointers and not is_parameter_name(source):
            reader.report(here, "is not a name of a parameter")
        elif capture := _read_one(reader, here, source, target):
            found.append(capture)
    return tuple(found)


def is_parameter_name(name: object) -> bool:
    """Whether it can be the name of a parameter: 1 to 64 characters of visible ASCII."""
    return isinstance(name, str) and 0 < len(name) <= 64 and all("!" <= c <= "~" for c in name)


def _read_one(reader: StepReader, at: str, source: str, target: object) -> Capture | None:
    spec = {"variable": target} if isinstance(target, str) else target
    members = reader.members(at, spec, _KEYS)
    if members is None:
        return None
    name = members.get("variable")
    if not isinstance(name, str) or name not in reader.declared.variables:
        reader.report(at, "must name a variable that variablesSchema declares")
        return None
    if "string" not in reader.declared.types.get(name, ("string",)):
        reader.report(at, "must name a variable of the type string: what is captured is a string")
        return None
    form: CaptureForm = "text"
    if name in reader.declared.hostnames:
        form = "hostname"
    elif name in reader.declared.urls:
        form = "uri"
    if form == "text":
        if "hosts" in members:
            reader.report(f"{at}/hosts", 'needs a variable of "format": "hostname" or "uri"')
        return Capture(source, name)
    hosts = members.get("hosts")
    if (
        not isinstance(hosts, list)
        or not 0 < len(hosts) <= MAX_HOSTS
        or not all(map(_is_host_pattern, hosts))
    ):
        reader.report(
            f"{at}/hosts" if "hosts" in members else at,
            f"must have a list of 1 to {MAX_HOSTS} hosts, such as accounts.example.com or "
            "*.example.com, that the variable may be",
        )
        return None
    for index, host in enumerate(hosts):
        if host.startswith(_ANY) and not is_own_domain(host.lower().removeprefix(_ANY)):
            reader.report(
                f"{at}/hosts/{index}",
                "allows names of strangers: anybody can get one below this domain. Use a domain of "
                "the provider's own, or list full names",
            )
    return Capture(source, name, form, tuple(host.lower() for host in hosts))


def _is_host_pattern(pattern: object) -> bool:
    """Whether it is a full name, or `*.` and the name of a domain, as a canonical host."""
    if not isinstance(pattern, str):
        return False
    domain = pattern.removeprefix(_ANY)
    try:
        host = parse_host(domain)
    except EgressBlocked:
        return False
    return host == domain.lower() and "." in pattern and literal_address(host) is None


def place_problem(
    place: Callable[[Values], str], names: frozenset[str], declared: Declarations
) -> str | None:
    """Why the captured variables `names`, which are less than a host, can't decide this place.

    `place` gives `scheme://host:port` for values. It is tried with samples.
    """
    for text in ("x", "https"):
        values: dict[str, object] = {}
        for name in declared.variables:
            values[name] = _MARK if name in names else _sample(name, declared, text)
        try:
            found = place(Values(values, {}))
        except ValueRefused:
            continue
        _, mark, tail = found.rpartition(":")[0].rpartition(_MARK)
        if mark and not is_own_domain(tail.partition(".")[2]):
            return "has a captured variable in a host that does not end with a domain of your own"
        return None
    return "has a captured variable as its scheme or port"


def _sample(name: str, declared: Declarations, text: str) -> object:
    if name in declared.hostnames:
        return "x.example.com"
    if name in declared.urls:
        return "https://x.example.com"
    return 1 if "integer" in declared.types.get(name, ()) else text
