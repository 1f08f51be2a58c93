from composer.oci.runtime_spec import LinuxSyscall
from composer.runtime.seccomp import default_filter


def told(calls: tuple[LinuxSyscall, ...], name: str) -> list[tuple[str, int | None]]:
    return [(call.action, call.errno_ret) for call in calls if name in call.names]


def test_giving_away_does_nothing_and_all_else_is_as_in_the_default() -> None:
    lenient = default_filter((), "x86_64", lenient=True).syscalls
    default = default_filter((), "x86_64").syscalls

    for name in ("chown", "fchownat", "setgroups", "setresuid"):
        assert told(lenient, name) == [("SCMP_ACT_ERRNO", 0)]
    for name in ("openat", "clone3", "socket", "ptrace"):
        assert told(lenient, name) == told(default, name)
