"""Instructions that only change the configuration."""

from tests.build_corpus.case import Case

CASES = (
    Case("cmd-exec", 'FROM busybox:1\nCMD ["one"]\nCMD ["echo", "a b", "c"]\n'),
    Case("cmd-shell", 'FROM busybox:1\nCMD echo   a && \\\n   echo "b"\n'),
    Case("cmd-not-quite-json", "FROM busybox:1\nCMD ['echo', 'a']\nENTRYPOINT [ \"a\", ]\n"),
    Case("cmd-empty", "FROM busybox:1\nCMD []\nENTRYPOINT []\n"),
    Case("entrypoint-shell", 'FROM busybox:1\nCMD ["kept"]\nENTRYPOINT exec top -b\n'),
    Case("entrypoint-resets-inherited-cmd", 'FROM busybox:1\nENTRYPOINT ["/bin/echo"]\n'),
    Case("entrypoint-keeps-own-cmd", 'FROM busybox:1\nCMD ["mine"]\nENTRYPOINT ["/bin/echo"]\n'),
    Case(
        "entrypoint-after-stage-with-cmd",
        'FROM busybox:1 AS one\nCMD ["one"]\nFROM one\nENTRYPOINT ["/bin/echo"]\n',
    ),
    Case(
        "shell",
        'FROM busybox:1\nSHELL ["/bin/sh", "-e", "-c"]\nRUN echo $- > /flags\nCMD echo a\nENTRYPOINT echo b\n'
        "HEALTHCHECK CMD echo c\n",
    ),
    Case("label", 'FROM busybox:1\nLABEL a=1 b="two words" c=\'x\' "d e"=f \\\n  g=h\nLABEL a=changed\nLABEL i j k\n'),
    Case("label-newline", 'FROM busybox:1\nLABEL text="line one \\\nline two"\n'),
    Case("expose", "FROM busybox:1\nEXPOSE 80 443/tcp 53/udp\nEXPOSE 8000-8002/tcp 80/tcp\nEXPOSE 9/sctp\n"),
    Case("expose-upper-case", "FROM busybox:1\nEXPOSE 80/TCP\n"),
    Case("volume", 'FROM busybox:1\nVOLUME /a /b\nVOLUME ["/c d", "/e"]\nVOLUME /a\n'),
    Case("volume-then-change", "FROM busybox:1\nVOLUME /data\nRUN mkdir -p /data && echo kept > /data/file\n"),
    Case("stopsignal", "FROM busybox:1\nSTOPSIGNAL SIGKILL\nSTOPSIGNAL 9\n"),
    Case("user-forms", "FROM busybox:1\nUSER nobody\nUSER 1000:1000\nUSER nobody:nogroup\n"),
    Case("workdir", "FROM busybox:1\nWORKDIR /a\nWORKDIR b\nWORKDIR ./c/../d\nRUN pwd > /out\n"),
    Case("workdir-root-and-slashes", "FROM busybox:1\nWORKDIR /\nWORKDIR /x//y/\nRUN pwd > /out\n", newer=True),
    Case("workdir-relative-first", "FROM busybox:1\nWORKDIR a\nRUN pwd > /out\n"),
    Case(
        "workdir-of-a-user",
        "FROM busybox:1\nUSER 1000:1000\nWORKDIR /home/app/deep\nRUN touch mine || echo no > /tmp/no\n",
    ),
    Case("workdir-exists", "FROM busybox:1\nRUN mkdir -m 700 /a && chown 5:5 /a\nWORKDIR /a\n"),
    Case(
        "workdir-through-link",
        "FROM busybox:1\nRUN mkdir /real && ln -s /real /link\nWORKDIR /link/sub\nRUN pwd > /out\n",
    ),
    Case(
        "healthcheck",
        "FROM busybox:1\nHEALTHCHECK --interval=1m30s --timeout=2s --start-period=500ms --start-interval=1s "
        "--retries=5 CMD wget -q localhost\n",
    ),
    Case("healthcheck-exec", 'FROM busybox:1\nHEALTHCHECK CMD ["true", "a b"]\n'),
    Case("healthcheck-none", "FROM busybox:1\nHEALTHCHECK CMD true\nHEALTHCHECK NONE\n"),
    Case("healthcheck-inherited", "FROM busybox:1 AS one\nHEALTHCHECK CMD true\nFROM one\nRUN echo a > /a\n"),
    Case("maintainer", "FROM busybox:1\nMAINTAINER Someone <someone@example.com>\n"),
    Case(
        "onbuild",
        """
        FROM busybox:1 AS base
        ONBUILD COPY file /from-onbuild
        ONBUILD RUN echo ran > /ran
        ONBUILD ENV A=1
        RUN echo base > /base
        FROM base
        RUN echo $A > /child
        """,
        {"file": "file\n"},
    ),
    Case("onbuild-stays-in-config", "FROM busybox:1\nONBUILD RUN  echo   a\nonbuild copy a /b\n"),
    Case(
        "onbuild-not-inherited-twice",
        "FROM busybox:1 AS a\nONBUILD RUN echo x >> /x\nFROM a AS b\nFROM b\nRUN echo y >> /x\n",
    ),
    Case(
        "history-words",
        "FROM busybox:1\nENV A=1   B=2\nRUN   echo    a   >   /a\nCOPY   f   /f\nWORKDIR   /w\nLABEL  a=b  \n"
        'EXPOSE  80   81\nCMD   ["a",   "b"]\n',
        {"f": "f"},
    ),
    Case("history-of-args", "FROM busybox:1\nARG A=1\nARG SECRET\nRUN echo $A > /a\n", build={"args": {"SECRET": "x"}}),
    Case("env-set-to-path-of-base", "FROM scratch\nENV A=1\nCOPY f /f\n", {"f": "f"}),
)
