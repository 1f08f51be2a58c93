"""`registries.toml` in the configuration directory: mirrors, plain HTTP, certificates, by registry.

[registry."docker.io"]
mirrors = ["mirror.example.com", "https://cache.example.com/docker"]   # asked first, in this order, for pulls

[registry."registry.example.com:5000"]
plain_http = true                   # never by itself, except for this machine's own loopback addresses
ca = "example-ca.pem"               # beside this file, or absolute
client_certificate = "me.pem"
client_key = "me.key"
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from composer.errors import UsageError

FILE = "registries.toml"


class _Registry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    mirrors: list[str] = []
    plain_http: bool = False
    ca: str = ""
    client_certificate: str = ""
    client_key: str = ""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    registry: dict[str, _Registry] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RegistrySettings:
    """What the file says of one registry; paths are absolute, None where not given."""

    mirrors: tuple[str, ...] = ()
    plain_http: bool = False
    ca: Path | None = None
    client_certificate: Path | None = None
    client_key: Path | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole file."""

    registries: Mapping[str, RegistrySettings] = field(default_factory=dict)

    def of(self, registry: str) -> RegistrySettings:
        """What applies to a registry, by the name that references use."""
        return self.registries.get(registry, RegistrySettings())


def read_settings(directory: Path) -> Settings:
    """The settings below `directory`; none where there is no file. Raises UsageError for what cannot be read."""
    path = directory / FILE
    try:
        document = _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Settings()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = error.strerror.lower() if isinstance(error, OSError) and error.strerror else str(error)
        raise UsageError(f"cannot read `{path}`: {reason}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        known = ", ".join(f"`{name}`" for name in _Registry.model_fields)
        raise UsageError(
            f"cannot use `{path}`: `{where}`: {str(first['msg']).lower()}", hint=f"a registry may have {known}"
        ) from error

    def beside(name: str) -> Path | None:
        return directory / name if name else None

    return Settings(
        {
            name: RegistrySettings(
                tuple(each.mirrors),
                each.plain_http,
                beside(each.ca),
                beside(each.client_certificate),
                beside(each.client_key),
            )
            for name, each in document.registry.items()
        }
    )
