"""SMTP (RFC 5321, RFC 4954): replies, the ways to log in, and what a refusal means. No I/O.

The server is treated as hostile: how much it may send is limited. Its reply codes are read, and its
words decide only between meanings of ours: they are never repeated.
"""

import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from patchbay.checks.codes import Code
from patchbay.checks.failures import CheckFailure
from patchbay.checks.word_meanings import codes_of_sentence

MAX_LINE: Final = 2048
"""Bytes of one line; RFC 5321 §4.5.3.1.5 asks for 512, extensions for more."""
MAX_LINES: Final = 100

CLIENT_NAME: Final = "[127.0.0.1]"
"""The name in EHLO: an address literal (RFC 5321 §4.1.3), as mail programs without a public name of
their own send it."""

_LINE: Final = re.compile(rb"([2-5][0-9]{2})([ -]|$)([^\r\n]*)\r?\n?")
_ENHANCED: Final = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}(?=\s|$)")
_MAX_WORDS: Final = 2000

type Stage = Literal["greeting", "hello", "starttls", "login", "sender"]
type Subject = Literal["host", "port", "user", "password", "from"]
type Mechanism = Literal["PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2", "OAUTHBEARER"]

PASSWORD_MECHANISMS: Final[tuple[Mechanism, ...]] = ("PLAIN", "LOGIN", "CRAM-MD5")
"""In the order in which they are chosen. Within verified TLS the simplest is the most reliable."""
TOKEN_MECHANISMS: Final[tuple[Mechanism, ...]] = ("OAUTHBEARER", "XOAUTH2")


@dataclass(frozen=True, slots=True)
class SmtpReply:
    """A reply of the server: its code, and the text of its lines."""

    code: int
    lines: tuple[str, ...]

    @property
    def words(self) -> str:
        return " ".join(self.lines)[:_MAX_WORDS]

    @property
    def enhanced(self) -> str:
        """The enhanced status code (RFC 3463), such as `5.7.8`; empty if there is none."""
        found = _ENHANCED.match(self.lines[0]) if self.lines else None
        return found[0] if found else ""

    def extensions(self) -> dict[str, tuple[str, ...]]:
        """Of an answer to EHLO: the keywords with their parameters, both in upper case."""
        found: dict[str, tuple[str, ...]] = {}
        for line in self.lines[1:]:
            # Some old servers write AUTH=LOGIN beside AUTH LOGIN.
            keyword, *parameters = line.upper().replace("AUTH=", "AUTH ").split() or [""]
            found[keyword] = (*found.get(keyword, ()), *parameters)
        return found


@dataclass(slots=True)
class ReplyReader:
    """Reads one reply from its lines. `reply` is set when its last line was fed."""

    reply: SmtpReply | None = None
    _code: int = 0
    _lines: list[str] = field(default_factory=list)

    def feed(self, line: bytes) -> None:
        """Raises CheckFailure."""
        found = _LINE.fullmatch(line)
        if not found or (self._code and int(found[1]) != self._code):
            raise not_smtp()
        self._code = int(found[1])
        self._lines.append(found[3].decode("utf-8", "replace").strip())
        if found[2] != b"-":
            self.reply = SmtpReply(self._code, tuple(self._lines))
        elif len(self._lines) >= MAX_LINES:
            raise CheckFailure("response_too_large", "The server sends more than a check reads.")


@dataclass(frozen=True, slots=True)
class Login:
    """What is logged in with: a password, or an access token."""

    user: str
    secret: str = field(repr=False)
    is_token: bool = False

    def mechanism(self, offered: Sequence[str]) -> Mechanism | None:
        """The one to use of those that the server offers."""
        known = TOKEN_MECHANISMS if self.is_token else PASSWORD_MECHANISMS
        return next((one for one in known if one in offered), None)

    def made(self, mechanism: Mechanism, host: str, port: int) -> str:
        """The initial response of PLAIN, XOAUTH2, and OAUTHBEARER (RFC 4616, RFC 7628), in
        Base64."""
        match mechanism:
            case "PLAIN":
                text = f"\0{self.user}\0{self.secret}"
            case "OAUTHBEARER":
                user = self.user.replace("=", "=3D").replace(",", "=2C")
                text = (
                    f"n,a={user},\x01host={host}\x01port={port}\x01"
                    f"auth=Bearer {self.secret}\x01\x01"
                )
            case _:
                text = f"user={self.user}\x01auth=Bearer {self.secret}\x01\x01"
        return _encoded(text)

    def answers(self, mechanism: Mechanism) -> Iterator[str]:
        """What is sent after each `334` of a mechanism that has several turns, but for CRAM-MD5."""
        if mechanism == "LOGIN":
            yield _encoded(self.user)
            yield _encoded(self.secret)

    def digest(self, challenge: str) -> str:
        """The answer to the challenge of CRAM-MD5 (RFC 2195). Raises CheckFailure."""
        try:
            data = b64decode(challenge, validate=True)
        except ValueError as error:
            raise not_smtp() from error
        return _encoded(f"{self.user} {hmac.new(self.secret.encode(), data, 'md5').hexdigest()}")


@dataclass(frozen=True, slots=True)
class SmtpMeaning:
    """The code of a refusal, what it means in our words, and what it is about."""

    code: Code
    text: str
    subject: Subject | None = None


@dataclass(frozen=True, slots=True)
class _Row:
    """`words` are in lower case; a row counts if its words are found, or its code or enhanced code
    is that of the reply."""

    meaning: SmtpMeaning
    words: tuple[str, ...] = ()
    codes: tuple[int | str, ...] = ()
    stages: tuple[Stage, ...] = ("login",)
    source: str = "https://www.rfc-editor.org/rfc/rfc4954#section-6"


_GOOGLE: Final = "https://support.google.com/a/answer/3726730"
_MICROSOFT: Final = (
    "https://learn.microsoft.com/exchange/clients-and-mobile-in-exchange-online/"
    "authenticated-client-smtp-submission"
)
_ROWS: Final = (
    _Row(
        SmtpMeaning("payment_required", "The account has nothing left to send with"),
        words=("maximum credits exceeded", "payment", "account is not paid"),
        stages=("login", "sender"),
        source="https://www.twilio.com/docs/sendgrid/for-developers/sending-email/smtp-errors-and-troubleshooting",
    ),
    _Row(
        SmtpMeaning("rate_limited", "The server limits how often it is called"),
        words=("throttl", "too many", "rate limit", "sending rate exceeded", "limit exceeded"),
        codes=("4.7.28",),
        stages=("greeting", "hello", "login", "sender"),
        source="https://docs.aws.amazon.com/ses/latest/dg/troubleshoot-smtp.html",
    ),
    _Row(
        SmtpMeaning(
            "permission_denied", "Logging in by SMTP is turned off for this account", "user"
        ),
        words=("is disabled for the tenant", "is disabled for the mailbox", "basic auth"),
        codes=("5.7.139", "5.7.30"),
        source=_MICROSOFT,
    ),
    _Row(
        SmtpMeaning("auth_invalid", "The server wants an app password, not that of the account"),
        words=("application-specific password", "app password"),
        codes=("5.7.9",),
        source=_GOOGLE,
    ),
    _Row(
        SmtpMeaning("account_locked", "The account has to be unlocked at the provider first"),
        words=("log in via your web browser", "account is locked", "account is suspended"),
        codes=("5.7.14", "5.7.13", 525),
        stages=("login", "sender"),
        source=_GOOGLE,
    ),
    _Row(
        SmtpMeaning("auth_expired", "The password has to be renewed"),
        codes=(432,),
    ),
    _Row(
        SmtpMeaning("address_not_allowed", "The server does not take connections from here"),
        words=("blocked", "blacklist", "blocklist", "spamhaus", "client host rejected", "denied"),
        codes=(554, 550, 521),
        stages=("greeting", "hello"),
        source="https://www.rfc-editor.org/rfc/rfc5321#section-3.1",
    ),
    _Row(
        SmtpMeaning("config_invalid", "The server takes no login on this port", "port"),
        codes=(538, "5.7.11", 502, 503),
    ),
    _Row(
        SmtpMeaning("authentication_unsupported", "The server does not take this way to log in"),
        codes=(504, "5.7.4"),
        source="https://www.rfc-editor.org/rfc/rfc4954#section-4",
    ),
    _Row(SmtpMeaning("auth_invalid", "The server did not accept the login"), codes=(535, 534)),
    _Row(
        SmtpMeaning("tls_error", "The server wants TLS first"),
        words=("starttls",),
        stages=("sender",),
        source="https://www.rfc-editor.org/rfc/rfc3207#section-4",
    ),
    _Row(
        SmtpMeaning("auth_invalid", "The server wants a login first"),
        codes=(530, "5.7.0"),
        stages=("sender",),
    ),
    _Row(
        SmtpMeaning("config_invalid", "The server does not take the domain of the sender", "from"),
        codes=("5.1.8", "4.1.8", "5.1.7", 501),
        stages=("sender",),
        source="https://www.rfc-editor.org/rfc/rfc3463#section-3.2",
    ),
    _Row(
        SmtpMeaning("permission_denied", "The account may not send as this sender", "from"),
        words=("not verified", "not owned by", "not allowed", "sender", "not permitted"),
        codes=(550, 553, 554, "5.7.1", "5.7.60"),
        stages=("sender",),
        source="https://docs.aws.amazon.com/ses/latest/dg/troubleshoot-error-messages.html",
    ),
)


def meaning_of(stage: Stage, reply: SmtpReply) -> SmtpMeaning:
    """What a reply that refuses means, in our words."""
    said = reply.words.lower()
    for row in _ROWS:
        if stage not in row.stages:
            continue
        by_code = reply.code in row.codes or reply.enhanced in row.codes
        if by_code or (reply.code >= 400 and any(word in said for word in row.words)):
            return row.meaning
    codes = set(codes_of_sentence(reply.words[:500]))
    if 400 <= reply.code < 500:
        if "rate_limited" in codes:
            return SmtpMeaning("rate_limited", "The server limits how often it is called")
        return SmtpMeaning("provider_error", "The server can't do this now")
    if stage == "login" and reply.code >= 500:
        return SmtpMeaning("auth_invalid", "The server did not accept the login")
    if reply.code >= 500:
        return SmtpMeaning("request_rejected", "The server does not accept the command")
    return SmtpMeaning("unexpected_response", "The server's reply is not one to this command")


def not_smtp() -> CheckFailure:
    return CheckFailure("unexpected_response", "The server does not speak SMTP.")


def _encoded(text: str) -> str:
    return b64encode(text.encode()).decode()
