"""What a build came to: how many steps were cached, and why the others were not.

web  7 steps, 5 cached, 2 run in 1.2 s
     [web 6/7] COPY . .  src/app.py changed
"""

from __future__ import annotations

from dataclasses import dataclass, field

from composer.api.messages import Event
from composer.cli.render.terminal import DIM, Screen, clean
from composer.cli.render.watch import duration

_ENDS = ("cached", "done", "failed")


@dataclass(slots=True)
class _Image:
    """The steps of one image, and how long it took."""

    steps: dict[str, Event] = field(default_factory=dict)
    """The last event of each, by id."""
    seconds: float = 0.0
    service: str = ""


class Built:
    """Collects what builds tell of their steps."""

    def __init__(self) -> None:
        self._images: dict[str, _Image] = {}

    def count(self, event: Event) -> None:
        """Take an event into account."""
        if event.resource == "step" and event.status in _ENDS:
            image = self._images.setdefault(event.parent, _Image(service=event.service))
            image.steps[event.id or event.name] = event
        elif event.resource == "image" and event.status == "built":
            image = self._images.setdefault(event.name, _Image(service=event.service))
            image.seconds = event.seconds

    def summary(self, screen: Screen, *, why: bool) -> str:
        """A line an image, and with `why` one for each step that ran with what invalidated it."""
        text = ""
        width = max((len(image.service) for image in self._images.values()), default=0)
        for name, image in self._images.items():
            cached = sum(step.status == "cached" for step in image.steps.values())
            ran = [step for step in image.steps.values() if step.status != "cached"]
            head = clean(image.service or name).ljust(width)
            words = (
                f"{_counted(len(image.steps), 'step')}, {cached} cached, {len(ran)} run in {duration(image.seconds)}"
            )
            text += f"{head}  {words}\n"
            for step in ran if why else ():
                reason = step.cause or "it was never run before"
                text += f"{' ' * width}  {clean(step.name)}  {screen.paint(clean(reason), DIM)}\n"
        return text


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
