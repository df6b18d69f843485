"""What others wrote is a value of a `Sentence`, so that redaction knows what is ours."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[3] / "layers/patchbay/patchbay"

OURS = {
    # Numbers and limits
    "checks/protocols/scram.py": {"MIN_ITERATIONS"},
    "egress/guard.py": {"MAX_DIALS"},
    "egress/policy.py": {"port", "rule.first_port", "rule.last_port"},
    "egress/url.py": {"MAX_URL"},
    # Words of our tables, numbers of a protocol, and names that the integration's author gave
    "checks/certificate_expiry.py": {"when"},
    "checks/connection_steps.py": {
        *("names", "'; '.join((f'{redact(p.pointer)} {p.message}' for p in problems)) + '.'"),
    },
    "checks/kinds/dns.py": {"self.kind"},
    "checks/kinds/grpc.py": {"judged.meaning", "meaning", "status"},
    "checks/kinds/http.py": {
        *("answer.status", "response.status", "self.redirects", "status"),
        *("header", "pointer", "response.quirks[0]", "secret"),
    },
    "checks/kinds/mysql.py": {"error.number", "meaning.text"},
    "checks/kinds/oauth2_token.py": {"', '.join(missing)"},
    "checks/kinds/postgres.py": {"meaning.text"},
    "checks/kinds/redis.py": {"meaning.text", "name"},
    "checks/kinds/smtp.py": {"meaning.text"},
    "checks/kinds/tls.py": {"self.minimum_version", "spoken"},
    "checks/kinds/websocket.py": {"judged.meaning", "meaning", "number", "response.status"},
    "checks/protocols/mysql.py": {"other"},
    "checks/protocols/postgres.py": {"what"},
    "checks/protocols/redis.py": {"other"},
    "checks/protocols/starttls.py": {
        *("greeting.code", "meaning.text", "number", "other", "protocol"),
    },
    "checks/refusals.py": {
        *("answer.status", "link", "meaning", "name[1:]", "name[:1].upper()", "status"),
    },
    "checks/runner.py": {"'; '.join((f'{p.pointer} {p.message}' for p in problems)) + '.'"},
    "checks/token_answers.py": {"_MEANINGS[code, about]"},
}
"""What may be filled in without being marked, by module: none of it is text of a server or a value
of an endpoint."""

MODULES = sorted(
    module for package in ("checks", "egress") for module in (PACKAGE / package).rglob("*.py")
)
_SUMMARY_AT = {
    "CheckFailure": 1,
    "DialFailure": 1,
    "EgressBlocked": 1,
    "Notice": 0,
    "Outcome": 0,
    "Refusal": 1,
}


def sentences(module: ast.Module) -> Iterator[ast.expr]:
    """What is given as a summary, or assigned to one, and whatever ends like a sentence."""
    for node in ast.walk(module):
        match node:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=args):
                yield from (k.value for k in node.keywords if k.arg == "summary")
                if name in _SUMMARY_AT and len(args) > _SUMMARY_AT[name]:
                    yield args[_SUMMARY_AT[name]]
            case ast.Assign(targets=[ast.Name(id="summary")], value=value):
                yield value
            case ast.JoinedStr() | ast.BinOp(op=ast.Add() | ast.Mod()) if is_sentence(node):
                yield node


def is_sentence(node: ast.AST) -> bool:
    constants = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant)]
    words = [text for text in constants if isinstance(text, str)]
    return any(text.endswith(".") for text in words) and any(" " in text for text in words)


def unmarked(sentence: ast.expr) -> Iterator[str]:
    """What is filled into a sentence, apart from the values of a `Sentence`."""
    match sentence:
        case ast.Call(func=ast.Name(id="Sentence"), args=[template, *_]):
            yield from unmarked(template)
        case ast.JoinedStr(values=parts):
            yield from (ast.unparse(p.value) for p in parts if isinstance(p, ast.FormattedValue))
        case ast.IfExp(body=body, orelse=orelse):
            yield from (*unmarked(body), *unmarked(orelse))
        case ast.BinOp():
            yield ast.unparse(sentence)
        case ast.Call(func=ast.Attribute(attr="format" | "join" | "replace")):
            yield ast.unparse(sentence)


@pytest.mark.parametrize("module", MODULES, ids=lambda m: str(m.relative_to(PACKAGE)))
def test_what_others_wrote_is_marked(module: Path) -> None:
    found = {part for one in sentences(ast.parse(module.read_text())) for part in unmarked(one)}
    assert found == OURS.get(str(module.relative_to(PACKAGE)), set())


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('CheckFailure(code, f"It said {words}.")', {"words"}),
        ('Outcome(f"{self.name} is there")', {"self.name"}),
        ('Notice(summary="It said " + words, title="x")', {"'It said ' + words"}),
        ('return f"It said {words}."', {"words"}),
        ('summary = "It said {}.".format(words)', {"'It said {}.'.format(words)"}),
        ('summary = Sentence(f"{status}: {{}}.", words)', {"status"}),
        ('DialFailure("tls_error", f"Of {one}." if chain else "None.", phase="tls")', {"one"}),
    ],
)
def test_this_test_finds_what_is_not_marked(source: str, found: set[str]) -> None:
    module = ast.parse(source)
    assert {part for one in sentences(module) for part in unmarked(one)} == found
