"""Certificates of a test authority, made with openssl; elliptic keys, so that it takes no time."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Identity:
    """A certificate and its key."""

    certificate: Path
    key: Path


def authority(directory: Path) -> Identity:
    """An authority of our own."""
    made = _paths(directory, "authority")
    _openssl("req", "-x509", *_new_key(made.key), "-days", "2", "-subj", "/CN=test authority", "-out", made.certificate)
    return made


def signed(directory: Path, name: str, by: Identity, addresses: str = "IP:127.0.0.1,DNS:localhost") -> Identity:
    """A certificate for servers at `addresses`, or for clients, signed by an authority."""
    made, request, extensions = _paths(directory, name), directory / f"{name}.csr", directory / f"{name}.ext"
    extensions.write_text(f"subjectAltName={addresses}\nextendedKeyUsage=serverAuth,clientAuth\n")
    _openssl("req", *_new_key(made.key), "-subj", f"/CN={name}", "-out", request)
    _openssl(
        "x509", "-req", "-in", request, "-CA", by.certificate, "-CAkey", by.key, "-CAcreateserial", "-days", "2",
        "-extfile", extensions, "-out", made.certificate,
    )  # fmt: skip
    return made


def rsa(directory: Path, name: str) -> Identity:
    """A certificate that signed itself, with an RSA key: what signs tokens."""
    made = _paths(directory, name)
    _openssl(
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", made.key, "-days", "2", "-subj", f"/CN={name}",
        "-out", made.certificate,
    )  # fmt: skip
    return made


def _new_key(key: Path) -> tuple[str | Path, ...]:
    return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key)


def _paths(directory: Path, name: str) -> Identity:
    directory.mkdir(parents=True, exist_ok=True)
    return Identity(directory / f"{name}.pem", directory / f"{name}.key")


def _openssl(*arguments: str | Path) -> None:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
