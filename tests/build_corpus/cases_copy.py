"""COPY: what is taken, where it goes, and whose it is then."""

from tests.build_corpus.case import Case, Directory, Entry, Fifo, File, HardLink, Link

_TREE: dict[str, Entry] = {
    "a": "a\n",
    "b.txt": "b\n",
    "dir/one": "one\n",
    "dir/sub/two": "two\n",
    "dir/sub/three.txt": "three\n",
    "empty": Directory(0o750),
    "script.sh": File(b"#!/bin/sh\n", 0o755),
    ".hidden": "hidden\n",
}

_LINK = "Debian's Docker, whose storage cannot merge, copies as without `--link`"

CASES = (
    Case(
        "copy-file",
        "FROM busybox:1\nCOPY a /x\nCOPY a /new/dir/x\nCOPY a /etc/\nCOPY a /etc\nCOPY a /brand/new/\n",
        _TREE,
    ),
    Case("copy-several", "FROM busybox:1\nCOPY a b.txt dir /to/\n", _TREE),
    Case("copy-directory", "FROM busybox:1\nCOPY dir /to\nCOPY dir/ /to2/\nCOPY dir /etc\n", _TREE),
    Case("copy-everything", "FROM busybox:1\nCOPY . /app\n", _TREE),
    Case("copy-dot-to-dot", "FROM busybox:1\nWORKDIR /app\nCOPY . .\nCOPY a ./again\nCOPY a sub/\n", _TREE),
    Case(
        "copy-absolute-and-dotted-sources",
        "FROM busybox:1\nCOPY /a /1\nCOPY ./a /2\nCOPY dir/../a /3\nCOPY ../a /4\nCOPY //a /5\n",
        _TREE,
    ),
    Case(
        "copy-wildcards",
        "FROM busybox:1\nCOPY *.txt /t/\nCOPY ? /q/\nCOPY dir/*/t* /d/\nCOPY [ab]* /r/\nCOPY * /all/\n",
        _TREE,
    ),
    Case("copy-wildcard-one-match", "FROM busybox:1\nCOPY a* /x\nCOPY dir/s* /y\n", _TREE),
    Case("copy-wildcard-no-match", "FROM busybox:1\nCOPY *.none /t/\n", _TREE),
    Case("copy-wildcard-and-file", "FROM busybox:1\nCOPY a *.none /t/\n", _TREE),
    Case("copy-missing", "FROM busybox:1\nCOPY missing /x\n", _TREE, fails="missing"),
    Case(
        "copy-two-to-a-file",
        "FROM busybox:1\nCOPY a b.txt /x\n",
        _TREE,
    ),
    Case("copy-json", 'FROM busybox:1\nCOPY ["a b", "c", "/to dir/"]\n', {"a b": "ab\n", "c": "c\n"}),
    Case(
        "copy-modes",
        "FROM busybox:1\nCOPY . /m/\n",
        {
            "private": File(b"p", 0o600),
            "setuid": File(b"s", 0o4755),
            "setgid": File(b"s", 0o2711),
            "nothing": File(b"n", 0),
            "theirs": File(b"t", 0o664, 1234),
            "sticky": Directory(0o1777),
            "closed/file": "x",
        },
    ),
    Case(
        "copy-chown",
        "FROM busybox:1\nCOPY --chown=1:2 a /1\nCOPY --chown=nobody a /2\nCOPY --chown=nobody:nogroup dir /3\nCOPY --chown=77 a /4\n"
        "COPY --chown=nobody:55 a /new/deep/5\n",
        _TREE,
    ),
    Case(
        "copy-chown-user-added-before",
        "FROM busybox:1\nRUN echo 'app:x:500:600::/:/bin/sh' >> /etc/passwd; echo 'web:x:700:' >> /etc/group\n"
        "COPY --chown=app a /1\nCOPY --chown=app:web a /2\n",
        _TREE,
    ),
    Case(
        "copy-chown-unknown",
        "FROM busybox:1\nCOPY --chown=whoever a /1\n",
        _TREE,
    ),
    Case(
        "copy-chown-half",
        "FROM busybox:1\nRUN echo dev:x:1001:1002:dev:/:/bin/sh >> /etc/passwd\n"
        "COPY --chown=dev:nosuch a /1\nCOPY --chown=dev: a /2\nCOPY --chown=7: a /3\nCOPY --chown=:8 a /4\n",
        _TREE,
    ),
    Case("copy-chown-on-scratch", "FROM scratch\nCOPY --chown=5:6 dir /d\n", _TREE),
    Case("copy-user-does-not-matter", "FROM busybox:1\nUSER nobody\nCOPY a /1\n", _TREE),
    Case(
        "copy-chmod",
        "FROM busybox:1\nCOPY --chmod=600 a /1\nCOPY --chmod=0755 dir /2\nCOPY --chmod=4711 a /new/3\n",
        _TREE,
    ),
    Case(
        "copy-chmod-bad",
        "FROM busybox:1\nCOPY --chmod=rwx a /1\n",
        _TREE,
        fails="rwx",
        differs="Debian's BuildKit ignores a mode that it cannot read",
    ),
    Case(
        "copy-chmod-symbolic",
        "FROM busybox:1\nCOPY --chmod=u=rwX,go=rX dir /1\nCOPY --chmod=+x a /2\nCOPY --chmod=go-r,u+s a /3\n",
        _TREE,
        newer=True,
    ),
    Case("copy-chmod-variable", "FROM busybox:1\nARG M=640\nCOPY --chmod=$M a /1\n", _TREE, newer=True),
    Case(
        "copy-link",
        "FROM busybox:1\nRUN mkdir -m 700 /d\nCOPY --link a /d/a\nCOPY --link --chown=3:4 --chmod=600 a /e/f/a\nCOPY --link dir /etc/\n",
        _TREE,
        differs=_LINK,
    ),
    Case("copy-link-through-symlink", "FROM busybox:1\nRUN mkdir /real && ln -s /real /link\nCOPY a /link/a\n", _TREE),
    Case(
        "copy-link-flag-through-symlink",
        "FROM busybox:1\nRUN mkdir /real && ln -s /real /link\nCOPY --link a /link/a\n",
        _TREE,
        differs=_LINK,
    ),
    Case(
        "copy-to-symlink-of-file",
        "FROM busybox:1\nRUN echo old > /file && ln -s /file /link && ln -s /none /dangling\nCOPY a /link\nCOPY a /dangling\n",
        _TREE,
    ),
    Case(
        "copy-directory-over-symlink-to-directory",
        "FROM busybox:1\nRUN mkdir /real && ln -s /real /link\nCOPY dir /link\nCOPY dir/sub /link/\n",
        _TREE,
    ),
    Case(
        "copy-contains-symlink-where-directory-is",
        "FROM busybox:1\nRUN mkdir -p /to/l && touch /to/l/x\nCOPY src /to\n",
        {"src/l": Link("elsewhere"), "src/z": "z"},
        fails="l",
    ),
    Case(
        "copy-file-over-directory", "FROM busybox:1\nRUN mkdir /to /to/a\nCOPY src /to\n", {"src/a": "file"}, fails="a"
    ),
    Case("copy-file-to-existing-directory-name", "FROM busybox:1\nRUN mkdir /a\nCOPY a /a\n", _TREE),
    Case(
        "copy-directory-over-file",
        "FROM busybox:1\nRUN mkdir /to; touch /to/d\nCOPY src /to\n",
        {"src/d/f": "f"},
        fails="d",
    ),
    Case("copy-to-file-as-directory", "FROM busybox:1\nRUN touch /f\nCOPY a /f/a\n", _TREE, fails="f"),
    Case(
        "copy-merges",
        "FROM busybox:1\nRUN mkdir -p -m 711 /to/sub; touch /to/kept /to/sub/kept; echo old > /to/one\nCOPY dir /to\n",
        _TREE,
    ),
    Case(
        "copy-into-directory-keeps-its-mode",
        "FROM busybox:1\nRUN mkdir -m 750 /to; chown 9:9 /to\nCOPY a /to/\nCOPY empty /to\n",
        _TREE,
    ),
    Case(
        "copy-symlinks",
        "FROM busybox:1\nCOPY to-file /1\nCOPY to-dir /2\nCOPY to-dir/ /3\nCOPY tree /tree\nCOPY tree/l /4\n",
        {
            "a": "a\n",
            "dir/one": "one\n",
            "to-file": Link("a"),
            "to-dir": Link("dir"),
            "tree/l": Link("../a"),
            "tree/d": Link("../dir"),
            "tree/dangling": Link("nowhere"),
            "tree/absolute": Link("/etc/passwd"),
        },
    ),
    Case("copy-dangling-symlink", "FROM busybox:1\nCOPY l /l\n", {"l": Link("nowhere")}, fails="l"),
    Case(
        "copy-symlink-that-leads-out",
        "FROM busybox:1\nCOPY out /out\n",
        {"out": Link("../../../../etc/hostname")},
        fails="out",
    ),
    Case(
        "copy-through-directory-link-that-leads-out",
        "FROM busybox:1\nCOPY out/beside /x\n",
        {"out": Link(".."), "../beside": "beside\n"},
        fails="beside",
    ),
    Case("copy-hard-links", "FROM busybox:1\nCOPY . /h\n", {"x": "x\n", "y": HardLink("x")}),
    Case("copy-fifo-in-a-directory", "FROM busybox:1\nCOPY dir /to\n", {"dir/pipe": Fifo(), "dir/f": "f"}),
    Case(
        "copy-empty-files-and-directories",
        "FROM busybox:1\nCOPY . /e\n",
        {"none": "", "d": Directory(), "e/f": Directory(0o700)},
    ),
    Case(
        "copy-odd-names",
        "FROM busybox:1\nCOPY . /o\n",
        {"a b": "1", "-x": "2", "ü": "3", "new\nline": "4", "back\\slash": "5", "[x]": "6", "$A": "7"},
    ),
    Case("copy-escaped-names", "FROM busybox:1\nCOPY \\$A [[]x] /o/\n", {"[x]": "6", "$A": "7", "x": "no"}),
    Case(
        "copy-wildcard-does-not-cross-slashes",
        "FROM busybox:1\nCOPY d*e /x/\nCOPY */sub /y/\n",
        {"dir/one": "1", "dxe": "2", "dir/sub/f": "f"},
    ),
    Case("copy-double-star", "FROM busybox:1\nCOPY **/*.txt /x/\n", {"a.txt": "a", "d/b.txt": "b", "d/e/c.txt": "c"}),
    Case("copy-old-times", "FROM busybox:1\nCOPY . /t\n", {"old": File(b"o", mtime=1), "f": "f"}),
    Case("copy-big-file", "FROM busybox:1\nCOPY big /big\n", {"big": File(bytes(range(256)) * 20000)}),
    Case(
        "copy-from-keeps-owner-and-mode",
        """
        FROM busybox:1 AS one
        RUN mkdir -m 2750 /d && echo f > /d/f && chown -R 11:12 /d && chmod 640 /d/f && ln -s f /d/l && ln /d/f /d/h && mkfifo /d/p
        FROM busybox:1
        COPY --from=one /d /d
        COPY --from=one /d/f /f
        COPY --from=one --chown=1 --chmod=600 /d/f /g
        """,
    ),
    Case(
        "copy-from-follows-links-inside-the-stage",
        """
        FROM busybox:1 AS one
        RUN mkdir /real && echo f > /real/f && ln -s /real /link && ln -s /real/f /file
        FROM busybox:1
        COPY --from=one /link /1
        COPY --from=one /link/f /2
        COPY --from=one /file /3
        COPY --from=one /l* /4/
        """,
    ),
    Case("copy-from-root", "FROM busybox:1 AS one\nRUN echo x > /x\nFROM scratch\nCOPY --from=one / /\n"),
    Case(
        "copy-from-relative",
        "FROM busybox:1 AS one\nWORKDIR /w\nRUN echo x > x\nFROM busybox:1\nCOPY --from=one w/x /1\nCOPY --from=one x /2\n",
        fails="x",
    ),
    Case(
        "copy-from-setuid-and-devices",
        "FROM busybox:1 AS one\nRUN mkdir /d; touch /d/s; chmod 6755 /d/s; mknod /d/null c 1 3\nFROM busybox:1\nCOPY --from=one /d /d\n",
    ),
    Case("copy-from-unknown", "FROM busybox:1\nCOPY --from=2 /x /x\n", fails="2"),
    Case("copy-from-itself", "FROM busybox:1 AS one\nCOPY --from=one /x /x\n", fails="one"),
    Case(
        "copy-from-deleted",
        "FROM busybox:1 AS one\nRUN echo x > /x\nRUN rm /x\nFROM busybox:1\nCOPY --from=one /x /x\n",
        fails="/x",
    ),
    Case(
        "copy-heredoc",
        'FROM busybox:1\nARG A=arg\nCOPY <<EOF /plain\n$A "${A}" \\$A\nEOF\nCOPY <<"EOF" /quoted\n$A\nEOF\nCOPY <<-EOF /tabs\n\tone\n\t\ttwo\nEOF\n',
    ),
    Case("copy-heredoc-several", "FROM busybox:1\nCOPY <<one <<two.txt a /to/\nfirst\none\nsecond\ntwo.txt\n", _TREE),
    Case(
        "copy-heredoc-flags",
        "FROM busybox:1\nCOPY --chmod=755 --chown=8:9 <<EOF /script\n#!/bin/sh\nEOF\nCOPY <<EOF /dir/\nin dir\nEOF\n",
    ),
    Case("copy-heredoc-empty", "FROM busybox:1\nCOPY <<EOF /empty\nEOF\n"),
    Case(
        "copy-parents",
        "FROM busybox:1\nCOPY --parents dir/sub/two a /to/\nCOPY --parents dir/./sub/three.txt /pivot/\nCOPY --parents */sub/*.txt /wild/\n",
        _TREE,
        newer=True,
    ),
    Case(
        "copy-exclude",
        "FROM busybox:1\nCOPY --exclude=*.txt --exclude=dir/one . /to/\nCOPY --exclude=**/t* dir /two/\n",
        _TREE,
        newer=True,
    ),
    Case("copy-parents-and-exclude", "FROM busybox:1\nCOPY --parents --exclude=**/*.txt dir /to/\n", _TREE, newer=True),
    Case("copy-unknown-flag", "FROM busybox:1\nCOPY --chwon=1 a /a\n", _TREE, fails="chwon"),
    Case(
        "copy-destination-dots",
        "FROM busybox:1\nWORKDIR /w\nCOPY a ../x\nCOPY a /etc/../y\nCOPY a ./\nCOPY a /etc/./z\n",
        _TREE,
    ),
    Case(
        "copy-symlink-escape-in-destination",
        "FROM busybox:1\nRUN ln -s ../../../../../../tmp /up\nCOPY a /up/a\n",
        _TREE,
    ),
    Case(
        "copy-replaces-link-in-tree",
        "FROM busybox:1\nRUN mkdir /to; ln -s /etc/passwd /to/a\nCOPY src /to\n",
        {"src/a": "new"},
    ),
)
