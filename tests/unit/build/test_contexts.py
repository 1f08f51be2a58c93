import pytest

from composer.build.contexts import with_git_directory


@pytest.mark.parametrize(
    ("place", "kept"),
    [
        ("https://host/a.git", "https://host/a.git?keep-git-dir=1"),
        ("https://host/a.git#main:sub", "https://host/a.git?keep-git-dir=1#main:sub"),
        ("https://host/a.git?ref=main", "https://host/a.git?ref=main&keep-git-dir=1"),
        ("https://host/a.git?keep-git-dir=0", "https://host/a.git?keep-git-dir=0"),
        ("/a/directory", "/a/directory"),
        ("https://host/archive.tar.gz", "https://host/archive.tar.gz"),
    ],
)
def test_the_argument_keeps_git_directories_of_contexts(place: str, kept: str) -> None:
    assert with_git_directory(place) == kept
