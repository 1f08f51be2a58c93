import pytest

from composer.build.dockerfile.parse import parse
from composer.build.dockerfile.substitute import substituted
from composer.build.dockerfile.values import UnfitError


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("STOPSIGNAL $S", "`SIGTREM` is no signal"),
        ("STOPSIGNAL 0", "`0` is no signal"),
        ("VOLUME $NONE", "a `VOLUME` can not be an empty string"),
        ("EXPOSE $S", "invalid containerPort: `SIGTREM`"),
        ("ADD --checksum=$S a b", "`--checksum` requires an HTTP(S) or Git source"),
        ("ADD --checksum=$S https://a/b https://a/c d/", "`--checksum` can't be specified for multiple sources"),
        ("ADD --checksum=$S https://a/b c", "`--checksum=SIGTREM` is no digest"),
        ("ADD --checksum=$S https://a/b.git c", "`--checksum=SIGTREM` is no commit"),
        ("RUN --mount=type=$S,target=/x a", "a mount's `type` cannot be `SIGTREM`"),
    ],
)
def test_values_must_fit_once_their_variables_are_replaced(line: str, message: str) -> None:
    (instruction,) = parse(f"FROM a\n{line}\n").stages[0].instructions

    with pytest.raises(UnfitError) as caught:
        substituted(instruction, {"S": "SIGTREM"})
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "line",
    [
        "STOPSIGNAL SIGRTMIN+3",
        "STOPSIGNAL quit",
        "STOPSIGNAL 9",
        f"ADD --checksum=sha256:{'a' * 64} https://a/b c",
        f"ADD --checksum={'b' * 40} git@a:b.git c",
        "EXPOSE",
    ],
)
def test_values_that_fit_are_left_alone(line: str) -> None:
    instructions = parse(f"FROM a\n{line}\n" if line != "EXPOSE" else "FROM a\nEXPOSE $NONE\n").stages[0].instructions

    for instruction in instructions:
        substituted(instruction, {})
