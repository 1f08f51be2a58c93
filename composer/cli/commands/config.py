"""`compose config` (also `convert`): the project as it was understood, or one aspect of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from composer.cli.app import command_app
from composer.cli.options import Services, check_format
from composer.cli.render.answer import say
from composer.cli.session import Session
from composer.errors import HostError, UsageError

if TYPE_CHECKING:
    from composer.project.loader import Loaded
    from composer.project.model import Project
    from composer.project.variables import Variable

app = command_app()


@app.command()
def config(
    ctx: typer.Context,
    services: Services = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only check")] = False,
    names: Annotated[bool, typer.Option("--services", help="The services' names")] = False,
    images: Annotated[bool, typer.Option("--images", help="The images' references")] = False,
    volumes: Annotated[bool, typer.Option("--volumes", help="The volumes' names")] = False,
    networks: Annotated[bool, typer.Option("--networks", help="The networks' names")] = False,
    profiles: Annotated[bool, typer.Option("--profiles", help="The profiles' names")] = False,
    models: Annotated[bool, typer.Option("--models", help="The models' names")] = False,
    hashed: Annotated[
        str, typer.Option("--hash", metavar="SERVICES", help="A hash of each service's configuration; `*` for all")
    ] = "",
    environment: Annotated[bool, typer.Option("--environment", help="The variables that were used")] = False,
    variables: Annotated[bool, typer.Option("--variables", help="The variables that the files name")] = False,
    interpolate: Annotated[bool, typer.Option("--interpolate/--no-interpolate", help="Fill in variables")] = True,
    normalize: Annotated[bool, typer.Option("--normalize/--no-normalize", help="Add what follows")] = True,
    paths: Annotated[
        bool, typer.Option("--path-resolution/--no-path-resolution", help="Make relative paths absolute")
    ] = True,
    consistency: Annotated[bool, typer.Option("--consistency/--no-consistency", help="Check the whole")] = True,
    digests: Annotated[
        bool,
        typer.Option("--resolve-image-digests", help="Pin images to digests: those of the lock, else the registries'"),
    ] = False,
    only_digests: Annotated[
        bool, typer.Option("--lock-image-digests", help="Print an override file that pins images to digests")
    ] = False,
    rendered: Annotated[str, typer.Option("--render", metavar="NAME", help="What a config's template becomes")] = "",
    format_: Annotated[str, typer.Option("--format", help="yaml or json")] = "yaml",
    output: Annotated[str, typer.Option("--output", "-o", metavar="FILE", help="Write to a file")] = "",
) -> int:
    """Check and print the project as it was understood."""
    from composer.cli.render.errors import show_diagnostics
    from composer.project.canonical import without_consequences
    from composer.project.merged import entries_of

    session: Session = ctx.obj
    check_format(format_, "yaml", "json")
    loaded = session.load(interpolate=interpolate, resolve_paths=paths, check=consistency)
    show_diagnostics(session.err, [warning for warning in loaded.warnings if not warning.about_running])
    if not interpolate:
        text = "" if quiet else _dump(_uninterpolated(loaded, normalize), format_)
    else:
        project = _part(loaded.project, services or ())
        every = {**loaded.project.services, **loaded.project.disabled}.values()
        aspects: list[tuple[bool, Callable[[], str]]] = [
            (quiet, lambda: ""),
            (names, lambda: _lines(project.services)),
            (images, lambda: _lines(_image(project, name) for name in project.services)),
            (volumes, lambda: _lines(project.volumes)),
            (networks, lambda: _lines(project.networks)),
            (profiles, lambda: _lines(sorted({profile for each in every for profile in each.profiles}))),
            (models, lambda: _lines(sorted(entries_of(loaded.tree, "models")))),
            (bool(hashed), lambda: _hashes(loaded, hashed)),
            (environment, lambda: _environment(loaded.project)),
            (bool(rendered), lambda: _rendered(loaded.project, rendered, services or ())),
            (variables, lambda: _variables(loaded, session, format_)),
            (not normalize, lambda: _shown(without_consequences(loaded.tree, project), format_)),
            (only_digests, lambda: _dump(_overriding(_pinned(session, loaded, project)), format_)),
            (digests, lambda: _whole(loaded, project, format_, _pinned(session, loaded, project))),
        ]
        aspect = next((show for asked, show in aspects if asked), lambda: _whole(loaded, project, format_, {}))
        text = aspect()
    if output:
        _write(Path(output), text)
    elif text:
        say(*text.splitlines())
    return 0


def _part(project: Project, services: Iterable[str]) -> Project:
    from composer.project.select import select

    return select(project, services)


def _lines(values: Iterable[str]) -> str:
    return "".join(f"{value}\n" for value in values)


def _environment(project: Project) -> str:
    """The variables without those that are secrets."""
    hidden = {secret.environment for secret in project.secrets.values()}
    return _lines(f"{name}={value}" for name, value in project.environment_used.items() if name not in hidden)


def _image(project: Project, service: str) -> str:
    return project.services[service].image or f"{project.name}-{service}"


def _whole(loaded: Loaded, project: Project, format_: str, pinned: Mapping[str, str]) -> str:
    from composer.project.canonical import canonical

    data = canonical(loaded.tree, project)
    for service, image in pinned.items():
        data["services"][service]["image"] = image
    return _shown(data, format_)


def _shown(data: dict[str, Any], format_: str) -> str:
    from composer.project.canonical import with_nulls

    return _dump(with_nulls(data) if format_ == "json" else data, format_)


def _overriding(pinned: Mapping[str, str]) -> dict[str, Any]:
    return {"services": {service: {"image": image} for service, image in sorted(pinned.items())}}


def _pinned(session: Session, loaded: Loaded, project: Project) -> Mapping[str, str]:
    """The images with their digests, by service."""
    import asyncio

    from composer.clock import SystemClock
    from composer.lock.digests import pinned_images
    from composer.lock.file import lock_path
    from composer.lock.model import Lock
    from composer.lock.reading import read
    from composer.registry.access import Access

    lock = read(lock_path(loaded.project), packages=False) or Lock()
    access = Access.of(session.environment)
    return asyncio.run(pinned_images(project, loaded.origins, project.services, lock, access, SystemClock()))


def _written(loaded: Loaded) -> dict[str, Any]:
    from composer.project.canonical import as_written

    return as_written(loaded.tree, loaded.project.name)


def _uninterpolated(loaded: Loaded, normalize: bool) -> dict[str, Any]:
    from composer.project.canonical import normalised

    written = _written(loaded)
    return normalised(written, loaded.project.name) if normalize else written


def _dump(data: dict[str, Any], format_: str) -> str:
    from composer.project.source import dump_yaml

    return json.dumps(data, indent=2, ensure_ascii=False) + "\n" if format_ == "json" else dump_yaml(data)


def _hashes(loaded: Loaded, wanted: str) -> str:
    """`SERVICE HASH` a line: equal as long as nothing of the service changes, the number of replicas apart."""
    from hashlib import sha256

    from composer.project.canonical import canonical

    every = canonical(loaded.tree, loaded.project)["services"]
    chosen = every if wanted == "*" else {name.strip(): None for name in wanted.split(",")}
    lines = []
    for name in chosen:
        if name not in every:
            raise UsageError(f"there is no service `{name}` in project `{loaded.project.name}`")
        counted = {key: value for key, value in every[name].items() if key not in ("scale", "deploy", "depends_on")}
        lines.append(f"{name} {sha256(json.dumps(counted, sort_keys=True).encode()).hexdigest()}")
    return _lines(lines)


def _by_name(loaded: Loaded) -> list[Variable]:
    """One row for each variable: what the first reference says that says anything."""
    from composer.project.variables import Variable

    found: dict[str, Variable] = {}
    for each in loaded.variables:
        before = found.get(each.name, each)
        found[each.name] = Variable(
            each.name,
            each.required or before.required,
            before.default or each.default,
            before.alternate or each.alternate,
        )
    return list(found.values())


def _variables(loaded: Loaded, session: Session, format_: str) -> str:
    from composer.cli.render.table import table

    if format_ == "json":
        rows = [
            {"name": each.name, "required": each.required, "default": each.default, "alternate": each.alternate}
            for each in _by_name(loaded)
        ]
        return json.dumps(rows, indent=2) + "\n"
    cells = [(each.name, str(each.required).lower(), each.default, each.alternate) for each in _by_name(loaded)]
    return table(("NAME", "REQUIRED", "DEFAULT VALUE", "ALTERNATE VALUE"), cells)


def _rendered(project: Project, name: str, services: Iterable[str]) -> str:
    """What the config `name` becomes in the first service (of `services`, if any) that gets it."""
    from composer.project.facts import facts_of
    from composer.project.reading import read_file
    from composer.project.shapes import did_you_mean
    from composer.project.templates import place_of, render, template_of

    file = project.configs.get(name)
    if file is None:
        hint = did_you_mean(name, project.configs)
        raise UsageError(f"there is no config `{name}` in project `{project.name}`", hint=hint)
    every = {**project.services, **project.disabled}
    wanted = [every[service] for service in services if service in every] or list(every.values())
    service = next((each for each in wanted if any(grant.source == name for grant in each.configs)), None)
    if service is None:
        raise UsageError(f"no service gets the config `{name}`", hint=f"add it to a service: `configs: [{name}]`")
    try:
        text = template_of(file, read_file(Path(file.file)) if file.file else b"")
    except OSError as error:
        raise HostError(f"cannot read `{file.file}`: {(error.strerror or 'error').lower()}") from error
    return render(text, place_of("config", file), facts_of(project, service)) if file.template_driver else text


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text)
    except OSError as error:
        raise HostError(f"cannot write `{path}`: {(error.strerror or 'error').lower()}") from error
