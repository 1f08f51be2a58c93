"""Every diagnostic about a Compose file is on the page of them, and each is printed as it is there."""

from __future__ import annotations

from tests.make.diagnostics import PAGE, page, unreached

OUT_OF_REACH = (
    # Only with values that make the page too long, or with what a machine has not.
    "variables fill in more than",
    "the file is larger than",
)


def test_the_page_shows_what_is_said() -> None:
    assert PAGE.read_text().splitlines() == list(page()), (
        "run `python -m tests.make.diagnostics` and read the difference"
    )


def test_every_diagnostic_is_on_the_page() -> None:
    assert [site for site in unreached() if not any(words in site for words in OUT_OF_REACH)] == []
