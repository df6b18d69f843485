import pytest

from patchbay.platform.web_comments import without_comments
from tests.unit.web.graph import WEB, files


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("let a = 1; // one\nlet b", "let a=1;\nlet b"),
        ("/** What\n * it does. */\nlet a", "\n\nlet a"),
        ("f(/** @type {any} */ (x))", "f((x))"),
        ("/*! A license */ let a", "/*! A license */ let a"),
        # What only looks like a comment
        (
            'let a = "https://a.example/*"; let b = "*/"',
            'let a="https://a.example/*";let b="*/"',
        ),
        ("let a = 'it\\'s // one'", "let a='it\\'s // one'"),
        (r"let a = /[/*]\/*/g; // b", r"let a=/[/*]\/*/g;"),
        ("return /\\/\\*/.test(a)", "return /\\/\\*/.test(a)"),
        ("let a = b / c / d // e", "let a=b / c / d"),
        ("let a = (b) / c /* d */ / e", "let a=(b)/ c / e"),
        ("`// a ${b /* c */} /* d */ \\` // e`// f", "`// a ${b} /* d */ \\` // e`"),
        ("`${{ a: `/* ${b} */` }.a} // c` // d", "`${{a:`/* ${b} */`}.a} // c`"),
        ("`a` /* b */ + `//`", "`a`+`//`"),
        # Blanks that are needed
        ("a + +b - -c", "a + +b - -c"),
        ("1 .valueOf()", "1 .valueOf()"),
        ("let a = async (b) => c in d", "let a=async(b)=>c in d"),
        ("let /* a */ b", "let b"),
        ("return\n  a", "return\na"),
        ("a /* b\n */ ++c", "a\n++c"),
    ],
)
def test_scripts_lose_their_comments_alone(text: str, sent: str) -> None:
    assert without_comments("app/main.js", text) == sent


def test_styles_lose_their_comments_alone() -> None:
    text = '/* A\nb */ p { content: "/* c */"; }'
    assert without_comments("app/app.css", text) == '\np { content: "/* c */"; }'
    text = "p {\n  color: red;\n\n  /* A */\n}\n"
    assert without_comments("app/app.css", text) == "p{\ncolor: red;\n\n\n}\n"


def test_what_others_wrote_and_pages_stay_as_they_are() -> None:
    for path in ("vendor/preact.js", "app/index.html"):
        assert without_comments(path, "a /* b */") == "a /* b */"


@pytest.mark.parametrize("path", [path for path in files() if path.endswith((".js", ".css"))])
def test_every_line_stays_where_it_is(path: str) -> None:
    text = (WEB / path).read_text()
    sent = without_comments(path, text)
    assert sent.count("\n") == text.count("\n")
    assert without_comments(path, sent) == sent
