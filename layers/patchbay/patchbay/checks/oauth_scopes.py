"""The names of scopes (RFC 6749 §3.3). Pure."""


def is_scope(scope: object) -> bool:
    """Whether it is one scope (RFC 6749 §3.3): visible ASCII without quotes and backslashes."""
    return (
        isinstance(scope, str)
        and 0 < len(scope) <= 256
        and all("!" <= character <= "~" and character not in '"\\' for character in scope)
    )
