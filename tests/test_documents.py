"""What the documents say is there: links, commands, keys, modules, functions and pictures."""

import ast
import re
import textwrap
from pathlib import Path

import pytest
import yaml

from tests.test_layout import ROOMS, ROOT, RULES, relative
from tools.rooms import PICTURE, find_imports, reduce_imports

README = ROOT / "README.md"
PAGES = sorted((ROOT / "docs").glob("*.md"))
DOCUMENTS = [README, ROOT / "config/README.md", ROOT / "benchmarks/README.md", *PAGES]
DOCUMENTS += [ROOT / "SECURITY.md", ROOT / "CONTRIBUTING.md"]
ARCHITECTURE = ROOT / "docs/architecture.md"


def read(path: Path) -> str:
    return path.read_text("utf-8")


def keys_of(schema: dict, place: str = "") -> list[str]:
    found = []
    for key, part in schema["properties"].items():
        found += keys_of(part, f"{place}{key}.") if "properties" in part else [f"{place}{key}"]
    return found


def read_schema(name: str) -> dict:
    return yaml.safe_load(read(ROOT / f"workflow/schemas/{name}.schema.yaml"))


def list_anchors(path: Path) -> set[str]:
    """Return what a link can point to within a page: its titles as the anchors made of them."""
    titles = re.findall(r"^#+ (.+)$", read(path), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


# ---------------------------------------------------------------- every page


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)]+)\)", read(path)):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        page = path.parent / name if name else path
        assert page.exists(), target
        if anchor:
            assert anchor in list_anchors(page), target


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_commands_keys_and_paths_of_the_documents_exist(path):
    text = read(path)
    targets = set(re.findall(r"^([a-z-]+):.*##", read(ROOT / "Makefile"), re.MULTILINE))
    for target in re.findall(r"(?:^|`|&& )make ([a-z][a-z-]*)", text, re.M):
        assert target in targets, f"make {target}"
    for module in re.findall(r"python -m ((?:lib|benchmarks|tools)[a-z_.]*)", text):
        base = ROOT.joinpath(*module.split("."))
        assert base.with_suffix(".py").is_file() or (base / "__main__.py").is_file(), module
    schema = read_schema("config")
    sections = tuple(f"{section}." for section in schema["properties"])
    for name in re.findall(r"`([a-z_]+(?:\.[a-z_]+)+)(?::[^`]*)?`", text):
        is_file = name.endswith(
            (".json", ".tsv", ".yaml", ".txt", ".parquet", ".py", ".md", ".wav")
        )
        if name.startswith(sections) and not is_file:
            assert name in keys_of(schema), name
    for name in re.findall(r"`((?:lib|tests|tools|workflow|profiles|envs)/[\w/.-]*\w)/?`", text):
        assert (ROOT / name).exists(), name
    for script in re.findall(r"python ((?:tools|envs|benchmarks)/[\w/]+\.py)", text):
        assert (ROOT / script).is_file(), script


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_options_of_the_commands_in_the_documents_are_known(path):
    """Of every `python -m` with a module of ours, by the module's own words."""
    for module, rest in re.findall(
        r"python -m ((?:lib|benchmarks|tools)[\w.]*)([^`\n]*)", read(path)
    ):
        base = ROOT.joinpath(*module.split("."))
        sources = [p for p in (base.with_suffix(".py"), base / "__main__.py") if p.is_file()]
        known = "".join(map(read, sources)) + read(ROOT / "lib/commands.py")
        for option in re.findall(r" (--[a-z][\w-]*)", rest.partition(" #")[0]):
            assert f'"{option}"' in known, f"{module} {option}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_functions_that_the_documents_place_in_a_file_are_there(path):
    """Such a place is written as `lib/room/module.py`, `function`."""
    for file, name in re.findall(r"`((?:lib|tests)/[\w/]+\.py)`, `(\w[\w.]*)`", read(path)):
        assert name in list_definitions(ROOT / file), f"{file} has no {name}"


def list_definitions(path: Path) -> set[str]:
    """Return the classes, functions, methods and constants of a module."""
    found = set()
    for node in ast.parse(read(path)).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            inner = (part for part in node.body if isinstance(part, ast.FunctionDef))
            found |= {f"{node.name}.{part.name}" for part in inner}
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {ast.unparse(target) for target in targets}
    return found


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_rules_that_the_documents_name_exist(path):
    words = re.findall(r"\brules? `(\w+)`", read(path))
    words += re.findall(r" (\w+):(?:gpu|mem_mb|runtime|threads)=", read(path))
    assert not {word for word in words if word not in RULES}


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_python_in_the_documents_is_python(path):
    for block in re.findall(r"```python\n(.+?)```", read(path), re.S):
        ast.parse(textwrap.dedent(block))


# ---------------------------------------------------------------- the front page


def test_the_readme_is_short():
    assert len(read(README).splitlines()) < 250


def test_every_page_is_linked_from_the_readme():
    links = set(re.findall(r"\]\(([^)#]+)", read(README)))
    assert {relative(page) for page in PAGES} <= links


def test_the_configuration_in_the_readme_is_valid(tmp_path):
    from lib.config.validate import complete_settings
    from lib.speakers.overrides_file import read_overrides

    example, lines = re.findall(r"```yaml\n(.+?)```", read(README), re.S)
    complete_settings(yaml.safe_load(example), read_schema("config"))
    (tmp_path / "speakers.yaml").write_text(lines, "utf-8")
    overrides = read_overrides(str(tmp_path / "speakers.yaml"), read_schema("speakers"))
    assert overrides.names and overrides.merge and overrides.assign and overrides.split
    assert all(overrides.exclude.values())


# ---------------------------------------------------------------- the pictures


def test_the_picture_shows_the_rules():
    shown = set(re.findall(r">([a-z_]+)</text>", read(ROOT / "resources/rulegraph.svg"))) - {"all"}
    assert shown == RULES.keys(), "tools/rulegraph.sh draws it anew"


def test_the_picture_shows_the_rooms_and_their_imports():
    titles = re.findall(
        r'class="(node|edge)">\s*<title>([^<]+)</title>', read(ROOT / PICTURE).replace("&#45;", "-")
    )
    rooms = {title for kind, title in titles if kind == "node"}
    arrows = {tuple(title.split("-&gt;")) for kind, title in titles if kind == "edge"}
    imports = find_imports(ROOT / "lib")
    assert rooms == imports.keys(), "python -m tools.rooms draws it anew"
    assert arrows == reduce_imports(imports), "python -m tools.rooms draws it anew"


def test_an_import_that_follows_from_others_is_not_drawn():
    imports = {"a": {"b", "c", "d"}, "b": {"c"}, "c": {"d"}, "d": set()}
    assert reduce_imports(imports) == {("a", "b"), ("b", "c"), ("c", "d")}


def test_rooms_in_a_circle_are_refused():
    with pytest.raises(ValueError, match="a -> b -> a; expected no circle"):
        reduce_imports({"a": {"b"}, "b": {"a"}})


# ---------------------------------------------------------------- the architecture


def test_the_table_of_the_rooms_is_that_of_the_layout():
    rows = re.findall(r"^\| `lib/(\w+)/` \| .+ \| (.+) \|$", read(ARCHITECTURE), re.MULTILINE)
    told = {room: set(re.findall(r"`(\w+)`", cell)) for room, cell in rows}
    assert told == ROOMS


def read_walks() -> dict[str, tuple[dict[str, int], list[tuple[str, str, str]]]]:
    """Return what the page counts for each walk, and the stops: file, function, text."""
    walks = {}
    for part in read(ARCHITECTURE).split("\n## ")[1:]:
        title, _, body = part.partition("\n")
        stops = re.findall(r"^\d+\. `(lib/[\w/]+\.py)`, `([\w.]+)`(.*(?:\n +.*)*)", body, re.M)
        if stops:
            said = re.findall(r"(\d+) (stops|modules|returns?)\b", body)
            walks[title] = {unit.rstrip("s"): int(count) for count, unit in said}, stops
    return walks


def test_both_walks_are_told():
    assert list(read_walks()) == [
        "A clip from source to dataset",
        "A batch from file to loss",
    ]


@pytest.mark.parametrize("title", ["A clip from source to dataset", "A batch from file to loss"])
def test_a_walk_has_the_stops_modules_and_returns_that_it_counts(title):
    said, stops = read_walks()[title]
    returns = sum("Return to" in text for _, _, text in stops)
    modules = {file for file, _, _ in stops}
    assert said == {"stop": len(stops), "module": len(modules), "return": returns}
    assert len(stops) <= 10
