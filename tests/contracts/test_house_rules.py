"""The house rules that no tool checks: sizes, words, and where a broad `except` may stand."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from incidentd.metrics import families

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "daemon" / "incidentd"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.read_text())
# Where catching everything is the point: the boundary of a step, of a request, of a unit of work, and of a thread that
# hands over what it caught. Another one is a decision to be taken here.
BROAD = {
    "engine/decide.py", "engine/loop.py", "web/answers.py", "store/writer.py", "tickets/client.py",
    "config/kinds.py", "runner/installed.py",
}  # fmt: skip
MIGRATIONS = "store/migrations/versions"  # written once by a tool, and read by nobody twice
# With a letter in brackets, so that this file does not find itself.
UNFINISHED = re.compile(r"\b(TO[D]O|FIX[M]E|XX[X])\b|NotImplemented[E]rror")
SAYING = (tokenize.COMMENT, tokenize.NAME)  # a string may well speak of such a word
HOLES = re.compile(r"pytest\.(skip|mark\.skip|mark\.xfail|importor[s]kip|xfail)\b")
ELSEWHERE = re.compile(r"/[w]ork/|/[f]arm/|\.\./[s]hared|pypi[.]org|files[.]pythonhosted|registry[.]npmjs|deb[.]debian")


def tracked() -> Iterator[tuple[Path, str]]:
    """Give every file of the project that is text, with what it says."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.is_file() and path.stat().st_size < 400_000:
            try:
                yield path.relative_to(ROOT), path.read_text()
            except UnicodeDecodeError:
                continue


def name(path: Path) -> str:
    """Name a module."""
    return str(path.relative_to(PACKAGE))


@pytest.fixture(scope="module")
def parsed() -> dict[str, ast.Module]:
    """Give every module of the package, by its name."""
    return {name(module): ast.parse(module.read_text()) for module in MODULES}


def test_a_module_says_what_it_is_for_and_fits_a_readers_head(parsed: dict[str, ast.Module]) -> None:
    long = [
        name(module)
        for module in MODULES
        if module.read_text().count("\n") > 400 and not name(module).startswith(MIGRATIONS)
    ]
    assert not long, "make each a package of the same name"
    silent = [module for module, tree in parsed.items() if not ast.get_docstring(tree)]
    assert not silent, "the first line of a file is one plain sentence"


@pytest.mark.slow
def test_a_function_fits_on_a_screen(parsed: dict[str, ast.Module]) -> None:
    long = [
        f"{module}:{node.lineno}: {node.name} has {lines} lines"
        for module, tree in parsed.items()
        if not module.startswith(MIGRATIONS)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > 50
    ]
    assert not long


@pytest.mark.slow
def test_only_a_boundary_catches_everything(parsed: dict[str, ast.Module]) -> None:
    broad = [
        f"{module}:{node.lineno}"
        for module, tree in parsed.items()
        if module not in BROAD
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or re.search(r"\b(Base)?Exception\b", ast.unparse(node.type)))
        and not isinstance(node.body[-1], ast.Raise)
    ]
    assert not broad


def test_nothing_is_left_unfinished() -> None:
    for path, text in tracked():
        if path.suffix == ".py" and UNFINISHED.search(text):  # nothing else has to be read word by word
            words = (token for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type in SAYING)
            assert not [token.start[0] for token in words if UNFINISHED.search(token.string)], path


def test_no_test_is_a_hole() -> None:
    """A test that cannot run here is deselected with its sentence in the summary; it is never skipped in silence."""
    assert not [str(path) for path, text in tracked() if path.parts[0] == "tests" and HOLES.search(text)]


def test_the_project_names_no_machine_and_no_registry() -> None:
    found = [str(path) for path, text in tracked() if ELSEWHERE.search(text) and path.parts[:2] != ("tests", "data")]
    assert not found


def test_every_metric_is_counted_somewhere() -> None:
    """A metric that nothing sets would stand at zero and look like good news."""
    own = (PACKAGE / "metrics/__init__.py").read_text()
    others = "".join(module.read_text() for module in MODULES if "metrics" not in module.parts)
    unset = [f.attribute for f in families() if f".{f.attribute}" not in others and f"self.{f.attribute}" not in own]
    assert not unset
