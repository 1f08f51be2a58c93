"""From the merged, checked tree to the model: defaults filled in, names completed, implicit dependencies made explicit."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from pathlib import Path
from typing import Any

from composer.project.assemble_parts import (
    extensions_of,
    texts_of,
)
from composer.project.assemble_service import ServiceAssembler
from composer.project.document import Mapping, Scalar, plain
from composer.project.facts import variables_of
from composer.project.interpolate import Lookup
from composer.project.merged import (
    items_of,
    section,
    services_of,
    text_of,
)
from composer.project.model import File, Network, Project, Service, Volume
from composer.project.reading import read_file
from composer.project.report import Report


class Assembler:
    """Builds the parts of one project."""

    def __init__(self, name: str, lookup: Lookup, directory: Path, shown_from: Path, report: Report) -> None:
        self._name = name
        self._lookup = lookup
        self._directory = directory
        self._shown_from = shown_from
        self._report = report

    def project(
        self, tree: Mapping, files: tuple[str, ...], profiles: frozenset[str], used: Dict[str, str]
    ) -> Project | None:
        """The project; `None` if that brought up problems, which are in the report."""
        services = services_of(tree)
        named = {text: name for name, node in services.items() if (text := text_of(node, "container_name"))}
        assembler = ServiceAssembler(self._lookup, self._directory, self._shown_from, self._report, named)
        every = {name: assembler.service(name, node) for name, node in services.items()}
        networks = {key: self.network(key, node) for key, node in section(tree, "networks").items()}
        if "default" not in networks and any("default" in service.networks for service in every.values()):
            networks["default"] = self.network("default", None)
        volumes = {key: self.volume(key, node) for key, node in section(tree, "volumes").items()}
        secrets, configs = (
            {key: self.file(key, node) for key, node in section(tree, name).items()} for name in ("secrets", "configs")
        )
        if self._report.errors:
            return None
        enabled = {name for name, service in every.items() if is_enabled(service, profiles)}
        return Project(
            name=self._name,
            working_dir=str(self._directory),
            compose_files=files,
            services={name: service for name, service in every.items() if name in enabled},
            disabled={name: service for name, service in every.items() if name not in enabled},
            networks=networks,
            volumes=volumes,
            secrets=secrets,
            configs=configs,
            environment_used=dict(sorted(used.items())),
            extensions=extensions_of(tree),
        )

    def network(self, key: str, node: Mapping | None) -> Network:
        """One network; `None` for the implicit `default`."""
        fields = self._named(key, node)
        if node is not None:
            fields |= {
                name: plain(value)
                for name in ("internal", "attachable", "enable_ipv6", "driver")
                if (value := node.get(name)) is not None
            }
            ipam = node.get("ipam")
            for entry in items_of(ipam, "config")[:1] if isinstance(ipam, Mapping) else ():
                if isinstance(entry, Mapping):
                    names = ("subnet", "gateway", "ip_range")
                    fields |= {name: text for name in names if (text := text_of(entry, name)) is not None}
                    fields["aux_addresses"] = texts_of(entry, "aux_addresses")
        return Network.model_validate(fields)

    def volume(self, key: str, node: Mapping) -> Volume:
        """One named volume."""
        driver = text_of(node, "driver")
        return Volume.model_validate(self._named(key, node) | ({"driver": driver} if driver else {}))

    def file(self, key: str, node: Mapping) -> File:
        """One secret or config."""
        fields = self._named(key, node)
        names = ("file", "environment", "content", "template_driver")
        said = {name: text for name in names if (text := text_of(node, name)) is not None}
        if "environment" in said:
            self._lookup(said["environment"])  # its value goes along with the project, though it is in no model
        if said.get("template_driver") == "jinja2":
            for variable in variables_of(said.get("content") or self._template(said.get("file", ""))):
                self._lookup(variable)
        return File.model_validate({name: fields[name] for name in ("key", "name", "external")} | said)

    def _template(self, path: str) -> str:
        """A template's text as far as it can be had: who renders it says what is wrong with it."""
        try:
            return read_file(Path(path)).decode("utf-8", "replace")
        except OSError:
            return ""

    def _named(self, key: str, node: Mapping | None) -> dict[str, Any]:
        if node is None:
            return {"key": key, "name": f"{self._name}_{key}"}
        external = node.get("external")
        inside = text_of(external, "name") if isinstance(external, Mapping) else None
        is_external = external is not None and not (isinstance(external, Scalar) and external.value is False)
        name = text_of(node, "name") or inside or (key if is_external else f"{self._name}_{key}")
        return {
            "key": key,
            "name": name,
            "external": is_external,
            "labels": texts_of(node, "labels"),
            "driver_opts": texts_of(node, "driver_opts"),
            "extensions": extensions_of(node),
        }


def is_enabled(service: Service, profiles: frozenset[str]) -> bool:
    """Whether a service with its profiles takes part when `profiles` are active."""
    return not service.profiles or "*" in profiles or not profiles.isdisjoint(service.profiles)
