from composer.keeper.perform import PERFORMERS
from composer.keeper.steps import Step


def test_every_step_has_somebody_who_carries_it_out() -> None:
    assert set(PERFORMERS) == set(Step.__args__)
