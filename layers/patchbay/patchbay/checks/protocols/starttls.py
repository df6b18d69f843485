"""How a server that begins in the clear is asked to go on in TLS (STARTTLS), by protocol. No I/O.

A dialog is a generator of turns: bytes are to be sent, a number is so many bytes to receive, and
`None` is a line to receive. What was received is sent into it. It returns when the handshake is to
begin, and raises DialFailure if the server declines, and CheckFailure if it is none of the
protocol. The server is treated as hostile: how much it may say is limited.
"""

import re
from collections.abc import Callable, Generator, Mapping
from typing import Final

from patchbay.checks.failures import CheckFailure
from patchbay.checks.protocols import mysql, mysql_errors, postgres, smtp
from patchbay.checks.protocols.foreign import Malformed, spoken
from patchbay.egress.failures import DialFailure

type Turn = bytes | int | None
type Dialog = Generator[Turn, bytes]

MAX_LINE: Final = smtp.MAX_LINE
"""Bytes of a line; the others have shorter ones (RFC 1939 §3, RFC 9051 §4.3)."""
MAX_LINES: Final = smtp.MAX_LINES
MAX_LDAP: Final = 4096
"""Bytes of the answer of an LDAP server, which has some 40."""

_FTP_LAST: Final = re.compile(rb"([1-5][0-9]{2})(?: |\r?\n)")
_LDAP_OF_TLS: Final = b"1.3.6.1.4.1.1466.20037"
_LDAP_RESULT: Final = re.compile(
    rb"\x02\x01[\x00\x01]\x78(?:[\x00-\x7f]|\x81.|\x82..|\x84....)\x0a\x01(.)", re.DOTALL
)
"""The number of the message, then an ExtendedResponse that begins with its result code."""


def _smtp() -> Dialog:
    """RFC 3207."""
    greeting = yield from _smtp_reply()
    if greeting.code != 220:
        meaning = smtp.meaning_of("greeting", greeting)
        raise CheckFailure(meaning.code, f"{meaning.text} ({greeting.code}).")
    yield f"EHLO {smtp.CLIENT_NAME}\r\n".encode()
    if "STARTTLS" not in (yield from _smtp_reply()).extensions():
        raise no_tls()
    yield b"STARTTLS\r\n"
    if (yield from _smtp_reply()).code != 220:
        raise no_tls()


def _smtp_reply() -> Generator[Turn, bytes, smtp.SmtpReply]:
    reader = smtp.ReplyReader()
    while reader.reply is None:
        reader.feed((yield None))
    return reader.reply


def _imap() -> Dialog:
    """RFC 9051 §6.2.1. A server that lets the caller in at once (PREAUTH) takes no STARTTLS."""
    greeting = (yield None).upper()
    if greeting.startswith(b"* BYE"):
        raise CheckFailure("provider_error", "The server does not take connections now.")
    if greeting.startswith(b"* PREAUTH"):
        raise no_tls()
    if not greeting.startswith(b"* OK"):
        raise foreign("IMAP", greeting)
    yield b"p1 STARTTLS\r\n"
    for _ in range(MAX_LINES):
        line = (yield None).upper()
        if line.startswith(b"P1 OK"):
            return
        if not line.startswith(b"* "):
            raise no_tls()
    raise _too_much()


def _pop3() -> Dialog:
    """RFC 2595 §4."""
    greeting = yield None
    if not greeting.startswith(b"+OK"):
        raise foreign("POP3", greeting)
    yield b"STLS\r\n"
    if not (yield None).startswith(b"+OK"):
        raise no_tls()


def _ftp() -> Dialog:
    """RFC 4217 §4."""
    code = yield from _ftp_reply()
    if code in (b"421", b"530"):
        raise CheckFailure("provider_error", "The server does not take connections now.")
    if code != b"220":
        raise foreign("FTP", code)
    yield b"AUTH TLS\r\n"
    if (yield from _ftp_reply()) != b"234":
        raise no_tls()


def _ftp_reply() -> Generator[Turn, bytes, bytes]:
    """The code of a reply, whose lines but the last may be anything (RFC 959 §4.2)."""
    first = yield None
    line = first
    for _ in range(MAX_LINES):
        if (found := _FTP_LAST.match(line)) and line[:3] == first[:3]:
            return found[1]
        if not first[:3].isdigit():
            raise foreign("FTP", first)
        line = yield None
    raise _too_much()


def _ldap() -> Dialog:
    """RFC 4511 §4.14: an extended operation, and its answer with the result code 0."""
    request = b"\x02\x01\x01" + _element(0x77, _element(0x80, _LDAP_OF_TLS))
    yield _element(0x30, request)
    head = yield 2
    if head[0] != 0x30:
        raise foreign("LDAP", head)
    length = head[1]
    if length & 0x80:
        size = length & 0x7F
        if not 1 <= size <= 4:
            raise foreign("LDAP", head)
        length = int.from_bytes((yield size))
    if not 12 <= length <= MAX_LDAP:
        raise foreign("LDAP", head)
    body = yield length
    result = _LDAP_RESULT.match(body)
    if result is None:
        raise foreign("LDAP", head)
    if result[1] != b"\0":
        raise no_tls()


def _element(tag: int, content: bytes) -> bytes:
    """An element of BER with a short length."""
    return bytes([tag, len(content)]) + content


def _postgres() -> Dialog:
    yield postgres.SSL_REQUEST
    answer = yield 1
    if answer == b"N":
        raise no_tls()
    if answer != b"S":
        raise postgres.not_postgres()


def _mysql() -> Dialog:
    sequence = mysql.Sequence()
    head = yield mysql.HEAD_BYTES
    body = yield sequence.read(head)
    try:
        if body[:1] == bytes([mysql.ERROR]):
            number, words = mysql.read_error(body)
            meaning = mysql_errors.meaning_of(number, words)
            raise CheckFailure(meaning.code, f"{meaning.text} (MySQL error {number}).")
        greeting = mysql.read_greeting(body)
    except Malformed as error:
        raise mysql.not_mysql(head) from error
    if not greeting.offers_tls:
        raise no_tls()
    yield sequence.packet(mysql.ask_for_tls(greeting, with_database=False))


DIALOGS: Final[Mapping[str, Callable[[], Dialog]]] = {
    "smtp": _smtp,
    "imap": _imap,
    "pop3": _pop3,
    "ftp": _ftp,
    "ldap": _ldap,
    "postgres": _postgres,
    "mysql": _mysql,
}


def no_tls() -> DialFailure:
    return DialFailure("tls_error", "The server does not offer TLS.", phase="tls")


def foreign(protocol: str, beginning: bytes) -> CheckFailure:
    """The failure of a server that does not speak the protocol it was asked for."""
    other = spoken(beginning)
    if other:
        return CheckFailure("unexpected_response", f"The server speaks {other}, not {protocol}.")
    return CheckFailure("unexpected_response", f"The server does not speak {protocol}.")


def _too_much() -> CheckFailure:
    return CheckFailure("response_too_large", "The server sends more than a check reads.")
