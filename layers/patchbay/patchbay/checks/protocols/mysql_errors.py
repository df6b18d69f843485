"""What the errors of MySQL, MariaDB, and of services that speak their protocol mean.

By their numbers: https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html; from
1900 to 1999 and from 4000 to 4999, https://mariadb.com/docs/server/reference/error-codes. Words
decide first: proxies and hosts answer with numbers that are coarse, above all 1105 (unknown error).
"""

from collections.abc import Mapping
from typing import Final

from patchbay.checks.protocols.error_meaning import Meaning

_NO_CONNECTION: Final = Meaning("provider_error", "The server has no free connection")
_NOT_FROM_HERE: Final = Meaning(
    "address_not_allowed", "The server does not take connections from here"
)
_NO_TABLE: Final = Meaning(
    "config_invalid", "The database has no table of the name that is read", "database"
)
_NO_FUNCTION: Final = Meaning(
    "config_invalid", "A function that is called is not there", "database"
)
_NO_PRIVILEGE: Final = Meaning("permission_denied", "The user does not have the privilege for this")
_LOCKED: Final = Meaning("account_locked", "The user is locked")
_TOO_MANY_FAILURES: Final = Meaning(
    "account_locked", "The user is locked after too many wrong passwords"
)
_EXPIRED: Final = Meaning("auth_expired", "The password has expired", "password")
_METHOD: Final = Meaning(
    "authentication_unsupported",
    "The server asks for an authentication method that checks do not support",
)
_STATEMENT: Final = Meaning("request_rejected", "The server does not understand the statement")
_WRITES: Final = Meaning(
    "request_rejected", "The statement tries to write, which a check must not do"
)
_ENDED: Final = Meaning("provider_timeout", "The server did not answer the statement in time")
_UNAVAILABLE: Final = Meaning(
    "provider_error", "The server is starting, stopping, or not available"
)
_BUSY: Final = Meaning("provider_error", "The data is locked by others")
_SHORT: Final = Meaning("provider_error", "The server is short of resources")
_FAULT: Final = Meaning("provider_error", "The server has a fault")
_WANTS_TLS: Final = Meaning(
    "tls_error", "The server takes no connection without TLS, and what is between has none"
)

_NUMBERS: Final[Mapping[int, Meaning]] = {
    **dict.fromkeys((1021, 1037, 1038, 1041, 1135), _SHORT),
    **dict.fromkeys((1030, 1194, 1195, 1105), _FAULT),
    1040: _NO_CONNECTION,
    1203: _NO_CONNECTION,
    1043: Meaning("unexpected_response", "The server did not understand the login"),
    1044: Meaning(
        "permission_denied",
        "The user may not use this database, or there is none of this name",
        "database",
    ),
    1045: Meaning("auth_invalid", "The server did not accept the user and password"),
    1046: Meaning("config_invalid", "The statement needs a database", "database"),
    # Galera's nodes answer every command with 1047 until they are in sync:
    # https://mariadb.com/docs/galera-cluster
    1047: _UNAVAILABLE,
    1049: Meaning("config_invalid", "The server has no database of this name", "database"),
    1054: Meaning("config_invalid", "A column that is read is not there", "database"),
    **dict.fromkeys((1064, 1149, 1235), _STATEMENT),
    **dict.fromkeys((1053, 1152, 1158, 1159, 1160, 1161, 1184, 1927, 3032, 3169), _UNAVAILABLE),
    **dict.fromkeys((1109, 1146), _NO_TABLE),
    1129: Meaning(
        "address_not_allowed", "The server has blocked this address after too many failures"
    ),
    1130: _NOT_FROM_HERE,
    **dict.fromkeys((1142, 1143, 1227, 1370), _NO_PRIVILEGE),
    **dict.fromkeys((1205, 1213, 3572), _BUSY),
    # A limit per hour: max_connections_per_hour, max_queries_per_hour, max_user_connections.
    1226: Meaning("rate_limited", "The user has used up its limit on the server"),
    **dict.fromkeys((1251, 1275), _METHOD),
    **dict.fromkeys((1305, 1630), _NO_FUNCTION),
    **dict.fromkeys((1290, 1792, 1836), _WRITES),
    **dict.fromkeys((1317, 1969, 3024), _ENDED),
    1524: Meaning(
        "auth_invalid",
        "The server lacks the authentication method that is set for this user",
        "user",
    ),
    1698: Meaning("auth_invalid", "This user does not log in with a password", "user"),
    **dict.fromkeys((1820, 1862), _EXPIRED),
    3118: _LOCKED,
    4151: _LOCKED,
    3955: _TOO_MANY_FAILURES,
    4150: _TOO_MANY_FAILURES,
    3159: _WANTS_TLS,
    # ProxySQL reaches no server; TiDB reaches no store, https://docs.pingcap.com/tidb/stable/error-codes
    **dict.fromkeys((9001, 9002, 9003, 9004, 9005), _UNAVAILABLE),
}

_WORDS: Final[tuple[tuple[str, Meaning], ...]] = (
    # MySQL's and MariaDB's 1130, and Azure's 9000 ("Client with IP address …"):
    # https://learn.microsoft.com/azure/mysql/howto-troubleshoot-common-connection-issues
    ("is not allowed to connect", _NOT_FROM_HERE),
    # Azure: the same page
    ("ssl connection is required", _WANTS_TLS),
    (
        "username should be in",
        Meaning("auth_invalid", "The server wants the user as user@server", "user"),
    ),
    # TiDB: https://docs.pingcap.com/tidbcloud/select-cluster-tier#user-name-prefix
    (
        "missing user name prefix",
        Meaning("auth_invalid", "The user lacks the prefix of its cluster", "user"),
    ),
    ("insecure transport are prohibited", _WANTS_TLS),
    # https://docs.pingcap.com/tidbcloud/serverless-limitations
    (
        "usage quota being exhausted",
        Meaning("payment_required", "The cluster has used up its quota"),
    ),
    # ProxySQL gave this as 1045 once: https://github.com/sysown/proxysql/issues/761
    ("max connect timeout reached", _UNAVAILABLE),
    # Vitess and PlanetScale, whose errors carry a gRPC status:
    # https://planetscale.com/docs/vitess/troubleshooting/errors
    ("code = unauthenticated", Meaning("auth_invalid", "The server did not accept the password")),
    ("code = permissiondenied", _NO_PRIVILEGE),
    ("code = resourceexhausted", _SHORT),
    ("code = deadlineexceeded", _ENDED),
    ("code = unavailable", _UNAVAILABLE),
)
"""What the words of an error add to its number, in lower case: the first that is found decides."""

_UNKNOWN: Final = Meaning("unexpected_response", "The server refused")


def meaning_of(number: int, words: str) -> Meaning:
    """What an error means, in our words."""
    said = words.lower()
    by_words = next((meaning for word, meaning in _WORDS if word in said), None)
    return by_words or _NUMBERS.get(number, _UNKNOWN)
