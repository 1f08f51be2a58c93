"""FROM, ARG and the stages between them."""

from tests.build_corpus.case import Case

CASES = (
    Case("from-scratch", "FROM scratch\nCOPY a /a\n", {"a": "one\n"}),
    Case("from-scratch-empty-config", 'FROM scratch\nLABEL only="this"\n', newer=True),
    Case("from-alone", "FROM busybox:1\n"),
    Case("from-full-name", "FROM docker.io/library/busybox:1\nRUN echo full > /name\n"),
    Case("lower-case-instructions", "from busybox:1 as one\nrun echo lower > /x\nfrom one\ncopy --from=one /x /y\n"),
    Case(
        "stage-by-name-and-number",
        """
        FROM busybox:1 AS Build
        RUN echo built > /out
        FROM busybox:1
        COPY --from=build /out /by-name
        COPY --from=0 /out /by-number
        """,
    ),
    Case(
        "stage-from-stage",
        """
        FROM busybox:1 AS base
        ENV A=1
        WORKDIR /work
        USER 1000
        LABEL from=base
        CMD ["base"]
        RUN id -u > /tmp/user
        FROM base AS middle
        ENV B=$A
        FROM middle
        RUN echo "$A $B $(pwd) $(id -u)" > /tmp/said
        """,
    ),
    Case(
        "stage-unused-is-not-built",
        "FROM busybox:1 AS broken\nRUN exit 9\nFROM busybox:1\nRUN echo fine > /fine\n",
    ),
    Case(
        "target",
        "FROM busybox:1 AS first\nRUN echo first > /x\nFROM first AS second\nRUN exit 9\n",
        build={"target": "first"},
    ),
    Case(
        "target-by-number",
        "FROM busybox:1\nRUN echo 0 > /x\nFROM busybox:1\nRUN exit 9\n",
        build={"target": "0"},
        newer=True,
    ),
    Case("copy-from-image", "FROM scratch\nCOPY --from=busybox:1 /etc/passwd /passwd\n"),
    Case(
        "diamond",
        """
        FROM busybox:1 AS base
        RUN echo base > /base
        FROM base AS left
        RUN echo left > /left
        FROM base AS right
        RUN echo right > /right
        FROM base
        COPY --from=left /left /
        COPY --from=right /right /
        """,
    ),
    Case("arg-in-from", "ARG TAG=1\nARG NAME\nFROM ${NAME:-busybox}:$TAG\nRUN echo ok > /ok\n"),
    Case("arg-in-from-given", "ARG TAG=none\nFROM busybox:$TAG\nRUN echo ok > /ok\n", build={"args": {"TAG": "1"}}),
    Case(
        "arg-global-needs-redeclaration",
        """
        ARG A=global
        FROM busybox:1
        RUN echo "[$A]" > /before
        ARG A
        RUN echo "[$A]" > /after
        ARG A=local
        RUN echo "[$A]" > /local
        """,
    ),
    Case(
        "arg-given",
        """
        FROM busybox:1
        ARG A=1 B=2
        ARG C
        ARG D
        RUN echo "$A $B $C [$D]" > /out
        """,
        build={"args": {"A": "one", "C": "three and more"}},
    ),
    Case(
        "arg-from-the-environment",
        'FROM busybox:1\nARG A\nRUN echo "[$A]" > /out\n',
        build={"args": ["A"]},
        environment={"A": "outside"},
    ),
    Case("arg-empty", 'FROM busybox:1\nARG A=default\nRUN echo "[$A]" > /out\n', build={"args": {"A": ""}}),
    Case(
        "arg-scope-ends-with-the-stage",
        """
        FROM busybox:1 AS one
        ARG A=1
        FROM one
        RUN echo "[$A]" > /out
        """,
    ),
    Case(
        "arg-inherited-by-stage-from-stage",
        """
        FROM busybox:1 AS one
        ARG A=1
        RUN echo "[$A]" > /one
        FROM one
        ARG A
        RUN echo "[$A]" > /two
        """,
    ),
    Case("env-wins-over-arg", "FROM busybox:1\nENV A=env\nARG A=arg\nRUN echo $A > /out\nENV B=$A\n"),
    Case("arg-uses-arg", "ARG A=x\nARG B=${A}y\nFROM busybox:1\nARG B\nARG C=${B}z\nRUN echo $C > /out\n"),
    Case(
        "platform-args",
        """
        FROM --platform=$BUILDPLATFORM busybox:1
        RUN echo "[$TARGETPLATFORM]" > /hidden
        ARG TARGETPLATFORM TARGETOS TARGETARCH TARGETVARIANT
        ARG BUILDPLATFORM BUILDOS BUILDARCH BUILDVARIANT
        RUN echo "$TARGETPLATFORM $TARGETOS $TARGETARCH [$TARGETVARIANT]" > /target
        RUN echo "$BUILDPLATFORM $BUILDOS $BUILDARCH [$BUILDVARIANT]" > /build
        """,
    ),
    Case("target-stage-arg", 'FROM busybox:1 AS one\nARG TARGETSTAGE\nRUN echo "[$TARGETSTAGE]" > /out\n', newer=True),
    Case(
        "proxy-args-leave-no-trace",
        'FROM busybox:1\nRUN echo "[$HTTP_PROXY] [$http_proxy] [$no_proxy]" | wc -c > /length\n',
        build={"args": {"HTTP_PROXY": "http://proxy.invalid:3128", "no_proxy": "localhost"}},
    ),
    Case(
        "syntax-directive",
        "# syntax = docker/dockerfile:1\n# escape = `\nFROM busybox:1\nRUN echo `\n  continued > /out\n",
        differs="Debian's BuildKit fetches the frontend that `# syntax` names; composer is its own",
        newer=True,
    ),
    Case(
        "escape-directive",
        "# escape=`\nFROM busybox:1\nENV A=one` two\nRUN echo a `\n  b > /out\nCOPY a C:\\dir\\\n",
        {"a": "a\n"},
    ),
    Case(
        "byte-order-mark-and-crlf",
        "",
        {"Dockerfile": "\ufeffFROM busybox:1\r\nRUN echo a \\\r\n  b > /out\r\nENV A=1\r\n"},
    ),
    Case(
        "comments-and-blank-lines",
        "# first\n\nFROM busybox:1\n  # indented\nRUN echo a \\\n# between\n\n  b > /out\nENV A=1 #not-a-comment=1\n",
    ),
    Case("no-newline-at-the-end", "FROM busybox:1\nRUN echo end > /out"),
    Case(
        "predefined-arg-of-buildkit",
        "FROM busybox:1\nRUN hostname > /name\n",
        build={"args": {"BUILDKIT_SANDBOX_HOSTNAME": "maker"}},
    ),
    Case(
        "source-date-epoch",
        "FROM busybox:1\nRUN echo a > /a\nCOPY b /b\nLABEL c=d\n",
        {"b": "b\n"},
        build={"args": {"SOURCE_DATE_EPOCH": "1234567890"}},
        times=True,
        differs="files take part, as with BuildKit's `rewrite-timestamp=true`; and nothing but that is reproducible",
    ),
)
