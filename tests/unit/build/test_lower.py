import pytest

from composer.build.dockerfile.parse import parse
from composer.build.dockerfile.stages import link
from composer.build.lower import Wanted, lower
from composer.build.operations import Graph, MountKind, Sharing
from composer.build.options import BuildOptions
from composer.errors import BuildError
from composer.oci.config import ImageConfig
from composer.oci.descriptor import Platform
from tests.unit.build.lowered import AMD64, image, lowered, result_of, run_of, said, show

RISCV64 = Platform("riscv64", "linux")


def test_each_instruction_that_changes_files_is_a_vertex_on_the_one_before() -> None:
    graph = lowered("FROM base\nENV A=1\nWORKDIR /app\nCOPY src/ .\nRUN make\nCMD ['x']\n")

    assert (
        show(graph)
        == """\
0: image
1 on 0: mkdir /app
2 on 1: copy context(src/) to /app/
3 on 2: run make
"""
    )
    assert graph.target == 3


def test_stages_that_the_target_does_not_need_are_not_in_the_graph() -> None:
    dockerfile = (
        "FROM base AS tools\nRUN tools\nFROM base AS unused\nRUN unused\nFROM base\nCOPY --from=tools /bin/x /bin/\n"
    )

    assert (
        show(lowered(dockerfile))
        == """\
0: image
1 on 0: run tools
2 on 0: copy stage1(/bin/x) to /bin/
"""
    )


def test_a_stage_upon_a_stage_goes_on_with_its_files_environment_and_history() -> None:
    graph = lowered("FROM base AS one\nARG V=1\nENV A=$V\nRUN first\nFROM one\nRUN second\n")

    assert dict(run_of(graph, 1).environment)["A"] == "1"
    assert graph[graph.target].base == 1
    assert said(graph) == [
        "ARG V=1",
        "ENV A=1",
        "RUN |1 V=1 /bin/sh -c first # buildkit",
        "RUN /bin/sh -c second # buildkit",
    ]


def test_what_is_not_known_yet_is_wanted_all_at_once() -> None:
    wanted = result_of("FROM one AS a\nFROM --platform=linux/arm64 two\nCOPY --from=a / /a\nCOPY --from=three / /b\n")

    assert isinstance(wanted, tuple)
    assert [(one.reference, one.platform, one.span.first) for one in wanted if isinstance(one, Wanted)] == [
        ("two", "linux/arm64", 2),
        ("one", "", 1),
        ("three", "", 4),
    ]


def test_triggers_of_the_base_image_come_first_and_are_gone_then() -> None:
    graph = lowered("FROM parent\nRUN own\n", {"parent": image(on_build=("COPY . /src", "RUN prepare"))})

    assert [vertex.name for vertex in graph.vertices[1:]] == [
        "[2/4] ONBUILD COPY . /src",
        "[3/4] ONBUILD RUN prepare",
        "[4/4] RUN own",
    ]
    assert graph.config.on_build == ()


def test_triggers_of_a_stage_run_in_the_stage_upon_it() -> None:
    graph = lowered("FROM base AS parent\nONBUILD RUN triggered\nFROM parent\nRUN own\n")

    assert [run_of(graph, number).argv[-1] for number in (0, 1)] == ["triggered", "own"]


def test_a_path_is_always_set() -> None:
    graph = lowered("FROM scratch\nCOPY x /\n")

    assert graph.config.env == ("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",)


def test_entrypoint_forgets_an_inherited_command_but_not_the_stages_own() -> None:
    parent = {"parent": image(cmd=("inherited",), entrypoint=("old",))}

    assert lowered('FROM parent\nENTRYPOINT ["new"]\n', parent).config.cmd == ()
    assert lowered('FROM parent\nCMD ["own"]\nENTRYPOINT ["new"]\n', parent).config.cmd == ("own",)


def test_working_directories_add_up_and_variables_are_replaced() -> None:
    graph = lowered("FROM base\nARG D=deep\nWORKDIR /a\nWORKDIR b/$D\nWORKDIR ../c\nCOPY f .\nCOPY g there\n")

    assert graph.config.working_dir == "/a/b/c"
    assert "to /a/b/c/\n" in show(graph)
    assert "to /a/b/c/there\n" in show(graph)


def test_arguments_in_effect_reach_run_and_only_those() -> None:
    graph = lowered(
        "ARG GLOBAL=g\nFROM base\nRUN one\nARG GLOBAL\nARG OWN=o\nENV OWN=e\nRUN two\n", args={"UNDECLARED": "x"}
    )

    assert "GLOBAL" not in dict(run_of(graph, 0).environment)
    assert dict(run_of(graph, 1).environment) | {"PATH": ""} == {"PATH": "", "GLOBAL": "g", "OWN": "e"}


def test_proxies_reach_run_but_neither_its_environment_nor_the_history() -> None:
    graph = lowered("FROM base\nRUN x\n", args={"HTTP_PROXY": "http://user:pass@proxy"})

    run = run_of(graph)
    assert run.proxies == (("HTTP_PROXY", "http://user:pass@proxy"), ("http_proxy", "http://user:pass@proxy"))
    assert "HTTP_PROXY" not in dict(run.environment)
    assert said(graph) == ["RUN /bin/sh -c x # buildkit"]


def test_mounts_are_filled_in() -> None:
    graph = lowered(
        "FROM base AS tools\nFROM base\nWORKDIR /w\nRUN "
        "--mount=type=cache,target=cache,sharing=locked,uid=5 --mount=type=secret,id=token "
        "--mount=type=secret,id=key,env=KEY --mount=type=ssh --mount=type=tmpfs,target=/t,size=1k "
        "--mount=type=bind,from=tools,source=bin,target=/tools x\n"
    )

    cache, secret, variable, agent, memory, bind = run_of(graph).mounts
    assert (cache.target, cache.id, cache.sharing, cache.uid, cache.mode) == (
        "/w/cache",
        "/w/cache",
        Sharing.LOCKED,
        5,
        0o755,
    )
    assert (secret.target, secret.mode) == ("/run/secrets/token", 0o400)
    assert (variable.target, variable.variable) == ("", "KEY")
    assert (agent.target, agent.id) == ("/run/buildkit/ssh_agent.0", "default")
    assert dict(run_of(graph).environment)["SSH_AUTH_SOCK"] == agent.target
    assert (memory.kind, memory.size) == (MountKind.TMPFS, 1024)
    assert (bind.path, bind.read_only) == ("/bin", True)
    assert bind.source is not None
    assert bind.source.vertex == 0


def test_a_context_can_take_the_place_of_an_image_and_of_a_stage() -> None:
    other = {"docker-image://other": image(user="other")}

    over_image = lowered("FROM debian\nRUN x\n", other, contexts={"debian": "docker-image://other"})
    over_stage = lowered(
        "FROM base AS lib\nRUN no\nFROM lib\nRUN yes\n", other, contexts={"lib": "docker-image://other"}
    )

    assert over_image.config.user == over_stage.config.user == "other"
    assert [vertex.name for vertex in over_stage.vertices if "RUN" in vertex.name] == ["[stage-1 2/2] RUN yes"]


def test_files_of_a_context_are_copied_from_it_by_name() -> None:
    graph = lowered("FROM scratch\nCOPY --from=shared a /\n", contexts={"shared": "/elsewhere"})

    assert show(graph).splitlines()[-1] == "1 on 0: copy context:shared(a) to /"


@pytest.mark.parametrize(
    ("step", "entitlement"),
    [("RUN --network=host x", "network.host"), ("RUN --security=insecure x", "security.insecure")],
)
def test_what_needs_an_entitlement_says_which(step: str, entitlement: str) -> None:
    with pytest.raises(BuildError, match=entitlement) as caught:
        lowered(f"FROM base\n{step}\n")
    assert caught.value.diagnostics[0].location is not None
    assert caught.value.diagnostics[0].location.line == 2

    lowered(f"FROM base\n{step}\n", entitlements=frozenset({entitlement}))


def test_labels_and_platform_of_the_build_are_in_the_config_but_not_in_the_history() -> None:
    graph = lowered("FROM base\nLABEL a=1 b=2\n", labels={"b": "3", "c": "4"}, platform="linux/amd64")

    assert graph.config.labels == {"a": "1", "b": "3", "c": "4"}
    assert said(graph) == ["LABEL a=1 b=2"]


def test_no_cache_is_for_the_stages_that_are_named() -> None:
    dockerfile = "FROM base AS one\nRUN a\nFROM one\nRUN b\n"

    assert [vertex.fresh for vertex in lowered(dockerfile, no_cache=True).vertices] == [False, True, True]
    assert [vertex.fresh for vertex in lowered(dockerfile, no_cache_filter=("one",)).vertices] == [False, True, False]


def test_the_history_is_as_buildkit_writes_it() -> None:
    graph = lowered(
        "FROM base\n"
        "ARG A=1 B\n"
        "ENV X=y Z='a b'\n"
        'RUN ["true", "x"]\n'
        'SHELL ["/bin/bash", "-c"]\n'
        "RUN <<EOF\nfirst\nsecond\nEOF\n"
        "COPY --chown=1:2 --chmod=600 a b /dst/\n"
        "COPY <<x <<y /docs/\none\nx\ntwo\ny\n"
        "ADD f /\n"
        "EXPOSE 80 53/udp\n"
        "VOLUME /data /more\n"
        'HEALTHCHECK --interval=1m30s --retries=3 CMD curl "x"\n'
        "USER app\nSTOPSIGNAL SIGINT\nMAINTAINER me\nONBUILD RUN later\nWORKDIR /\n"
        'ENTRYPOINT ["/x", "a \\"b\\""]\nCMD run me\n'
    )

    assert said(graph) == [
        "ARG A=1 B",
        "ENV X=y Z=a b",
        "RUN |2 A=1 B= true x # buildkit",
        "SHELL [/bin/bash -c]",
        "RUN |2 A=1 B= /bin/bash -c first\nsecond\n # buildkit",
        "COPY --chown=1:2 --chmod=600 a b /dst/ # buildkit",
        "COPY <<x <<y /docs/ # buildkit",
        "ADD f / # buildkit",
        "EXPOSE map[53/udp:{} 80/tcp:{}]",
        "VOLUME [/data /more]",
        """HEALTHCHECK &{["CMD-SHELL" "curl \\"x\\""] "1m30s" "0s" "0s" "0s" '\\x03'}""",
        "USER app",
        "STOPSIGNAL SIGINT",
        "MAINTAINER me",
        "WORKDIR /",
        'ENTRYPOINT ["/x" "a \\"b\\""]',
        'CMD ["/bin/bash" "-c" "run me"]',
    ]


def test_a_scratch_image_is_for_the_platform_that_is_built_for() -> None:
    config = lowered("FROM scratch\nCOPY a /\n").config

    assert (config.os, config.architecture) == ("linux", "amd64")
    assert isinstance(config, ImageConfig)


def test_a_step_whose_programs_cannot_run_is_refused_and_copies_are_not() -> None:
    def obstacle(platform: str) -> tuple[str, str] | None:
        return ("no programs", "register") if platform == "linux/riscv64" else None

    def asked(dockerfile: str) -> Graph | tuple[Wanted, ...]:
        stages = link(parse(dockerfile), args={}, build=AMD64, platform=RISCV64, target="", contexts={})
        known = {("base", ""): image(), ("base", "linux/amd64"): image()}
        return lower(stages, BuildOptions("/context", platform="linux/riscv64"), RISCV64, known, obstacle)

    copied = "FROM --platform=$BUILDPLATFORM base AS build\nRUN make\nFROM base\nCOPY --from=build /a /b\n"
    assert isinstance(asked(copied), Graph)
    with pytest.raises(BuildError) as caught:
        asked(f"{copied}FROM scratch AS more\nFROM 1\nRUN one\n")
    (told,) = caught.value.diagnostics
    assert (told.message, told.hint, told.location and told.location.line) == ("no programs", "register", 7)


def test_a_device_that_must_be_there_is_refused_and_another_one_done_without() -> None:
    graph = lowered("FROM base\nRUN --device=vendor.com/gpu=all make\n")

    assert run_of(graph).argv[-1] == "make"
    assert graph.warnings == (
        "line 2: there is no device `vendor.com/gpu=all` for steps of builds: "
        "CDI specifications are not read here; the step goes without",
    )
    with pytest.raises(BuildError, match=r"there is no device `vendor.com/gpu=all`"):
        lowered("FROM base\nRUN --device=vendor.com/gpu=all,required make\n")
