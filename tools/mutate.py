"""Tries whether the tests notice a change of the code: ``python tools/mutate.py --help``.

A sample of small changes (another comparison, another operator, a number one higher, a statement
left out, a condition turned round) is made one at a time in a copy of the project, and the tests
of the changed file's room are run on it. A change that they let pass is printed with its place:
either a test is missing, or the change alters nothing that anybody could notice.

The sample follows from the seed and the files, so that a survivor can be looked at again:
``--only 17`` runs change 17 of the same sample alone.
"""

import argparse
import ast
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).resolve().parents[1]
ROOMS = (
    "lib/vits",
    "lib/training",
    "lib/speakers",
    "lib/dataset/split.py",
    "lib/text",
    "lib/audio/loudness.py",
)
# Their code runs on a GPU, or in processes that the tests start many of.
LEFT_OUT = {"lib/vits/alignment/triton_search.py", "lib/training/run.py"}
# Files of tests that start many processes, train for long, embed much speech or load large tables.
# They come last, and are left out by --quick.
SLOW = {
    "test_processes.py",
    "test_resume.py",
    "test_going_on.py",
    "test_new_data.py",
    "test_recorded.py",
    "test_romanise.py",
    "test_frontend.py",
}
SECONDS = 600
COMPARISONS = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Pow: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}


@dataclass
class Mutant:
    """One change, and what became of it."""

    number: int
    file: str
    line: int
    change: str
    site: int
    """Which of the file's possible changes it is."""
    outcome: str = ""
    noticed_by: str = ""
    """The first test that failed."""
    seconds: float = 0.0


def find_changes(tree: ast.Module) -> Iterator[tuple[ast.AST, str, callable]]:
    """Yield the places of a module that can be changed: node, what is done, and how."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARISONS:
            new = COMPARISONS[type(node.ops[0])]
            yield node, f"{type(node.ops[0]).__name__} to {new.__name__}", _set_comparison(new)
        elif isinstance(node, ast.BinOp | ast.BoolOp | ast.AugAssign):
            new = OPERATORS.get(type(node.op))
            if new and not _is_text(node):
                yield node, f"{type(node.op).__name__} to {new.__name__}", _set_operator(new)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            yield node, "not left out", lambda n: setattr(n, "op", ast.UAdd()) or _bool(n)
        elif isinstance(node, ast.If | ast.IfExp | ast.While):
            yield node, "condition turned round", _turn_round
        elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            yield node, f"{node.value} to another", _change_number
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id in NAMES:
                yield node, f"{node.func.id} to {NAMES[node.func.id]}", _rename
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            if not _is_message(node.value):
                yield node, "statement left out", lambda n: setattr(n, "value", ast.Constant(None))


def _set_comparison(new: type) -> callable:
    return lambda node: node.ops.__setitem__(0, new())


def _set_operator(new: type) -> callable:
    return lambda node: setattr(node, "op", new())


def _bool(node: ast.UnaryOp) -> None:
    node.operand = ast.Call(ast.Name("bool", ast.Load()), [node.operand], [])


def _turn_round(node: ast.If) -> None:
    node.test = ast.UnaryOp(ast.Not(), node.test)


def _change_number(node: ast.Constant) -> None:
    node.value = not node.value if isinstance(node.value, bool) else node.value + 1


def _rename(node: ast.Call) -> None:
    node.func.id = NAMES[node.func.id]


def _is_text(node: ast.AST) -> bool:
    """Whether an operation puts texts together, as those of messages do."""
    return any(
        isinstance(part, ast.JoinedStr)
        or (isinstance(part, ast.Constant) and isinstance(part.value, str))
        for part in ast.iter_child_nodes(node)
    )


def _is_message(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and getattr(call.func.value, "id", "") == "logger"


def list_files(places: list[str]) -> list[str]:
    """List the modules of files and folders, relative to the root."""
    found = []
    for place in places:
        path = ROOT / place
        found += sorted(path.rglob("*.py")) if path.is_dir() else [path]
    names = [str(path.relative_to(ROOT)) for path in found]
    return [name for name in names if name not in LEFT_OUT and not name.endswith("__init__.py")]


def draw(files: list[str], count: int, seed: int) -> list[Mutant]:
    """Draw changes from all that there are, each as likely as any other."""
    every = [
        (file, site, node.lineno, change)
        for file in files
        for site, (node, change, _) in enumerate(find_changes(_parse(file)))
    ]
    chosen = random.Random(seed).sample(every, min(count, len(every)))
    return [Mutant(n, file, line, what, site) for n, (file, site, line, what) in enumerate(chosen)]


def _parse(file: str) -> ast.Module:
    return ast.parse((ROOT / file).read_text("utf-8"))


def mutate(mutant: Mutant, source: str) -> str:
    """Return the source of a file with its change."""
    tree = ast.parse(source)
    node, _, change = list(find_changes(tree))[mutant.site]
    change(node)
    return ast.unparse(ast.fix_missing_locations(tree))


def list_tests(file: str, root: Path, quick: bool = False) -> list[str]:
    """List the test files of a module's room; with `quick` the slow ones are left out."""
    path = Path(file)
    folder = root / "tests" / path.parts[1]
    tests = sorted(folder.glob("test_*.py"))
    if path.parts[1] in ("dataset", "audio"):
        tests = [test for test in tests if path.stem in test.stem] or tests
    return [str(test.relative_to(root)) for test in tests if not (quick and test.name in SLOW)]


def run(mutant: Mutant, copy: Path, tests: list[str]) -> None:
    """Run the tests of a changed file's room in a copy of the project."""
    target = copy / mutant.file
    original = target.read_text("utf-8")
    began = time.monotonic()
    try:
        target.write_text(mutate(mutant, original), "utf-8")
        done = _run_tests(tests, copy)
        mutant.outcome = "noticed" if done.returncode else "survived"
        failed = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout.decode(), re.MULTILINE)
        mutant.noticed_by = failed[1] if failed else ""
        if done.returncode == 1 and not failed:
            raise RuntimeError(f"the tests could not be run:\n{done.stderr.decode()}")
    except subprocess.TimeoutExpired:
        mutant.outcome = "noticed (never ends)"
    finally:
        target.write_text(original, "utf-8")
    mutant.seconds = time.monotonic() - began


def time_tests(mutants: list[Mutant], copy: Path, quick: bool) -> dict[str, list[str]]:
    """Run the tests on the code as it is; return those of every changed file, the fastest first.

    Where they fail, every change would seem noticed.
    """
    files = {mutant.file: list_tests(mutant.file, copy, quick) for mutant in mutants}
    tests = sorted({test for found in files.values() for test in found})
    done = _run_tests([*tests, "--durations=0", "--durations-min=0"], copy, seconds=None)
    output = done.stdout.decode()
    if done.returncode:
        raise SystemExit(f"the tests fail without a change:\n{output}")
    spent = re.findall(r"^ *([\d.]+)s call +(\S.*)$", output, re.MULTILINE)
    fastest = [name for _, name in sorted((float(seconds), name) for seconds, name in spent)]
    return {
        file: [name for slow in (False, True) for name in fastest if _belongs(name, found, slow)]
        for file, found in files.items()
    }


def _belongs(name: str, tests: list[str], slow: bool) -> bool:
    file = name.partition("::")[0]
    return file in tests and (Path(file).name in SLOW) == slow


def _run_tests(
    tests: list[str], copy: Path, seconds: float | None = SECONDS
) -> subprocess.CompletedProcess:
    # The same examples of the property tests each time, or a change would die by luck.
    options = ("-x", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=1")
    return subprocess.run(
        [sys.executable, "-B", "-m", "pytest", *options, *tests],
        cwd=copy,
        capture_output=True,
        timeout=seconds,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def main() -> None:
    """Draw a sample, try it and say what survived."""
    parser = _make_parser()
    arguments = parser.parse_args()
    mutants = draw(list_files(list(arguments.places)), arguments.count, arguments.seed)
    chosen = [m for m in mutants if arguments.only is None or m.number in arguments.only]
    if not chosen:
        parser.error("no change to try: no file has any, or no number of --only is below --count")
    try_all(chosen, arguments.jobs, arguments.quick, arguments.output)
    noticed = sum(m.outcome != "survived" for m in chosen)
    sys.stdout.write(f"{noticed} of {len(chosen)} noticed ({noticed / len(chosen):.1%})\n")


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("places", nargs="*", default=ROOMS, help="files or folders below lib/")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", type=int, nargs="+", help="numbers within the sample")
    parser.add_argument(
        "--quick", action="store_true", help="leave out slow tests: what they alone notice survives"
    )
    parser.add_argument("--output", type=Path, help="JSON file, written after every change")
    return parser


def try_all(mutants: list[Mutant], jobs: int, quick: bool, output: Path | None) -> None:
    """Try changes, `jobs` at a time, and print what became of each."""
    with tempfile.TemporaryDirectory() as folder:
        copies: SimpleQueue[Path] = SimpleQueue()
        for job in range(jobs):
            copies.put(_copy_project(Path(folder) / str(job)))
        tests = time_tests(mutants, Path(folder) / "0" / ROOT.name, quick)

        def work(mutant: Mutant) -> None:
            copy = copies.get()
            try:
                run(mutant, copy, tests[mutant.file])
            finally:
                copies.put(copy)
            place = f"{mutant.file}:{mutant.line}"
            sys.stdout.write(f"{mutant.number:4} {mutant.outcome:10} {place}  {mutant.change}\n")
            sys.stdout.flush()
            if output:
                output.write_text(json.dumps([asdict(m) for m in mutants if m.outcome], indent=1))

        with ThreadPoolExecutor(jobs) as pool:
            list(pool.map(work, mutants))


def _copy_project(folder: Path) -> Path:
    """Copy what the tests need; recordings beside the project stay where they are."""
    copy = folder / ROOT.name
    ignored = shutil.ignore_patterns("__pycache__", "results*", ".git", ".venv", ".snakemake", ".*")
    shutil.copytree(ROOT, copy, ignore=ignored)
    shared = ROOT.parent / "shared"
    if shared.is_dir():
        (folder / "shared").symlink_to(shared)
    return copy


if __name__ == "__main__":
    main()
