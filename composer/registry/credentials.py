"""Docker's file of credentials, `~/.docker/config.json`, and the helpers that it names.

    {"auths": {"https://index.docker.io/v1/": {"auth": "dXNlcjpwYXNz"},
               "registry.example.com": {"identitytoken": "..."}},
     "credsStore": "secretservice", "credHelpers": {"gcr.io": "gcloud"}}

A helper is the program `docker-credential-NAME`, asked by a verb and a line on its standard input
<https://github.com/docker/docker-credential-helpers#development>. The file is Docker's too: what we do not know in it stays.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from composer.errors import UsageError

_TOKEN_USER = "<token>"  # how helpers mark that the secret is an identity token
_HELPER_SECONDS = 60.0
_NOT_FOUND = "credentials not found"
_PROXIES = {
    "httpProxy": "HTTP_PROXY",
    "httpsProxy": "HTTPS_PROXY",
    "ftpProxy": "FTP_PROXY",
    "noProxy": "NO_PROXY",
    "allProxy": "ALL_PROXY",
}


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user and a password, or an identity token; never shown."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)


class DockerConfig:
    """The file at `path`; a missing one is empty."""

    def __init__(self, path: Path, environment: Mapping[str, str]) -> None:
        self._path = path
        self._environment = environment

    def get(self, key: str) -> Credentials | None:
        """The credentials stored under `key`, a host or Docker Hub's address; None where there are none.

        Blocks while a helper is asked. Raises UsageError for a damaged file and a helper that fails.
        """
        document = self._read()
        if helper := _helper(document, key):
            return self._ask(helper, key)
        auths = _object(document, "auths")
        entry = auths.get(key)
        if entry is None:  # keys are written as hosts and as addresses
            entry = next((auths[other] for other in sorted(auths) if _host(other) == _host(key)), None)
        return self._decoded(entry, key) if isinstance(entry, dict) else None

    def put(self, key: str, credentials: Credentials) -> str:
        """Store credentials under `key`, replacing others; where they were stored, in words."""
        document = self._read()
        if helper := _helper(document, key):
            user = credentials.username if not credentials.identity_token else _TOKEN_USER
            secret = credentials.identity_token or credentials.password
            self._run(helper, "store", json.dumps({"ServerURL": key, "Username": user, "Secret": secret}))
            return f"the credential helper `{helper}`"
        auth = base64.b64encode(f"{credentials.username}:{credentials.password}".encode()).decode()
        entry = {"auth": auth}
        if credentials.identity_token:
            entry["identitytoken"] = credentials.identity_token
        document["auths"] = {**_object(document, "auths"), key: entry}
        self._write(document)
        return f"`{self._path}`"

    def remove(self, key: str) -> bool:
        """Forget the credentials under `key`; whether there were any."""
        document = self._read()
        if helper := _helper(document, key):
            there = self._ask(helper, key) is not None
            if there:
                self._run(helper, "erase", key)
            return there
        auths = _object(document, "auths")
        kept = {other: entry for other, entry in auths.items() if _host(other) != _host(key)}
        if len(kept) == len(auths):
            return False
        document["auths"] = kept
        self._write(document)
        return True

    def proxies(self) -> dict[str, str]:
        """The proxies that builds are given as arguments, `HTTP_PROXY` and its like, in upper and lower case.

        <https://docs.docker.com/engine/cli/proxy/>. Raises UsageError for a damaged file.
        """
        entry = _object(_object(self._read(), "proxies"), "default")
        found: dict[str, str] = {}
        for name, variable in _PROXIES.items():
            if isinstance(value := entry.get(name), str) and value:
                found |= {variable: value, variable.lower(): value}
        return found

    def _read(self) -> dict[str, Any]:
        try:
            document = json.loads(self._path.read_bytes() or b"{}")
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            reason = error.strerror.lower() if isinstance(error, OSError) and error.strerror else "it is not JSON"
            raise UsageError(f"cannot read `{self._path}`: {reason}", hint="mend it, or move it away") from error
        if not isinstance(document, dict):
            raise UsageError(f"cannot read `{self._path}`: it is no JSON object", hint="mend it, or move it away")
        return document

    def _write(self, document: Mapping[str, Any]) -> None:
        """Replace the file at once; only its owner may read it."""
        target = self._path.resolve()  # a link to the file stays a link
        try:
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(prefix=".config-", dir=target.parent)  # 0600 from its birth
            try:
                with os.fdopen(descriptor, "w") as file:
                    file.write(json.dumps(document, indent="\t") + "\n")
                    file.flush()
                    os.fsync(file.fileno())
                Path(name).replace(target)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise UsageError(f"cannot write `{self._path}`: {(error.strerror or str(error)).lower()}") from error

    def _decoded(self, entry: Mapping[str, Any], key: str) -> Credentials | None:
        token = str(entry.get("identitytoken") or "")
        user, password = str(entry.get("username") or ""), str(entry.get("password") or "")
        if auth := entry.get("auth"):
            try:
                user, _, password = base64.b64decode(str(auth), validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError) as error:
                raise UsageError(
                    f"cannot read `{self._path}`: the `auth` of `{key}` is no base64",
                    hint=f"`compose login {_host(key)}`",
                ) from error
        if not (user or token):
            return None
        return Credentials(user, password.rstrip("\0"), token)

    def _ask(self, helper: str, key: str) -> Credentials | None:
        answer = self._run(helper, "get", key)
        if answer is None:
            return None
        try:
            data = json.loads(answer)
            user, secret = str(data["Username"]), str(data["Secret"])
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"the credential helper `docker-credential-{helper}` answered with nonsense") from error
        return Credentials(identity_token=secret) if user == _TOKEN_USER else Credentials(user, secret)

    def _run(self, helper: str, verb: str, line: str) -> str | None:
        """What the helper answers; None where it has nothing for this. Raises UsageError."""
        program = shutil.which(f"docker-credential-{helper}", path=self._environment.get("PATH"))
        if program is None:
            raise UsageError(
                f"cannot ask for credentials: `{self._path}` names the helper `docker-credential-{helper}`, "
                "and there is no such program",
                hint="install it, or take it out of `credsStore` and `credHelpers`",
            )
        try:
            done = subprocess.run(
                [program, verb],
                input=line,
                capture_output=True,
                text=True,
                timeout=_HELPER_SECONDS,
                env=dict(self._environment),
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise UsageError(f"the credential helper `docker-credential-{helper}` did not answer: {error}") from error
        if done.returncode == 0:
            return done.stdout
        said = (done.stdout + done.stderr).strip()[:200]
        if _NOT_FOUND in said.lower():
            return None
        raise UsageError(f"the credential helper `docker-credential-{helper}` failed: {said}")


def _helper(document: Mapping[str, Any], key: str) -> str:
    """The helper for `key`, the one of its host before the one for all."""
    helpers = _object(document, "credHelpers")
    return str(helpers.get(key) or helpers.get(_host(key)) or document.get("credsStore") or "")


def _host(key: str) -> str:
    """`https://index.docker.io/v1/` -> `index.docker.io`."""
    return key.removeprefix("https://").removeprefix("http://").partition("/")[0]


def _object(document: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = document.get(key)
    return value if isinstance(value, dict) else {}
