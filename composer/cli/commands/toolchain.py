"""`compose toolchain`: which software everybody has by the lock, and whether this machine's containers have it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from composer.api.messages import ToolchainRequest
from composer.cli.app import command_app
from composer.cli.options import Services, check_format
from composer.cli.render.answer import say_json
from composer.cli.session import Session
from composer.errors import UsageError

if TYPE_CHECKING:
    from composer.lock.model import Lock

app = command_app()


@app.command()
def toolchain(
    ctx: typer.Context,
    services: Services = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only what differs")] = False,
    format_: Annotated[str, typer.Option("--format", help="table or json")] = "table",
) -> int:
    """Show the locked software and check that the containers on this machine have it; exit with 1 where not."""
    from composer.api.codec import encode
    from composer.cli.render.toolchain import toolchain_text
    from composer.lock.file import lock_path
    from composer.lock.pins import pins_of
    from composer.lock.reading import read
    from composer.lock.toolchain import verdicts

    session: Session = ctx.obj
    check_format(format_, "table", "json")
    named = session.check_services(services)
    path = lock_path(session.project)
    lock = read(path)
    if lock is None:
        raise UsageError(f"there is no `{path.name}` in {path.parent}", hint="`compose lock --packages` makes one")
    request = ToolchainRequest(named, bool(lock.packages), pins_of(lock, path).to_wire())
    found = verdicts(lock, session.client.toolchain(session.name, request))
    if format_ == "json":
        say_json({"images": _images(lock), "containers": encode(found)})
    else:
        session.out.write(toolchain_text(session.out, lock, found, _names(session, lock, named), quiet=quiet))
    return 1 if any(each.differs for each in found) else 0


def _names(session: Session, lock: Lock, services: tuple[str, ...]) -> list[str]:
    """The locked images to show: all, or those that the named services run."""
    from composer.lock.model import name_of
    from composer.oci.reference import parse

    if not services:
        return list(lock.images)
    every = {**session.project.services, **session.project.disabled}
    run = {name_of(parse(image)) for name in services if (image := every[name].image)}
    return [name for name in lock.images if name in run]


def _images(lock: Lock) -> dict[str, Any]:
    return {
        name: {
            "digest": str(image.digest),
            "packages": {
                ecosystem: {package: list(versions) for package, versions in installed.items()}
                for ecosystem, installed in (lock.packages[name].packages if name in lock.packages else {}).items()
            },
        }
        for name, image in lock.images.items()
    }
