"""From a project's `develop.watch` to the rules of `composer.watch`, and what is wrong with them.

What cannot be synchronised is told once, when the watch begins: a target that is a part of the kernel or of this machine, or a
path that the container sees already through a bind mount (there the trigger alone remains).
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from composer.engine.watching.reload import Reload, reload_of
from composer.errors import UsageError
from composer.ignore import DockerPatterns, GitIgnores
from composer.project.model import Project, Service, Trigger
from composer.project.origins import Origins
from composer.watch.rules import Action, Exec, Rule
from composer.watch.selection import Selection

_KERNELS = ("/proc", "/sys", "/dev")


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of a project in file order, and what is to be told about them."""

    rules: tuple[Rule, ...]
    warnings: tuple[str, ...]
    reloads: Mapping[str, Reload]
    """By service."""


def rules_of(project: Project, services: Sequence[str], origins: Origins) -> Rules:
    """The rules of `services` (none: all). Reads `.dockerignore` files.

    Raises:
        UsageError: none of the services has any, or one cannot be: a target that is no place for files, a bad pattern.
    """
    chosen = [project.services[name] for name in services or project.services if name in project.services]
    warnings: list[str] = []
    rules: list[Rule] = []
    for service in chosen:
        for number, trigger in enumerate(service.develop.watch if service.develop else ()):
            place = origins.near(("services", service.name, "develop", "watch", str(number)))
            where = (
                f"{Path(place.file).name}:{place.line}" if place else f"services.{service.name}.develop.watch[{number}]"
            )
            rules.append(_rule(project, service, trigger, where, warnings))
    if not rules:
        raise UsageError("none of the services is to be watched", hint="add a `develop.watch` section to a service")
    reloads = {
        service.name: reload_of(service.name, service.extensions["x-reload"], project.working_dir)
        for service in chosen
        if "x-reload" in service.extensions
    }
    warnings += _unsynced(reloads, rules)
    return Rules(tuple(rules), tuple(warnings), reloads)


def _unsynced(reloads: Mapping[str, Reload], rules: Sequence[Rule]) -> Iterable[str]:
    """Warnings about files that steps wait for and that no rule brings in."""
    for service, reload in reloads.items():
        roots = [rule.root for rule in rules if rule.service == service and rule.action.syncs]
        for step in reload.steps:
            for path in step.paths:
                if not _is_within(path, roots):
                    yield f"services.{service}.x-reload.run: `{path}` is brought in by no `sync` rule, its step never runs"


def _rule(project: Project, service: Service, trigger: Trigger, where: str, warnings: list[str]) -> Rule:
    action = Action(trigger.action)
    root = str(Path(trigger.path).resolve())
    if not Path(root).exists():
        warnings.append(f"{where}: `{trigger.path}` does not exist; it is watched for")
    target = _target(service, trigger, root, where, warnings) if action.syncs else ""
    try:
        selection = _selection(project, service, trigger, root)
    except ValueError as error:
        raise UsageError(f"cannot watch `{trigger.path}` ({where}): {error}") from error
    if action is Action.REBUILD and service.build is None:
        raise UsageError(
            f"cannot rebuild `{service.name}` ({where}): it has no `build` section", hint="use `action: restart`"
        )
    run = trigger.exec
    if action is Action.SYNC_AND_EXEC and (run is None or not run.command):
        raise UsageError(f"`sync+exec` without a command ({where})", hint="add `exec: {command: …}`")
    return Rule(
        service=service.name,
        action=action,
        selection=selection,
        target=target,
        covered=_covered(service, target) if target else (),
        exec=Exec(
            command=tuple(run.command),
            user=run.user or "",
            privileged=run.privileged,
            working_dir=run.working_dir or "",
            environment=tuple(f"{key}={value}" for key, value in run.environment.items() if value is not None),
        )
        if run is not None and action is Action.SYNC_AND_EXEC
        else None,
        place=where,
    )


def _target(service: Service, trigger: Trigger, root: str, where: str, warnings: list[str]) -> str:
    """Where the files of a rule go, "" where they are there already. Raises UsageError."""
    written = trigger.target or ""
    if not written.startswith("/"):
        raise UsageError(
            f"`{trigger.action}` needs an absolute `target` ({where})" + (f", not `{written}`" if written else ""),
            hint="name the directory in the container, for instance `target: /app`",
        )
    target = posixpath.normpath(written)
    if written.endswith("/") and Path(root).is_file():
        target = posixpath.join(target, posixpath.basename(root))
    if target == "/" or _is_within(target, _KERNELS):
        raise UsageError(f"cannot sync files to `{written}` ({where})", hint="choose a directory of the application")
    for mount in service.volumes:
        if mount.type == "bind" and mount.source and _seen_through(mount.source, mount.target, root) == target:
            warnings.append(f"{where}: `{trigger.path}` is bound into `{service.name}` already, nothing to sync")
            return ""
        if _is_within(target, (mount.target,)):
            if mount.type == "bind":
                raise UsageError(
                    f"cannot sync to `{written}` ({where}): a directory of this machine is bound to `{mount.target}`",
                    hint="remove the bind mount, or the rule",
                )
            if mount.type == "volume":
                warnings.append(f"{where}: `{written}` is on a volume: what is synced there outlives the container")
    return target


def _seen_through(source: str, target: str, path: str) -> str:
    """Where a bind mount of `source` to `target` shows `path` of this machine; "" if it does not."""
    source = str(Path(source).resolve())
    return posixpath.normpath(target + path[len(source) :]) if _is_within(path, (source,)) else ""


def _covered(service: Service, target: str) -> tuple[str, ...]:
    """What below `target` is of this machine already: to write there would be to write to the user's own files."""
    places = [mount.target for mount in service.volumes if mount.type == "bind"]
    places += [grant.target for grant in (*service.configs, *service.secrets)]
    return tuple(sorted(place for place in map(posixpath.normpath, places) if _is_within(place, (target,))))


def _selection(project: Project, service: Service, trigger: Trigger, root: str) -> Selection:
    context, unseen = _docker_ignore(service)
    git = GitIgnores(root)
    own = {str(Path(path).resolve()) for path in project.compose_files if path != "-"}
    if service.build is not None and service.build.dockerfile and context:
        own.add(posixpath.normpath(posixpath.join(context, service.build.dockerfile)))
    own.discard(root)
    return Selection(
        root=root,
        ignore=DockerPatterns(trigger.ignore),
        include=DockerPatterns(trigger.include),
        context=context,
        unseen=unseen,
        # What is named although git ignores it is meant: build output that is synced, for instance.
        git=None if git.matches(root, directory=Path(root).is_dir()) else git,
        excluded=frozenset(own) if Action(trigger.action).syncs else frozenset(),
    )


def _docker_ignore(service: Service) -> tuple[str, DockerPatterns]:
    """The context's directory and what is not in it; ("", nothing) without a context on disk."""
    build = service.build
    if build is None or not build.context.startswith("/"):
        return "", DockerPatterns(())
    context = str(Path(build.context).resolve())
    names = [f"{build.dockerfile}.dockerignore"] if build.dockerfile else []
    for name in (*names, ".dockerignore"):
        path = Path(context, name)
        if path.is_file():
            return context, DockerPatterns.parse(path.read_text("utf-8", "surrogateescape"))
    return context, DockerPatterns(())


def _is_within(path: str, places: Iterable[str]) -> bool:
    return any(path == place or path.startswith(f"{place.rstrip('/')}/") for place in places)


def defining_files(project: Project) -> tuple[str, ...]:
    """The files that say how a project's images are built and what their contexts leave out, whether they exist or not."""
    names: dict[str, None] = {}
    for service in project.services.values():
        if service.develop and service.build is not None and service.build.context.startswith("/"):
            context = Path(service.build.context).resolve()
            names[str(context / ".dockerignore")] = None
            if service.build.dockerfile:
                names[str(context / service.build.dockerfile)] = None
                names[str(context / f"{service.build.dockerfile}.dockerignore")] = None
    return tuple(names)


def ignoring_files(rules: Iterable[Rule]) -> tuple[str, ...]:
    """The `.gitignore` files above the roots of rules, whether they exist or not; those below are seen as the files there."""
    selections = [rule.selection for rule in rules]
    return tuple(dict.fromkeys(path for each in selections if each.git for path in each.git.files_above(each.root)))
