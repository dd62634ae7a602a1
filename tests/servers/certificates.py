"""The certificates that this machine trusts, for a Java that comes with its own: a network may have one more."""

import hashlib
import ssl
import struct
from pathlib import Path

__all__ = ["PASSWORD", "write_trust_store"]

PASSWORD = "changeit"  # noqa: S105 - nothing in it is secret


def write_trust_store(path: Path) -> None:
    """Writes the certificates that Python trusts here as a key store of Java's old format, JKS."""
    certificates = ssl.create_default_context().get_ca_certs(binary_form=True)
    data = struct.pack(">III", 0xFEEDFEED, 2, len(certificates))
    for index, certificate in enumerate(certificates):
        data += struct.pack(">I", 2) + _text(f"ca{index}") + struct.pack(">q", 0)
        data += _text("X.509") + struct.pack(">I", len(certificate)) + certificate
    seal = hashlib.sha1(PASSWORD.encode("utf-16-be") + b"Mighty Aphrodite" + data).digest()  # noqa: S324
    path.write_bytes(data + seal)


def _text(text: str) -> bytes:
    return struct.pack(">H", len(text)) + text.encode()
