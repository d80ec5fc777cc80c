"""Digests of the code behind a rule, so that changed code reruns what depends on it.

Snakemake notices a changed script file, not a changed library module. A rule therefore carries a
digest of the modules that its result depends on, in its params. It is taken over the syntax tree
without comments and docstrings: rewording one does not retrain a model.

Templates of pages count as code. A module that names the folder `templates` as a text reads the
folder of that name beside it, and every file there is digested with the module.

What a file of code says is kept by the digest of its content, beside the packages: to parse
all of the library would take two seconds of every start.
"""

import ast
import hashlib
import json
import logging
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from lib.files import atomic_path

logger = logging.getLogger(__name__)

_ROOT = Path(__file__).resolve().parent.parent
_TEMPLATES = "templates"
CACHE = Path(sys.prefix, "parsed_code.json")
# What was parsed is never removed one by one: a larger cache is begun anew.
MAX_CACHE_SIZE = 16 * 2**20  # bytes


@dataclass(frozen=True)
class _Parsed:
    """What a file of code says."""

    names: list[str]
    """Names of `lib` that it imports; those of modules, and others."""
    code: str
    """Without comments and docstrings."""
    has_templates: bool


class _Cache:
    """Parsed files by the digest of their content, in memory and on the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # By another version of this module a file may be parsed to something else.
        self._version = _digest(Path(__file__).read_bytes() + sys.version.encode())
        self._known: dict[str, _Parsed] = {}
        self._has_new = False
        try:
            content = json.loads(path.read_bytes())
            if content["version"] == self._version and path.stat().st_size < MAX_CACHE_SIZE:
                self._known = {key: _Parsed(**value) for key, value in content["files"].items()}
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            logger.info("%s is not usable (%s): parsing anew", path, error)

    def parse(self, source: bytes) -> _Parsed:
        """Return what a file says."""
        key = _digest(source)
        if key not in self._known:
            self._known[key] = _parse(source)
            self._has_new = True
        return self._known[key]

    def save(self) -> None:
        """Write what is new; a place that cannot be written keeps what it has."""
        if not self._has_new:
            return
        self._has_new = False
        files = {key: asdict(value) for key, value in self._known.items()}
        try:
            with atomic_path(self._path) as temporary:
                temporary.write_text(json.dumps({"version": self._version, "files": files}))
        except OSError as error:
            logger.info("what was parsed is not kept: %s", error)


@cache
def _open_cache(path: Path) -> _Cache:
    return _Cache(path)


def code_digest(*modules: str, root: Path = _ROOT) -> str:
    """Digest modules and everything of `lib` that they import, directly or not.

    Parameters
    ----------
    modules
        Dotted names, like ``lib.audio.convert``.
    root
        The folder that holds `lib`.

    Raises
    ------
    ValueError
        If there is no such module.
    """
    parsed = _parse_all(modules, root)
    digest = hashlib.blake2b(digest_size=8)
    for module in sorted(parsed):
        digest.update(f"{module}\0{parsed[module].code}\0".encode())
        if parsed[module].has_templates:
            folder = _path(module, root).with_name(_TEMPLATES)
            for path in sorted(folder.glob("*.*")):
                digest.update(f"{path.name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def list_modules(*modules: str, root: Path = _ROOT) -> list[str]:
    """Return modules and everything of `lib` that they import, directly or not, sorted."""
    return sorted(_parse_all(modules, root))


def _parse_all(modules: Iterable[str], root: Path) -> dict[str, _Parsed]:
    """Parse modules and everything of `lib` that they import, by name."""
    pending, parsed = list(modules), {}
    known = _open_cache(CACHE)
    while pending:
        module = pending.pop()
        if module not in parsed:
            parsed[module] = known.parse(_read(module, root))
            # `from lib.audio import wav` imports a module too; other names are none.
            pending += [name for name in parsed[module].names if _path(name, root)]
    known.save()
    return parsed


@cache
def _read(module: str, root: Path) -> bytes:
    path = _path(module, root)
    if path is None:
        raise ValueError(f"no module {module} below {root}")
    return path.read_bytes()


@cache
def _path(module: str, root: Path) -> Path | None:
    base = root.joinpath(*module.split("."))
    candidates = (base.with_suffix(".py"), base / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)


def _parse(source: bytes) -> _Parsed:
    tree = ast.parse(source)
    nodes = list(ast.walk(tree))
    texts = {node.value for node in nodes if isinstance(node, ast.Constant)}
    return _Parsed(_list_names(nodes), _write_code(tree), _TEMPLATES in texts)


def _list_names(nodes: list[ast.AST]) -> list[str]:
    """List the names of `lib` that are imported, at any depth of the code."""
    found = []
    for node in nodes:
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] == "lib"]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "lib":
            found.append(node.module)
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def _write_code(tree: ast.Module) -> str:
    """Return the code without comments and docstrings, in one spelling."""
    tree = ast.parse(ast.unparse(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [part for part in node.body if not _is_text(part)] or [ast.Pass()]
    return ast.unparse(tree)


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
