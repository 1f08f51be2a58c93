"""RUN: what it sees, and what it leaves."""

from tests.build_corpus.case import Case, File

KEY = """\
-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
QyNTUxOQAAACDH0lruXPhcbp2e2nViTto/rhgOL47ArNV8g24RL5vjAQAAAJAin9LeIp/S
3gAAAAtzc2gtZWQyNTUxOQAAACDH0lruXPhcbp2e2nViTto/rhgOL47ArNV8g24RL5vjAQ
AAAEDjTSS9Zv+5RK+kOI0x37Lr5fEbYYmasZ+WMAQTUvyiAcfSWu5c+FxunZ7adWJO2j+u
GA4vjsCs1XyDbhEvm+MBAAAABmNvcnB1cwECAwQFBgc=
-----END OPENSSH PRIVATE KEY-----
"""
"""A private key that opens nothing: made for these cases."""

CASES = (
    Case("run-shell-and-exec", 'FROM busybox:1\nRUN echo "shell $0" > /a\nRUN ["/bin/sh", "-c", "echo exec > /b"]\n'),
    Case("run-continued", "FROM busybox:1\nRUN echo a > /a \\\n # a comment\n && echo b > /b \\\n\n && echo c > /c\n"),
    Case("run-empty", "FROM busybox:1\nRUN\n"),
    Case("run-that-changes-nothing", "FROM busybox:1\nRUN true\nRUN echo a > /a\nRUN cat /a\n"),
    Case(
        "run-environment",
        "FROM busybox:1\nENV A=1\nRUN env | grep -v HOSTNAME | sort > /env; pwd > /pwd; umask > /umask; id > /id\n",
    ),
    Case(
        "run-as-user",
        "FROM busybox:1\nUSER nobody\nRUN id > /tmp/id; echo $HOME > /tmp/home; touch /tmp/mine\n"
        "USER 1234\nRUN id > /tmp/id2; echo $HOME > /tmp/home2\nUSER 1234:5678\nRUN id > /tmp/id3\n",
    ),
    Case("run-capabilities", "FROM busybox:1\nRUN grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status > /status\n"),
    Case("run-deletes-a-file", "FROM busybox:1\nRUN echo a > /a\nRUN rm /a\nRUN rm -r /var/log\n"),
    Case(
        "run-replaces-a-directory",
        "FROM busybox:1\nRUN mkdir /d && touch /d/1 /d/2\nRUN rm -r /d && mkdir /d && touch /d/3\n",
    ),
    Case(
        "run-file-becomes-directory",
        "FROM busybox:1\nRUN touch /d && mkdir /f\nRUN rm /d && mkdir /d && touch /d/x; rmdir /f; touch /f\n",
    ),
    Case("run-renames", "FROM busybox:1\nRUN mkdir -p /a/b && echo c > /a/b/c\nRUN mv /a/b /a/z; mv /a/z/c /a/z/d\n"),
    Case(
        "run-changes-modes",
        "FROM busybox:1\nRUN mkdir /d; touch /d/f /g\nRUN chmod 2751 /d; chmod 4711 /d/f; chown 7:8 /g; chmod 1777 /etc\n",
    ),
    Case(
        "run-makes-links",
        "FROM busybox:1\nRUN echo x > /x; ln /x /hard; ln -s x /soft; ln -s /no/where /dangling; ln -s /etc /dir\n",
    ),
    Case("run-hard-link-below", "FROM busybox:1\nRUN echo x > /x; ln /x /y\nRUN echo more >> /y\n"),
    Case(
        "run-makes-nodes", "FROM busybox:1\nRUN mkfifo /fifo; mknod /null c 1 3; chmod 666 /null; mknod /loop b 7 0\n"
    ),
    Case(
        "run-odd-names",
        r"""
        FROM busybox:1
        RUN mkdir '/a b' && touch '/a b/ c' '/-x' '/ü' "$(printf '/new\nline')" '/back\slash' '/.wh-like' /$(seq -s a 60)
        """,
    ),
    Case(
        "run-sparse-file",
        "FROM busybox:1\nRUN dd if=/dev/zero of=/sparse bs=1 count=1 seek=1048575 2>/dev/null; echo end >> /sparse\n",
    ),
    Case("run-empty-directories", "FROM busybox:1\nRUN mkdir -p /one/two/three; rmdir /usr/bin\n"),
    Case("run-leaves-mount-points", "FROM scratch\nCOPY --from=busybox:1 /bin /bin\nRUN ls / > /seen\n"),
    Case(
        "run-special-files-stay-out",
        "FROM busybox:1\nRUN echo x >> /etc/hosts; echo x >> /etc/resolv.conf; touch /dev/x /dev/shm/y; "
        "touch /tmp/stays; ls /sys/kernel > /dev/null\n",
    ),
    Case(
        "run-reads-its-files",
        "FROM busybox:1\nRUN grep -c localhost /etc/hosts > /hosts; test -e /etc/resolv.conf && echo yes > /resolv\n",
    ),
    Case(
        "run-devices",
        "FROM busybox:1\nRUN cd /dev && ls -d null zero full random urandom tty ptmx pts shm stdin stdout fd > /devices\n",
    ),
    Case(
        "run-masked",
        "FROM busybox:1\nRUN (cat /proc/kcore | head -c 1 | wc -c; ls /proc/acpi 2>/dev/null | wc -l; echo x > /proc/sys/kernel/domainname "
        "2>/dev/null || echo refused) > /out\n",
    ),
    Case(
        "run-no-terminal",
        "FROM busybox:1\nRUN tty > /tty; wc -c > /input\n",
    ),
    Case("run-background-process", "FROM busybox:1\nRUN (sleep 1000 &) ; echo done > /done\n"),
    Case("run-fails", "FROM busybox:1\nRUN echo about to fail; exit 3\n", fails="3"),
    Case("run-unknown-program", 'FROM busybox:1\nRUN ["/no/such"]\n', fails="/no/such"),
    Case("run-unknown-user", "FROM busybox:1\nUSER whoever\nRUN true\n", fails="whoever"),
    Case("run-network-none", "FROM busybox:1\nRUN --network=none ls /sys/class/net > /links\n"),
    Case("run-network-default", "FROM busybox:1\nRUN --network=default ls /sys/class/net | grep -c lo > /links\n"),
    # Here-documents.
    Case("heredoc", "FROM busybox:1\nRUN <<EOF\necho a > /a\necho $HOME > /house\nEOF\nRUN cat /a\n"),
    Case("heredoc-fails-only-with-its-last-command", "FROM busybox:1\nRUN <<EOF\nfalse\necho still > /still\nEOF\n"),
    Case(
        "heredoc-shebang",
        "FROM busybox:1\nRUN <<EOF\n#!/bin/cat\nnot run by a shell\nEOF\nRUN <<-'EOF'\n\t#!/bin/sh\n\techo $0 > /zero\nEOF\n",
    ),
    Case(
        "heredoc-as-input",
        "FROM busybox:1\nARG A=arg\nRUN cat <<EOF > /plain\n$A ${A} \\$A `echo x`\nEOF\nRUN cat <<'EOF' > /quoted\n$A ${A}\nEOF\n",
    ),
    Case("heredoc-tabs", "FROM busybox:1\nRUN <<-EOF\n\techo one > /one\n\t\techo two > /two\n\tEOF\n"),
    Case("heredoc-two", "FROM busybox:1\nRUN cat <<A > /a && cat <<B > /b\nfirst\nA\nsecond\nB\n"),
    Case("heredoc-descriptor", "FROM busybox:1\nRUN cat /dev/fd/3 3<<EOF > /out || true\nthree\nEOF\n"),
    Case(
        "heredoc-with-mount",
        "FROM busybox:1\nRUN --mount=type=tmpfs,target=/t <<EOF\necho x > /t/x\nls /t > /listed\nEOF\n",
    ),
    Case(
        "heredoc-in-user-and-workdir",
        "FROM busybox:1\nWORKDIR /tmp\nUSER 1000\nRUN <<EOF\nid -u > user\npwd > where\nEOF\n",
    ),
    Case("heredoc-with-shell", 'FROM busybox:1\nSHELL ["/bin/sh", "-ex", "-c"]\nRUN <<EOF\necho $- > /flags\nEOF\n'),
    # Mounts.
    Case(
        "mount-bind",
        "FROM busybox:1\nRUN --mount=target=/in cat /in/a > /a; ls /in | grep -v Dockerfile > /listed\n",
        {"a": "a\n", "d/b": "b\n"},
    ),
    Case(
        "mount-bind-source",
        "FROM busybox:1\nRUN --mount=type=bind,source=d,target=/in,ro cat /in/b > /b; touch /in/x 2>/dev/null || echo ro > /ro\n",
        {"d/b": "b\n"},
    ),
    Case(
        "mount-bind-file",
        "FROM busybox:1\nRUN --mount=type=bind,src=d/b,dst=/deep/in.txt cat /deep/in.txt > /b\n",
        {"d/b": "b\n"},
    ),
    Case(
        "mount-bind-rw-is-discarded",
        "FROM busybox:1\nRUN --mount=type=bind,target=/in,rw echo new > /in/new; echo more >> /in/a; cat /in/a > /a\n"
        "RUN --mount=type=bind,target=/in cat /in/a > /again; test ! -e /in/new\n",
        {"a": "a\n"},
    ),
    Case(
        "mount-bind-from-stage",
        "FROM busybox:1 AS one\nRUN mkdir /x && echo x > /x/y\nFROM busybox:1\n"
        "RUN --mount=type=bind,from=one,source=/x,target=/in cp /in/y /y\n",
    ),
    Case(
        "mount-bind-from-image",
        "FROM scratch\nCOPY --from=busybox:1 /bin /bin\nRUN --mount=from=busybox:1,target=/in wc -l < /in/etc/passwd > /lines\n",
    ),
    Case(
        "mount-point-is-left",
        "FROM busybox:1\nRUN --mount=type=tmpfs,target=/new/deep true\nRUN --mount=type=cache,target=/tmp/cache true\n",
    ),
    Case(
        "mount-over-content",
        "FROM busybox:1\nRUN mkdir /d && echo below > /d/below\nRUN --mount=type=tmpfs,target=/d ls /d > /seen; echo above > /d/above\n",
    ),
    Case("mount-relative-target", "FROM busybox:1\nWORKDIR /w\nRUN --mount=target=in cp in/a /a\n", {"a": "a\n"}),
    Case(
        "mount-with-variables",
        "FROM busybox:1\nARG D=/in\nARG S=d\nRUN --mount=target=$D,source=${S} cp /in/b /b\n",
        {"d/b": "b\n"},
    ),
    Case(
        "mount-cache",
        "FROM busybox:1\nRUN --mount=type=cache,target=/c,id=corpus-1 echo x > /c/x\n"
        "RUN --mount=type=cache,target=/other,id=corpus-1 cp /other/x /x; ls -ld /other | cut -c1-10 > /mode\n",
    ),
    Case(
        "mount-cache-options",
        "FROM busybox:1\nRUN --mount=type=cache,target=/c,id=corpus-2,uid=5,gid=6,mode=0700,sharing=locked stat -c '%u:%g %a' /c > /out\n",
    ),
    Case(
        "mount-cache-from",
        "FROM busybox:1 AS seed\nRUN mkdir /s && echo seed > /s/f\nFROM busybox:1\n"
        "RUN --mount=type=cache,target=/c,id=corpus-3,from=seed,source=/s cp /c/f /f\n",
    ),
    Case(
        "mount-cache-read-only",
        "FROM busybox:1\nRUN --mount=type=cache,target=/c,id=corpus-4,readonly touch /c/x 2>/dev/null || echo ro > /ro\n",
    ),
    Case(
        "mount-tmpfs",
        "FROM busybox:1\nRUN --mount=type=tmpfs,target=/t,size=1048576 df -P /t | tail -1 | awk '{print $2}' > /size; echo x > /t/x\n",
    ),
    Case(
        "mount-secret",
        "FROM busybox:1\nRUN --mount=type=secret,id=token cat /run/secrets/token | wc -c > /length; stat -c '%a %u:%g' /run/secrets/token > /mode\n"
        "RUN ls -A /run 2>/dev/null | wc -l > /left\n",
        {"../token": "s3cr3t"},
        build={"secrets": ["token"]},
        top={"secrets": {"token": {"file": "./token"}}},
    ),
    Case(
        "mount-secret-options",
        "FROM busybox:1\nRUN --mount=type=secret,id=token,target=/etc/deep/t,mode=0440,uid=3,gid=4,required stat -c '%a %u:%g' "
        "/etc/deep/t > /mode\n",
        {"../token": "s3cr3t"},
        build={"secrets": ["token"]},
        top={"secrets": {"token": {"file": "./token"}}},
    ),
    Case(
        "mount-secret-from-environment",
        "FROM busybox:1\nRUN --mount=type=secret,id=token wc -c < /run/secrets/token > /length\n",
        build={"secrets": ["token"]},
        top={"secrets": {"token": {"environment": "TOKEN"}}},
        environment={"TOKEN": "s3cr3t"},
    ),
    Case("mount-secret-missing", "FROM busybox:1\nRUN --mount=type=secret,id=nothing test ! -e /run/secrets/nothing\n"),
    Case(
        "mount-secret-required-missing",
        "FROM busybox:1\nRUN --mount=type=secret,id=nothing,required true\n",
        fails="nothing",
    ),
    Case(
        "mount-secret-as-variable",
        "FROM busybox:1\nRUN --mount=type=secret,id=token,env=TOKEN echo ${#TOKEN} > /length; test ! -e /run/secrets/token\n",
        {"../token": "s3cr3t"},
        build={"secrets": ["token"]},
        top={"secrets": {"token": {"file": "./token"}}},
        newer=True,
    ),
    Case(
        "mount-ssh-missing",
        'FROM busybox:1\nRUN --mount=type=ssh test ! -e "$SSH_AUTH_SOCK" && echo "$SSH_AUTH_SOCK" > /socket\n',
    ),
    Case("mount-ssh-required-missing", "FROM busybox:1\nRUN --mount=type=ssh,required true\n", fails="ssh agent"),
    Case(
        "mount-ssh-key",
        'FROM busybox:1\nRUN --mount=type=ssh test -S "$SSH_AUTH_SOCK" && echo "$SSH_AUTH_SOCK" > /socket && '
        "stat -c '%a %u:%g' $SSH_AUTH_SOCK > /mode\n",
        {"../key": File(KEY.encode(), 0o600)},
        build={"ssh": ["default=./key"]},
    ),
    Case(
        "mount-ssh-flags",
        "FROM busybox:1\nRUN --mount=type=ssh,id=deploy,target=/run/agent,mode=0660,uid=5,gid=6 "
        "stat -c '%a %u:%g' /run/agent > /mode && echo $SSH_AUTH_SOCK > /socket\nRUN test ! -S /run/agent\n",
        {"../key": File(KEY.encode(), 0o600)},
        build={"ssh": ["deploy=./key"]},
    ),
    Case(
        "mounts-several",
        "FROM busybox:1\nRUN --mount=type=tmpfs,target=/t --mount=type=bind,target=/t/in --mount=type=cache,target=/t/c,id=corpus-5 "
        "cp /t/in/a /t/c/a && cat /t/c/a > /a\n",
        {"a": "a\n"},
    ),
    Case("mount-bad-type", "FROM busybox:1\nRUN --mount=type=floppy,target=/x true\n", fails="floppy"),
    Case("mount-bad-key", "FROM busybox:1\nRUN --mount=type=cache,targt=/x true\n", fails="targt"),
    Case(
        "security-sandbox",
        "FROM busybox:1\nRUN --security=sandbox grep -c . /proc/self/status > /dev/null; echo x > /x\n",
        newer=True,
    ),
    Case(
        "security-insecure-needs-entitlement",
        "FROM busybox:1\nRUN --security=insecure true\n",
        fails="insecure",
        newer=True,
    ),
    Case("run-big-output", "FROM busybox:1\nRUN seq 1 20000; echo x > /x\n"),
    Case(
        "run-timestamps-of-its-own",
        "FROM busybox:1\nRUN touch -d '2001-02-03 04:05:06' /old; mkdir /d; touch -d '2001-02-03 04:05:06' /d/f\n",
        {"x": File(b"x")},
    ),
)
