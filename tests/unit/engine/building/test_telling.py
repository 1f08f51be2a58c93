from __future__ import annotations

from composer.api.messages import Event
from composer.build.events import StepEvent, StepStatus
from composer.engine.building.telling import StepTelling
from composer.engine.plan import BuildImage
from composer.engine.quiet import without_steps
from composer.project.model import Build
from tests.fakes.clock import FakeClock


def told(*events: StepEvent) -> list[Event]:
    found: list[Event] = []
    clock = FakeClock()
    telling = StepTelling(BuildImage("web", ("shop-web", "other"), Build(context="/p")), clock, found.append)
    for event in events:
        telling.report(event)
    return found


def test_a_step_stands_below_its_image_with_the_service_before_its_name() -> None:
    (event,) = told(StepEvent(3, "[build 3/7] RUN make", StepStatus.STARTED))

    assert (event.resource, event.name, event.status) == ("step", "[web build 3/7] RUN make", "running")
    assert (event.parent, event.service, event.id) == ("shop-web", "web", "3")
    assert told(StepEvent(0, "FROM busybox", StepStatus.CACHED))[0].name == "[web] FROM busybox"


def test_why_a_step_was_run_is_told_with_its_end_too() -> None:
    *_, done = told(
        StepEvent(1, "[2/2] RUN x", StepStatus.STARTED, detail="a.c changed"),
        StepEvent(1, "[2/2] RUN x", StepStatus.DONE, time=1.5),
    )

    assert (done.cause, done.seconds) == ("a.c changed", 1.5)


def test_why_a_step_failed_is_no_cause() -> None:
    (failed,) = told(StepEvent(1, "[2/2] RUN x", StepStatus.FAILED, detail="exit code 2"))

    assert (failed.detail, failed.cause) == ("exit code 2", "")


def test_a_warning_is_about_the_project() -> None:
    (warning,) = told(StepEvent(-1, "", StepStatus.WARNING, detail="odd"))

    assert (warning.resource, warning.status, warning.detail) == ("project", "warning", "odd")


def test_quietly_only_images_are_told_of() -> None:
    found: list[Event] = []
    emit = without_steps(found.append)
    for event in (Event("step", "x", "done"), Event("image", "shop-web", "built")):
        emit(event)

    assert [event.resource for event in found] == ["image"]
