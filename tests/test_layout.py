"""The house keeps its order."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = sorted((ROOT / "lib").rglob("*.py"))
TOOLS = sorted((ROOT / "tools").rglob("*.py"))
SCRIPTS = sorted((ROOT / "workflow/scripts").glob("*.py"))
RULE_FILES = sorted((ROOT / "workflow/rules").glob("*.smk"))
RULES = {
    part.split(":")[0]: part
    for path in RULE_FILES
    for part in re.split(r"^rule (?=\w+:)", path.read_text("utf-8"), flags=re.MULTILINE)[1:]
}

# Which rooms of the library may use which others.
ROOMS = {
    "config": set(),
    "corpus": set(),
    "audio": set(),
    "text": set(),
    "speakers": {"audio"},
    "dataset": {"corpus", "audio", "text", "speakers"},
    "vits": set(),
    "base_model": {"vits", "text", "corpus"},
    "keeping": {"base_model"},
    "training": {"vits", "base_model", "corpus", "keeping"},
    "bundle": {"base_model", "training"},
    "synthesis": {"vits", "audio", "text", "base_model", "corpus"},
    "packs": {"vits", "text", "base_model", "synthesis"},
    "evaluation": {
        "vits",
        "synthesis",
        "speakers",
        "text",
        "audio",
        "base_model",
        "corpus",
        "dataset",
    },
    "preference": {"base_model", "evaluation", "synthesis"},
    "report": {"vits", "audio", "text", "speakers", "dataset", "synthesis", "evaluation"},
    "review": {
        "report",
        "audio",
        "text",
        "speakers",
        "corpus",
        "dataset",
        "synthesis",
        "preference",
    },
    "talk": {"report", "synthesis", "base_model"},
}
SHARED = {
    "commands",
    "config",
    "errors",
    "files",
    "lfs",
    "locking",
    "logs",
    "mms",
    "numba_cache",
    "progress",
    "provenance",
    "signals",
    "tables",
}
HEAVY = {"librosa", "resemblyzer", "datasets"}


def imported(path: Path, at_the_top_alone: bool = False) -> set[str]:
    """Return the modules that a file imports."""
    tree = ast.parse(path.read_text("utf-8"))
    nodes = tree.body if at_the_top_alone else ast.walk(tree)
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def imported_names(path: Path) -> set[tuple[str, str]]:
    """Return what a file imports from modules, as pairs of module and name."""
    tree = ast.parse(path.read_text("utf-8"))
    return {
        (node.module or "", alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


# ---------------------------------------------------------------- the library


@pytest.mark.parametrize("path", LIBRARY, ids=relative)
def test_the_library_knows_nothing_of_snakemake_and_prints_nothing(path):
    assert not any(name.split(".")[0] == "snakemake" for name in imported(path))
    tree = ast.parse(path.read_text("utf-8"))
    calls = {n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and hasattr(n.func, "id")}
    assert "print" not in calls


@pytest.mark.parametrize("path", [*LIBRARY, *TOOLS], ids=relative)
def test_a_module_can_be_read_in_one_sitting(path):
    assert len(path.read_text("utf-8").splitlines()) <= 350


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_has_a_dozen_modules_at_most(room):
    modules = {path.name for path in (ROOT / "lib" / room).glob("*.py")}
    assert len(modules - {"__init__.py", "__main__.py"}) <= 12


def find_circle(arrows: dict[str, set[str]]) -> list[str]:
    """Return modules that import each other in a circle; none where there is no circle."""
    done: set[str] = set()

    def follow(module: str, way: list[str]) -> list[str]:
        if module in way:
            return way[way.index(module) :]
        if module not in done:
            for other in sorted(arrows.get(module, ())):
                if circle := follow(other, [*way, module]):
                    return circle
            done.add(module)
        return []

    return next((circle for module in arrows if (circle := follow(module, []))), [])


def find_arrows(path: Path, known: set[str]) -> set[str]:
    """Return the modules of the library that a file imports, by `import` or from a package."""
    pairs = imported_names(path)
    parts = {f"{base}.{name}" for base, name in pairs} & known
    bases = {base for base, name in pairs if f"{base}.{name}" not in known}
    plain = imported(path) - {base for base, _ in pairs}
    return parts | ((bases | plain) & known)


def test_no_modules_import_each_other_in_a_circle():
    """Also through shared modules, and through imports within functions."""
    names = {
        path: ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in LIBRARY
    }
    known = set(names.values())
    arrows = {name: find_arrows(path, known) - {name} for path, name in names.items()}
    assert len(arrows) > 80
    assert find_circle(arrows) == []


def test_a_circle_is_found():
    assert find_circle({"a": {"b"}, "b": {"c"}, "c": {"d", "b"}}) == ["b", "c"]
    assert find_circle({"a": {"b", "c"}, "b": {"c"}}) == []


# Words that the glossary replaces: no module, folder or rule is called so.
SYNONYMS = {
    *("audition", "canvas", "claims", "copies", "doubts", "fate", "gates", "guard", "hearing"),
    *("interruption", "judge", "leaf", "learner", "likeness", "listening", "loop", "monitor"),
    *("pace", "problem", "problems", "progress_bar", "recipe", "resumption", "ruling", "seniors"),
    *("soundprint", "strangers", "unspoken", "voices", "votes", "window", "windows", "word"),
}


def test_no_module_or_rule_is_called_by_a_word_that_the_glossary_replaces():
    names = [path.relative_to(ROOT).with_suffix("").parts for path in [*LIBRARY, *SCRIPTS]]
    words = {word for parts in names for part in parts for word in part.split("_")}
    words |= {word for rule in RULES for word in rule.split("_")}
    assert not words & SYNONYMS


@pytest.mark.parametrize("room", [*ROOMS, "report.summary"])
def test_every_room_runs_by_hand(room):
    if room == "vits":
        assert not (ROOT / "lib/vits/__main__.py").exists(), "it is a library for the others"
        return
    done = subprocess.run(
        [sys.executable, "-m", f"lib.{room}", "--help"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: python -m lib.{room}")


TOOL_COMMANDS = ["tools.base_model", "tools.base_model.measure", "tools.demo.make_corpus"]


@pytest.mark.parametrize(
    "module", [*TOOL_COMMANDS, "tools.kill", "tools.mutate", "tools.pictures", "tools.rooms"]
)
def test_every_tool_says_how_it_is_used(module):
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "usage:" in done.stdout


def test_resources_are_data():
    programs = {".py", ".sh", ".smk", ".js"}
    assert not [path for path in (ROOT / "resources").rglob("*") if path.suffix in programs]


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_use_only_the_rooms_they_may(room):
    for path in (ROOT / "lib" / room).rglob("*.py"):
        used = {name.split(".")[1] for name in imported(path) if name.startswith("lib.")}
        strange = used - ROOMS[room] - SHARED - {room}
        assert not strange, f"{relative(path)} imports {sorted(strange)}"


def test_every_room_is_known():
    rooms = {path.name for path in (ROOT / "lib").iterdir() if path.is_dir()} - {"__pycache__"}
    assert rooms == ROOMS.keys()


@pytest.mark.parametrize("room", ["vits", "base_model", "training"])
def test_the_training_side_runs_on_a_bare_machine(room):
    for path in (ROOT / "lib" / room).rglob("*.py"):
        heavy = {name.split(".")[0] for name in imported(path, at_the_top_alone=True)} & HEAVY
        assert not heavy, f"{relative(path)} imports {heavy} at the top"


WRITERS = {"write_text", "write_bytes", "save_file", "save_pretrained", "save_to_disk", "savefig"}
WRITERS |= {"touch", "replace", "rename", "move", "copy", "copyfile"}
# Functions that write into a folder to which their caller gives its name, and the lock.
WRITE_WITHIN = {
    "lib/locking.py": {"take_lock"},
    "lib/base_model/discriminator.py": {"save_discriminator"},
    "lib/base_model/fetch.py": {"convert_original_directory"},
    # A file in a temporary folder, which is then copied.
    "lib/keeping/keeper.py": {"_put"},
    # They move whole files and folders, which stay where they are if this is killed.
    "lib/bundle/receive.py": {"receive_training"},
    "lib/training/logging.py": {"archive_curves"},
    "lib/training/checkpoint.py": {"recover_checkpoints", "replace_checkpoints"},
    "lib/base_model/tiny.py": {"write_tiny_model"},
    "lib/dataset/assemble.py": {"_write_table"},
    # Into memory.
    "lib/talk/server.py": {"speak"},
    "lib/packs/onnx_file.py": {"_save"},
    "lib/packs/pack.py": {"_write_documents"},
    "lib/packs/piper.py": {"write_piper_pack"},
    "lib/packs/sherpa.py": {"write_sherpa_pack"},
}
# The second is all that a machine has before it is checked: it uses no other module.
WRITE_THEMSELVES = {"lib/files.py", "lib/bundle/box.py"}


def find_unsafe_writes(node: ast.AST, safe: bool = False, function: str = "") -> set[str]:
    """Return the functions that write outside of atomic_path and atomic_directory."""
    if isinstance(node, ast.FunctionDef):
        function = node.name
    if isinstance(node, ast.With):
        safe = safe or any("atomic_" in ast.unparse(item.context_expr) for item in node.items)
    found = {function} if not safe and is_write(node) else set()
    for child in ast.iter_child_nodes(node):
        found |= find_unsafe_writes(child, safe, function)
    return found


def is_write(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    name = ast.unparse(node.func)
    attribute = name.rsplit(".", 1)[-1]
    if name in ("torch.save", "soundfile.write", "np.save", "pickle.dump", "json.dump"):
        return True
    if name == "pq.write_table":
        return True
    if attribute == "open" and name not in ("wave.open", "av.open"):  # into memory
        modes = [ast.unparse(a) for a in (*node.args, *(k.value for k in node.keywords))]
        return any(re.fullmatch("'[wax]b?[+]?'", mode) for mode in modes)
    owner = name.rsplit(".", 1)[0]
    if attribute in ("replace", "rename", "move", "copy", "copyfile"):
        return owner in ("os", "shutil")
    return attribute in WRITERS


@pytest.mark.parametrize("path", LIBRARY, ids=relative)
def test_whatever_is_written_is_written_safely(path):
    if relative(path) not in WRITE_THEMSELVES:
        unsafe = find_unsafe_writes(ast.parse(path.read_text("utf-8")))
        assert unsafe <= WRITE_WITHIN.get(relative(path), set())


@pytest.mark.parametrize(
    "code",
    [
        "path.write_text('x')",
        "path.open('w')",
        "open(path, mode='wb')",
        "torch.save({}, path)",
        "with tempfile.TemporaryDirectory() as x: pq.write_table(t, path)",
    ],
)
def test_a_write_that_is_not_safe_is_found(code):
    assert find_unsafe_writes(ast.parse(f"def f():\n    {code}")) == {"f"}
    inside = f"def f():\n    with atomic_path(p) as path:\n        {code}"
    assert not find_unsafe_writes(ast.parse(inside))


# ---------------------------------------------------------------- the workflow


def test_rule_script_log_and_benchmark_have_one_name():
    for rule, text in RULES.items():
        for folder, found in re.findall(r'"<(logs|benchmarks)>/(\w+)', text):
            assert found == rule, f"rule {rule}: {folder} of {found}"
        script = re.search(r'"\.\./scripts/(\w+)\.py"', text)
        assert script is None or script[1] == rule
    assert {path.stem for path in SCRIPTS} == {
        rule for rule, text in RULES.items() if "    script:" in text
    }


def test_every_rule_says_what_it_takes_and_leaves_a_log():
    for rule, text in RULES.items():
        for directive in ("log", "resources", "output", "params"):
            assert f"    {directive}:" in text, f"rule {rule} has no {directive}"
        assert "runtime=estimate(" in text, f"rule {rule} has no runtime"
        assert "code=code_digest(" in text, f"rule {rule} does not follow its code"
        assert "    conda:" in text or "    run:" in text, f"rule {rule} has no environment"


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_scripts_only_adapt(path):
    tree = ast.parse(path.read_text("utf-8"))
    forbidden = (ast.If, ast.For, ast.While, ast.FunctionDef, ast.BinOp)
    strange = [
        type(node).__name__
        for node in ast.walk(tree)
        # `folder / "name"` is no arithmetic.
        if isinstance(node, forbidden)
        and not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div))
    ]
    assert not strange
    assert len(path.read_text("utf-8").splitlines()) <= 40


@pytest.mark.parametrize("path", RULE_FILES, ids=lambda path: path.stem)
def test_rule_files_open_with_what_they_do(path):
    text = path.read_text("utf-8")
    assert text.startswith('"""')
    if path.stem != "common":
        assert "REQUIRES" in text.split('"""')[1] and "PRODUCES" in text.split('"""')[1]


def test_the_snakefile_only_wires():
    lines = (ROOT / "Snakefile").read_text("utf-8").splitlines()
    assert len(lines) < 60
    assert not any(line.startswith(("def ", "import ")) for line in lines)


def test_profiles_agree_on_what_makes_a_target_stale():
    profiles = [
        yaml.safe_load(path.read_text("utf-8"))
        for path in (ROOT / "profiles").glob("*/config.yaml")
    ]
    assert len(profiles) >= 3
    for key in ("rerun-triggers", "scheduler", "force-use-threads", "nolock"):
        assert len({str(profile[key]) for profile in profiles}) == 1, key


# ---------------------------------------------------------------- the repository


def test_nothing_that_is_made_is_in_the_repository():
    if not (ROOT / ".git").exists():
        pytest.skip("no repository")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    made = [name for name in listed.stdout.split() if name.startswith(("results/", ".snakemake/"))]
    assert not made
    assert not [name for name in listed.stdout.split() if "__pycache__" in name]
