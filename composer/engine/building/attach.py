"""What a step has mounted besides its root, as steps of its process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from composer.build.worker import Agent, Attached, Directory, File, Memory, RunTask, Tree
from composer.image.root import is_directory
from composer.keeper import steps
from composer.keeper.steps import Step
from composer.runtime import mount_options


def needs_directory(item: Attached) -> bool:
    """Whether the place where something is mounted must be a directory."""
    if isinstance(item, Tree):
        return is_directory(item.lower, item.path)
    return isinstance(item, Directory | Memory)


def mount_steps(
    task: RunTask,
    place: str,
    agents: Mapping[str, Path],
    options: tuple[str, ...],
    copies: Mapping[str, Path] | None = None,
) -> Iterator[Step]:
    """The mounts of `task` in order; `agents` are sockets by target, `place` is an empty directory to mount at meanwhile.

    Directories for what is written and lost are made below the task's own. Where overlay cannot be had, `copies` are the
    trees by target.
    """
    for number, item in enumerate(task.attached):
        match item:
            case Tree(target, read_only=read_only) if copies is not None:
                yield steps.Bind(str(copies[target]), target, read_only=read_only)
            case Tree(target, lower, path, read_only):
                upper = work = ""
                if not read_only:
                    upper, work = (str(task.scratch / f"{name}{number}") for name in ("discard", "discard-work"))
                    for directory in (upper, work):
                        Path(directory).mkdir()
                yield steps.Stack(target, place, tuple(map(str, lower)), upper, work, path, options)
            case Directory(target, source, read_only):
                yield steps.Bind(str(source), target, read_only=read_only)
            case Memory(target, size):
                flags = mount_options.MS_NOSUID | mount_options.MS_NODEV
                yield steps.Mount("tmpfs", target, flags, f"size={size}" if size else "")
            case Agent(target):
                yield steps.Bind(str(agents[target]), target)
            case File():
                continue
