"""Building: `up` builds by itself, says what for, and builds again only when what goes into an image has changed."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import tarfile
import time
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.harness import IDLE, Engine, Project, Result, Running, eventually, json_lines, sleepers
from tests.make.image import busybox_rootfs
from tests.make.registry import running_registry
from tests.unit.build.files.servers import commit, git_daemon, repository, web

DOCKERFILE = """\
FROM busybox
ARG GREETING=hello
RUN echo "$GREETING" > /greeting
COPY src /app
CMD ["sleep", "1000"]
"""

SHOP = """\
services:
  web:
    build: .
    stop_grace_period: 0s
"""


@pytest.fixture
def builder(engine: Engine, tmp_path: Path) -> Engine:
    """An engine that has busybox, so that something can be built on it."""
    engine.compose("image", "import", str(busybox_rootfs(tmp_path / "busybox")), "busybox", check=True)
    return engine


@pytest.fixture
def shop(builder: Engine) -> Project:
    """A project with one service that is built."""
    files = {"Dockerfile": DOCKERFILE, "src/app.txt": "one", "README.md": "read me"}
    return builder.project(SHOP, files=files)


def in_container(project: Project, path: str, service: str = "web") -> str:
    """What is in a file of the service's container; nothing while that is being replaced."""
    return project.compose("exec", "-T", service, "cat", path).stdout


def plan(project: Project, *options: str) -> list[str]:
    return project.compose("up", "--dry-run", *options, check=True).lines()


def images(engine: Engine) -> dict[str, str]:
    listed = json_lines(engine.compose("image", "ls", "--format", "json", check=True).stdout)
    return {f"{each['Repository']}:{each['Tag']}": each["ID"] for each in listed}


def write(project: Project, path: str, text: str) -> None:
    (project.directory / path).write_text(text)


def test_up_builds_what_is_missing_and_then_rests(shop: Project) -> None:
    assert plan(shop)[0] == "build/web  (missing, compose.yaml:3)"
    assert [line for line in plan(shop) if "(known after build of web)" in line]

    up = shop.up()

    assert "Image shop-web  Built" in up.stderr
    assert in_container(shop, "/app/app.txt") == "one"
    assert in_container(shop, "/greeting") == "hello\n"
    assert plan(shop) == ["nothing to do"]


def test_a_changed_file_is_named_and_rebuilds_just_its_service(shop: Project) -> None:
    shop.write(SHOP + "  other: {build: {context: ., target: ''}, image: other, stop_grace_period: 0s}\n")
    write(shop, "other.Dockerfile", "FROM busybox\nCOPY README.md /\nCMD sleep 1000\n")
    shop.write(SHOP + "  other: {build: {context: ., dockerfile: other.Dockerfile}, stop_grace_period: 0s}\n")
    shop.up()
    before = shop.ps()

    write(shop, "src/app.txt", "two")
    assert plan(shop)[0] == "build/web  (src/app.txt changed)"
    shop.up()

    after = shop.ps()
    assert in_container(shop, "/app/app.txt") == "two"
    assert after["shop-other-1"]["ID"] == before["shop-other-1"]["ID"]
    assert after["shop-web-1"]["ID"] != before["shop-web-1"]["ID"]
    assert plan(shop) == ["nothing to do"]


def test_what_no_instruction_takes_changes_nothing(shop: Project) -> None:
    shop.up()
    write(shop, "README.md", "changed")
    os.utime(shop.directory / "src/app.txt")

    assert plan(shop) == ["nothing to do"]


def test_an_argument_a_target_and_the_dockerfile_count(shop: Project) -> None:
    shop.up()

    shop.edit("build: .", "build: {context: ., args: {GREETING: good day}}")
    assert plan(shop)[0] == "build/web  (build argument GREETING is new, compose.yaml:3)"
    shop.up()
    assert in_container(shop, "/greeting") == "good day\n"

    write(shop, "Dockerfile", DOCKERFILE + "ENV MORE=1\n")
    assert plan(shop)[0] == "build/web  (Dockerfile changed)"
    shop.up()
    assert plan(shop) == ["nothing to do"]


def test_flags_say_when_to_build(shop: Project) -> None:
    refused = shop.compose("up", "-d", "--no-build")
    assert refused.code == 1
    assert "cannot start `web`: its image `shop-web` is not built" in refused.stderr

    shop.up()
    write(shop, "src/app.txt", "two")
    shop.up("--no-build")
    assert in_container(shop, "/app/app.txt") == "one"
    assert plan(shop, "--build")[0] == "build/web  (`--build`)"

    before = shop.container("web")["ID"]
    shop.up("--build")
    assert in_container(shop, "/app/app.txt") == "two"
    again = shop.up("--build")
    assert "CACHED" in again.stderr
    assert shop.container("web")["ID"] != before


def test_a_build_that_gives_the_same_image_recreates_nothing(shop: Project) -> None:
    shop.up()
    before = shop.container("web")["ID"]

    shop.up("--build")

    assert shop.container("web")["ID"] == before


def test_run_and_create_build_too(shop: Project) -> None:
    assert shop.compose("run", "--rm", "-T", "web", "cat", "/app/app.txt", check=True).stdout == "one"
    write(shop, "src/app.txt", "two")
    assert shop.compose("run", "--rm", "-T", "web", "cat", "/app/app.txt", check=True).stdout == "two"
    write(shop, "src/app.txt", "three")
    quiet = shop.compose("run", "--rm", "-T", "--quiet", "web", "cat", "/app/app.txt", check=True)
    assert (quiet.stdout, quiet.stderr) == ("three", "")
    shop.compose("create", check=True)
    assert shop.container("web")["State"] == "created"


def test_build_tags_labels_and_sums_up(shop: Project, builder: Engine) -> None:
    shop.edit("build: .", "image: example/web:1\n    build: {context: ., tags: ['example/web:latest'], labels: {a: b}}")

    first = shop.compose("build", "--why", check=True)
    second = shop.compose("build", "--why", check=True)

    assert "#1 [web" in first.stderr
    assert "\nweb  " in first.stderr
    assert " 0 run in " in second.stderr
    names = images(builder)
    assert names["example/web:1"] == names["example/web:latest"]
    details = json.loads(builder.compose("image", "inspect", "example/web:1", check=True).stdout)[0]
    labels = details["Config"]["Labels"]
    assert labels["a"] == "b"
    assert labels["com.docker.compose.project"] == "shop"
    assert labels["com.docker.compose.service"] == "web"


def test_why_names_the_file_that_invalidated_a_step(shop: Project) -> None:
    shop.compose("build", check=True)
    write(shop, "src/app.txt", "two")

    summary = shop.compose("build", "--why", check=True).stderr.rpartition("\nweb  ")[2]

    assert "COPY src /app  `src/app.txt` changed" in summary
    assert "RUN echo" not in summary


def test_a_failing_step_shows_its_line_and_what_it_wrote(shop: Project) -> None:
    write(shop, "Dockerfile", "FROM busybox\nRUN echo before; \\\n    echo oh no >&2; \\\n    exit 3\n")

    failed = shop.compose("build")

    assert failed.code == 17
    assert "Dockerfile:2" in failed.stderr
    assert " 2│ RUN echo before; \\\n 3│     echo oh no >&2; \\\n 4│     exit 3\n" in failed.stderr
    assert "RUN echo before" in failed.stderr
    assert "oh no" in failed.stderr
    assert shop.compose("up", "-d").code == 17
    assert shop.ps() == {}


def test_what_is_wrong_with_a_build_is_told_with_its_place(shop: Project) -> None:
    def failed(old: str, new: str) -> Result:
        shop.write(SHOP)
        shop.edit(old, new)
        return shop.compose("build")

    missing = failed("build: .", "build: {context: ., dockerfile: Dokerfile}")
    assert missing.code == 15
    assert "Dokerfile` does not exist" in missing.stderr
    assert "compose.yaml:3" in missing.stderr
    assert "there is `Dockerfile`" in missing.stderr
    assert "does not exist" in failed("build: .", "build: ./nowhere").stderr
    assert "cannot be on `front`" in failed("build: .", "build: {context: ., network: front}").stderr
    assert "target stage `prod` could not be found" in failed("build: .", "build: {context: ., target: prod}").stderr


def test_what_a_slip_of_the_hand_makes_of_a_dockerfile_is_told(shop: Project) -> None:
    write(shop, "Dockerfile", "FROM busybox AS builder\nFROM busybox\nCOPY --from=bulider /bin /b\n")
    assert "hint: did you mean the stage `builder`?" in shop.compose("build").stderr
    write(shop, "Dockerfile", "FROM bussybox\n")
    assert "did you mean `busybox`, which is here?" in shop.compose("build").stderr
    write(shop, "Dockerfile", "FROM busybox\nARG VERSION\nCOPY . /app\n")
    mistaken = shop.compose("build", "--build-arg", "VERSON=1", check=True).stderr
    assert "the build argument `VERSON` is not used: did you mean `VERSION`?" in mistaken
    write(shop, ".dockerignore", "*\n")
    empty = shop.compose("build", check=True).stderr
    assert "Dockerfile:3: there is nothing in `.` to copy; what .dockerignore names does not count" in empty


def test_an_image_may_be_built_from_another_service(shop: Project) -> None:
    shop.write("""\
        services:
          web:
            stop_grace_period: 0s
            build:
              context: .
              dockerfile_inline: |
                FROM base
                COPY --from=files extra.txt /
                CMD ["sleep", "1000"]
              additional_contexts: {base: "service:base", files: ./more}
          base: {build: ., profiles: [never]}
    """)
    (shop.directory / "more").mkdir()
    write(shop, "more/extra.txt", "extra")
    shop.up()
    assert (in_container(shop, "/app/app.txt"), in_container(shop, "/extra.txt")) == ("one", "extra")

    write(shop, "src/app.txt", "two")
    assert plan(shop)[:2] == [
        "build/base  (src/app.txt changed)",
        "build/web  (base is built again)  after build/base",
    ]
    shop.up()
    assert in_container(shop, "/app/app.txt") == "two"

    write(shop, "more/extra.txt", "more")
    assert plan(shop)[0] == "build/web  (files: extra.txt changed)"


def test_two_builds_of_one_name_are_warned_about_and_come_to_rest(shop: Project) -> None:
    write(shop, "other.Dockerfile", "FROM busybox\nCMD sleep 1000\n")
    shop.write("""\
        services:
          web: {build: ., image: same, pull_policy: never, stop_grace_period: 0s}
          other: {build: {context: ., dockerfile: other.Dockerfile}, image: same, pull_policy: never, stop_grace_period: 0s}
    """)

    assert "`web` and `other` build different images, and call both `same`" in shop.up().stderr
    shop.up()
    assert plan(shop) == ["nothing to do"]


def test_services_that_share_a_build_are_built_once(shop: Project, builder: Engine) -> None:
    shop.write(SHOP + "  worker: {build: ., stop_grace_period: 0s}\n")

    up = shop.up()

    assert up.stderr.count("RUN echo") == 1
    names = images(builder)
    assert names["shop-web:latest"] == names["shop-worker:latest"]


def test_a_secret_is_there_for_its_step_and_nowhere_else(shop: Project, builder: Engine) -> None:
    shop.write("""\
        services:
          web:
            build:
              context: .
              dockerfile_inline: |
                FROM busybox
                RUN --mount=type=secret,id=token test "$$(wc -c < /run/secrets/token)" = 7 && echo yes > /seen
              secrets: [token]
        secrets: {token: {environment: TOKEN}}
    """)
    built = shop.compose("build", environment={"TOKEN": "hunter2"}, check=True)

    assert "hunter2" not in built.output
    for path in (*builder.data.rglob("*"), *builder.run.glob("*.log")):
        if path.is_file() and not path.is_symlink():
            assert b"hunter2" not in path.read_bytes(), path
    assert "has no value: the variable `TOKEN` is not set" in shop.compose("build").stderr


def test_ctrl_c_ends_a_build_and_the_next_one_goes_on(shop: Project) -> None:
    write(shop, "Dockerfile", "FROM busybox\nRUN echo one > /one\nRUN echo begun; sleep 1000\n")
    building = shop.start("build")
    building.until("begun")
    building.interrupt()

    assert building.wait() == 130
    write(shop, "Dockerfile", "FROM busybox\nRUN echo one > /one\nRUN echo two > /two\n")
    again = shop.compose("build", check=True)
    assert "1 run" in again.stderr.splitlines()[-1]


def test_a_killed_client_ends_its_build(shop: Project) -> None:
    seconds = 1_000_000 + os.getpid()  # no other test's sleep
    write(shop, "Dockerfile", f"FROM busybox\nRUN echo begun; sleep {seconds}\n")
    building = shop.start("build")
    building.until("begun")
    os.killpg(building.process.pid, signal.SIGKILL)

    eventually(lambda: not sleepers(seconds), message=lambda: f"still there: {sleepers(seconds)}")


def test_the_build_cache_is_listed_and_pruned(shop: Project, builder: Engine) -> None:
    def cache() -> dict[str, int]:
        lines = json_lines(builder.compose("system", "df", "--format", "json", check=True).stdout)
        return next(line for line in lines if line["Type"] == "Build Cache")

    shop.compose("build", check=True)
    assert (cache()["TotalCount"], cache()["Active"]) == (2, 2)

    builder.compose("image", "rm", "shop-web", check=True)
    assert "0 run" in shop.compose("build", check=True).stderr.splitlines()[-1]
    builder.compose("image", "rm", "shop-web", check=True)
    assert "Total reclaimed space" in builder.compose("system", "prune", "--force", check=True).stdout

    assert cache()["TotalCount"] == 0
    assert "2 run" in shop.compose("build", check=True).stderr.splitlines()[-1]


def test_whether_a_build_is_reproducible_is_checked(shop: Project) -> None:
    write(shop, "Dockerfile", "FROM busybox\nRUN mkdir /out && date +%s%N > /out/when\nCOPY src /app\n")
    differs = shop.compose("build", "--verify-reproducible")
    assert differs.code == 1
    assert "`out/when` of layer 2" in differs.stderr
    assert "differs in content" in differs.stderr

    write(shop, "Dockerfile", "FROM busybox\nRUN mkdir /out && echo always > /out/same\nCOPY src /app\n")
    same = shop.compose("build", "--verify-reproducible", environment={"SOURCE_DATE_EPOCH": "1700000000"})
    assert same.code == 0, same
    assert "Image shop-web  Reproducible" in same.stderr


def test_dockerfiles_are_checked(shop: Project) -> None:
    assert shop.compose("build", "--check", check=True).stdout == "nothing to say\n"
    write(shop, "Dockerfile", "FROM busybox AS Web\nCMD sleep 1\n")

    checked = shop.compose("build", "--check")

    assert checked.code == 1
    assert "[StageNameCasing]" in checked.stdout
    assert "[JSONArgsRecommended]" in checked.stdout
    assert "Dockerfile:2:" in checked.stdout


WATCHED = """\
services:
  web:
    build: .
    command: {idle}
    stop_grace_period: 0s
    develop:
      watch:
        - {{action: rebuild, path: ./src}}
"""
SYNCED = """\
  job:
    image: busybox
    command: {idle}
    develop: {{watch: [{{action: sync, path: ./job, target: /job}}]}}
"""


def _said_more(command: Running, words: str, than: int) -> bool:
    return command.text.count(words) > than


def test_a_saved_file_is_built_in_and_a_failing_build_keeps_what_runs(shop: Project) -> None:
    shop.write(WATCHED.format(idle=IDLE))
    watch = shop.start("watch")
    watch.until("watching")
    first = shop.container("web")["ID"]

    write(shop, "src/app.txt", "two")
    watch.until("web  rebuilt")
    assert in_container(shop, "/app/app.txt") == "two"
    assert shop.container("web")["ID"] != first

    second = shop.container("web")["ID"]
    write(shop, "Dockerfile", "FROM busybox\nCOPY src /app\nRUN grep -v broken /app/app.txt\n")
    watch.until("applied")
    write(shop, "src/app.txt", "broken")
    watch.until("error")
    assert shop.container("web")["State"] == "running"
    assert in_container(shop, "/app/app.txt") == "two"

    write(shop, "src/app.txt", "three")
    eventually(lambda: in_container(shop, "/app/app.txt") == "three", message=lambda: watch.text)
    assert shop.container("web")["ID"] != second

    sound = (shop.directory / "Dockerfile").read_text()
    for name, text in (("Dockerfile", "FROM busybox\nCOPY src /app\nRUN false\n"), ("src/app.txt", "four")):
        told = watch.text.count("exited with 1")
        write(shop, name, text)
        eventually(partial(_said_more, watch, "exited with 1", told), message=lambda: watch.text)
    write(shop, "Dockerfile", sound)  # as it was built: only what was saved since makes the image an old one
    eventually(lambda: in_container(shop, "/app/app.txt") == "four", message=lambda: watch.text)
    watch.interrupt()
    watch.wait()


def test_a_file_saved_while_the_changed_project_is_applied_is_not_lost(shop: Project) -> None:
    shop.write(WATCHED.format(idle=IDLE))
    watch = shop.start("watch")
    watch.until("watching")

    write(shop, "Dockerfile", "FROM busybox\nCOPY src /app\nRUN sleep 1\n")
    watch.until("the project changed")
    time.sleep(0.5)  # into the step that takes a second; at any other moment the file must arrive as well
    write(shop, "src/app.txt", "two")

    eventually(lambda: in_container(shop, "/app/app.txt") == "two", message=lambda: watch.text)
    watch.interrupt()
    watch.wait()


def test_what_is_saved_arrives_while_a_changed_project_is_being_built(shop: Project) -> None:
    shop.write(WATCHED.format(idle=IDLE) + SYNCED.format(idle=IDLE))
    (shop.directory / "job").mkdir()
    watch = shop.start("watch")
    watch.until("watching")

    write(shop, "Dockerfile", "FROM busybox\nCOPY src /app\nRUN sleep 1000\n")
    watch.until("the project changed")
    arrived = ("exec", "-T", "job", "cat", "/job/a")
    write(shop, "job/a", "one")
    eventually(lambda: shop.compose(*arrived).stdout == "one", 20, lambda: watch.text)
    assert "applied" not in watch.text

    write(
        shop, "Dockerfile", "FROM busybox\nCOPY src /app\n"
    )  # to build what nobody wants any more would take too long
    write(shop, "job/a", "two")
    eventually(lambda: shop.compose(*arrived).stdout == "two", 20, lambda: watch.text)
    watch.interrupt()
    watch.wait()


def test_what_is_saved_arrives_while_what_was_missed_is_being_built(shop: Project) -> None:
    shop.write(WATCHED.format(idle=IDLE) + SYNCED.format(idle=IDLE))
    (shop.directory / "job").mkdir()
    shop.up()
    write(shop, "Dockerfile", "FROM busybox\nCOPY src /app\nRUN sleep 1000\n")
    watch = shop.start("watch", "--no-up")
    watch.until("build/web")

    arrived = ("exec", "-T", "job", "cat", "/job/a")
    write(shop, "job/a", "one")
    eventually(lambda: shop.compose(*arrived).stdout == "one", 20, lambda: watch.text)

    write(shop, "Dockerfile", "FROM busybox\nCOPY src /app\n")
    watch.until("applied")
    assert shop.compose("watch", "--verify").code == 0
    watch.interrupt()
    watch.wait()


def test_a_save_supersedes_what_was_missed_and_is_being_built(shop: Project) -> None:
    seconds = 3_000_000 + os.getpid()  # no other test's sleep
    slow = f"FROM busybox\nCOPY src /app\nRUN grep -q slow /app/app.txt && sleep {seconds}; true\nCMD sleep 1000\n"
    write(shop, "Dockerfile", slow)
    shop.write(WATCHED.format(idle=IDLE))
    shop.up()
    write(shop, "src/app.txt", "slow")
    watch = shop.start("watch", "--no-up")
    eventually(lambda: sleepers(seconds), message=lambda: watch.text)

    write(shop, "src/app.txt", "quick")

    eventually(lambda: in_container(shop, "/app/app.txt") == "quick", message=lambda: watch.text)
    watch.until("web  rebuilt")
    assert shop.compose("watch", "--verify").code == 0
    watch.interrupt()
    watch.wait()


def test_services_that_share_an_image_are_rebuilt_together_and_nothing_old_is_kept(shop: Project) -> None:
    shop.write(WATCHED.format(idle=IDLE) + f"  worker: {{build: ., command: {IDLE}, stop_grace_period: 0s}}\n")
    watch = shop.start("watch")
    watch.until("watching")
    before = len(images_and_layers(shop.engine))

    for text in ("two", "three"):
        count = watch.text.count("web  rebuilt")
        write(shop, "src/app.txt", text)
        eventually(lambda count=count: watch.text.count("web  rebuilt") > count, message=lambda: watch.text)  # type: ignore[misc]
        assert in_container(shop, "/app/app.txt", "web") == text
        assert in_container(shop, "/app/app.txt", "worker") == text

    assert len(images_and_layers(shop.engine)) == before
    watch.interrupt()
    watch.wait()


def images_and_layers(engine: Engine) -> list[str]:
    return engine.compose("image", "ls", check=True).lines()


def test_what_changed_while_nobody_watched_is_built_when_somebody_does_again(shop: Project) -> None:
    shop.write(WATCHED.format(idle=IDLE))
    shop.up("--watch")
    keeper, engine = shop.engine.pid("keeper"), shop.engine.pid("engine")
    os.kill(keeper, signal.SIGSTOP)  # it would have another engine at once
    os.kill(engine, signal.SIGKILL)
    write(shop, "src/app.txt", "two")
    os.kill(keeper, signal.SIGCONT)

    eventually(lambda: in_container(shop, "/app/app.txt") == "two", message=lambda: shop.engine.engine_logs())


MEET = """\
FROM busybox
RUN --mount=type=cache,id=meet,target=/m touch /m/MINE; \\
    for i in $(seq 600); do test -e /m/OTHER && exit 0; sleep 0.1; done; exit 1
"""


def test_builds_run_side_by_side(shop: Project) -> None:
    write(shop, "a.Dockerfile", MEET.replace("MINE", "a").replace("OTHER", "b"))
    write(shop, "b.Dockerfile", MEET.replace("MINE", "b").replace("OTHER", "a"))
    shop.write("""\
        services:
          a: {build: {context: ., dockerfile: a.Dockerfile}}
          b: {build: {context: ., dockerfile: b.Dockerfile}}
    """)

    shop.compose("build", check=True)


def test_ctrl_c_ends_an_up_that_builds(shop: Project) -> None:
    write(shop, "Dockerfile", "FROM busybox\nRUN echo begun; sleep 1000\n")
    up = shop.start("up")
    up.until("begun")
    up.interrupt()

    assert up.wait() == 130
    assert shop.ps() == {}
    write(shop, "Dockerfile", DOCKERFILE)
    shop.up()


def test_a_newer_save_supersedes_a_build(shop: Project) -> None:
    seconds = 2_000_000 + os.getpid()  # no other test's sleep
    slow = f"FROM busybox\nCOPY src /app\nRUN grep -q slow /app/app.txt && sleep {seconds}; true\nCMD sleep 1000\n"
    write(shop, "Dockerfile", slow)
    shop.write(WATCHED.format(idle=IDLE))
    watch = shop.start("watch")
    watch.until("watching")
    assert shop.compose("watch", "--verify").code == 0  # so nothing is being built that may have been missed

    write(shop, "src/app.txt", "slow")
    eventually(lambda: sleepers(seconds), message=lambda: watch.text)  # so it has read what it was to read
    write(shop, "src/app.txt", "quick")
    watch.until("superseded")
    watch.until("web  rebuilt")

    assert in_container(shop, "/app/app.txt") == "quick"
    watch.interrupt()
    watch.wait()


def test_a_step_runs_for_its_files_before_the_service_starts_anew(shop: Project) -> None:
    shop.write("""\
        services:
          web:
            build: .
            command: sh -c "cat /app/made; sleep 1000"
            stop_grace_period: 0s
            develop:
              watch:
                - {action: sync, path: ./src, target: /app}
            x-reload:
              run: [{path: src/list.txt, command: "sh -c 'cp /app/list.txt /app/made'"}]
    """)
    write(shop, "src/list.txt", "first")
    write(shop, "src/made", "nothing")
    (shop.directory / "src/made").unlink()
    shop.up("--watch")
    container = shop.container("web")["ID"]

    write(shop, "src/app.txt", "only synced")
    eventually(lambda: in_container(shop, "/app/app.txt") == "only synced")
    write(shop, "src/list.txt", "second\n")

    eventually(lambda: "second" in "".join(shop.logs("web")), message=lambda: shop.compose("watch", "--status").stdout)
    assert shop.container("web")["ID"] == container


def test_a_context_may_be_elsewhere(shop: Project) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        tar.add(shop.directory / "Dockerfile", "Dockerfile")
        tar.add(shop.directory / "src", "src")
    served = repository(
        shop.directory.parent / "served/app", {"sub/Dockerfile": "FROM busybox\nCOPY file /\n", "sub/file": "of git"}
    )
    with web() as site, git_daemon(shop.directory.parent / "served") as address:
        shop.write(f"""\
            services:
              web:
                build: {{context: "{site.put("/app.tar.gz", archive.getvalue())}"}}
                stop_grace_period: 0s
              git:
                build: {{context: "{address}/app#main:sub"}}
                command: sleep 1000
                stop_grace_period: 0s
        """)
        shop.up()

        assert in_container(shop, "/app/app.txt") == "one"
        assert in_container(shop, "/file", "git") == "of git"
        # A branch that moved is looked for with `--build` only, as Docker has it.
        commit(served, {"sub/file": "moved"})
        assert plan(shop) == ["nothing to do"]
        shop.up("--build")
        assert in_container(shop, "/file", "git") == "moved"

    assert plan(shop) == ["nothing to do"]


def test_a_key_is_there_for_its_step(shop: Project) -> None:
    key = shop.directory / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    dockerfile = 'FROM busybox\nRUN --mount=type=ssh,id=deploy test -S \\"$$SSH_AUTH_SOCK\\" && echo yes > /seen\n'
    shop.write(f"""\
        services:
          web:
            build:
              context: .
              dockerfile_inline: "{dockerfile.replace(chr(10), chr(92) + "n")}"
              ssh: [deploy=./key]
    """)

    shop.compose("build", check=True)
    assert shop.compose("run", "--rm", "-T", "web", "cat", "/seen", check=True).stdout == "yes\n"


def test_what_was_built_is_pushed_where_it_has_a_name(shop: Project, builder: Engine, tmp_path: Path) -> None:
    with running_registry(tmp_path / "registry") as registry:
        shop.edit("build: .", f"build: .\n    image: {registry.name}/shop/web:1")
        shop.compose("build", "--push", check=True)
        builder.compose("image", "rm", f"{registry.name}/shop/web:1", check=True)

        up = shop.up()  # what can be pulled is not built

    assert "#1 " not in up.stderr
    assert in_container(shop, "/app/app.txt") == "one"


def test_what_cannot_be_pulled_is_built(shop: Project, tmp_path: Path) -> None:
    with running_registry(tmp_path / "registry") as registry:
        shop.edit("build: .", f"build: .\n    image: {registry.name}/shop/web:1")
        assert plan(shop)[:2] == [
            f"pull/{registry.name}/shop/web:1  (missing, compose.yaml:4)",
            f"build/web  (missing, compose.yaml:3)  after pull/{registry.name}/shop/web:1",
        ]
        up = shop.up()

    assert f"Image {registry.name}/shop/web:1  Built" in up.stderr


def test_down_with_rmi_removes_what_was_built_or_all_that_nobody_else_uses(builder: Engine) -> None:
    files = {"Dockerfile": DOCKERFILE, "src/app.txt": "one"}
    text = f"""
        services:
          built: {{build: ., stop_grace_period: 0s}}
          named: {{build: ., image: mine:1, stop_grace_period: 0s}}
          base: {{image: busybox, command: {IDLE}, stop_grace_period: 0s}}
          host: {{image: host, command: {IDLE}, stop_grace_period: 0s}}
    """
    shop = builder.project(text, files=files)
    blog = builder.project(
        f"services: {{base: {{image: busybox, command: {IDLE}, stop_grace_period: 0s}}}}", name="blog"
    )
    shop.up()
    blog.up()

    assert "remove-image/shop-built" in shop.compose("down", "--rmi", "local", "--dry-run", check=True).stdout
    down = shop.down("--rmi", "local")
    assert "Image shop-built  Removed" in down.stderr
    assert set(images(builder)) >= {"mine:1", "busybox:latest"}
    assert not any(name.startswith("shop-built") for name in images(builder))

    shop.up()
    down = shop.down("--rmi", "all")
    assert "image `busybox` stays: `blog-base-1` is made from it" in down.stderr
    assert set(images(builder)) == {"busybox:latest"}
    wrong = shop.compose("down", "--rmi", "some")
    assert (wrong.code, "use one of all, local" in wrong.stderr) == (1, True)
