"""Where a git repository is and what of it is meant, as contexts and ADD write it.

`https://host/path.git#REF:DIRECTORY`, `git@host:path#REF`, `ssh://…`, `git://…`, and with a query instead of a fragment:
`?ref= tag= branch= subdir= checksum= (or commit=) keep-git-dir= submodules=`
<https://docs.docker.com/build/concepts/context/#git-repositories>.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from composer.build.files.failures import FilesError, Reason, shown

_SCHEMES = ("http", "https", "ssh", "git")
_SCP = re.compile(r"(?:[a-zA-Z0-9_.-]+@)[a-zA-Z0-9.-]+:(?!//)[^\s?#]+")
_REF = re.compile(r"[^\s~^:?*\[\\\x00-\x1f\x7f-]([^\s~^:?*\[\\\x00-\x1f\x7f])*")
_REFS = {"ref": "", "tag": "refs/tags/", "branch": "refs/heads/"}
_TRUE, _FALSE = ("1", "t", "T", "true", "TRUE", "True", ""), ("0", "f", "F", "false", "FALSE", "False")


@dataclass(frozen=True, slots=True)
class GitReference:
    """A repository and what of it is meant."""

    remote: str
    ref: str = ""
    """A branch, tag or commit; "" is what HEAD is there."""
    directory: str = ""
    """Only this directory of it."""
    checksum: str = ""
    """The commit that it must be, or how its id begins."""
    keep_git_dir: bool | None = None
    submodules: bool = True

    def __str__(self) -> str:
        query = {
            **({"checksum": self.checksum} if self.checksum else {}),
            **({"keep-git-dir": str(self.keep_git_dir).lower()} if self.keep_git_dir is not None else {}),
            **({} if self.submodules else {"submodules": "false"}),
        }
        fragment = f"{self.ref}:{self.directory}" if self.directory else self.ref
        return self.remote + (f"?{urlencode(query)}" if query else "") + (f"#{fragment}" if fragment else "")


def parse_git(text: str, *, context: bool = False) -> GitReference | None:
    """What `text` means; None where it is no git repository. `context` allows `github.com/…`, which may also be a path.

    Raises FilesError where it is one, but with a query or ref that cannot be, and for an address that is none.
    """
    if context and text.startswith("github.com/"):
        text = f"https://{text}"
    elif "://" not in text:
        address, _, fragment = text.partition("#")
        address, _, query = address.partition("?")
        if not _SCP.fullmatch(address):
            return None
        return _checked(text, _with_query(text, _with_fragment(GitReference(address), fragment), query))
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise _wrong(text, "is no address") from error
    if parts.scheme.lower() not in _SCHEMES or not parts.hostname:
        return None
    on_github = context and parts.hostname == "github.com"
    if parts.scheme.lower() in ("http", "https") and not (parts.path.endswith(".git") or on_github):
        return None
    remote = urlunsplit((parts.scheme.lower(), parts.netloc, parts.path, "", ""))
    return _checked(text, _with_query(text, _with_fragment(GitReference(remote), parts.fragment), parts.query))


def _with_fragment(reference: GitReference, fragment: str) -> GitReference:
    ref, _, directory = fragment.partition(":")
    return replace(reference, ref=ref, directory=directory)


def _with_query(text: str, reference: GitReference, query: str) -> GitReference:
    pairs = parse_qsl(query, keep_blank_values=True)
    values = dict(pairs)
    if len(values) != len(pairs):
        raise _wrong(text, "a key of its query is given twice")
    for key, value in values.items():
        _check_pair(text, key, value)
        if key in _REFS:
            reference = _with_ref(text, reference, _REFS[key] + value.removeprefix(_REFS[key]))
        elif key == "subdir":
            if reference.directory not in ("", value):
                raise _wrong(text, "it names two directories")
            reference = replace(reference, directory=value)
        elif key == "keep-git-dir":
            reference = replace(reference, keep_git_dir=value in _TRUE)
        elif key == "submodules":
            reference = replace(reference, submodules=value in _TRUE)
        else:
            reference = replace(reference, checksum=value)
    if reference.checksum and not reference.ref:
        reference = replace(reference, ref=reference.checksum)
    return reference


def _check_pair(text: str, key: str, value: str) -> None:
    if key in ("keep-git-dir", "submodules"):
        if value not in (*_TRUE, *_FALSE):
            raise _wrong(text, f"`{key}` is `{shown(value)}`, neither true nor false")
    elif key not in (*_REFS, "subdir", "checksum", "commit"):
        raise _wrong(text, f"its query has `{shown(key)}`")
    elif not value:
        raise _wrong(text, f"`{key}` of its query has no value")


def _with_ref(text: str, reference: GitReference, ref: str) -> GitReference:
    if reference.ref and reference.ref != ref:
        raise _wrong(text, f"it names two refs, `{reference.ref}` and `{ref}`")
    return replace(reference, ref=ref)


def _checked(text: str, reference: GitReference) -> GitReference:
    """Nothing in it may be taken for an option by git or ssh."""
    if reference.ref and not _REF.fullmatch(reference.ref):
        raise _wrong(text, f"`{shown(reference.ref)}` is no branch, tag or commit")
    if reference.checksum and not re.fullmatch(r"[0-9a-f]{7,64}", reference.checksum):
        raise _wrong(text, f"`{shown(reference.checksum)}` is no commit")
    address = urlsplit(reference.remote).netloc if "://" in reference.remote else reference.remote
    if address.startswith("-") or address.rpartition("@")[2].startswith("-"):
        raise _wrong(text, "its host cannot be")
    return reference


def _wrong(text: str, why: str) -> FilesError:
    hint = "use `#REF:DIRECTORY`, or `?ref= tag= branch= subdir= checksum= keep-git-dir= submodules=`"
    return FilesError(Reason.FETCH, f"`{shown(text)}`: {why}", path=text, hint=hint)


def is_ssh(remote: str) -> bool:
    """Whether a repository is reached with ssh: `ssh://…`, or `user@host:path`."""
    return remote.startswith("ssh://") or "://" not in remote
