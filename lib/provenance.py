"""Digests of the code behind a rule, so that changed code reruns what depends on it.

Snakemake notices a changed script file, not a changed library module. A rule therefore carries a
digest of the modules that its result depends on, in its params. It is taken over the syntax tree
without comments and docstrings: rewording one does not retrain a model.

Templates of pages count as code. A module that names the folder `templates` as a text reads the
folder of that name beside it, and every file there is digested with the module.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_TEMPLATES = "templates"


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
    digest = hashlib.blake2b(digest_size=8)
    for module in list_modules(*modules, root=root):
        digest.update(f"{module}\0{_code(module, root)}\0".encode())
        for path in _templates(module, root):
            digest.update(f"{path.name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def list_modules(*modules: str, root: Path = _ROOT) -> list[str]:
    """Return modules and everything of `lib` that they import, directly or not, sorted."""
    pending, seen = list(modules), set()
    while pending:
        module = pending.pop()
        if module not in seen:
            seen.add(module)
            pending += _imports(module, root)
    return sorted(seen)


@cache
def _tree(module: str, root: Path) -> ast.Module:
    path = _path(module, root)
    if path is None:
        raise ValueError(f"no module {module} below {root}")
    return ast.parse(path.read_text("utf-8"))


def _path(module: str, root: Path) -> Path | None:
    base = root.joinpath(*module.split("."))
    candidates = (base.with_suffix(".py"), base / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)


@cache
def _imports(module: str, root: Path) -> list[str]:
    """List the modules of `lib` that a module imports, at any depth of its code."""
    found = []
    for node in ast.walk(_tree(module, root)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] == "lib"]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "lib":
            found.append(node.module)
            # `from lib.audio import wav` imports a module too.
            names = (f"{node.module}.{alias.name}" for alias in node.names)
            found += [name for name in names if _path(name, root)]
    return found


@cache
def _code(module: str, root: Path) -> str:
    tree = ast.parse(ast.unparse(_tree(module, root)))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [part for part in node.body if not _is_text(part)] or [ast.Pass()]
    return ast.unparse(tree)


@cache
def _templates(module: str, root: Path) -> list[Path]:
    """List the template files that a module reads, in a fixed order."""
    names = {node.value for node in ast.walk(_tree(module, root)) if isinstance(node, ast.Constant)}
    folder = _path(module, root).with_name(_TEMPLATES)
    return sorted(folder.glob("*.*")) if _TEMPLATES in names else []


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
