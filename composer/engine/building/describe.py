"""From Compose's words about a build to the builder's: everything read, checked and absolute.

What cannot be is told with its place in the file. Where Docker decides what a word means, it means that here:
<https://github.com/compose-spec/compose-spec/blob/main/build.md>.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from composer.build.dockerfile.sources import is_remote
from composer.build.exchange.places import cache_place
from composer.build.files import FilesError
from composer.build.files.git_reference import is_ssh, parse_git
from composer.build.options import DEVICE, HOST_NETWORK, INSECURE, BuildOptions, Limit, Secret
from composer.build.pinned import Pinned
from composer.engine.building import networks
from composer.engine.building.bases import makers
from composer.engine.building.builds import CONTEXT_OF
from composer.engine.building.errand import Errand
from composer.engine.building.freshness import is_local
from composer.engine.building.platforms import choose_platform, every_platform
from composer.engine.contents import read
from composer.engine.labels import build_labels
from composer.engine.plan import BuildImage
from composer.errors import Diagnostic, ImageError, ProjectError, Severity, UsageError
from composer.image.store import refuse_reserved
from composer.oci.reference import parse
from composer.project.model import Build, Project
from composer.project.origins import Origins
from composer.registry.access import Access

_EPOCH = "SOURCE_DATE_EPOCH"


def options_of(operation: BuildImage, errand: Errand, image_of: Callable[[str], str]) -> BuildOptions:
    """What the builder is asked for; `image_of` gives the image id behind a service's name. Reads files; blocks.

    Raises:
        ProjectError: what the file asks for and cannot be had: a network, a platform, a secret without a source.
    """
    build = operation.build
    problems = _Problems(operation.service, errand.origins)
    flags = errand.flags
    pinned = errand.pins.for_builder()
    _check_places(build, problems)
    _check_names(build, problems)
    options = BuildOptions(
        context=_pinned(build.context, pinned),
        dockerfile=build.dockerfile or f"services.{operation.service}.build.dockerfile_inline",
        dockerfile_text=build.dockerfile_inline,
        target=build.target or "",
        args=arguments(build, errand),
        tags=(*operation.references, *build.tags),
        labels={**build.labels, **build_labels(errand.project.name, operation.service)},
        network=_network(build, errand.project, problems),
        extra_hosts=build.extra_hosts,
        shm_size=build.shm_size or 0,
        ulimits=tuple(Limit(name, limit.soft, limit.hard) for name, limit in sorted(build.ulimits.items())),
        secrets=dict(_secrets(build, errand.project, problems)),
        ssh=dict(_agents(build, errand, problems)),
        contexts={
            name: _pinned(_context(value, image_of), pinned) for name, value in build.additional_contexts.items()
        },
        cache_from=tuple(_cache(each, errand.project) for each in build.cache_from),
        cache_to=tuple(_cache(each, errand.project) for each in build.cache_to),
        said_at=dict(_caches_said_at(build, errand, operation.service, problems)),
        no_cache=build.no_cache or flags.no_cache,
        no_cache_filter=build.no_cache_filter,
        pull=build.pull or flags.pull,
        platform=_platform(operation, errand, problems),
        platforms=_platforms(operation),
        entitlements=_entitlements(build, problems),
        privileged=build.privileged,
        pinned=pinned,
        made_by=makers(errand.project),
        surroundings=errand.surroundings,
    )
    problems.raise_any()
    return options


def arguments(build: Build, errand: Errand) -> dict[str, str]:
    """The build arguments: the user's proxies as Docker passes them, the file's, the command line's."""
    epoch = errand.surroundings.get(_EPOCH)
    given = {**({_EPOCH: epoch} if epoch else {}), **build.args, **errand.flags.args}
    return {**Access.of(errand.surroundings).docker.proxies(), **given}


class _Problems:
    """What is wrong with one `build`, with its places."""

    def __init__(self, service: str, origins: Origins) -> None:
        self._service = service
        self._origins = origins
        self._found: list[Diagnostic] = []

    def add(self, attribute: str, message: str, *, hint: str, index: int | None = None, key: str = "") -> None:
        """A problem with an attribute, or with the entry `index` of a list or `key` of a mapping."""
        entry: tuple[int | str, ...] = (key,) if key else () if index is None else (index,)
        place = self._origins.near(("services", self._service, "build", attribute, *entry))
        where = f"services.{self._service}.build.{attribute}"
        where += f".{key}" if key else "".join(f"[{number}]" for number in entry)
        self._found.append(Diagnostic(Severity.ERROR, f"{where}: {message}", place, hint=hint))

    def raise_any(self) -> None:
        if self._found:
            raise ProjectError(self._found)


def _check_places(build: Build, problems: _Problems) -> None:
    """What is on this machine must be there: told with its place, not as a failure of the build."""
    if not is_local(build.context):
        return
    context = Path(build.context)
    if not context.is_dir():
        what = "is not a directory" if context.exists() else "does not exist"
        problems.add("context", f"`{context}` {what}", hint="correct the path; it is relative to the Compose file")
    elif build.dockerfile_inline is None and not (context / (build.dockerfile or "Dockerfile")).exists():
        near = sorted(each.name for each in context.iterdir() if "dockerfile" in each.name.lower())[:3]
        listed = ", ".join(f"`{name}`" for name in near)
        hint = f"there is {listed}; say which with `dockerfile:`" if near else "write one, or correct `dockerfile:`"
        problems.add("dockerfile", f"`{context / (build.dockerfile or 'Dockerfile')}` does not exist", hint=hint)


def _check_names(build: Build, problems: _Problems) -> None:
    """Names of the image, and directories of further contexts."""
    for number, tag in enumerate(build.tags):
        try:
            refuse_reserved(tag)
            parse(tag)
        except ImageError as error:
            problems.add("tags", error.message, hint=error.hint, index=number)
    for name, value in build.additional_contexts.items():
        if is_local(value) and not Path(value).is_dir():
            what = "is not a directory" if Path(value).exists() else "does not exist"
            problems.add("additional_contexts", f"`{value}` {what}", hint="correct the path of this context", key=name)


def _network(build: Build, project: Project, problems: _Problems) -> str:
    network = networks.network_of(build, project)
    if not network:
        why = f"steps of a build cannot be on `{build.network}`: there is no such network or service"
        problems.add("network", why, hint=networks.hint(build, project))
    return network or "default"


def _entitlements(build: Build, problems: _Problems) -> frozenset[str]:
    known = {HOST_NETWORK, INSECURE, DEVICE}
    for number, each in enumerate(build.entitlements):
        if each not in known:
            hint = f"it can be {' or '.join(f'`{one}`' for one in sorted(known))}"
            problems.add("entitlements", f"there is no entitlement `{each}`", hint=hint, index=number)
    # What the build as a whole is given, its steps need not be granted beside.
    implied = {HOST_NETWORK} if build.network == "host" else set()
    return frozenset({*build.entitlements, *implied, *({INSECURE} if build.privileged else ())})


def _platform(operation: BuildImage, errand: Errand, problems: _Problems) -> str:
    wanted = operation.platform or errand.surroundings.get("DOCKER_DEFAULT_PLATFORM", "")
    try:
        return choose_platform(wanted, operation.build.platforms)
    except UsageError as error:
        problems.add("platforms", error.message, hint=error.hint)
        return ""


def _platforms(operation: BuildImage) -> tuple[str, ...]:
    """Those that an index is made of, none where a single image is."""
    try:
        every = every_platform("", operation.build.platforms) if operation.every_platform else ()
    except UsageError:
        return ()  # told already
    return every if len(every) > 1 else ()


def _context(value: str, image_of: Callable[[str], str]) -> str:
    if value.startswith(CONTEXT_OF):
        return f"docker-image://{image_of(value.removeprefix(CONTEXT_OF))}"
    return value


def _pinned(context: str, pinned: Pinned) -> str:
    """A context; a branch of a repository is the commit that it is locked to. That of an archive is checked as it comes."""
    return pinned.remote(context)[0] if not is_local(context) and is_remote(context) else context


def _cache(value: str, project: Project) -> str:
    """A cache's place with its directory absolute."""
    parts = []
    for part in value.split(","):
        name, equals, text = part.partition("=")
        is_path = name in ("src", "dest") and equals
        parts.append(f"{name}={Path(project.working_dir, text)}" if is_path else part)
    return ",".join(parts)


def _caches_said_at(build: Build, errand: Errand, service: str, problems: _Problems) -> Iterator[tuple[str, str]]:
    """The file and line of each place of a cache; one that means nothing is a problem."""
    for attribute, texts in (("cache_from", build.cache_from), ("cache_to", build.cache_to)):
        for number, text in enumerate(texts):
            try:
                cache_place(text)
            except UsageError as error:
                problems.add(attribute, error.message, hint=error.hint, index=number)
            if place := errand.origins.near(("services", service, "build", attribute, number)):
                yield _cache(text, errand.project), f"{Path(place.file).name}:{place.line}"


def _secrets(build: Build, project: Project, problems: _Problems) -> Iterator[tuple[str, Secret]]:
    for number, grant in enumerate(build.secrets):
        file = project.secrets[grant.source]
        what = f"secret `{grant.source}`"
        if file.template_driver:
            why = f"{what} is a template: these are rendered for services that run, not for builds"
            problems.add("secrets", why, hint="leave `template_driver` out", index=number)
        elif file.file is not None:
            yield grant.target, partial(read, file.file, what)
        elif file.environment is not None:
            value = project.environment_used.get(file.environment)
            if value is None:
                why = f"{what} has no value: the variable `{file.environment}` is not set"
                problems.add("secrets", why, hint="set it and try again", index=number)
            else:
                yield grant.target, partial(str.encode, value, "utf-8", "surrogateescape")
        else:
            why = f"{what} is external, and there is no such place here"
            problems.add("secrets", why, hint="give it a `file`", index=number)


def _behind_ssh(build: Build) -> bool:
    contexts = [each for each in (build.context, *build.additional_contexts.values()) if not is_local(each)]
    try:
        repositories = [parse_git(each, context=True) for each in contexts]
    except FilesError:
        return False  # the build says what is wrong with it
    return any(each is not None and is_ssh(each.remote) for each in repositories)


def _agents(build: Build, errand: Errand, problems: _Problems) -> Iterator[tuple[str, str]]:
    """The sockets of agents, or files of keys, by id."""
    asked = {**{name: path or "" for name, path in build.ssh.items()}, **errand.flags.ssh}
    if "default" not in asked and _behind_ssh(build) and errand.surroundings.get("SSH_AUTH_SOCK"):
        asked["default"] = ""  # as buildx has it: nobody writes it who names such a context
    for name, written in asked.items():
        path = written or errand.surroundings.get("SSH_AUTH_SOCK", "")
        if not path:
            hint = "start one with `eval $(ssh-agent)` and `ssh-add`"
            problems.add("ssh", "there is no SSH agent: the variable `SSH_AUTH_SOCK` is not set", hint=hint)
            continue
        place = Path(errand.project.working_dir, Path(path).expanduser())
        if not place.exists():
            problems.add(
                "ssh", f"`{path}` does not exist", hint="name a key's file, the socket of an agent, or `default`"
            )
        yield name, str(place)
