import pytest

from composer.ignore.docker import DockerPatterns, Rule

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


# What patternmatcher's `MatchesUsingParentResults`, which BuildKit walks with, says of a path.
WALKED = [
    (["dir", "!dir/keep"], "dir/keep", False),
    (["dir", "!dir/keep"], "dir/other", True),
    (["dir/*", "!dir/sub"], "dir/sub/file", False),
    (["*", "!src"], "src/a/b", False),
    (["*", "!src", "src/a"], "src/a/b", True),
    (["**", "!**/*.go"], "a/b/c.go", False),
    (["**", "!**/*.go"], "a/b/c.txt", True),
    (["!a", "a"], "a/b", True),
    (["a", "!a", "a/b"], "a/b", True),
    (["x/*", "!x"], "x/file", True),  # `!x` had nothing to say about x, and is not asked about it again below
]


@pytest.mark.parametrize(("patterns", "path", "expected"), WALKED)
def test_directories_above_count_as_on_a_walk(patterns: list[str], path: str, expected: bool) -> None:
    assert DockerPatterns(patterns).matches(path) is expected


def test_the_rule_that_leaves_a_path_out_has_a_line() -> None:
    patterns = DockerPatterns.parse("# comment\n\n*.log\n!keep.log\nsecret\n")

    assert patterns.rule("a.log") == Rule("*.log", 3)
    assert patterns.rule("secret/deep/file") == Rule("secret", 5)
    assert patterns.rule("keep.log") is None


def test_a_malformed_line_is_named() -> None:
    with pytest.raises(ValueError, match="line 2: "):
        DockerPatterns.parse("ok\n[bad\n")
