"""Programs of others that tests run: what they are called on the PATH, and what brings them."""

from __future__ import annotations

import shutil
from pathlib import Path

# Debian's own names first; what upstream calls it second.
_NAMES = {"alertmanager": ("prometheus-alertmanager", "alertmanager")}
# What npm brings; Debian has no package of it.
_OF_NPM = {"yaml-language-server": Path(__file__).parent / "editors"}
_PACKAGES = {
    "promtool": "prometheus",
    "prometheus": "prometheus",
    "alertmanager": "prometheus-alertmanager",
    "amtool": "prometheus-alertmanager",
    "postgres": "postgresql",
    "gcc": "gcc libc6-dev",
    "unshare": "util-linux",
    "yaml-language-server": "nodejs npm (and run: make editors)",
}
# What Debian keeps off the PATH, in folders by version.
_FOLDERS = {"postgres": "/usr/lib/postgresql"}


def find(program: str) -> str | None:
    """Give the path of a program, None if it is not installed."""
    if program in _OF_NPM:
        own = _OF_NPM[program] / "node_modules" / ".bin" / program
        return str(own) if own.exists() and shutil.which("node") else None
    on_path = next((path for name in _NAMES.get(program, (program,)) if (path := shutil.which(name))), None)
    if on_path is None and program in _FOLDERS:
        found = sorted(Path(_FOLDERS[program]).glob(f"*/bin/{program}"), key=lambda path: int(path.parts[-3]))
        return str(found[-1]) if found else None
    return on_path


def path_of(program: str) -> str:
    """Give the path of a program that the test says it needs."""
    path = find(program)
    assert path is not None, f"mark the test with @pytest.mark.needs({program!r})"
    return path


def package_of(program: str) -> str:
    """Give the Debian package that brings a program."""
    return _PACKAGES.get(program, program)
