"""Making a changed project real, once at a time, for what its files say last."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from composer.engine.watching.redefining import Redefining


class Project:
    """What is asked of it is noted; `slow` is how often it takes for ever."""

    def __init__(self, slow: int = 0, *answers: bool) -> None:
        self.asked: list[bool] = []
        self.ended = 0
        self._slow = slow
        self._answers = list(answers)

    async def redefine(self, apply: bool) -> bool:
        self.asked.append(apply)
        try:
            if len(self.asked) <= self._slow:
                await asyncio.Event().wait()
            return self._answers.pop(0) if self._answers else True
        finally:
            self.ended += 1


def during(project: Project, act: Callable[[Redefining], Awaitable[None]]) -> None:
    async def run() -> None:
        redefining = Redefining(project.redefine)
        try:
            await asyncio.wait_for(act(redefining), 5)
        finally:
            await redefining.close()

    asyncio.run(run())


def test_it_is_done_when_the_rules_are_others() -> None:
    async def act(redefining: Redefining) -> None:
        redefining.begin(apply=True)
        await redefining.done()
        assert redefining.is_done

    project = Project()
    during(project, act)
    assert project.asked == [True]


def test_where_the_rules_are_what_they_were_nothing_is_done() -> None:
    async def act(redefining: Redefining) -> None:
        redefining.begin(apply=True)
        await redefining.finish()
        assert not redefining.is_done

    during(Project(0, False), act)


def test_a_newer_change_ends_what_is_under_way_and_is_applied_though_it_alone_need_not_be() -> None:
    project = Project(1)

    async def act(redefining: Redefining) -> None:
        redefining.begin(apply=True)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        redefining.begin(apply=False)
        await redefining.done()

    during(project, act)
    assert project.asked == [True, True]
    assert project.ended == 2


def test_what_changed_first_is_not_forgotten_over_what_changed_later() -> None:
    async def act(redefining: Redefining) -> None:
        redefining.begin(apply=True)
        await redefining.finish()
        redefining.begin(apply=True)
        assert not redefining.is_done
        await redefining.done()

    during(Project(0, True, False), act)


def test_what_is_under_way_ends_with_it() -> None:
    project = Project(1)

    async def act(redefining: Redefining) -> None:
        redefining.begin(apply=True)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    during(project, act)
    assert project.ended == 1


def test_a_mistake_is_raised_to_whoever_waits() -> None:
    async def fail(apply: bool) -> bool:
        raise ValueError(apply)

    async def act() -> None:
        redefining = Redefining(fail)
        redefining.begin(apply=True)
        await redefining.done()
        with pytest.raises(ValueError, match="True"):
            await redefining.finish()

    asyncio.run(act())
