"""Digests of code: they change when what runs changes, and not when it is reworded."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import provenance
from lib.provenance import code_digest

ROOT = Path(__file__).resolve().parents[1]

MODULES = {
    "lib/__init__.py": '"""Words."""\n',
    "lib/top.py": (
        '"""Words."""\n\nimport math\n\nfrom lib.room import inner\n\n\n'
        'def answer():\n    """Words."""\n    from lib import late\n\n'
        "    return inner.VALUE + late.VALUE + math.pi  # why\n"
    ),
    "lib/room/__init__.py": "from lib.room.other import NAME\n",
    "lib/room/inner.py": "import lib.far.deep as deep\n\nVALUE = deep.VALUE\n",
    "lib/room/other.py": "NAME = 'other'\n",
    "lib/late.py": "VALUE = 2\n",
    "lib/far/__init__.py": "",
    "lib/far/deep.py": "from lib.top import answer\n\nVALUE = 1\n",
    "lib/idle.py": "VALUE = 3\n",
    "lib/pages/page.py": (
        '"""Words."""\nfrom pathlib import Path\n\n'
        'from lib import late\n\nFOLDER = Path(__file__).with_name("templates")\n'
    ),
    "lib/pages/report.py": "from lib.pages.page import FOLDER\n",
    "lib/pages/plots.py": "VALUE = 4\n",
    "lib/pages/templates/page.html": "<p>{{ text }}</p>\n",
    "lib/pages/templates/page.css": "p { color: red; }\n",
}


@pytest.fixture
def root(tmp_path) -> Path:
    for name, content in MODULES.items():
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
    return tmp_path / "project"


def digest(root: Path, *modules: str) -> str:
    """Digest a copy: what was read of a folder is kept for the life of the process."""
    copy = root.with_name(f"copy{len(list(root.parent.iterdir()))}")
    shutil.copytree(root, copy)
    return code_digest(*(modules or ("lib.top",)), root=copy)


def edit(root: Path, name: str, old: str, new: str) -> None:
    path = root / name
    content = path.read_text("utf-8")
    assert old in content
    path.write_text(content.replace(old, new), "utf-8")


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("lib/top.py", "math.pi", "math.tau"),
        ("lib/room/inner.py", "deep.VALUE\n", "-deep.VALUE\n"),
        ("lib/far/deep.py", "VALUE = 1", "VALUE = 10"),
        ("lib/late.py", "VALUE = 2", "VALUE = 20"),
        ("lib/room/__init__.py", "NAME", "NAME as LABEL"),
        ("lib/room/other.py", "'other'", "'another'"),
        ("lib/top.py", "def answer():", "def answer(x=1):"),
    ],
    ids=lambda value: value.strip()[:20] if isinstance(value, str) else None,
)
def test_changed_code_changes_the_digest_from_any_depth(root, name, old, new):
    before = digest(root)
    edit(root, name, old, new)
    assert digest(root) != before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("lib/top.py", "# why", "# because"),
        ("lib/top.py", '"""Words."""', '"""Other words,\n\n    and more.\n    """'),
        ("lib/late.py", "VALUE = 2", '"""A new docstring."""\n\n\n# and a comment\nVALUE = 2'),
        ("lib/room/other.py", "'other'", '"other"'),
        ("lib/top.py", "inner.VALUE + late.VALUE", "(inner.VALUE\n            + late.VALUE)"),
        ("lib/idle.py", "VALUE = 3", "VALUE = 30"),
        # Packages only pass names on; all that they name would count for each of their modules.
        ("lib/far/__init__.py", "", "from lib import idle\n"),
    ],
    ids=["comment", "docstring", "new docstring", "quotes", "layout", "not imported", "package"],
)
def test_rewording_changes_nothing(root, name, old, new):
    before = digest(root)
    edit(root, name, old, new)
    assert digest(root) == before


@pytest.mark.parametrize("name", ["page.html", "page.css"])
def test_a_changed_template_changes_the_digest_of_those_who_read_it_alone(root, name):
    names = ("lib.pages.page", "lib.pages.report", "lib.pages.plots", "lib.top")
    before = {module: digest(root, module) for module in names}
    edit(root, f"lib/pages/templates/{name}", "p", "h1")
    changed = {module for module in names if digest(root, module) != before[module]}
    assert changed == {"lib.pages.page", "lib.pages.report"}


def test_templates_that_change_their_names_or_number_change_the_digest(root):
    folder = root / "lib/pages/templates"
    digests = [digest(root, "lib.pages.report")]
    (folder / "page.css").rename(folder / "other.css")
    digests.append(digest(root, "lib.pages.report"))
    (folder / "other.css").unlink()
    digests.append(digest(root, "lib.pages.report"))
    assert len(set(digests)) == 3


def test_neither_time_nor_place_matters(root):
    before = digest(root)
    for path in root.rglob("*.py"):
        os.utime(path, (1, 1))
    assert digest(root) == before


def test_a_text_that_is_used_is_not_a_docstring(root):
    before = digest(root)
    edit(root, "lib/late.py", "VALUE = 2", "VALUE = '''Words.'''")
    assert digest(root) != before


def test_an_empty_body_and_one_of_words_alone_are_the_same(root):
    edit(root, "lib/late.py", "VALUE = 2", "VALUE = 2\n\n\nclass Fault(ValueError):\n    pass\n")
    before = digest(root)
    edit(root, "lib/late.py", "    pass", '    """Words."""')
    assert digest(root) == before


def test_several_modules_in_any_order(root):
    assert digest(root, "lib.top", "lib.idle") == digest(root, "lib.idle", "lib.top")
    assert digest(root, "lib.top", "lib.idle") != digest(root, "lib.top")


def test_moving_code_between_modules_changes_the_digest(root):
    before = digest(root)
    edit(root, "lib/late.py", "VALUE = 2\n", "")
    edit(root, "lib/room/other.py", "NAME", "VALUE = 2\nNAME")
    assert digest(root) != before


@pytest.mark.parametrize("module", ["lib.nowhere", "lib.far.nothing", "nolib"])
def test_an_unknown_module_is_named(root, module):
    with pytest.raises(ValueError, match=f"no module {module} below"):
        digest(root, module)


@given(st.integers())
def test_every_other_value_gives_another_digest(value):
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        lib = Path(folder) / "lib"
        lib.mkdir()
        (lib / "one.py").write_text(f"VALUE = {value}")
        (lib / "two.py").write_text(f"VALUE = {value + 1}")
        (lib / "copy.py").write_text(f"VALUE = ({value})  # the same")
        one, two = (code_digest(f"lib.{name}", root=Path(folder)) for name in ("one", "two"))
        assert one != two


def test_every_digest_of_the_rules_can_be_made_without_importing_anything():
    """Rules ask for digests at every start of Snakemake."""
    rules = "".join(path.read_text("utf-8") for path in (ROOT / "workflow/rules").glob("*.smk"))
    modules = {part.split('"')[0] for part in rules.split('code_digest("')[1:]}
    assert len(modules) >= 8
    command = (
        "import sys; from lib.provenance import code_digest\n"
        f"print(*(code_digest(name) for name in {sorted(modules)}))\n"
        "assert not {'torch', 'transformers', 'numpy', 'pyarrow'} & sys.modules.keys()"
    )
    done = subprocess.run(
        [sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert len(set(done.stdout.split())) == len(modules)


def test_every_template_of_the_library_counts_for_the_page_that_is_made_of_it(tmp_path):
    """The other pages are made of the report's template for pages too."""
    rules = {
        "review": ["lib.review.speaker_review", "lib.review.prompts"],
        "talk": ["lib.talk.server"],
    }
    rules["report"] = ["lib.report.report", *rules["review"], *rules["talk"]]
    folders = {path.parent.name for path in (ROOT / "lib").glob("*/templates")}
    assert folders == rules.keys()
    for room, modules in rules.items():
        for template in (ROOT / "lib" / room / "templates").iterdir():
            copy = tmp_path / room / template.name
            shutil.copytree(ROOT / "lib", copy / "lib", ignore=shutil.ignore_patterns("*.pyc"))
            changed = copy / "lib" / room / "templates" / template.name
            changed.write_text(changed.read_text("utf-8") + "\n", "utf-8")
            for module in modules:
                assert code_digest(module, root=copy) != code_digest(module), (template, module)
            assert code_digest("lib.report.corpus_plots", root=copy) == code_digest(
                "lib.report.corpus_plots"
            )


# ---------------------------------------------------------------- what was parsed before


@pytest.fixture
def kept(tmp_path, monkeypatch) -> Path:
    """A cache of its own, and every call is that of a new process."""
    monkeypatch.setattr(provenance, "CACHE", tmp_path / "parsed.json")
    forget()
    yield tmp_path / "parsed.json"
    forget()


def forget() -> None:
    for function in (provenance._open_cache, provenance._read, provenance._path):
        function.cache_clear()


def test_nothing_is_parsed_twice_and_the_digest_is_the_same(root, kept, monkeypatch):
    first = code_digest("lib.top", root=root)
    forget()
    monkeypatch.setattr(provenance, "_parse", None)
    assert code_digest("lib.top", root=root) == first


def test_a_change_is_noticed_whatever_was_parsed_before(root, kept):
    first = code_digest("lib.top", root=root)
    path = root / "lib/top.py"
    path.write_text(path.read_text() + "\nADDED = 1\n")
    forget()
    assert code_digest("lib.top", root=root) != first


@pytest.mark.parametrize("content", [b"", b"[]", b'{"version": 1}', b"\xff", None])
def test_a_cache_that_cannot_be_used_is_made_anew(root, kept, content):
    first = code_digest("lib.top", root=root)
    if content is None:
        kept.write_text(kept.read_text().replace('"version": "', '"version": "0'))
    else:
        kept.write_bytes(content)
    forget()
    assert code_digest("lib.top", root=root) == first
    assert json.loads(kept.read_text())["files"]


def test_a_cache_that_cannot_be_written_is_no_fault(root, kept):
    first = code_digest("lib.top", root=root)
    kept.unlink()
    kept.mkdir()
    forget()
    assert code_digest("lib.top", root=root) == first
