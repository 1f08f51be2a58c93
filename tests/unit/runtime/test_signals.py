import pytest

from composer.errors import ContainerError
from composer.runtime.signals import meaning, name, number


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("SIGTERM", 15), ("TERM", 15), ("term", 15), ("15", 15), ("SIGQUIT", 3), ("WINCH", 28), ("SIGUSR1", 10)),
        *(("RTMIN", 34), ("SIGRTMIN+3", 37), ("rtmax-1", 63), ("64", 64), ("SIGCLD", 17), ("IOT", 6)),
    ],
)
def test_a_signal_is_found_by_any_of_its_names(text: str, expected: int) -> None:
    assert number(text) == expected


@pytest.mark.parametrize("text", ["", "0", "65", "-9", "SIGTREM", "RTMIN+31", "RTMAX+1", "RTMIN+", "SIG", "١٥", "9 "])
def test_what_is_no_signal_is_an_error(text: str) -> None:
    with pytest.raises(ContainerError, match="is no signal"):
        number(text)


def test_a_near_name_is_suggested() -> None:
    with pytest.raises(ContainerError) as caught:
        number("SIGTREM")
    assert "`SIGTERM`" in caught.value.hint


def test_numbers_have_names() -> None:
    assert [name(value) for value in (9, 15, 34, 37, 64, 200)] == [
        *("SIGKILL", "SIGTERM", "SIGRTMIN", "SIGRTMIN+3", "SIGRTMAX", "200"),
    ]


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (0, "exited with 0"),
        (3, "exited with 3"),
        (126, "could not execute its command (126)"),
        (127, "did not find its command (127)"),
        (137, "was killed (137)"),
        (139, "crashed (segmentation fault) (139)"),
        (143, "was told to stop (143)"),
        (138, "was ended by SIGUSR1 (138)"),
        (165, "was ended by SIGRTMIN+3 (165)"),
        (255, "exited with 255"),
        (-1, "ended, and nobody was there to see how"),
    ],
)
def test_an_exit_status_says_something(status: int, said: str) -> None:
    assert meaning(status) == said


def test_memory_is_named_as_the_cause() -> None:
    assert meaning(137, out_of_memory=True) == "ran out of memory and was killed (137)"
