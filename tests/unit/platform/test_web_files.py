"""What browsers get of a folder: what is served, under which headers, and what is not."""

import gzip
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from local.paths import LAYER
from patchbay.platform.errors import NotFound
from patchbay.platform.http import RawReply, RawRequest
from patchbay.platform.web_files import DASHBOARD, STATUS_PAGE, WIZARD, WebFiles
from patchbay.platform.web_tree import TYPES, WebTree, pack_folder

PAGE = (
    '<!doctype html><html lang="en"><head><link href="{assets}/a.css"></head><body></body></html>'
)
FILES = {
    "app/index.html": PAGE,
    "app/main.js": "import'../kit/a.js';",
    "install/index.html": PAGE,
    "status/index.html": PAGE,
    "kit/a.js": "export const a=1;\n" * 50,
    "kit/a.css": "a { color: red }",
    "kit/a b.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>",
    "embed/embed.js": "(()=>{})();",
    "vendor/LICENSES.txt": "MIT",
    "vendor/a.d.ts": "export const a: number;",
    "vendor/versions.json": "[]",
    "biome.json": "{}",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "web"
    for path, text in FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def asked(rest: str = "", query: str = "", **headers: str) -> RawRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return RawRequest("GET", rest, query, named, b"")


def text_of(reply: RawReply) -> str:
    is_packed = reply.headers.get("Content-Encoding") == "gzip"
    return (gzip.decompress(reply.body) if is_packed else reply.body).decode()


def test_an_asset_is_kept_for_good_under_the_name_of_its_tree(folder: Path) -> None:
    web = WebFiles(folder)
    name = web.prefix.removeprefix("/assets/")
    reply = web.asset(asked(f"{name}/kit/a.js", accept_encoding="gzip, br"))
    assert reply.status == 200
    assert text_of(reply) == FILES["kit/a.js"]
    assert reply.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert reply.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.headers["Vary"] == "Accept-Encoding"
    assert len(reply.body) < len(FILES["kit/a.js"])


@pytest.mark.parametrize("path", sorted(FILES))
def test_only_what_a_page_loads_is_an_asset(folder: Path, path: str) -> None:
    web = WebFiles(folder)
    request = asked(f"{web.prefix.removeprefix('/assets/')}/{path}")
    is_loaded = path.rpartition(".")[2] in TYPES and not path.endswith(".html")
    if is_loaded:
        assert text_of(web.asset(request)) == FILES[path]
    else:
        with pytest.raises(NotFound):
            web.asset(request)


@pytest.mark.parametrize(
    "rest",
    [
        "",
        "{name}",
        "{name}/",
        "{name}/shared",
        "{name}/kit/",
        "{name}/../secret.txt",
        "{name}/kit/../../secret.txt",
        "{name}/kit/../kit/a.js",
        "{name}/./kit/a.js",
        "{name}//kit/a.js",
        "{name}/kit/a.js/",
        "{name}/kit/a.js\0.png",
        "{name}/kit/%61.js",
        "{name}/kit/A.js",
        "{name}/..%2fsecret.txt",
        "{name}/..\\secret.txt",
        "{name}//etc/passwd",
        "../secret.txt",
        "00000000000000000000/kit/a.js",
        "{name}0/kit/a.js",
        "kit/a.js",
    ],
)
def test_nothing_else_is_found(folder: Path, rest: str) -> None:
    (folder.parent / "secret.txt").write_text("secret")
    web = WebFiles(folder)
    name = web.prefix.removeprefix("/assets/")
    with pytest.raises(NotFound):
        web.asset(asked(rest.replace("{name}", name)))


def test_a_change_of_any_file_renames_the_tree(folder: Path) -> None:
    names = {WebTree(folder).name}
    for path in ("kit/a.js", "vendor/LICENSES.txt", "install/index.html"):
        (folder / path).write_text(FILES[path] + " ")
        names.add(WebTree(folder).name)
    (folder / "kit/a.js").rename(folder / "kit/b.js")
    names.add(WebTree(folder).name)
    assert len(names) == 5
    # What is not sent changes nothing
    (folder / "vendor/versions.json").write_text("[1]")
    assert WebTree(folder).name in names


def test_a_packed_folder_is_served_as_it_was(folder: Path, tmp_path: Path) -> None:
    packed = tmp_path / "packed"
    shutil.copytree(folder, packed)
    pack_folder(packed)
    left = {path.relative_to(packed).as_posix() for path in packed.rglob("*") if path.is_file()}
    sent = {f"{path}.gz" for path in FILES if path.rpartition(".")[2] in TYPES}
    assert left == sent - {"vendor/a.d.ts.gz"} | {"tree-name"}
    one, other = WebFiles(folder), WebFiles(packed)
    assert one.prefix == other.prefix
    for encoding in ("gzip", "identity"):
        request = asked(f"{one.prefix.removeprefix('/assets/')}/kit/a.js", accept_encoding=encoding)
        assert one.asset(request) == other.asset(request)
        page = asked(accept_encoding=encoding)
        assert one.page(WIZARD, page) == other.page(WIZARD, page)


def test_the_build_packs_it_with_the_plain_interpreter(folder: Path) -> None:
    name = WebTree(folder).name
    subprocess.run(
        [sys.executable, "-I", "-S", "-c", _AS_A_MODULE, str(LAYER), str(folder)],
        check=True,
        timeout=60,
    )
    assert (folder / "tree-name").read_text() == name


_AS_A_MODULE = """
import runpy, sys
sys.path.insert(0, sys.argv.pop(1))
runpy.run_module("patchbay.platform.web_tree", run_name="__main__")
"""


@pytest.mark.parametrize(
    ("header", "is_packed"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("gzip, deflate, br, zstd", True),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", True),
        ("x-gzip", True),
        ("*", True),
        ("deflate, gzip;q=0.001", True),
        ("", False),
        ("identity", False),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("gzip;q=0, *", False),
        ("*;q=0", False),
        ("gzipped", False),
    ],
)
def test_only_who_takes_gzip_gets_it(folder: Path, header: str, is_packed: bool) -> None:
    web = WebFiles(folder)
    rest = f"{web.prefix.removeprefix('/assets/')}/kit/a.js"
    for reply in (
        web.asset(asked(rest, accept_encoding=header)),
        web.page(DASHBOARD, asked(accept_encoding=header)),
    ):
        assert ("Content-Encoding" in reply.headers) is is_packed
        assert reply.body[:2] == b"\x1f\x8b" or not is_packed
        assert reply.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize("form", ["{}", "W/{}", '"x", {}', '"a,b" , {},"y"', "*"])
def test_what_the_browser_has_is_not_sent_again(folder: Path, form: str) -> None:
    web = WebFiles(folder)
    rest = f"{web.prefix.removeprefix('/assets/')}/kit/a.js"
    for answer in (lambda r: web.asset(r), lambda r: web.page(DASHBOARD, r), web.embed_script):
        first = answer(asked(rest, accept_encoding="gzip"))
        tag = first.headers["ETag"].removeprefix("W/")
        again = answer(asked(rest, if_none_match=form.replace("{}", tag)))
        assert (again.status, again.body) == (304, b"")
        kept = ("ETag", "Cache-Control", "Vary")
        assert [again.headers[name] for name in kept] == [first.headers[name] for name in kept]
        assert "Content-Encoding" not in again.headers
        other = answer(asked(rest, if_none_match='"other"', accept_encoding="gzip"))
        assert other == first


def test_a_page_names_its_files_by_the_tree(folder: Path) -> None:
    web = WebFiles(folder)
    html = text_of(web.page(DASHBOARD, asked()))
    assert html == PAGE.replace("{assets}", web.prefix)


def test_a_page_may_load_this_origin_alone(folder: Path) -> None:
    web = WebFiles(folder)
    for page in (DASHBOARD, WIZARD, STATUS_PAGE):
        headers = web.page(page, asked()).headers
        policy = dict(
            part.strip().partition(" ")[::2]
            for part in headers["Content-Security-Policy"].split(";")
        )
        assert policy == {
            "default-src": "'none'",
            "script-src": "'self'",
            "style-src": "'self'",
            "img-src": "'self' https: data:",
            "connect-src": "'self'",
            "base-uri": "'none'",
            "form-action": "'none'",
            "require-trusted-types-for": "'script'",
            "trusted-types": "'none'",
            "frame-ancestors": "'none'",
        }
        assert headers["Cache-Control"] == "no-cache"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "camera=()" in headers["Permissions-Policy"]
        assert headers["X-Robots-Tag"] == "noindex"


def test_pages_differ_in_what_they_tell_other_origins(folder: Path) -> None:
    web = WebFiles(folder)
    said = {
        page.folder: (
            web.page(page, asked()).headers["Referrer-Policy"],
            web.page(page, asked()).headers.get("Cross-Origin-Opener-Policy"),
        )
        for page in (DASHBOARD, WIZARD, STATUS_PAGE)
    }
    assert said == {
        "app": ("same-origin", "same-origin"),
        # Its popup tells the page that opened it.
        "install": ("no-referrer", None),
        "status": ("no-referrer", "same-origin"),
    }


def test_a_page_that_may_be_framed_is_another_one_to_a_cache(folder: Path) -> None:
    web = WebFiles(folder)
    alone = web.page(WIZARD, asked())
    framed = web.page(WIZARD, asked(), frame_ancestors=["https://a.example", "https://b.example"])
    policy = framed.headers["Content-Security-Policy"]
    assert policy.endswith("; frame-ancestors https://a.example https://b.example")
    assert framed.body == alone.body
    assert framed.headers["ETag"] != alone.headers["ETag"]


def test_what_an_operator_enters_is_text_in_a_page(folder: Path) -> None:
    web = WebFiles(folder)
    html = text_of(web.page(WIZARD, asked(), meta={"brand-name": '"><script>alert(1)</script>&'}))
    assert "<script>" not in html
    assert (
        '<meta name="brand-name" '
        'content="&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;">\n</head>'
    ) in html


def test_the_embed_script_is_for_other_origins_under_a_lasting_address(folder: Path) -> None:
    reply = WebFiles(folder).embed_script(asked())
    assert reply.headers["Cache-Control"] == "public, max-age=300"
    assert reply.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert reply.headers["Access-Control-Allow-Origin"] == "*"
    assert text_of(reply) == FILES["embed/embed.js"]


def test_a_page_that_is_not_there_is_not_found(folder: Path) -> None:
    shutil.rmtree(folder / "status")
    with pytest.raises(NotFound):
        WebFiles(folder).page(STATUS_PAGE, asked())
