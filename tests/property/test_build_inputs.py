"""Whatever people or servers write: patterns, modes, owners, addresses, ignore files. Refused, or understood; never a crash."""

from __future__ import annotations

import contextlib
import fnmatch
import io
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from composer.build.files import FilesError, needs_base, parse_git, parse_permissions, resolve_owner
from composer.build.files.archive import looks_like_archive
from composer.build.files.wildcard import compile_name, has_wildcards
from composer.ignore import DockerPatterns

_wild = st.text(st.sampled_from("ab*?[]^-!\\/. &~|#{}$+()"), max_size=12)
_paths = st.lists(st.text("ab.-[]", min_size=1, max_size=3), min_size=1, max_size=4).map("/".join)


@given(st.lists(_wild, max_size=5), _paths)
def test_any_ignore_file(lines: list[str], path: str) -> None:
    try:
        patterns = DockerPatterns.parse("\n".join(lines))
    except ValueError:
        return
    ignored = patterns.matches(path)
    assert (patterns.rule(path) is not None) is ignored
    if patterns.prunes(path):
        assert patterns.matches(f"{path}/below/it")


@given(st.lists(st.sampled_from(["a", "b", "*", "**", "a/b", "**/b", "*/a", "a/*"]), max_size=4), _paths)
def test_without_exceptions_each_pattern_counts_for_itself(lines: list[str], path: str) -> None:
    assert DockerPatterns(lines).matches(path) is any(DockerPatterns([line]).matches(path) for line in lines)


@given(_wild, st.text("ab*[]-^ ", min_size=1, max_size=5))
def test_any_wildcard(pattern: str, name: str) -> None:
    try:
        compiled = compile_name(pattern)
    except ValueError:
        return
    matched = compiled.fullmatch(name) is not None
    if not has_wildcards(pattern) and "\\" not in pattern:
        assert matched is (pattern == name)
    if re.fullmatch(r"[ab*?]*", pattern):
        assert matched is fnmatch.fnmatchcase(name, pattern)


_SLOW = ["*a" * 20 + "b", "a/" + "*a*" * 15 + "b", "**/" * 20 + "b", "[ab]*" * 20 + "c"]


@pytest.mark.parametrize("pattern", _SLOW)
def test_no_pattern_is_slow(pattern: str) -> None:
    began = time.process_time()
    DockerPatterns([pattern]).matches("a/" + "a" * 200)
    if "/" not in pattern:
        compile_name(pattern).fullmatch("a" * 250)
    assert time.process_time() - began < 1


@given(st.text(st.sampled_from("ab*?"), max_size=8), st.text("ab", max_size=6), st.text("ab", max_size=6))
def test_stars_of_an_ignore_file_are_those_of_a_shell(pattern: str, one: str, two: str) -> None:
    if "**" in pattern or not pattern or not one:
        return
    patterns = DockerPatterns([f"{pattern}/{pattern}"])
    expected = fnmatch.fnmatchcase(one, pattern) and fnmatch.fnmatchcase(two, pattern)
    assert patterns.matches(f"{one}/{two}") is (expected and bool(two))


@given(st.text(st.sampled_from("ugoa+-=rwxXst,01234567 "), max_size=10), st.integers(0, 0o7777))
def test_any_mode(text: str, mode: int) -> None:
    with contextlib.suppress(FilesError):
        assert 0 <= parse_permissions(text).apply(0o100000 | mode) <= 0o7777


@given(st.text(max_size=20))
def test_any_owner(text: str) -> None:
    needs_base(text)
    with contextlib.suppress(FilesError):
        owner = resolve_owner(text, [])
        assert 0 <= owner.uid < 2**31
        assert 0 <= owner.gid < 2**31


_addresses = st.sampled_from(
    ["https://h/p.git", "git@h:p", "ssh://h/p", "git://h/p", "https://h/p", "", "ext::sh", "http://["]
)


@given(_addresses, st.text(st.sampled_from("#?&=:;-/.@ab%\x00\n refsubdirtag"), max_size=30))
def test_any_address_of_a_repository(start: str, rest: str) -> None:
    try:
        reference = parse_git(start + rest)
    except FilesError:
        return
    if reference is not None:
        assert not reference.ref.startswith("-")
        assert not reference.remote.startswith("-")
        assert not set(reference.ref) & set(" \x00\n:?*[\\^~")
        assert reference.remote.split(":")[0] in ("http", "https", "ssh", "git") or "@" in reference.remote


@settings(deadline=None)
@given(st.sampled_from([b"", b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\x00", b"BZh9"]), st.binary(max_size=1200))
def test_any_beginning_of_an_archive(magic: bytes, rest: bytes) -> None:
    looks_like_archive(io.BufferedReader(io.BytesIO(magic + rest)))
