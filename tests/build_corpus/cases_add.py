"""ADD: archives, URLs, repositories."""

import gzip

from tests.build_corpus.case import Case, Directory, Entry, File, HardLink, Link, archive

_INSIDE: dict[str, Entry] = {
    "top": Directory(0o750),
    "top/file": "file\n",
    "top/tool": File(b"#!/bin/sh\n", 0o755),
    "top/link": Link("file"),
    "top/hard": HardLink("top/file"),
    "loose": "loose\n",
}

CASES = (
    Case("add-file-and-directory", "FROM busybox:1\nADD a /x\nADD d /y/\nADD a d/f /z/\n", {"a": "a\n", "d/f": "f\n"}),
    Case("add-tar", "FROM busybox:1\nADD a.tar /to\nADD a.tar /slash/\nADD a.tar /etc\n", {"a.tar": archive(_INSIDE)}),
    Case(
        "add-tar-compressed",
        "FROM busybox:1\nADD a.tgz /gz\nADD a.tar.xz /xz\nADD a.tbz /bz\n",
        {"a.tgz": archive(_INSIDE, "gzip"), "a.tar.xz": archive(_INSIDE, "xz"), "a.tbz": archive(_INSIDE, "bzip2")},
    ),
    Case(
        "add-tar-without-extension",
        "FROM busybox:1\nADD data /to\nADD fake.tar /fake\n",
        {"data": archive(_INSIDE), "fake.tar": "no archive\n"},
    ),
    Case(
        "add-tar-owners",
        "FROM busybox:1\nADD a.tar /kept\nADD --chown=7:8 a.tar /given\n",
        {"a.tar": archive(_INSIDE, owner=42)},
        newer=True,  # `--chown` is for what is unpacked, too
    ),
    Case(
        "add-tar-over-content",
        "FROM busybox:1\nRUN mkdir -p /to/top; touch /to/top/kept; echo old > /to/loose\nADD a.tar /to\n",
        {"a.tar": archive(_INSIDE)},
    ),
    Case("add-tar-and-file", "FROM busybox:1\nADD a.tar f /to/\n", {"a.tar": archive(_INSIDE), "f": "f\n"}),
    Case(
        "add-tar-wildcard",
        "FROM busybox:1\nADD *.tar /to/\n",
        {"a.tar": archive(_INSIDE), "b.tar": archive({"other": "o\n"})},
    ),
    Case(
        "add-gzip-that-is-no-tar",
        "FROM busybox:1\nADD a.gz /to/\n",
        {"a.gz": File(gzip.compress(b"text", mtime=0))},
    ),
    Case("add-tar-in-a-directory-stays", "FROM busybox:1\nADD d /to/\n", {"d/a.tar": archive(_INSIDE)}),
    Case("copy-tar-stays", "FROM busybox:1\nCOPY a.tar /to/\n", {"a.tar": archive(_INSIDE)}),
    Case("add-chmod", "FROM busybox:1\nADD --chmod=640 a /x\n", {"a": "a\n"}),
    Case(
        "add-link", "FROM busybox:1\nADD --link a.tar /to/\nADD --link a /x/\n", {"a.tar": archive(_INSIDE), "a": "a\n"}
    ),
    Case("add-heredoc", "FROM busybox:1\nADD <<EOF /x\ntext\nEOF\n"),
    Case("add-url", "FROM busybox:1\nADD @HTTP@/file.txt /x\nADD @HTTP@/file.txt /dir/\nADD @HTTP@/a.tar /archive/\n"),
    Case("add-url-flags", "FROM busybox:1\nADD --chmod=755 --chown=3:4 @HTTP@/file.txt /x\n"),
    Case(
        "add-url-checksum",
        "FROM busybox:1\nADD --checksum=sha256:"
        "cc09ba9adc61cc3d8af5a8bd65e6d7e2e2a9adf1b5f0c3e3e3dd6c9b2a8ce3a5 @HTTP@/file.txt /x\n",
        fails="sha256:",
    ),
    Case(
        "add-url-checksum-right",
        "FROM busybox:1\nADD --checksum=sha256:"
        "c5acc4ae7d85cda11df11e6bc0c06ab55bffbd2b3db121d0a9e3ebb98bd98cac @HTTP@/file.txt /x\n",
    ),
    Case(
        "add-checksum-of-a-local-file",
        "FROM busybox:1\nADD --checksum=sha256:87428fc522803d31065e7bce3cf03fe475096631e5e07bbd7a0fde60c4cf25c7 a /x\n",
        {"a": "a\n"},
        fails="checksum",
    ),
    Case("add-url-missing", "FROM busybox:1\nADD @HTTP@/nothing /x\n", fails="404"),
    Case("add-git", "FROM busybox:1\nADD @GIT@ /repo\n", hidden=("/repo/.git",)),
    Case("add-git-reference-and-directory", "FROM busybox:1\nADD @GIT@#v1:sub /sub\nADD @GIT@#other /other\n"),
    Case("add-git-keep-directory", "FROM busybox:1\nADD --keep-git-dir=true @GIT@ /repo\n", hidden=("/repo/.git",)),
    Case("add-git-chown", "FROM busybox:1\nADD --chown=5:6 @GIT@#v1 /repo\n"),
    Case(
        "add-unpack",
        "FROM busybox:1\nADD --unpack=true @HTTP@/a.tar /url\nADD --unpack=false a.tar /to/\n",
        {"a.tar": archive(_INSIDE)},
        newer=True,
    ),
    Case("add-exclude", "FROM busybox:1\nADD --exclude=*.log . /to/\n", {"a": "a", "b.log": "b"}, newer=True),
)

SERVED: dict[str, File] = {"file.txt": File(b"served\n"), "a.tar": archive(_INSIDE)}
"""What the URLs lead to."""
