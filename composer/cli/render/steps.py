"""The steps of builds as lines that scroll, in the form BuildKit gave them and people and tools read.

    #5 [web 3/7] RUN pip install flask
    #5 0.523 Collecting flask
    #5 DONE 2.1s

    #6 [web 4/7] COPY . .
    #6 CACHED

Steps are numbered as they begin. Where two write at once, a step that goes on is named again.
"""

from __future__ import annotations

from composer.api.messages import Event
from composer.cli.render.terminal import clean, clean_line


class StepLog:
    """Turns events about steps into lines."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str], int] = {}
        self._shown: tuple[str, str] | None = None
        self._rest: dict[tuple[str, str], str] = {}
        """What a step has written of a line that is not complete."""

    def lines(self, event: Event) -> str:
        """What `event` adds, with line ends; "" for nothing."""
        key = (event.parent, event.id or event.name)
        if event.total:
            return ""  # how far something is, is for those who see it move
        number = self._numbers.setdefault(key, len(self._numbers) + 1)
        body = "".join(f"#{number} {line}\n" for line in self._body(key, event))
        if not body and event.status != "running":
            return ""
        text = self._header(key, number, event) + body
        if event.status not in ("running", "output"):
            self._shown = None  # whatever comes next begins with its name
            text += "\n"
        return text

    def _header(self, key: tuple[str, str], number: int, event: Event) -> str:
        if key == self._shown:
            return ""
        interrupted = "\n" if self._shown is not None else ""
        self._shown = key
        return f"{interrupted}#{number} {clean(event.name)}\n"

    def _body(self, key: tuple[str, str], event: Event) -> list[str]:
        if event.status == "output":
            *lines, self._rest[key] = (self._rest.get(key, "") + event.detail).split("\n")
            return [f"{event.seconds:.3f} {_last_written(line)}" for line in lines]
        if event.status == "running":
            return []
        rest = self._rest.pop(key, "")
        lines = [f"{event.seconds:.3f} {_last_written(rest)}"] if rest else []
        match event.status:
            case "cached":
                lines.append("CACHED")
            case "done":
                lines.append(f"DONE {event.seconds:.1f}s")
            case "cancelled":
                lines.append("CANCELED")
            case _:
                lines.append(f"ERROR: {clean(event.detail)}")
        return lines


def _last_written(line: str) -> str:
    """A line as a terminal shows it at its end: programs that draw progress bars go back to its beginning."""
    return clean_line(line.rstrip("\r").rpartition("\r")[2])
