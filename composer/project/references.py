"""Checks that what is referred to exists, and that nothing waits for itself."""

from __future__ import annotations

from collections.abc import Iterable

from composer.project.circles import circles
from composer.project.document import Mapping, Scalar
from composer.project.merged import dependencies, entries_of, items_of, key_mark, section, services_of, text_of
from composer.project.mounts import is_windows_path
from composer.project.report import Report
from composer.project.shapes import did_you_mean


def known_services(tree: Mapping, report: Report) -> None:
    """Everything that a service waits for must be a service."""
    services = services_of(tree)
    for name, service in services.items():
        for other, attribute, mark in dependencies(service):
            entry = entries_of(service, "depends_on").get(other) if attribute == "depends_on" else None
            required = entry.get("required") if isinstance(entry, Mapping) else None
            optional = isinstance(required, Scalar) and required.value is False
            if other not in services and not optional:
                message = f"services.{name}.{attribute}: there is no service `{other}`"
                report.error(message, mark, hint=did_you_mean(other, services) or _listed(services))


def dependency_circles(tree: Mapping, report: Report) -> None:
    """Report every circle of dependencies once, with its trail."""
    edges = {
        name: [(other, (attribute, mark)) for other, attribute, mark in dependencies(service)]
        for name, service in services_of(tree).items()
    }
    for circle in circles(edges):
        attribute, mark = circle.closing
        message = f"services.{circle.last}.{attribute}: a circle of dependencies: {circle}"
        report.error(message, mark, hint="a service cannot wait for one that waits for it; remove one of these")


def known_networks(tree: Mapping, report: Report) -> None:
    """Networks must be declared, `default` apart."""
    networks = section(tree, "networks")
    for name, service in services_of(tree).items():
        node = service.get("networks")
        for key in node.entries if isinstance(node, Mapping) else ():
            if key != "default" and key not in networks and isinstance(node, Mapping):
                hint = did_you_mean(key, networks) or f"declare it: `networks: {{{key}: }}` at the top level"
                report.error(f"services.{name}.networks: there is no network `{key}`", node.key(key), hint=hint)


def known_volumes(tree: Mapping, report: Report) -> None:
    """Named volumes must be declared, and every target be absolute."""
    volumes = section(tree, "volumes")
    for name, service in services_of(tree).items():
        for mount in items_of(service, "volumes"):
            if not isinstance(mount, Mapping):
                continue
            source, target = mount.get("source"), mount.get("target")
            where = f"services.{name}.volumes"
            if text_of(mount, "type") == "volume" and isinstance(source, Scalar) and source.value not in volumes:
                hint = did_you_mean(str(source.value), volumes) or (
                    f"a directory of this machine begins with `./`: `./{source.value}`"
                    if "/" in str(source.value)
                    else f"declare it: `volumes: {{{source.value}: }}` at the top level, or write `./{source.value}`"
                )
                report.error(f"{where}: there is no volume `{source.value}`", source.mark, hint=hint)
            foreign = [
                node for node in (source, target) if isinstance(node, Scalar) and is_windows_path(str(node.value))
            ]
            if foreign:
                message = f"{where}: `{foreign[0].value}` is a path of Windows, there is none on this machine"
                report.refuse(message, foreign[0].mark, hint="write a path like `/mnt/data` or `./data`")
            elif isinstance(target, Scalar) and not str(target.value).startswith("/"):
                message = f"{where}: `{target.value}` is not an absolute path"
                report.error(message, target.mark, label="expected a path in the container, beginning with `/`")


def known_files(tree: Mapping, report: Report) -> None:
    """Secrets and configs must be declared, each with one source."""
    for section_name, kind in (("secrets", "secret"), ("configs", "config")):
        declared = section(tree, section_name)
        for name, service in services_of(tree).items():
            build = service.get("build")
            for holder, where in ((service, section_name), (build, f"build.{section_name}")):
                for grant in items_of(holder, section_name) if isinstance(holder, Mapping) else ():
                    source = grant.get("source") if isinstance(grant, Mapping) else None
                    if isinstance(source, Scalar) and source.value not in declared:
                        hint = did_you_mean(str(source.value), declared) or (
                            f"declare it: `{section_name}: {{{source.value}: {{file: ./{source.value}}}}}` at the top level"
                        )
                        message = f"services.{name}.{where}: there is no {kind} `{source.value}`"
                        report.error(message, source.mark, hint=hint)
        for key, entry in declared.items():
            given = [one for one in ("file", "environment", "content") if _is_said(entry, one)]
            unread = entry.keys.keys() - entry.entries.keys()  # perhaps a source, misspelt
            if len(given) != 1 and not unread and not _is_said(entry, "external"):
                found = (
                    f"has both {' and '.join(f'`{one}`' for one in given)}"
                    if given
                    else "does not say where its content comes from"
                )
                hint = "give it one of `file`, `environment`" + (", `content`" if kind == "config" else "")
                report.error(f"{section_name}.{key} {found}", key_mark(tree, section_name, key), hint=hint)


def known_contexts(tree: Mapping, report: Report) -> None:
    """A build can start from another service's image only if that is built."""
    services = services_of(tree)
    for name, service in services.items():
        build = service.get("build")
        for context, node in entries_of(build, "additional_contexts").items() if isinstance(build, Mapping) else ():
            kind, _, other = str(node.value).partition(":") if isinstance(node, Scalar) else ("", "", "")
            if kind != "service":
                continue
            where = f"services.{name}.build.additional_contexts.{context}"
            if other not in services:
                report.error(f"{where}: there is no service `{other}`", node.mark, hint=did_you_mean(other, services))
            elif services[other].get("build") is None:
                report.error(f"{where}: `{other}` is not built", node.mark, hint=f"give `{other}` a `build`")


def _is_said(entry: Mapping, name: str) -> bool:
    value = entry.get(name)
    return value is not None and not (isinstance(value, Scalar) and value.value in (None, False))


def _listed(names: Iterable[str]) -> str:
    return "the services are " + ", ".join(f"`{name}`" for name in names)
