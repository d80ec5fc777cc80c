"""The pages are valid HTML, and the CSS and JavaScript of their templates are valid too."""

import ast
import re
import shutil
import subprocess
from pathlib import Path

import html5lib
import pytest
import tinycss2
from jinja2 import UndefinedError

from lib.report.template import write_page
from tests.report import test_report
from tests.review import test_speaker_review

ROOT = Path(__file__).resolve().parents[2]
STYLES = sorted((ROOT / "lib").glob("*/templates/*.css"))
SCRIPTS = sorted((ROOT / "lib").glob("*/templates/*.js"))
# Attributes that hold the ids of other elements.
REFERENCES = ("for", "aria-labelledby", "aria-describedby")


def name(path: Path) -> str:
    return path.name


@pytest.fixture(params=["report", "review"])
def page(request, run):
    """A page with something in each of its parts."""
    run.names = {"spk001": "Annamaria"}
    run.suggestions = [test_speaker_review.DOUBT, test_speaker_review.SUGGESTION]
    run.rejected = [("gone", "row 9", "audio", "too_short", "0.2", "shorter than 0.5 s")]
    run.characters = [("é", "LATIN SMALL LETTER E WITH ACUTE", "3", "2", "written as 'e'")]
    run.write()
    if request.param == "report":
        measured = {"after": {"spk000": test_report.MEASURED}}
        return test_report.write(run, quality=measured)[0]
    excluded = run.folder / "speakers/excluded.tsv"
    excluded.write_text("clip\tdetail\nclip_spk000_3\tx\n")
    return test_speaker_review.write(run)[0]


@pytest.fixture(params=["report", "review"])
def bare_page(request, run):
    """A page with as little as a run can have."""
    run.clips_per_speaker, run.validation = {"spk000": 1}, False
    run.write()
    if request.param == "report":
        return test_report.write(run, figures=False, overrides=None)[0]
    return test_speaker_review.write(run, overrides=None)[0]


# ---------------------------------------------------------------- HTML


def find_faults(html: str) -> list[str]:
    """Return what is wrong with a page; a page that cannot be parsed raises an error."""
    tree = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(html)
    elements = [element for element in tree.iter() if isinstance(element.tag, str)]
    ids = [element.get("id") for element in elements if element.get("id")]
    faults = [f"id {key} is used twice" for key in {i for i in ids if ids.count(i) > 1}]
    for element in elements:
        wanted = [key for attribute in REFERENCES for key in element.get(attribute, "").split()]
        if element.get("href", "").startswith("#"):
            wanted.append(element.get("href")[1:])
        faults += [f"<{element.tag}> names {key}" for key in wanted if key not in ids]
        if element.tag == "img" and not element.get("alt"):
            faults.append("<img> has no alt")
        if element.tag in ("button", "option", "h1", "h2", "h3", "label", "summary"):
            if not "".join(element.itertext()).strip() and element.get("id") is None:
                faults.append(f"<{element.tag}> is empty")
        if element.tag == "button" and element.get("type") != "button":
            faults.append("<button> would send a form")
        if element.tag in ("ul", "ol"):
            faults += [f"<{child.tag}> in a list" for child in element if child.tag != "li"]
    return faults


def test_pages_are_valid(page):
    assert find_faults(page.read_text("utf-8")) == []


def test_pages_of_a_run_with_next_to_nothing_are_valid(bare_page):
    assert find_faults(bare_page.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("html", "fault"),
    [
        ("<ul><p>a</p></ul>", "<p> in a list"),
        ("<p id=a></p><p id=a></p>", "id a is used twice"),
        ("<label for=b>a</label>", "<label> names b"),
        ('<a href="#c">a</a>', "<a> names c"),
        ('<img src="data:,">', "<img> has no alt"),
        ("<button type=button></button>", "<button> is empty"),
        ("<button>a</button>", "<button> would send a form"),
    ],
)
def test_faults_are_found(html, fault):
    assert find_faults(f"<!DOCTYPE html><html><body>{html}</body></html>") == [fault]


@pytest.mark.parametrize(
    "html", ["<p><div>a</div></p>", "<section>", "a & b &foo;", "<p a a>b</p>"]
)
def test_html_that_does_not_parse_is_refused(html):
    with pytest.raises(html5lib.html5parser.ParseError):
        find_faults(f"<!DOCTYPE html><html><body>{html}</body></html>")


def test_a_validator_accepts_the_pages(page):
    """html-validate knows the content model: `npm install --global html-validate@10.17.0`."""
    program = shutil.which("html-validate")
    if program is None:
        pytest.skip("no html-validate on this machine")
    settings = page.with_name(".htmlvalidate.json")
    settings.write_text('{"root": true, "extends": ["html-validate:recommended"]}')
    done = subprocess.run([program, page], cwd=page.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_review_page_is_valid_after_its_script_has_run(chromium, run):
    run.suggestions = [test_speaker_review.DOUBT, test_speaker_review.SUGGESTION]
    path, _ = test_speaker_review.write(run.write())
    chromium.open(path.as_uri())
    chromium.run("document.querySelector('#speakers button').click()")
    html = chromium.run("document.documentElement.outerHTML")
    assert html.count("<li data-clip") == 4
    assert find_faults(f"<!DOCTYPE html>{html}") == []


def test_a_template_that_shows_a_value_it_is_not_given_is_refused(tmp_path):
    (tmp_path / "page.html").write_text("<p>{{ known }} {{ unknown }}</p>")
    with pytest.raises(UndefinedError, match="'unknown' is undefined"):
        write_page(tmp_path / "page.html", {"known": 1}, tmp_path / "output.html")
    assert not (tmp_path / "output.html").exists()


def test_values_are_escaped_and_sources_are_not(tmp_path):
    (tmp_path / "page.html").write_text('{{ text }} {{ data | tojson }} {{ read_source("a.js") }}')
    (tmp_path / "a.js").write_text("if (1 < 2 && '{{ text }}') {#note")
    output = tmp_path / "output.html"
    write_page(tmp_path / "page.html", {"text": "<b>", "data": {"é": "</script>"}}, output)
    data = '{"é":"\\u003c/script\\u003e"}'
    assert output.read_text("utf-8") == f"&lt;b&gt; {data} if (1 < 2 && '{{{{ text }}}}') {{#note\n"


# ---------------------------------------------------------------- CSS and JavaScript


def read_declarations(css: str) -> list[tuple[str, str]]:
    """Return name and value of every declaration; CSS with a fault is refused."""
    # Whatever is left open swallows a rule at the end.
    rules = tinycss2.parse_stylesheet(f"{css}\nend {{ top: 0 }}", True, True)
    *declarations, last = find_declarations(rules)
    assert rules[-1].type == "qualified-rule" and last == ("top", "0"), "something is left open"
    assert tinycss2.serialize(rules[-1].prelude).strip() == "end", "something is left open"
    return declarations


def find_declarations(rules: list) -> list[tuple[str, str]]:
    found = []
    for rule in rules:
        assert rule.type != "error", f"line {rule.source_line}: {rule.message}"
        assert all(token.type != "error" for token in rule.prelude), f"line {rule.source_line}"
        if rule.type == "at-rule":
            assert rule.at_keyword == "media" and rule.content is not None
            found += find_declarations(tinycss2.parse_rule_list(rule.content, True, True))
            continue
        for part in tinycss2.parse_blocks_contents(rule.content, True, True):
            assert part.type == "declaration", f"line {part.source_line}: {part}"
            found.append((part.name, tinycss2.serialize(part.value).strip()))
    return found


@pytest.mark.parametrize("path", STYLES, ids=name)
def test_css_parses_and_browsers_know_it(path, chromium):
    css = path.read_text("utf-8")
    declarations = read_declarations(css)
    # Every one was read.
    assert len(declarations) >= css.count(";") > 3
    chromium.open("about:blank")
    for prop, value in declarations:
        assert chromium.run(f"CSS.supports({prop!r}, {value!r})"), f"{prop}: {value}"


@pytest.mark.parametrize(
    "css",
    [
        "p { color: red; } } a { b: c; }",
        "p { color red; }",
        "p { a: b",
        "@media print { p { a: b }",
    ],
)
def test_css_that_does_not_parse_is_refused(css):
    with pytest.raises(AssertionError):
        read_declarations(css)


@pytest.mark.parametrize("path", SCRIPTS, ids=name)
def test_javascript_parses(path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node on this machine")
    done = subprocess.run([node, "--check", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert path.read_text("utf-8").startswith('"use strict";')


# Every selector, and those that match no element; states of mouse and keyboard match always.
SELECTORS = r"""(() => {
  const all = [], unused = [];
  const look = (rules) => {
    for (const rule of rules) {
      if (rule.cssRules && rule.cssRules.length && !rule.selectorText) look(rule.cssRules);
      for (const selector of (rule.selectorText || "").split(/,(?![^(]*\))/)) {
        const plain = selector.replace(/:(hover|enabled|disabled|focus-visible|last-child)/g, "");
        if (plain.trim()) all.push(selector.trim());
        if (plain.trim() && !document.querySelector(plain)) unused.push(selector.trim());
      }
    }
  };
  for (const sheet of document.styleSheets) look(sheet.cssRules);
  return {all, unused};
})()"""


def test_every_selector_of_the_css_is_used(chromium, run):
    run.suggestions = [test_speaker_review.DOUBT, test_speaker_review.SUGGESTION]
    run.rejected = [("gone", "row 9", "audio", "too_short", "0.2", "shorter than 0.5 s")]
    run.code = {"now": "c3", "trained_by": [{"code": "b2", "from_step": 0}], "is_other": True}
    run.write()
    chromium.open(test_report.write(run)[0].as_uri())
    report = chromium.run(SELECTORS)
    (run.folder / "speakers/excluded.tsv").write_text("clip\tdetail\nclip_spk000_3\tx\n")
    chromium.open(test_speaker_review.write(run)[0].as_uri())
    chromium.run(
        """document.querySelector("#speakers button").click();
        document.querySelector("#map path").dispatchEvent(new Event("click"));"""
    )
    review = chromium.run(SELECTORS)
    used_in_report = set(report["all"]) - set(report["unused"])
    assert len(review["all"]) > 60
    # Of so few clips, each has a sound.
    assert set(review["unused"]) - used_in_report == {"#map .silent"}


# ---------------------------------------------------------------- Python


MARKUP = re.compile(r"</\w+>|<(p|div|span|script|html)\b|\{[^}]*:[^}]*;|\bfunction\b")


@pytest.mark.parametrize("room", ["report", "review"])
def test_python_holds_no_markup(room):
    for path in (ROOT / "lib" / room).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and str(node.value).count("\n") > 2:
                assert not MARKUP.search(node.value), f"{path.name}, line {node.lineno}"
