import pytest

from composer.build.files import FilesError, GitReference, parse_git

# From BuildKit's table for the same purpose.
GIT = {
    "https://github.com/foo/bar.git": GitReference("https://github.com/foo/bar.git"),
    "http://example.com/foo.git": GitReference("http://example.com/foo.git"),
    "https://example.com/foo.git#v1": GitReference("https://example.com/foo.git", "v1"),
    "https://example.com/foo.git#a/b:c/d": GitReference("https://example.com/foo.git", "a/b", "c/d"),
    "https://example.com/foo.git#:c/d": GitReference("https://example.com/foo.git", "", "c/d"),
    "git://example.com/foo": GitReference("git://example.com/foo"),
    "ssh://git@example.com:22/foo#main": GitReference("ssh://git@example.com:22/foo", "main"),
    "git@github.com:foo/bar": GitReference("git@github.com:foo/bar"),
    "git@github.com:foo/bar.git#v1:sub": GitReference("git@github.com:foo/bar.git", "v1", "sub"),
    "https://example.com/foo.git?ref=v1&subdir=sub": GitReference("https://example.com/foo.git", "v1", "sub"),
    "https://example.com/foo.git?tag=v1": GitReference("https://example.com/foo.git", "refs/tags/v1"),
    "https://example.com/foo.git?branch=refs/heads/x": GitReference("https://example.com/foo.git", "refs/heads/x"),
    "https://example.com/foo.git?commit=abcdef0": GitReference(
        "https://example.com/foo.git", "abcdef0", checksum="abcdef0"
    ),
    "https://example.com/foo.git?keep-git-dir=1&submodules=false": GitReference(
        "https://example.com/foo.git", keep_git_dir=True, submodules=False
    ),
    "https://example.com/foo.git?keep-git-dir": GitReference("https://example.com/foo.git", keep_git_dir=True),
}


@pytest.mark.parametrize("text", GIT)
def test_a_repository(text: str) -> None:
    assert parse_git(text) == GIT[text]


@pytest.mark.parametrize(
    "text",
    ["./foo.git", "foo.git", "https://example.com/foo", "https://example.com/foo.git/x", "github.com/foo/bar", "a b"],
)
def test_what_is_no_repository(text: str) -> None:
    assert parse_git(text) is None


@pytest.mark.parametrize("text", ["github.com/foo/bar", "https://github.com/foo/bar"])
def test_a_context_on_github_may_be_short(text: str) -> None:
    assert parse_git(text, context=True) == GitReference("https://github.com/foo/bar")


@pytest.mark.parametrize(
    "text",
    [
        "https://example.com/foo.git#--upload-pack=evil",
        "https://example.com/foo.git?ref=-x",
        "https://example.com/foo.git#a b",
        "https://example.com/foo.git#a..%00b\x00",
        "https://example.com/foo.git?ref=a&ref=b",
        "https://example.com/foo.git?ref=a#b",
        "https://example.com/foo.git?tag=a&branch=b",
        "https://example.com/foo.git?subdir=a#:b",
        "https://example.com/foo.git?checksum=zz",
        "https://example.com/foo.git?submodules=maybe",
        "https://example.com/foo.git?ref=",
        "https://example.com/foo.git?depth=1",
        "ssh://-oProxyCommand=evil/x",
        "ssh://git@-oProxyCommand=evil/x",
        "-u@host:x",
    ],
)
def test_what_cannot_be_is_an_error_before_git_sees_it(text: str) -> None:
    with pytest.raises(FilesError):
        parse_git(text)


@pytest.mark.parametrize("text", ["ext::sh -c evil", "file:///etc/x.git", "fd::17"])
def test_other_transports_are_no_repositories(text: str) -> None:
    assert parse_git(text) is None
