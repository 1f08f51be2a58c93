"""A token server: signs tokens that Debian's docker-registry accepts, for those who may have them.

`asked` holds every request it answered, as (method, parameters, user). Tokens are JSON Web Tokens with RS256, the certificate
in their `x5c` <https://distribution.github.io/distribution/spec/auth/jwt/>.
"""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.make.certificates import Identity

ISSUER, SERVICE = "the tests", "test registry"


class TokenServer:
    """Gives tokens to `users`; anonymous ones may pull what is below `public/`."""

    def __init__(self, signer: Identity, users: dict[str, str], refresh_token: str = "") -> None:
        self.asked: list[tuple[str, dict[str, list[str]], str]] = []
        self.users = users
        self.life = 300
        """Seconds for which a token is said to be good."""
        self.url = ""
        self._signer = signer
        self._refresh_token = refresh_token

    def settings(self) -> dict[str, Any]:
        """The section `auth` of the registry's configuration."""
        token = {
            "realm": f"{self.url}/token",
            "service": SERVICE,
            "issuer": ISSUER,
            "rootcertbundle": str(self._signer.certificate),
        }
        return {"auth": {"token": token}}

    def answer(self, method: str, query: str, form: str, authorization: str) -> tuple[int, dict[str, Any]]:
        parameters = parse_qs(form if method == "POST" else query)
        user = ""
        if authorization.startswith("Basic "):
            user, _, password = base64.b64decode(authorization[6:]).decode().partition(":")
            if self.users.get(user) != password:
                return 401, {"errors": [{"code": "UNAUTHORIZED", "message": "wrong user or password"}]}
        if method == "POST":
            if not self._refresh_token:
                return 404, {}
            if parameters.get("refresh_token") != [self._refresh_token]:
                return 401, {"error": "invalid_grant"}
            user = "identity"
        self.asked.append((method, parameters, user))
        scopes = [scope for value in parameters.get("scope", []) for scope in value.split()]
        token = self._signed(user, [grant for scope in scopes if (grant := self._granted(scope, user))])
        return 200, {"access_token" if method == "POST" else "token": token, "expires_in": self.life}

    def _granted(self, scope: str, user: str) -> dict[str, Any] | None:
        kind, name, actions = scope.split(":")
        wanted = actions.split(",")
        allowed = wanted if user else [action for action in wanted if action == "pull" and name.startswith("public/")]
        return {"type": kind, "name": name, "actions": allowed} if allowed else None

    def _signed(self, user: str, access: list[dict[str, Any]]) -> str:
        pem = self._signer.certificate.read_text().splitlines()
        header = {"typ": "JWT", "alg": "RS256", "x5c": ["".join(line for line in pem if "-----" not in line)]}
        now = int(time.time())
        claims = {
            "iss": ISSUER, "sub": user, "aud": SERVICE, "exp": now + 300, "nbf": now - 10, "iat": now,
            "jti": f"{now}-{len(self.asked)}", "access": access,
        }  # fmt: skip
        content = f"{_encoded(header)}.{_encoded(claims)}"
        command = ["openssl", "dgst", "-sha256", "-sign", str(self._signer.key)]
        signature = subprocess.run(command, input=content.encode(), capture_output=True, check=True).stdout
        return f"{content}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def _encoded(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@contextmanager
def serving(server: TokenServer, tls: Identity | None = None) -> Iterator[TokenServer]:
    """The server on a loopback port, its `url` set."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer("")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())

        def _answer(self, form: str) -> None:
            query = urlsplit(self.path).query
            status, document = server.answer(self.command, query, form, self.headers.get("Authorization", ""))
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls.certificate, tls.key)
        http.socket = context.wrap_socket(http.socket, server_side=True)
    server.url = f"{'https' if tls else 'http'}://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


def signer(directory: Path) -> Identity:
    """Who signs the tokens."""
    from tests.make.certificates import rsa

    return rsa(directory, "tokens")
