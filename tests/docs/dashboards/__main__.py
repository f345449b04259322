"""Writes deploy/grafana/dashboards, and in docs/dashboards.md what each of them shows: `make docs`."""

from __future__ import annotations

from tests.docs.dashboards import files

if __name__ == "__main__":
    for file, text in files.pages().items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        print(f"wrote {file}")
