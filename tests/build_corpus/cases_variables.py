"""Expansion of variables: where, and how."""

from tests.build_corpus.case import Case, File

CASES = (
    Case(
        "modifiers",
        """
        FROM busybox:1
        ARG V=value
        ARG EMPTY=
        ENV A=$V B=${V} C=${V:-x} D=${V:+x} E=${NO:-x} F=${NO:+x} G=${EMPTY:-x} H=${EMPTY:+x} I=${EMPTY-x} J=${EMPTY+x} \\
            K=${NO-x} L=${NO+x} M=[$NO] N=${V:-${NO:-deep}} O=${NO:-${V}} P=$V$V Q=${V}s R=$Vs
        """,
    ),
    Case(
        "modifiers-of-patterns",
        """
        FROM busybox:1
        ARG F=dir/file.tar.gz
        ENV A=${F#*/} B=${F##*.} C=${F%.*} D=${F%%.*} E=${F/tar/TAR} F2=${F//[aeiou]/_} G=${F#nothing} I=${F//?/x}
        """,
    ),
    Case("modifier-required", "FROM busybox:1\nARG A=1\nENV B=${A:?needed} C=${A?needed}\n"),
    Case("modifier-required-missing", "FROM busybox:1\nENV B=${A:?is needed}\n", fails="is needed"),
    Case(
        "quotes-and-escapes",
        r"""
        FROM busybox:1
        ARG V=v
        ENV A="$V" B='$V' C=\$V D="\$V" E='\$V' F="a b" G=a\ b H="a\"b" I='a"b' J="a'b" K=a"b c"d L="" M='' N="\n" O=\\ P="\\"
        ENV Q=" $V " R=${V}\ ${V} S="${V:-'x y'}" T=a=b=c
        """,
    ),
    Case(
        "env-line-uses-values-from-before-it",
        "FROM busybox:1\nENV A=old\nENV A=new B=$A\nENV C=$A D=$B\n",
    ),
    Case(
        "env-old-form",
        "FROM busybox:1\nENV A  one two  three\nENV B $A=\"quoted\" 'single'\nRUN env | grep -E '^[AB]=' > /out\n",
    ),
    Case("env-continued", "FROM busybox:1\nENV A=1 \\\n    B=2 \\\n\n    C=3\n"),
    Case("env-override", "FROM busybox:1\nENV A=1 B=2\nENV A=3\nENV PATH=$PATH:/more\n"),
    Case(
        "expanded-everywhere",
        """
        FROM busybox:1 AS other
        RUN mkdir /from && echo x > /from/x
        FROM busybox:1
        ARG D=/data F=file N=80 S=SIGINT U=1000 K=key
        COPY $F ${D}/
        ADD ${F} $D/added
        COPY --from=other --chown=$U:$U /from/x $D/x
        WORKDIR $D/sub
        EXPOSE $N ${N}00/udp
        VOLUME $D/volume ["${D}/other"]
        USER $U
        STOPSIGNAL $S
        LABEL $K=$N "${K}2"="$D" lit='$D'
        ENV ${K}_ENV=$D
        """,
        {"file": "file\n"},
    ),
    Case(
        "not-expanded",
        """
        FROM busybox:1
        ENV A=1
        CMD echo $A
        ENTRYPOINT ["echo", "$A"]
        HEALTHCHECK CMD test $A
        RUN ["/bin/echo", "$A"]
        SHELL ["/bin/sh", "-c"]
        """,
    ),
    Case(
        "run-sees-args-as-environment",
        "FROM busybox:1\nARG A=1\nENV B=2\nARG B=3\nRUN env | grep -E '^(A|B)=' | sort > /out\n",
    ),
    Case(
        "expansion-in-copy-wildcards",
        "FROM busybox:1\nARG P=*.txt\nCOPY $P /to/\n",
        {"a.txt": "a", "b.txt": "b", "c": "c"},
    ),
    Case("dollar-alone", 'FROM busybox:1\nENV A=$ B=a$ C="$" D=$1 E=${1:-x} F=a$-b\n'),
    Case(
        "unicode",
        "FROM busybox:1\nENV GRÜSSE=hallo A=grün\nLABEL größe=\"größer 🐳\"\nCOPY größe.txt /\nRUN echo 'ä ö' > /ü\n",
        {"größe.txt": File("groß\n".encode())},
    ),
)
