"""TLS of our own listener: the context that it proves itself with, and how long its certificate holds."""

from __future__ import annotations

import re
import ssl
from datetime import UTC, datetime
from pathlib import Path

from incidentd.errors import IncidentdError
from incidentd.settings import ClientAuth, MinVersion, WebTls

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_VERIFY = {
    ClientAuth.NONE: ssl.CERT_NONE, ClientAuth.IF_GIVEN: ssl.CERT_OPTIONAL, ClientAuth.REQUIRED: ssl.CERT_REQUIRED,
}  # fmt: skip
_LOWEST = {MinVersion.TLS12: ssl.TLSVersion.TLSv1_2, MinVersion.TLS13: ssl.TLSVersion.TLSv1_3}
_TIMES = {0x17: "%y%m%d%H%M%SZ", 0x18: "%Y%m%d%H%M%SZ"}  # UTCTime and GeneralizedTime, as RFC 5280 has them


class Unusable(IncidentdError):
    """A file cannot be used for TLS; `key` is the setting that names it."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(f"`{key}` cannot be used: {why}")
        self.key = key


def server_context(tls: WebTls) -> ssl.SSLContext:
    """Make the context of a listener from the files as they are now. Raises Unusable."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _LOWEST[tls.min_version]
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    key = "cert_file"
    try:
        context.load_cert_chain(tls.cert_file, tls.key_file, password="")  # never ask the terminal
        key = "client_ca_file"
        if tls.client_ca_file is not None:
            context.load_verify_locations(cafile=tls.client_ca_file)
    except (ssl.SSLError, OSError, ValueError) as error:
        raise Unusable(key, _why(error)) from None
    context.verify_mode = _VERIFY[tls.client_auth]
    return context


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        reason = error.reason or "it is not what it should be, in PEM"
        return str(reason).replace("_", " ").lower()
    return str(getattr(error, "strerror", "") or type(error).__name__).lower()


def expires_at(cert_file: Path) -> datetime:
    """Say until when the first certificate of a PEM file is valid, in UTC. Raises Unusable."""
    try:
        found = _PEM.search(cert_file.read_text(encoding="ascii", errors="replace"))
        if found is None:
            raise ValueError("it holds no certificate")
        return _not_after(ssl.PEM_cert_to_DER_cert(found[0]))
    except (OSError, ValueError, IndexError) as error:
        raise Unusable("cert_file", getattr(error, "strerror", "") or str(error)) from None


def _not_after(certificate: bytes) -> datetime:
    """Find the end of the validity in a certificate's DER: serial, algorithm and issuer stand before it."""
    signed = _parts(_parts(certificate)[0][1])[0][1]
    fields = [field for field in _parts(signed) if field[0] != 0xA0]  # but for the version, which may be missing
    kind, text = _parts(fields[3][1])[1]
    at = datetime.strptime(text.decode("ascii"), _TIMES[kind]).replace(tzinfo=UTC)
    # two digits of a year mean 1950 to 2049 here, and 1969 to 2068 in Python
    return at.replace(year=at.year - 100) if kind == 0x17 and at.year >= 2050 else at


def _parts(data: bytes) -> list[tuple[int, bytes]]:
    """Split DER into the values that stand in it one after the other: the tag and what is inside of each."""
    found, at = [], 0
    while at < len(data):
        tag, length, at = data[at], data[at + 1], at + 2
        if length & 0x80:
            size = length & 0x7F
            length, at = int.from_bytes(data[at : at + size], "big"), at + size
        if at + length > len(data):
            raise ValueError("the certificate is cut off")
        found.append((tag, data[at : at + length]))
        at += length
    return found
