from composer.build.clip import Clipped


def test_output_ends_at_the_limit_and_says_so_once() -> None:
    heard: list[str] = []
    clipped = Clipped(heard.append, most=10)

    for text in ("12345", "", "6789012", "more"):
        clipped.feed(text)

    assert "".join(heard[:2]) == "1234567890"
    assert "clipped" in heard[2]
    assert len(heard) == 3
