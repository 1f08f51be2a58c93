"""The root command: global options, and the table of commands.

A command's module is imported when the command is called, so that `compose version` does not pay for `compose up`. The
table carries the one-line help, so that `compose --help` imports none of them either.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from composer.cli.flags import FlagCommand, FlagGroup
from composer.cli.session import PROGRESS, Globals, Session
from composer.errors import UsageError

_COMMANDS = {
    "build": "Build the images of services",
    "check": "Look for mistakes that load",
    "config": "Check and print the project as it was understood",
    "create": "Create containers without starting them",
    "down": "Stop and remove containers and networks",
    "engine": "Show, stop or read the engine behind the commands",
    "exec": "Run a command in a running container",
    "explain": "Say which file and variable a value comes from",
    "image": "Pull, push, list, check and remove images",
    "images": "List the images that the containers use",
    "init": "Write a first compose.yaml and Dockerfile for what a folder holds",
    "kill": "Send a signal to containers",
    "lock": "Write down exact digests for everything the project gets from elsewhere",
    "login": "Log in to a registry",
    "logout": "Log out of a registry",
    "logs": "Show what containers wrote",
    "ls": "List projects",
    "port": "Print the public address of a published port",
    "ps": "List containers",
    "pull": "Pull the images of services",
    "push": "Push the images that services build",
    "restart": "Restart containers",
    "rm": "Remove stopped containers",
    "run": "Run a one-off command on a service",
    "scale": "Set how many containers services have",
    "start": "Start containers that exist",
    "stop": "Stop containers",
    "system": "See and reduce what is taken on the disk",
    "toolchain": "Show the locked software and check this machine's containers",
    "top": "Show the processes of containers",
    "up": "Create and start containers",
    "version": "Show the version",
    "wait": "Wait until containers stop, and exit with their code",
    "watch": "Keep containers up to date with the files on disk",
}
_ALIASES = {"convert": "config"}
"""Other names of commands, known but not listed."""
_INSTEAD = {
    "attach": "`compose logs -f SERVICE` shows what it writes, `compose exec SERVICE sh` is a shell beside it",
    "cp": "`compose exec -T SERVICE tar -c -C DIRECTORY . | tar -x`, or the other way round, copies files",
    "events": "`compose ps --format json` shows what is there, `compose up --progress json` what happens",
    "pause": "`compose stop` stops containers",
    "stats": "`compose top` shows the processes of containers",
    "unpause": "`compose start` starts containers",
    "volumes": "`compose config --volumes` lists a project's, `compose system df` what they take",
    "export": "`compose exec -T SERVICE tar -c /` writes out what a container has",
    "commit": "`compose build` makes images",
}
"""Commands of Docker Compose that are not here, and what comes closest."""
_WITHOUT = {
    "--parallel": "as much as possible is done at once",
    "--compatibility": "containers are called PROJECT-SERVICE-NUMBER",
    "--all-resources": "networks and volumes that no service uses are not made",
    "--verbose": "`compose engine logs` shows what the engine says of its work",
}
"""Options of Docker Compose that are not here, and what holds instead."""
_SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


class LazyGroup(FlagGroup):
    """A group whose commands are modules of `composer.cli.commands`, each with an `app` of its own."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse as ever; for options of Docker Compose that are not here say what holds instead."""
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            option = getattr(error, "option_name", "")  # which only that of an option has that is not known
            if option in _WITHOUT:
                ctx.fail(f"`{option}` is not an option of composer: {_WITHOUT[option]}")
            raise

    def list_commands(self, ctx: Any) -> list[str]:
        """Every command, in alphabetical order."""
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, its module imported now; None for a name that is not one."""
        cmd_name = _ALIASES.get(cmd_name, cmd_name)
        if cmd_name not in _COMMANDS:
            return None
        if cmd_name not in self.commands:
            module = importlib.import_module(f"composer.cli.commands.{cmd_name}")
            command = typer.main.get_command(module.app)
            command.name = cmd_name
            self.commands[cmd_name] = command
        return self.commands[cmd_name]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The table, for `--help`."""
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command; a name that is none gets a suggestion. `help` is another way to write `--help`."""
        if args and args[0] == "help":
            if not args[1:]:
                typer.echo(ctx.get_help())
                ctx.exit()
            args = [*args[1:], "--help"]
        if args and args[0] in _INSTEAD:
            ctx.fail(f"`{args[0]}` is not a command of composer: {_INSTEAD[args[0]]}")
        if args and args[0] not in _COMMANDS and args[0] not in _ALIASES and not args[0].startswith("-"):
            from difflib import get_close_matches

            close = get_close_matches(args[0].lower(), _COMMANDS, n=1)
            ctx.fail(f"`{args[0]}` is not a command" + (f"; did you mean `{close[0]}`?" if close else ""))
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=LazyGroup,
    name="compose",
    help="Define and run multi-container applications, without Docker.",
    context_settings=_SETTINGS,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    invoke_without_command=True,
    options_metavar="[OPTIONS]",
    subcommand_metavar="COMMAND",
)


@app.callback()
def root(
    ctx: typer.Context,
    file: Annotated[
        list[str] | None, typer.Option("--file", "-f", metavar="FILE", help="Compose files, merged in this order")
    ] = None,
    project_name: Annotated[str, typer.Option("--project-name", "-p", metavar="NAME", help="Project name")] = "",
    profile: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Enable a profile; `*` enables all")] = None,
    env_file: Annotated[
        list[str] | None, typer.Option(metavar="FILE", help="Files of variables, instead of `.env`")
    ] = None,
    project_directory: Annotated[str, typer.Option(metavar="DIRECTORY", help="What relative paths start from")] = "",
    progress: Annotated[
        str, typer.Option(metavar="MODE", help="How to show progress: auto, tty, plain, json, quiet")
    ] = "",
    locked: Annotated[
        bool, typer.Option("--locked", help="Fail where compose.lock lacks something, or is older than the files")
    ] = False,
    ansi: Annotated[str, typer.Option(metavar="WHEN", help="When to use colours: never, always, auto")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what a command would do, and do nothing")] = False,
    version: Annotated[bool, typer.Option("--version", "-v", help="Show the version")] = False,
) -> None:
    """Define and run multi-container applications, without Docker."""
    if version:
        from composer.cli.commands.version import version as show

        raise typer.Exit(show())
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())
        raise typer.Exit
    if progress and progress not in PROGRESS:
        raise UsageError(f"`{progress}` is not a way to show progress", hint=f"use one of {', '.join(PROGRESS)}")
    ctx.obj = Session(
        Globals(
            files=tuple(file or ()),
            project_name=project_name,
            profiles=tuple(profile or ()),
            env_files=tuple(env_file or ()),
            project_directory=project_directory,
            progress=progress,
            ansi=ansi,
            locked=locked,
        )
    )


@cache
def root_command() -> Any:
    """`app` as a click command, made once a process."""
    return typer.main.get_command(app)


def build_all() -> None:
    """Build every command with all that typer makes of its parameters when it is first called."""
    pending = [root_command()]
    while pending:
        command = pending.pop()
        context = typer.Context(command, help_option_names=_SETTINGS["help_option_names"])
        for parameter in command.get_params(context):  # with `--help`, which is made when it is first asked for
            parameter.get_runtime_param()
        if isinstance(command, TyperGroup):
            pending += [command.get_command(context, name) for name in command.list_commands(context)]


class _Commands(typer.Typer):
    """Commands whose flags may have a value."""

    def command(self, name: str | None = None, **settings: Any) -> Any:
        """As typer's."""
        return super().command(name, cls=FlagCommand, **settings)


def command_app(**settings: Any) -> typer.Typer:
    """An empty typer application with our settings, for one command."""
    context = {**_SETTINGS, **settings}
    return _Commands(
        context_settings=context, rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False
    )
