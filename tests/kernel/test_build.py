"""Builds with real processes: what a RUN sees and leaves, what is run again and what is not."""

from __future__ import annotations

import asyncio
import os
import subprocess
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from composer.build.events import StepStatus
from composer.build.options import BuildOptions
from composer.engine.records import Lease
from composer.engine.store import lease_key
from composer.errors import BuildError
from composer.image.remove import prune, remove
from composer.image.root import is_directory
from tests.kernel.builders import Yard, content, run
from tests.kernel.keepers import House
from tests.patience import PATIENCE

pytestmark = pytest.mark.kernel

SIMPLE = """FROM busybox
ENV NAME=world
WORKDIR /app
COPY hello.txt .
RUN echo "hello $NAME" > out && cat hello.txt
CMD ["cat", "out"]
"""


@pytest.fixture
def yard(tmp_path: Path, house: House) -> Yard:
    return Yard(tmp_path, house)


def test_a_dockerfile_becomes_an_image(yard: Yard) -> None:
    async def scenario(yard: Yard) -> None:
        yard.write({"hello.txt": "from the context\n"})

        image = await yard.build(SIMPLE)

        assert content(image, "/app/out") == "hello world\n"
        assert content(image, "/app/hello.txt") == "from the context\n"
        assert (image.config.cmd, image.config.working_dir) == (("cat", "out"), "/app")
        assert yard.output == "from the context\n"
        assert yard.engine.rooms.images.find("built:1") == image

    run(yard, scenario)


def test_a_second_build_runs_nothing_and_gives_the_same_image(yard: Yard) -> None:
    async def scenario(yard: Yard) -> None:
        yard.write({"hello.txt": "one\n"})
        first = await yard.build(SIMPLE)
        (yard.context / "hello.txt").touch()  # a new time is no change

        second = await yard.build(SIMPLE)

        assert (second.id, yard.ran()) == (first.id, [])

    run(yard, scenario)


def test_a_changed_file_runs_what_follows_it_and_nothing_before(yard: Yard) -> None:
    async def scenario(yard: Yard) -> None:
        yard.write({"hello.txt": "one\n"})
        await yard.build(SIMPLE)
        yard.write({"hello.txt": "two\n"})

        image = await yard.build(SIMPLE)

        assert yard.ran() == ["COPY hello.txt .", 'RUN echo "hello $NAME" > out && cat hello.txt']
        assert content(image, "/app/hello.txt") == "two\n"
        causes = [event.detail for event in yard.events if event.status is StepStatus.STARTED]
        assert causes == ["`hello.txt` changed", "a step before it changed"]

    run(yard, scenario)


def test_a_file_that_is_saved_while_a_build_runs_is_what_is_copied(yard: Yard) -> None:
    dockerfile = "FROM busybox\nCOPY first /\nRUN echo ran && sleep 1\nCOPY second /\nRUN cat second > third\n"

    async def scenario(yard: Yard) -> None:
        yard.write({"first": "1", "second": "one\n"})
        building = asyncio.create_task(yard.build(dockerfile))
        await yard.until("ran")
        yard.write({"second": "two, and longer\n"})
        image = await building

        assert content(image, "/second") == content(image, "/third") == "two, and longer\n"
        assert yard.output == "ran\n"
        assert [event.detail for event in yard.events if event.status is StepStatus.WARNING] == [
            "`second` changed while it was being copied: once more"
        ]
        yard.write({"second": "one\n"})
        assert content(await yard.build(dockerfile), "/third") == "one\n"

    run(yard, scenario)


def test_a_step_leaves_no_trace_of_what_was_mounted_for_it(yard: Yard) -> None:
    async def scenario(yard: Yard) -> None:
        image = await yard.build(
            "FROM busybox\n"
            "RUN --mount=type=cache,target=/root/.cache/tool --mount=type=tmpfs,target=/scratch "
            "touch /root/.cache/tool/x /scratch/y /made && cat /etc/resolv.conf /etc/hosts\n"
        )

        layer = image.layers[0]
        assert sorted(path.name for path in layer.rglob("*")) == ["made"]
        assert "nameserver" in yard.output

    run(yard, scenario)


def test_a_step_that_synchronises_waits_for_no_disk(yard: Yard) -> None:
    async def scenario(yard: Yard) -> None:
        await yard.build("FROM busybox\nRUN grep ' / overlay' /proc/mounts\n")

        assert "volatile" in yard.output

    run(yard, scenario)


def test_stages_are_built_only_as_far_as_the_target_needs_them(yard: Yard) -> None:
    async def scenario(yard: Yard) -> None:
        image = await yard.build(
            "FROM busybox AS unused\nRUN exit 1\n"
            "FROM busybox AS maker\nRUN mkdir /out && echo made > /out/thing\n"
            "FROM scratch\nCOPY --from=maker /out/thing /thing\n"
        )

        assert content(image, "/thing") == "made\n"
        assert not is_directory(image.layers, "/bin")

    run(yard, scenario)


def test_a_failing_step_says_where_and_what(yard: Yard) -> None:
    async def scenario(yard: Yard) -> None:
        with pytest.raises(BuildError) as caught:
            await yard.build("FROM busybox\nRUN echo so far so good; \\\n  exit 3\n")

        (problem,) = caught.value.diagnostics
        assert "exited with 3" in problem.message
        assert "so far so good" in problem.hint
        assert problem.location is not None
        assert problem.location.line == 2

    run(yard, scenario)


def test_an_interrupted_build_ends_its_step(yard: Yard) -> None:
    async def scenario(yard: Yard) -> None:
        task = asyncio.create_task(yard.build("FROM busybox\nRUN echo begun; sleep 1000\n"))
        await yard.until("begun")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert yard.engine.rooms.cgroups.names() == ()
        assert list((yard.paths.build / "steps").iterdir()) == []

    run(yard, scenario)


def test_what_two_builds_want_at_once_is_run_once(yard: Yard) -> None:
    async def scenario(yard: Yard) -> None:
        dockerfile = "FROM busybox\nRUN sleep 0.3; cat /proc/sys/kernel/random/uuid > /id\n"
        builder, options = yard.engine.workshop().builder, BuildOptions(str(yard.context), dockerfile_text=dockerfile)

        one, other = await asyncio.gather(
            builder.build(options, yard.events.append), builder.build(options, lambda event: None)
        )

        assert one.id == other.id

    run(yard, scenario)


def test_a_cache_mount_lasts_from_build_to_build(yard: Yard) -> None:
    async def scenario(yard: Yard) -> None:
        step = "RUN --mount=type=cache,target=/cache {}\n"
        await yard.build("FROM busybox\n" + step.format("echo kept > /cache/file"))

        image = await yard.build("FROM busybox\n" + step.format("cp /cache/file /copied"))

        assert content(image, "/copied") == "kept\n"

    run(yard, scenario)


def test_a_secret_is_seen_by_its_step_alone(yard: Yard) -> None:
    async def scenario(yard: Yard) -> None:
        image = await yard.build(
            "FROM busybox\n"
            "RUN --mount=type=secret,id=token --mount=type=secret,id=word,env=WORD "
            "cut -c1 /run/secrets/token > /ok && echo ${WORD#?} >> /ok\n",
            secrets={"token": lambda: b"s3cret", "word": lambda: b"w0rd"},
        )

        assert content(image, "/ok") == "s\n0rd\n"
        kept = image.config.to_bytes() + b"".join(path.read_bytes() for path in yard.paths.build.glob("cache.db*"))
        assert b"s3cret" not in kept
        assert b"w0rd" not in kept
        assert not is_directory(image.layers, "/run/secrets")

    run(yard, scenario)


def test_steps_stay_cached_when_their_image_goes_and_go_when_the_cache_is_pruned(yard: Yard) -> None:
    async def scenario(yard: Yard) -> None:
        dockerfile = "FROM busybox\nRUN echo one > /one\nRUN echo two > /two\n"
        images, housekeeping = yard.engine.rooms.images, yard.engine.workshop().builder.housekeeping
        image = await yard.build(dockerfile)
        remove(images, "built:1")
        await yard.build(dockerfile)
        assert yard.ran() == []
        assert (housekeeping.usage().steps, housekeeping.usage().reclaimable) == (2, 0)

        assert housekeeping.prune() == 0
        assert content(image, "/two") == "two\n"
        remove(images, "built:1")

        assert len(list(images.snapshots.all())) == 1
        await yard.build(dockerfile)
        assert len(yard.ran()) == 2

    run(yard, scenario)


def test_cache_mounts_go_only_when_they_are_asked_to(yard: Yard) -> None:
    async def scenario(yard: Yard) -> None:
        await yard.build("FROM busybox\nRUN --mount=type=cache,target=/c echo 12345 > /c/f\n")
        housekeeping = yard.engine.workshop().builder.housekeeping

        housekeeping.prune()
        assert housekeeping.usage().mounts == 1
        assert housekeeping.prune(mounts=True) > 0

        assert housekeeping.usage().mounts == 0

    run(yard, scenario)


def test_a_layer_that_a_crash_of_the_machine_may_have_damaged_is_made_again(yard: Yard) -> None:
    async def scenario(yard: Yard) -> None:
        dockerfile = "FROM busybox\nRUN echo one > /one\n"
        await yard.build(dockerfile)
        snapshots = yard.engine.rooms.images.snapshots
        (chain,) = snapshots.unsettled()
        (snapshots.path(chain).parent / "kept").write_text("another boot")

        yard.engine.workshop().builder.sweep()
        await yard.build(dockerfile)

        assert len(yard.ran()) == 1
        snapshots.settle(snapshots.unsettled())
        assert snapshots.unsettled() == []

    run(yard, scenario)


def test_a_private_cache_is_never_shared_and_a_locked_one_waits(yard: Yard) -> None:
    async def scenario(yard: Yard) -> None:
        def dockerfile(sharing: str, name: str) -> str:
            return (
                f"FROM busybox\nRUN --mount=type=cache,target=/c,sharing={sharing} echo {name}; test ! -e /c/busy || touch /met; "
                "touch /c/busy; sleep 0.3; rm /c/busy\n"
            )

        async def met(sharing: str) -> list[bool]:
            images = await asyncio.gather(
                *(yard.build(dockerfile(sharing, name), tags=(f"{name}:1",)) for name in ("one", "other"))
            )
            return [content(image, "/met") is not None for image in images]

        assert await met("locked") == [False, False]
        assert await met("private") == [False, False]

    run(yard, scenario)


def test_the_network_of_builds_reaches_this_machine_and_goes_away(yard: Yard) -> None:
    async def scenario(yard: Yard) -> None:
        await yard.build(
            "FROM busybox\nRUN ip route && ping -c1 -w2 $(ip route | sed -n 's/default via \\([0-9.]*\\).*/\\1/p')\n"
        )
        assert "1 packets received" in yard.output

        await yard.build("FROM busybox\nRUN --network=none ip link | grep -c eth0 || true\n")
        assert yard.output == "0\n"

        await yard.build("FROM busybox\nRUN cat /proc/net/dev\n", network="host")
        assert "eth0:" not in yard.output or Path("/proc/net/dev").read_text().count("eth0:") == 1

    run(yard, scenario)


def test_git_repositories_and_archives_can_be_contexts_and_be_added(yard: Yard, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    (repository / "app").mkdir(parents=True)
    (repository / "app/file").write_text("committed\n")
    (repository / "app/Dockerfile").write_text("FROM scratch\nCOPY file /\n")
    commit = "-c user.name=a -c user.email=a@b commit -q -m one"
    for command in ("init -q -b main", "add .", commit, "update-server-info"):
        subprocess.run(["git", "-C", str(repository), *command.split()], check=True)
    handler = partial(SimpleHTTPRequestHandler, directory=str(repository))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    archive = tmp_path / "context.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(repository / "app/file", "file")

    async def scenario(yard: Yard) -> None:
        url = f"http://127.0.0.1:{server.server_port}"
        of_git = await yard.build("", dockerfile_text=None, context=f"{url}/.git#main:app")
        added = await yard.build(f"FROM scratch\nADD {url}/.git#main:app /src\n")
        named = await yard.build("FROM scratch\nCOPY --from=src file /\n", contexts={"src": str(archive)})

        assert content(of_git, "/file") == content(added, "/src/file") == content(named, "/file") == "committed\n"

    try:
        run(yard, scenario)
    finally:
        server.shutdown()
        server.server_close()


def test_an_epoch_makes_the_same_image_at_any_time(yard: Yard) -> None:
    async def scenario(yard: Yard) -> None:
        yard.write({"hello.txt": "hello\n"})
        builds = []
        for _ in range(2):
            os.utime(yard.context / "hello.txt")
            builds.append(await yard.build(SIMPLE, args={"SOURCE_DATE_EPOCH": "1600000000"}, no_cache=True))

        assert builds[0].id == builds[1].id
        assert builds[0].config.created == "2020-09-13T12:26:40Z"
        assert max(path.lstat().st_mtime for path in builds[0].layers[0].rglob("*")) <= 1600000000

    run(yard, scenario)


def test_the_users_agent_is_there_for_the_step_and_nothing_of_it_stays(yard: Yard) -> None:
    async def scenario(yard: Yard) -> None:
        image = await yard.build(
            "FROM busybox\nUSER app\nRUN --mount=type=ssh,uid=1000 test -S $SSH_AUTH_SOCK && stat -c %u:%a $SSH_AUTH_SOCK\n",
            ssh={"default": "/nowhere"},
        )

        assert yard.output == "1000:600\n"
        assert not is_directory(image.layers, "/run/buildkit")

    run(yard, scenario)


TWO_STAGES = (
    "FROM busybox AS maker\nRUN mkdir /out && cat /proc/sys/kernel/random/uuid > /out/id\nRUN echo > /out/empty\n"
    "FROM busybox\nCOPY --from=maker /out/id /id\nRUN cat /id > /again\n"
)


@pytest.mark.parametrize("mode", ["max", "min"])
def test_a_cache_in_a_directory_serves_whoever_has_it(yard: Yard, mode: str) -> None:
    cache = yard.directory / "cache"

    async def scenario(yard: Yard) -> None:
        first = await yard.build(TWO_STAGES, cache_to=(f"type=local,dest={cache},mode={mode}",))
        assert yard.engine.rooms.images.find("cache") is None
        remove(yard.engine.rooms.images, "built:1")
        yard.engine.workshop().builder.housekeeping.prune()

        image = await yard.build(TWO_STAGES, cache_from=(f"type=local,src={cache}",))

        assert yard.ran() == []
        assert content(image, "/again")
        assert image.config.diff_ids == first.config.diff_ids
        assert len(yard.engine.rooms.images.list()) == 2

    run(yard, scenario)


def test_a_cache_is_taken_again_when_what_was_taken_is_gone(yard: Yard) -> None:
    cache = yard.directory / "cache"

    async def scenario(yard: Yard) -> None:
        await yard.build(TWO_STAGES, cache_to=(f"type=local,dest={cache},mode=max",))
        for _ in range(2):
            remove(yard.engine.rooms.images, "built:1")
            yard.engine.workshop().builder.housekeeping.prune()

            await yard.build(TWO_STAGES, cache_from=(f"type=local,src={cache}",))

            assert yard.ran() == []

    run(yard, scenario)


def test_a_cache_that_is_not_there_is_a_warning(yard: Yard) -> None:
    async def scenario(yard: Yard) -> None:
        await yard.build("FROM busybox\nRUN true\n", cache_from=("type=local,src=/nowhere", "type=gha"))

        told = [event.detail for event in yard.events if event.status is StepStatus.WARNING]
        assert ["/nowhere" in told[0], "gha" in told[1]] == [True, True]

    run(yard, scenario)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"Dockerfile": "FROM scratch\nRUN true\n"}, "`/bin/sh` is not in its root file system"),
        ({"Dockerfile": 'FROM busybox\nRUN ["/nothing"]\n'}, "`/nothing` is not in its root file system"),
        (
            {"Dockerfile": 'FROM busybox\nCOPY Dockerfile /odd\nRUN chmod +x /odd\nRUN ["/odd"]\n'},
            "no program for this machine",
        ),
        (
            {"Dockerfile": 'FROM busybox\nCOPY Dockerfile /odd\nRUN ["/odd"]\n'},
            "`/odd` cannot be executed (permission denied",
        ),
        ({"Dockerfile": "FROM busybox\nUSER nobody-knows\nRUN true\n"}, "no such user"),
        ({"Dockerfile": "FROM busybox\nCOPY missing /\n"}, "missing"),
        ({"Dockerfile": "FROM host\nRUN true\n"}, "cannot build on `host`"),
        ({"Dockerfile": "FROM busybox\nRUN --mount=type=secret,id=x,required true\n"}, "was not given it"),
        ({"Dockerfile": "FROM busybox\nRUN --mount=type=bind,source=nowhere,target=/x true\n"}, "nowhere"),
    ],
)
def test_what_cannot_be_built_is_told_with_its_place(yard: Yard, files: dict[str, str], words: str) -> None:
    async def scenario(yard: Yard) -> None:
        yard.write(files)
        with pytest.raises(BuildError) as caught:
            await yard.build("", dockerfile_text=None)

        (problem,) = caught.value.diagnostics
        assert words in problem.message
        assert problem.location is not None
        assert problem.location.source in files["Dockerfile"]
        assert list((yard.paths.build / "steps").glob("*")) == []

    run(yard, scenario)


MEET = "RUN --mount=type=cache,id=meet,target=/m touch /m/{}; until test -e /m/{}; do sleep 0.02; done\n"


def test_stages_that_do_not_need_each_other_run_side_by_side(yard: Yard) -> None:
    async def scenario(yard: Yard) -> None:
        await yard.build(
            f"FROM busybox AS one\n{MEET.format('one', 'other')}FROM busybox AS other\n{MEET.format('other', 'one')}"
            "FROM scratch\nCOPY --from=one /etc/group /one\nCOPY --from=other /etc/group /other\n"
        )

        order = [event.status for event in yard.events if "sleep" in event.name]
        assert order == [StepStatus.STARTED] * 2 + [StepStatus.DONE] * 2

    run(yard, scenario)


def test_whoever_waits_for_builds_to_end_does_not_keep_them_from_it(yard: Yard) -> None:
    async def scenario(yard: Yard) -> None:
        yard.write({"hello.txt": "hello\n"})
        build = asyncio.create_task(yard.build("FROM busybox\nRUN echo begun; sleep 0.3\nCOPY hello.txt /\n"))
        await yard.until("begun")
        images = yard.engine.rooms.images
        pruning = [asyncio.create_task(asyncio.to_thread(prune, images)) for _ in range(20)]

        image = await asyncio.wait_for(build, PATIENCE)

        assert content(image, "/hello.txt") == "hello\n"
        await asyncio.gather(*pruning)

    run(yard, scenario)


def test_the_address_of_a_step_whose_engine_died_is_given_back(yard: Yard) -> None:
    async def scenario(yard: Yard) -> None:
        store = yard.engine.rooms.store
        left, kept = Lease("n", "", "build", 0, "step", "10.1.0.2"), Lease("n", "shop", "build", 1, "", "10.1.0.3")
        for lease in (left, kept):
            store.leases.put(lease_key(lease), lease)

        await yard.engine.recover()

        assert list(store.leases) == [kept]
        store.drop_leases([kept])

    run(yard, scenario)
