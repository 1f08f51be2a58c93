import pytest

from composer.ignore.docker import DockerPatterns

# The cases of moby/patternmatcher's own table that concern files as a walk gives them.
MATCHES = [
    ("**", "file", True),
    ("**", "dir/file", True),
    ("**/", "file", True),
    ("**/**", "dir/file", True),
    ("dir/**", "dir/file", True),
    ("dir/**", "dir/dir2/file", True),
    ("dir/**", "other", False),
    ("dir/**", "dir", False),
    ("**/dir2/*", "dir/dir2/file", True),
    ("**/dir2/*", "dir/dir2/dir2/file", True),
    ("**file", "file", True),
    ("**file", "dir/file", True),
    ("**/file", "dir/dir/file", True),
    ("**file", "dir/xfile", True),
    ("**/file*", "dir/dir/file.txt", True),
    ("**/file*txt", "dir/dir/file.txt", True),
    ("**/**/*.txt", "dir/dir/file.txt", True),
    ("**/**/*.txt2", "dir/dir/file.txt", False),
    ("**/a/*.txt2", "a/file.txt2", True),
    ("a[b-d]e", "ace", True),
    ("a[b-d]e", "aze", False),
    ("a[^b-d]e", "aze", True),
    (r"a\*b", "a*b", True),
    (r"a\*b", "axb", False),
    ("abc.def", "abcXdef", False),
    ("abc?def", "abcZdef", True),
    ("a*b", "a/b", False),
    ("/first", "first", True),
    ("first", "first/below", True),
    ("first/", "first/below/deeper", True),
    ("./first", "first", True),
    ("*.md", "docs/x.md", False),
    (".DS_Store", ".DS_Store", True),
    ("name$", "name$", True),
]


@pytest.mark.parametrize(("pattern", "path", "expected"), MATCHES)
def test_a_pattern_matches_what_docker_says(pattern: str, path: str, expected: bool) -> None:
    assert DockerPatterns([pattern]).matches(path) is expected


def test_the_last_pattern_that_matches_decides() -> None:
    patterns = DockerPatterns(["*.md", "!README*.md", "README-secret.md"])

    assert patterns.matches("notes.md")
    assert not patterns.matches("README.md")
    assert patterns.matches("README-secret.md")


def test_an_exception_reaches_into_an_ignored_directory() -> None:
    patterns = DockerPatterns(["node_modules", "!node_modules/mine"])

    assert patterns.matches("node_modules/left-pad/index.js")
    assert not patterns.matches("node_modules/mine/index.js")
    assert not patterns.prunes("node_modules")
    assert patterns.prunes("node_modules/left-pad")


def test_a_directory_without_exceptions_below_need_not_be_entered() -> None:
    assert DockerPatterns(["node_modules", "!src/keep"]).prunes("node_modules")
    assert not DockerPatterns(["node_modules"]).prunes("src")


def test_comments_blank_lines_and_a_byte_order_mark_are_no_patterns() -> None:
    patterns = DockerPatterns.parse("\ufeff*.log\n# *.py\n\n  tmp  \n")

    assert patterns.matches("a.log")
    assert patterns.matches("tmp")
    assert not patterns.matches("a.py")


def test_nothing_ignores_nothing() -> None:
    assert not DockerPatterns([])
    assert not DockerPatterns([]).matches("a")


@pytest.mark.parametrize("pattern", ["[", "a[b", "!", "a\\", "[]a]"])
def test_a_malformed_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"pattern|escapes"):
        DockerPatterns([pattern])
