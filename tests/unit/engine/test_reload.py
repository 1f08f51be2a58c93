import http.server
import threading

import pytest

from composer.engine.watching.reload import Reload, post, reload_of
from composer.errors import ContainerError, UsageError
from composer.watch.rules import Exec


def test_a_signal_with_a_moment_to_settle() -> None:
    assert reload_of("web", {"signal": "SIGHUP", "settle": "80ms"}, "/p") == Reload(signal="SIGHUP", settle=0.08)


def test_steps_belong_to_files() -> None:
    written = {"run": [{"path": ["package.json", "/q"], "command": "npm ci", "environment": {"CI": 1}}]}
    (step,) = reload_of("web", written, "/p").steps

    assert step.paths == ("/p/package.json", "/q")
    assert step.command == Exec(("npm", "ci"), environment=("CI=1",))
    assert step.concerns(["/x", "/q/deep/file"])
    assert not step.concerns(["/p/package.json5", "/p"])


def test_a_path_to_post_to() -> None:
    assert reload_of("web", {"http": "/-/reload"}, "/p") == Reload(http="/-/reload")


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("SIGHUP", "is not a mapping"),
        ({"sig": "HUP"}, "no attribute `sig`"),
        ({"browser": True}, "no proxy"),
        ({}, "either `signal` or `http`"),
        ({"signal": "HUP", "http": "/x"}, "either `signal` or `http`"),
        ({"signal": "HUPP"}, "`HUPP` is no signal"),
        ({"http": "reload"}, "not a path"),
        ({"run": "npm ci"}, "not a list"),
        ({"run": ["npm ci"]}, "needs a `path` and a `command`"),
        ({"run": [{"path": "a", "command": "b", "cwd": "/"}]}, "no attribute `cwd`"),
        ({"signal": "HUP", "settle": "soon"}, "not a duration"),
    ],
)
def test_what_cannot_be_is_refused(written: object, words: str) -> None:
    with pytest.raises(UsageError, match=words.replace("/", ".")):
        reload_of("web", written, "/p")


class _Answer(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.send_response(200 if self.path == "/ok" else 500)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_a_post_that_fails_says_how() -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), _Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        port = server.server_address[1]
        post(port, "/ok")
        with pytest.raises(ContainerError, match="status 500"):
            post(port, "/broken")
        server.shutdown()
        thread.join()
    with pytest.raises(ContainerError, match="cannot POST"):
        post(port, "/ok")
