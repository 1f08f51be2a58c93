"""Rules about images: what they are, and what is known of them by their names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from composer.project.document import Mapping
from composer.project.lint.finding import Finding
from composer.project.merged import entries_of, services_of, text_of

if TYPE_CHECKING:
    from composer.project.loader import Loaded

DATABASES = frozenset(
    {
        "cassandra", "clickhouse-server", "cockroach", "couchdb", "elasticsearch", "influxdb", "mariadb", "memcached",
        "mongo", "mssql-server", "mysql", "neo4j", "opensearch", "postgis", "postgres", "rabbitmq", "redis", "timescaledb",
        "valkey",
    }
)  # fmt: skip
"""Images, by the last part of their name, that take a while to be ready and should not be open to everybody."""


def base_name(reference: str) -> str:
    """`postgres` of `docker.io/library/postgres:16@sha256:…`."""
    return reference.partition("@")[0].rpartition("/")[2].partition(":")[0]


def is_database(service: Mapping) -> bool:
    """Whether a service runs a database, by its image's name."""
    return base_name(text_of(service, "image") or "") in DATABASES


def unpinned(loaded: Loaded) -> Iterator[Finding]:
    """An image without a tag, or with `latest`, is another one tomorrow, and on the next machine."""
    for name, service in services_of(loaded.tree).items():
        image = text_of(service, "image")
        if image is None or service.get("build") is not None or image == "host" or "@" in image:
            continue
        tag = image.rpartition("/")[2].partition(":")[2]
        if tag in ("", "latest"):
            what = "has no tag" if not tag else "says `latest`"
            fix = (
                f"name a version, such as `{base_name(image)}:<version>`, and let `compose lock` write down its digest"
            )
            yield Finding(f"services.{name}.image: `{image}` {what}", service.entries["image"].mark, fix)


def database_not_waited_for(loaded: Loaded) -> Iterator[Finding]:
    """A database has started long before it answers; who depends on it without a condition finds nobody there."""
    services = services_of(loaded.tree)
    for name, service in services.items():
        waits = service.get("depends_on")
        for other, entry in entries_of(service, "depends_on").items():
            condition = text_of(entry, "condition") if isinstance(entry, Mapping) else None
            if other in services and is_database(services[other]) and condition in (None, "service_started"):
                fix = f"give `{other}` a `healthcheck`, and say `condition: service_healthy`"
                mark = waits.key(other) if isinstance(waits, Mapping) else None
                yield Finding(f"services.{name}.depends_on: `{other}` has started before it answers", mark, fix)


def health_unknown(loaded: Loaded) -> Iterator[Finding]:
    """Somebody waits for a service to be healthy, and the file does not say how to tell: only its image may."""
    services = services_of(loaded.tree)
    for name, service in services.items():
        for other, entry in entries_of(service, "depends_on").items():
            condition = text_of(entry, "condition") if isinstance(entry, Mapping) else None
            if condition == "service_healthy" and other in services and services[other].get("healthcheck") is None:
                fix = f"add `healthcheck:` to `{other}`; without one, `up` fails unless its image has one"
                mark = entry.entries["condition"].mark if isinstance(entry, Mapping) else None
                yield Finding(f"services.{name}.depends_on: `{other}` has no `healthcheck` here", mark, fix)
