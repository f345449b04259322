"""Certificates for tests, made by openssl: authorities, and what they sign."""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

from incidentd.settings import ClientAuth, WebTls


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key."""

    cert: Path
    key: Path


class Authority:
    """Signs certificates."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self.folder = folder / name
        self.folder.mkdir()
        self.pair = _made(self.folder, name, "basicConstraints=critical,CA:TRUE")
        self.file = self.pair.cert

    def signs(self, name: str, *alternatives: str) -> Pair:
        """Sign a certificate with a common name and, written as openssl has them, its alternative names."""
        more = ["-CA", str(self.pair.cert), "-CAkey", str(self.pair.key)]
        names = f"subjectAltName={','.join(alternatives)}" if alternatives else "basicConstraints=CA:FALSE"
        return _made(self.folder, name, names, *more)

    def listener(self, pair: Pair, auth: ClientAuth = ClientAuth.IF_GIVEN) -> WebTls:
        return WebTls(cert_file=pair.cert, key_file=pair.key, client_auth=auth, client_ca_file=self.file)

    def client(self, pair: Pair | None = None) -> ssl.SSLContext:
        """Give what a client speaks with that trusts this authority, and presents a certificate if it has one."""
        context = ssl.create_default_context(cafile=self.file)
        if pair is not None:
            context.load_cert_chain(pair.cert, pair.key)
        return context


def _made(folder: Path, name: str, extension: str, *more: str) -> Pair:
    pair = Pair(folder / f"{name}.pem", folder / f"{name}.key")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-days", "2", "-subj", f"/CN={name}", "-addext", extension, *more]
    subprocess.run([*command, "-keyout", str(pair.key), "-out", str(pair.cert)], check=True, capture_output=True)
    return pair
