"""What an image needs to reach Debian, PyPI and npm from here: this host's own settings, as a company's images carry them.

The certificates that this host trusts beyond Debian's, apt's client settings, and the indexes that pip and npm use. So a
Dockerfile in a test is what a user would write, and the repository names no host.
"""

from __future__ import annotations

import configparser
from pathlib import Path

_CERTIFICATES = Path("/usr/local/share/ca-certificates")
_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
_PIP_FILES = ("/etc/pip.conf", "/etc/xdg/pip/pip.conf", "~/.config/pip/pip.conf", "~/.pip/pip.conf")
_NPM_FILES = ("/etc/npmrc", "/usr/etc/npmrc", "/usr/local/etc/npmrc", "~/.npmrc")


def certificates() -> dict[str, str]:
    """The certificates that the administrator added, by their place in an image."""
    return {str(path).lstrip("/"): path.read_text() for path in sorted(_CERTIFICATES.glob("**/*.crt"))}


def apt() -> dict[str, str]:
    """apt's client settings of the administrator's."""
    return {str(path).lstrip("/"): path.read_text() for path in sorted(Path("/etc/apt/apt.conf.d").glob("99*"))}


def pip() -> dict[str, str]:
    """pip's configuration: the system's certificates, and the host's index if it has one of its own."""
    lines = ["[global]", f"cert = {_BUNDLE}"]
    for file in _PIP_FILES:
        found = configparser.ConfigParser(interpolation=None)
        found.read(Path(file).expanduser())
        lines += [
            f"{key} = {found.get('global', key)}"
            for key in ("index-url", "trusted-host")
            if found.has_option("global", key)
        ]
    return {"etc/pip.conf": "\n".join(lines) + "\n"}


def npm() -> dict[str, str]:
    """npm's configuration, likewise."""
    lines = [f"cafile={_BUNDLE}", "update-notifier=false", "fund=false", "audit=false"]
    for file in _NPM_FILES:
        path = Path(file).expanduser()
        for line in path.read_text().splitlines() if path.is_file() else ():
            key, separator, _ = line.partition("=")
            if separator and key.strip() == "registry":
                lines.append(line)
    return {"etc/npmrc": "\n".join(lines) + "\n"}
