"""The kind `postgres`: a PostgreSQL server lets the user in and answers a query.

```json
{"name": "database", "kind": "postgres",
 "host": "{{variables.host}}", "port": "{{variables.port}}",
 "database": "{{variables.database}}", "user": "{{variables.user}}",
 "password": "{{secrets.password}}", "tls": "verify-full",
 "statement": "SELECT 1 FROM invoices LIMIT 1", "options": {"search_path": "billing"}}
```

- `port` defaults to 5432.
- `tls` is `verify-full` (the default: a certificate of a public authority for this host) or
  `require` (any certificate). There is no way to go without, and none back to clear text. The
  password is proved by SCRAM-SHA-256, with channel binding where the server offers it; asked for in
  the clear or as MD5 it is given within `verify-full` only.
- `statement` is one SELECT, WITH, VALUES, TABLE or SHOW; it runs in a READ ONLY transaction with a
  time limit, its rows are not read. Without one, the step asks who it is.
- `options` may set `application_name` and `search_path`. A host that is a path or a list, and a
  database that is a connection string, are refused: libraries read files and dial elsewhere for
  such values.

Passing proves access if the server asked for the password. The account is `user@database`, as the
server has it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, get_args

from patchbay.checks.credentials import Credential
from patchbay.checks.probe import Compiled, Outcome
from patchbay.checks.problems import ManifestProblems
from patchbay.checks.server_address import Service, ServiceTemplate
from patchbay.checks.templates import (
    Declared,
    Parts,
    Placeholder,
    TemplateError,
    ValueRefused,
    Values,
    placeholders_of,
    split_template,
)
from patchbay.egress.timings import DialTimings
from patchbay.platform.errors import Problem

if TYPE_CHECKING:
    from patchbay.egress.guard import EgressGuard

type TlsMode = Literal["verify-full", "require"]

DEFAULT_PORT: Final = 5432
TLS_MODES: Final[tuple[TlsMode, ...]] = get_args(TlsMode.__value__)
OPTIONS: Final = frozenset({"application_name", "search_path"})
MAX_STATEMENT: Final = 1000
MAX_VALUE: Final = 256
_READS: Final = re.compile(r"\s*(?:select|with|values|table|show)\b[^;\0]*;?\s*", re.IGNORECASE)
# What libpq and the libraries on it take for a socket's folder, a list, or a connection string.
_NO_PLAIN_HOST: Final = re.compile(r"[/@,=\\]")
_CONNECTION_STRING: Final = re.compile(r"=|://")


@dataclass(frozen=True, slots=True)
class PostgresProbe:
    """A login and a query, ready to be made."""

    service: Service
    user: str
    database: str
    password: str = field(repr=False)
    tls: TlsMode
    statement: str | None
    options: tuple[tuple[str, str], ...]
    database_pointer: str | None
    user_pointer: str | None

    async def run(self, guard: "EgressGuard", *, deadline: float, timings: DialTimings) -> Outcome:
        # Publishing and compiling need this module too, without an event loop or scramp.
        from patchbay.checks.postgres_probe import run_postgres

        return await run_postgres(self, guard, deadline=deadline, timings=timings)


@dataclass(frozen=True, slots=True)
class PostgresTemplate:
    service: ServiceTemplate
    user: Parts
    database: Parts
    password: Placeholder
    tls: TlsMode
    statement: str | None
    options: tuple[tuple[str, Parts], ...]

    def placeholders(self) -> Iterator[Placeholder]:
        yield from self.service.placeholders()
        for parts in (self.user, self.database, *(value for _, value in self.options)):
            yield from placeholders_of(parts)
        yield self.password

    def destination(self, values: Values) -> str:
        service = self._service(values)
        user = _text(self.user, values)
        return f"postgres://{user}@{service.host}:{service.port} {self.tls}"

    def compile(self, values: Values) -> Compiled:
        service = self._service(values)
        password = values.text(self.password)
        if "\0" in password:
            raise ValueRefused(self.password.pointer, "has a character that can't be sent")
        return Compiled(
            probe=PostgresProbe(
                service,
                _text(self.user, values),
                self._database(values),
                password,
                self.tls,
                self.statement,
                tuple((name, _text(value, values)) for name, value in self.options),
                _pointer(self.database),
                _pointer(self.user),
            ),
            proves_access=True,
            host_pointer=self.service.host.pointer,
            credential_pointer=self.password.pointer,
        )

    def _service(self, values: Values) -> Service:
        for placeholder in placeholders_of(self.service.host.parts):
            if _NO_PLAIN_HOST.search(values.text(placeholder)):
                raise _option(placeholder.pointer, "must be one host, no path, list or options")
        return self.service.fill(values)

    def _database(self, values: Values) -> str:
        database = _text(self.database, values)
        if _CONNECTION_STRING.search(database):
            raise _option(
                _pointer(self.database) or "/variables", "must be a name, not a connection string"
            )
        return database


class PostgresKind:
    """Reads postgres steps."""

    keys = frozenset(
        {"host", "port", "database", "user", "password", "tls", "statement", "options"}
    )
    provides = frozenset[str]()

    def read(
        self,
        step: Mapping[str, object],
        pointer: str,
        declared: Declared,
        credential: Credential | None,  # noqa: ARG002 - it is for HTTP
    ) -> PostgresTemplate:
        problems: list[Problem] = []
        service = password = None
        try:
            service = ServiceTemplate.read(step, pointer, declared, default_port=DEFAULT_PORT)
        except ManifestProblems as error:
            problems += error.problems
        texts: dict[str, Parts] = {}
        for key in ("user", "database"):
            try:
                texts[key] = _template(step.get(key), declared)
            except TemplateError as error:
                problems.append(Problem(f"{pointer}/{key}", str(error)))
        try:
            password = _secret(step.get("password"), declared)
        except TemplateError as error:
            problems.append(Problem(f"{pointer}/password", str(error)))
        tls = next((m for m in TLS_MODES if m == step.get("tls", "verify-full")), None)
        if tls is None:
            problems.append(Problem(f"{pointer}/tls", f"must be one of {', '.join(TLS_MODES)}"))
        statement = step.get("statement")
        if statement is not None and not _is_read(statement):
            problems.append(
                Problem(
                    f"{pointer}/statement",
                    f"must be one SELECT, WITH, VALUES, TABLE or SHOW of at most {MAX_STATEMENT} "
                    "characters",
                )
            )
        options = self._options(step.get("options", {}), f"{pointer}/options", declared, problems)
        if problems or service is None or password is None or tls is None:
            raise ManifestProblems(problems)
        return PostgresTemplate(
            service,
            texts["user"],
            texts["database"],
            password,
            tls,
            statement if isinstance(statement, str) else None,
            options,
        )

    def _options(
        self, options: object, at: str, declared: Declared, problems: list[Problem]
    ) -> tuple[tuple[str, Parts], ...]:
        if not isinstance(options, dict):
            problems.append(Problem(at, "must be an object"))
            return ()
        read = []
        for name, value in options.items():
            if name not in OPTIONS:
                problems.append(Problem(f"{at}/{name}", "is not an option that a check may set"))
                continue
            try:
                read.append((name, _template(value, declared)))
            except TemplateError as error:
                problems.append(Problem(f"{at}/{name}", str(error)))
        return tuple(read)


def _template(text: object, declared: Declared) -> Parts:
    if not isinstance(text, str) or not text or len(text) > MAX_VALUE or not text.isprintable():
        raise TemplateError(f"must be a text of 1 to {MAX_VALUE} characters")
    parts = split_template(text, declared)
    if any(placeholder.source == "secrets" for placeholder in placeholders_of(parts)):
        raise TemplateError("can't have a secret")
    return parts


def _secret(text: object, declared: Declared) -> Placeholder:
    parts = split_template(text, declared) if isinstance(text, str) else ()
    if len(parts) == 1 and isinstance(parts[0], Placeholder) and parts[0].source == "secrets":
        return parts[0]
    raise TemplateError("must be one {{secrets.name}}")


def _is_read(statement: object) -> bool:
    return (
        isinstance(statement, str)
        and len(statement) <= MAX_STATEMENT
        and _READS.fullmatch(statement) is not None
    )


def _text(parts: Parts, values: Values) -> str:
    text = "".join(part if isinstance(part, str) else values.text(part) for part in parts)
    if not text.isprintable() or not 0 < len(text) <= MAX_VALUE:
        raise ValueRefused(
            _pointer(parts) or "/variables",
            f"must be 1 to {MAX_VALUE} printable characters",
        )
    return text


def _pointer(parts: Parts) -> str | None:
    return next((placeholder.pointer for placeholder in placeholders_of(parts)), None)


def _option(pointer: str, message: str) -> ValueRefused:
    return ValueRefused(pointer, message, "egress_blocked", detail="option")
