""".dockerignore."""

from tests.build_corpus.case import Case, Entry

_TREE: dict[str, Entry] = {
    "a.txt": "a",
    "b.md": "b",
    "README.md": "r",
    "dir/c.txt": "c",
    "dir/d.md": "d",
    "dir/deep/e.txt": "e",
    "dir/deep/f.md": "f",
    "node_modules/x/index.js": "x",
    "src/node_modules/y.js": "y",
    "src/main.js": "m",
    ".git/config": "g",
    "tmp1/x": "1",
    "tmpx/x": "2",
}
_ALL = "FROM busybox:1\nCOPY . /all\n"


def _case(name: str, rules: str, **more: Entry) -> Case:
    return Case(f"ignore-{name}", _ALL, {**_TREE, ".dockerignore": rules, **more})


CASES = (
    _case("plain", "a.txt\ndir\n"),
    _case("star", "*.md\n"),
    _case("double-star", "**/*.md\n"),
    _case("exception", "*.md\n!README.md\n"),
    _case("exception-then-again", "!README.md\n*.md\n"),
    _case("all-but", "*\n!dir\n!src/main.js\n"),
    _case("exception-below-directory", "dir\n!dir/deep/e.txt\n"),
    _case("exception-with-stars", "**\n!**/*.txt\n"),
    _case("anywhere", "**/node_modules\n"),
    _case("question-mark", "tmp?\n"),
    _case("class", "tmp[0-9]\n"),
    _case("slashes", "/dir/deep/\n./a.txt\nsrc//main.js\n/\n"),
    _case("comments-and-blanks", "# comment\n\n  a.txt  \n#b.md\n"),
    _case("dots", "dir/../a.txt\n.\n"),
    _case("itself", ".dockerignore\nDockerfile\n"),
    _case("crlf", "a.txt\r\n*.md\r\n"),
    _case("middle-double-star", "dir/**/f.md\n**/deep/**\n"),
    _case("trailing-double-star", "dir/**\n"),
    _case("bom", "\ufeffa.txt\n"),
    Case("ignore-dockerfile-own", _ALL, {**_TREE, ".dockerignore": "*.txt\n", "Dockerfile.dockerignore": "*.md\n"}),
    Case(
        "ignore-other-dockerfile",
        "",
        {**_TREE, "dev.Dockerfile": _ALL, ".dockerignore": "*.txt\n", "dev.Dockerfile.dockerignore": "dir\n"},
        build={"dockerfile": "dev.Dockerfile"},
    ),
    Case(
        "ignore-copy-of-ignored",
        "FROM busybox:1\nCOPY a.txt /a\n",
        {**_TREE, ".dockerignore": "*.txt\n"},
        fails="a.txt",
    ),
    Case("ignore-wildcard-of-ignored", "FROM busybox:1\nCOPY *.md /m/\n", {**_TREE, ".dockerignore": "README.md\n"}),
    Case("ignore-bad-pattern", _ALL, {**_TREE, ".dockerignore": "a[\n"}, fails="a["),
    Case(
        "ignore-does-not-concern-stages",
        "FROM busybox:1 AS one\nRUN echo x > /a.txt\nFROM busybox:1\nCOPY --from=one /a.txt /\n",
        {".dockerignore": "*.txt\n"},
    ),
    Case(
        "ignore-concerns-bind-mounts",
        "FROM busybox:1\nRUN --mount=target=/in ls /in > /listed\n",
        {"a.txt": "a", "b": "b", ".dockerignore": "*.txt\nDockerfile\n"},
    ),
)
