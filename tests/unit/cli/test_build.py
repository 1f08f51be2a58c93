from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from composer.api.messages import Event, LintFinding
from composer.cli.render.built import Built
from composer.cli.render.steps import StepLog
from composer.cli.render.terminal import Screen
from tests.fakes.engine import FakeEngine
from tests.unit.cli.test_commands import Run, engine, run
from tests.unit.cli.test_events import feed, live

__all__ = ["engine", "run"]  # fixtures

FILE = """
services:
  web:
    build: {context: ., args: {A: "1", HIDDEN: }, secrets: [token], target: prod}
  db: {image: postgres}
secrets: {token: {environment: TOKEN}}
"""


def step(name: str, status: str, *, image: str = "shop-web", **fields: object) -> Event:
    return Event("step", name, status, parent=image, service="web", id=name, **fields)  # type: ignore[arg-type]


MAKE, COPY = "[web 2/3] RUN make", "[web 3/3] COPY . ."


@pytest.fixture(autouse=True)
def project(engine: FakeEngine) -> None:
    Path("compose.yaml").write_text(FILE)


def test_build_shows_its_steps_and_sums_up(run: Run, engine: FakeEngine) -> None:
    code, out, err = run("build", "--no-cache", "--build-arg", "B=2", "--why")

    assert (code, out) == (0, "")
    assert "#1 [web 1/2] FROM base\n#1 CACHED\n\n#2 [web 2/2] RUN make\n#2 " in err
    assert err.endswith("web  2 steps, 1 cached, 1 run in 300 ms\n     [web 2/2] RUN make  src/app.c changed\n")
    path, body = engine.requests[-1]
    assert path == "/projects/shop/build"
    assert (body["flags"]["no_cache"], body["flags"]["args"]) == (True, {"B": "2"})


def test_build_quietly_says_nothing(run: Run) -> None:
    assert run("build", "-q", "web") == (0, "", "")


def test_build_for_programs_is_an_object_a_line(run: Run) -> None:
    records = [json.loads(line) for line in run("build", "--progress", "json")[2].splitlines()]

    assert {"id": "Step [web 2/2] RUN make", "text": "Output", "details": "made\n"}.items() <= records[3].items()
    assert records[4]["cause"] == "src/app.c changed"


def test_a_dry_run_prints_the_plan(run: Run) -> None:
    assert run("build", "--dry-run")[:2] == (0, "build/web  (asked for)\n")


def test_a_build_argument_without_a_value_is_the_environment_s(
    run: Run, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIVEN", "there")
    run("build", "--build-arg", "GIVEN", "--build-arg", "ABSENT", "--ssh", "default", "--ssh", "key=/k")

    flags = engine.requests[-1][1]["flags"]
    assert flags["args"] == {"GIVEN": "there"}
    assert flags["ssh"] == {"default": "", "key": "/k"}


def test_what_has_no_effect_is_told(run: Run) -> None:
    err = run("build", "--memory", "1g", "--sbom", "true", "--parallel", "--compress", "--force-rm", "--no-rm")[2]

    assert "warning: `--parallel` has no effect" in err
    assert "warning: `--memory` has no effect" in err
    assert "warning: `--sbom` has no effect" in err


def test_print_is_a_bake_file_without_values_of_secrets(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "hunter2")
    code, out, _ = run("build", "--print", "--pull", "--build-arg", "A=${x}")

    target = json.loads(out)["target"]["web"]
    assert (code, json.loads(out)["group"]) == (0, {"default": {"targets": ["web"]}})
    assert target["context"] == str(Path.cwd())
    assert target["dockerfile"] == str(Path.cwd() / "Dockerfile")
    assert target["args"] == {"A": "$${x}"}
    assert target["secret"] == ["id=token,type=env,env=TOKEN"]
    assert (target["target"], target["tags"], target["pull"]) == ("prod", ["shop-web"], True)
    assert target["labels"]["com.docker.compose.service"] == "web"
    assert target["output"] == ["type=docker"]
    assert "hunter2" not in out


def test_check_shows_findings_with_their_lines(run: Run, engine: FakeEngine) -> None:
    assert run("build", "--check")[:2] == (0, "nothing to say\n")
    engine.findings = [
        LintFinding(
            "web", "StageNameCasing", "write it in lower case", "Dockerfile", 3, source="FROM a AS B", hint="AS b"
        )
    ]
    code, out, _ = run("build", "--check")

    assert code == 1
    assert "warning: write it in lower case [StageNameCasing]\n  ┌ Dockerfile:3:1\n" in out
    assert " 3│ FROM a AS B\n" in out
    assert "hint: AS b\n" in out


def test_up_says_when_to_build(run: Run, engine: FakeEngine) -> None:
    def mode(*options: str) -> str:
        run("up", "-d", *options)
        return next(str(body["options"]["build"]) for path, body in reversed(engine.requests) if path.endswith("/up"))

    assert (mode(), mode("--build"), mode("--no-build")) == ("auto", "always", "never")


def test_steps_are_told_in_the_form_of_buildkit() -> None:
    log = StepLog()
    told = [
        step(MAKE, "running"),
        step(MAKE, "output", detail="one\ntw", seconds=0.5),
        step(COPY, "running"),
        step(COPY, "cached"),
        step(MAKE, "output", detail="o\n10%\r20%\n", seconds=1.25),
        step(MAKE, "output", detail="rest", seconds=1.5),
        step(MAKE, "failed", detail="exit code 2", seconds=2.0),
    ]

    assert "".join(map(log.lines, told)) == (
        "#1 [web 2/3] RUN make\n#1 0.500 one\n"
        "\n#2 [web 3/3] COPY . .\n#2 CACHED\n\n"
        "#1 [web 2/3] RUN make\n#1 1.250 two\n#1 1.250 20%\n"
        "#1 2.000 rest\n#1 ERROR: exit code 2\n\n"
    )


def test_steps_cannot_command_the_terminal() -> None:
    text = StepLog().lines(step("[web 1/1] RUN \x1b[2J", "output", detail="\x1b]0;title\x07\x1b[31mred\n"))

    assert text == "#1 [web 1/1] RUN \n#1 0.000 red\n"


def test_the_live_block_has_what_a_step_writes_beside_it_and_leaves_what_went_well() -> None:
    out, progress = live()
    image = Event("image", "shop-web", "building", service="web")
    feed(progress, [image, step(MAKE, "running"), step(MAKE, "output", detail="compiling a.c\n"), step(COPY, "cached")])
    (make,) = [line for line in out.lines() if MAKE in line]
    assert "compiling a.c" in make

    feed(progress, [step(MAKE, "failed", detail="exit code 2"), Event("image", "shop-web", "error", detail="failed")])
    progress.finish()

    assert [line for line in out.lines() if COPY in line] == []
    assert [line for line in out.lines() if "exit code 2" in line and line.startswith(" ✘")]


def test_steps_stand_below_their_own_image() -> None:
    out, progress = live()
    images = [Event("image", name, "building") for name in ("shop-web", "shop-db")]
    feed(progress, [*images, step("[web 1/1] A", "running"), step("[db 1/1] B", "running", image="shop-db")])

    order = [next(word for word in ("shop-web", "shop-db", "] A", "] B") if word in line) for line in out.lines()[1:]]
    assert order == ["shop-web", "] A", "shop-db", "] B"]


def test_a_summary_says_why_only_when_asked() -> None:
    built = Built()
    for event in (step(MAKE, "cached"), step(COPY, "done"), Event("image", "shop-web", "built", seconds=1.5)):
        built.count(event)
    screen = Screen(io.StringIO(), tty=False, colour=False)

    assert built.summary(screen, why=False) == "web  2 steps, 1 cached, 1 run in 1.5 s\n"
    assert built.summary(screen, why=True).splitlines()[1] == f"     {COPY}  it was never run before"
