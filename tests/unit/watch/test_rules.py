from composer.watch.rules import Action, Exec, Rule, Triggers, merged
from composer.watch.selection import Selection

LS = Exec(("ls",))


def rule(action: Action, exec_: Exec | None = None) -> Rule:
    return Rule("web", action, Selection("/p"), "/app", exec_)


def test_rebuild_beats_all() -> None:
    rules = [rule(action) for action in Action]

    assert merged(rules) == Triggers(rebuild=True)


def test_commands_wait_for_a_restart() -> None:
    assert merged([rule(Action.SYNC_AND_EXEC, LS), rule(Action.SYNC_AND_RESTART)]) == Triggers(restart=True)
    assert merged([rule(Action.RESTART), rule(Action.SYNC)]) == Triggers(restart=True)


def test_a_command_runs_once_a_batch() -> None:
    rules = [rule(Action.SYNC_AND_EXEC, LS), rule(Action.SYNC), rule(Action.SYNC_AND_EXEC, LS)]

    assert merged(rules) == Triggers(execs=(LS,))


def test_sync_alone_asks_for_nothing_more() -> None:
    assert merged([rule(Action.SYNC)]) == Triggers()
