from composer.watch.settle import MANY, PATIENCE, Settle

QUIET, BUSY, LONGEST = 0.004, 0.1, 0.3


def settle() -> Settle:
    return Settle(QUIET, BUSY, LONGEST)


def test_nothing_is_due_without_events() -> None:
    assert settle().due() is None


def test_a_batch_is_due_a_moment_after_the_last_event() -> None:
    events = settle()
    events.changed("/a", 1.0)
    events.changed("/b", 1.001)

    assert events.due() == 1.001 + QUIET
    batch = events.take()
    assert batch.paths == {"/a", "/b"}
    assert batch.since == 1.0
    assert events.due() is None


def test_a_file_that_is_being_written_is_waited_for() -> None:
    events = settle()
    events.changed("/a", 1.0, complete=False)
    assert events.due() == 1.0 + BUSY

    events.changed("/a", 1.01)
    assert events.due() == 1.01 + QUIET


def test_no_batch_waits_for_ever() -> None:
    events = settle()
    for step in range(1000):
        events.changed("/log", 1.0 + step * 0.01, complete=False)

    assert events.due() == 1.0 + LONGEST


def test_lost_events_mean_everything() -> None:
    events = settle()
    events.lost(2.0)

    assert events.due() == 2.0 + QUIET
    assert events.take().everything


def test_only_a_large_batch_may_wait_and_not_for_ever() -> None:
    events = settle()
    events.changed("/a", 1.0)
    assert not events.may_wait(1.1)

    for number in range(MANY):
        events.changed(f"/{number}", 1.0)
    assert events.may_wait(1.1)
    assert not events.may_wait(1.0 + PATIENCE)
