"""Small trees of files for the tests of this folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from incidentd import config
from incidentd.errors import ConfigError, Problem
from incidentd.settings import Settings

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "deploy" / "example" / "incidentd.yaml"
CATCH_ALL = "{name: everything-else, match: [], severity: sev3, decide: hold, page: default}"
RULES = f"---\nkind: rules\nrules: [{CATCH_ALL}]\n"


def written(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write files into a folder and give the path of its configuration."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder / "incidentd.yaml"


def loaded(folder: Path, text: str, /, env: Mapping[str, str] | None = None, **files: str) -> Settings:
    """Load a configuration of one text; other files are named without their dot: `people_yaml`."""
    others = {name.replace("_", "."): content for name, content in files.items()}
    return config.load(written(folder, {"incidentd.yaml": text, **others}), env=env or {})


def problems(folder: Path, text: str, /, env: Mapping[str, str] | None = None, **files: str) -> tuple[Problem, ...]:
    """Give what is wrong with a configuration."""
    try:
        loaded(folder, text, env, **files)
    except ConfigError as error:
        return error.problems
    return ()
