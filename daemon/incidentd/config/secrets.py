"""Secrets: read from files and the environment, never from the YAML itself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from incidentd.config.parts import Part
from incidentd.config.report import Report, shown
from incidentd.redaction import Secret

_LARGEST = 64 * 1024  # a key or token is far smaller; a device or a log file given by mistake is not read whole


@dataclass(slots=True)
class Secrets:
    """Reads secrets and remembers them, so that they can be taken out of whatever leaves."""

    folder: Path
    """Where the paths of secret files start from: the configuration's folder."""
    env: Mapping[str, str]
    report: Report
    seen: list[Secret] = field(default_factory=list)

    def one(self, whole: Part, key: str) -> Secret:
        """Read the secret under `KEY_file` or `KEY_env`; when there is none the reason is in the report."""
        text = self._text(whole, key)
        if len(text.splitlines()) > 1:
            at = whole[f"{key}_file" if f"{key}_file" in whole else f"{key}_env"].at
            self.report.wrong(at, f"the secret for `{key}` has more than one line", "keep one line")
        secret = Secret(text)
        self.remember(secret)
        return secret

    def of_file(self, file: Part) -> Secret:
        """Read the secret in a file that is named by itself; when there is none the reason is in the report."""
        secret = Secret(self._from_file(file))
        self.remember(secret)
        return secret

    def several(self, whole: Part, key: str) -> tuple[Secret, ...]:
        """Read a secret on each line; nothing when neither key is there."""
        if f"{key}_file" not in whole and f"{key}_env" not in whole:
            return ()
        secrets = tuple(Secret(line.strip()) for line in self._text(whole, key).splitlines() if line.strip())
        self.remember(*secrets)
        return secrets

    def remember(self, *secrets: Secret) -> None:
        """Have these taken out of whatever leaves."""
        self.seen += [secret for secret in secrets if secret]

    def _text(self, whole: Part, key: str) -> str:
        if f"{key}_file" in whole:
            return self._from_file(whole[f"{key}_file"])
        return self._from_environment(whole[f"{key}_env"])

    def _from_environment(self, part: Part) -> str:
        text = self.env.get(part.value, "").rstrip("\r\n")
        if not text:
            state = "is empty" if part.value in self.env else "is not set"
            self.report.wrong(part.at, f"the environment variable {shown(part.value)} {state}", "set it to the secret")
        return text

    def _from_file(self, part: Part) -> str:
        path = Path(os.path.normpath(self.folder / part.value))
        try:
            if not path.is_file():
                raise FileNotFoundError(0, "there is no such file")  # also of a pipe, which would never end
            with path.open("rb") as file:
                text = file.read(_LARGEST).decode().rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is not UTF-8"
            self.report.wrong(part.at, f"the secret file {shown(path, 500)} cannot be read", reason.lower())
            return ""
        if not text.strip():
            self.report.wrong(part.at, f"the secret file {shown(path, 500)} is empty", "write the secret into it")
        return text
