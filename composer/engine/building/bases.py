"""Whose images the Dockerfiles of a project's services build upon: `FROM` and `COPY --from` of what another service builds.

Such an image comes first, as if `additional_contexts` said `service:NAME`. Docker Compose has `depends_on` order builds, which
most of these files therefore say, too. A Dockerfile that is not here, or cannot be read, is left for its build to tell of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from composer.errors import ComposerError, ImageError
from composer.image.host import is_reserved
from composer.oci.platform import parse_platform, this_platform
from composer.oci.reference import Reference, parse
from composer.project.model import Build, Project, Service


def makers(project: Project) -> Mapping[str, str]:
    """The services that build images which have a name of their own, by complete reference."""
    found: dict[str, str] = {}
    for service in _building(project):
        if service.image and not is_reserved(service.image):
            with suppress(ImageError):
                found.setdefault(str(parse(service.image)), service.name)
    return found


def bases(project: Project) -> Mapping[str, tuple[str, ...]]:
    """The services whose images each service is built upon, itself excepted; those that none is are left out. Blocks."""
    makers_ = makers(project)
    if not makers_ or len(_building(project)) < 2:
        return {}
    words = {reference: _word(parse(reference)) for reference in makers_}
    found: dict[str, tuple[str, ...]] = {}
    for service in _building(project):
        text = _dockerfile(service)
        named = {reference for reference, word in words.items() if word in text and makers_[reference] != service.name}
        if named and (used := named.intersection(_references(service, text))):
            found[service.name] = tuple(makers_[reference] for reference in sorted(used))
    return found


def _building(project: Project) -> list[Service]:
    return [
        service for service in (*project.services.values(), *project.disabled.values()) if service.build is not None
    ]


def _word(reference: Reference) -> bytes:
    """What a Dockerfile that names an image has in it, however it spells the rest."""
    return reference.repository.rpartition("/")[2].encode()


def _dockerfile(service: Service) -> bytes:
    build = service.build
    assert build is not None
    if build.dockerfile_inline is not None:
        return build.dockerfile_inline.encode()
    try:
        return Path(build.context, build.dockerfile or "Dockerfile").read_bytes()
    except OSError:
        return b""


def _references(service: Service, text: bytes) -> Iterator[str]:
    """The complete references that the Dockerfile names."""
    from composer.build.dockerfile.parse import parse as parse_dockerfile  # most projects have nothing to look at
    from composer.build.dockerfile.references import references
    from composer.build.dockerfile.stages import link

    build: Build | None = service.build
    assert build is not None
    with suppress(ComposerError):
        stages = link(
            parse_dockerfile(text, service.name),
            args=build.args,
            build=this_platform(),
            platform=parse_platform(service.platform) if service.platform else this_platform(),
            target=build.target or "",
            contexts=tuple(build.additional_contexts),
        )
        for base in references(stages, build.target or ""):
            yield str(parse(base.reference))
