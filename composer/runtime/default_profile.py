"""The system calls that a container may make unless told otherwise: what Docker's default profile allows.

An allow-list, by subject; what is not here is answered with EPERM, or with ENOSYS where it is newer than everything named
here, so that a C library falls back to an older call. Left out on purpose: what reaches beyond namespaces (keyrings,
kexec, swap, clocks, modules, quotas, `userfaultfd(2)`), what makes new user namespaces without privilege, and io_uring,
whose operations pass by every filter. Reference: <https://docs.docker.com/engine/security/seccomp/> and
`profiles/seccomp` of Moby, whose policy this follows.
"""

from __future__ import annotations

from composer.oci.runtime_spec import LinuxSeccompArg
from composer.runtime.profile import ENOSYS, Rule

_NEW_NAMESPACES = 0x7E020000
"""CLONE_NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET: none of them may be set."""

_AF_VSOCK = 40
"""Speaks to the hypervisor, past every network namespace."""


def _allow(text: str, *, capability: str = "", machines: tuple[str, ...] = ()) -> Rule:
    return Rule(tuple(text.split()), capability=capability, machines=machines)


FILES = _allow("""
    access chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 fadvise64
    fadvise64_64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync flock fstat
    fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futimesat getcwd getdents getdents64 ioctl lchown
    lchown32 link linkat _llseek lseek lstat lstat64 mkdir mkdirat mknod mknodat name_to_handle_at newfstatat open openat
    openat2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv rename renameat
    renameat2 rmdir sendfile sendfile64 splice stat stat64 statfs statfs64 statx symlink symlinkat sync sync_file_range
    syncfs tee truncate truncate64 umask unlink unlinkat utime utimensat utimensat_time64 utimes vmsplice write writev
""")
ATTRIBUTES = _allow("""
    fgetxattr flistxattr fremovexattr fsetxattr getxattr getxattrat lgetxattr listxattr listxattrat llistxattr
    lremovexattr lsetxattr removexattr removexattrat setxattr setxattrat
""")
WAITING = _allow("""
    epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2
    fanotify_mark inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents
    io_pgetevents io_pgetevents_time64 io_setup io_submit _newselect pipe pipe2 poll ppoll ppoll_time64 pselect6
    pselect6_time64 select signalfd signalfd4 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime
    timerfd_settime64
""")
SOCKETS = _allow("""
    accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg recvmmsg_time64 recvmsg
    send sendmmsg sendmsg sendto setsockopt shutdown socketcall socketpair
""")
MEMORY = _allow("""
    brk cachestat madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock
    mlock2 mlockall mmap mmap2 mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect
    process_mrelease remap_file_pages
""")
PROCESSES = _allow("""
    execve execveat exit exit_group fork getcpu getpgid getpgrp getpid getppid getpriority getrlimit getrusage getsid gettid
    get_robust_list get_thread_area ioprio_get ioprio_set kill pause pidfd_open pidfd_send_signal prctl prlimit64
    restart_syscall rseq sched_getaffinity sched_getattr sched_getparam sched_get_priority_max sched_get_priority_min
    sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam
    sched_setscheduler sched_yield setpgid setpriority setrlimit setsid set_robust_list set_thread_area set_tid_address
    sysinfo tgkill times tkill ugetrlimit uname vfork wait4 waitid waitpid
""")
SIGNALS = _allow("""
    rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
    rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack sigprocmask sigreturn
""")
IDENTITY = _allow("""
    capget capset getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getresgid getresgid32
    getresuid getresuid32 getuid getuid32 setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32
    setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setuid setuid32
""")
RESTRAINT = _allow("landlock_add_rule landlock_create_ruleset landlock_restrict_self seccomp")
LOCKS_AND_QUEUES = _allow("""
    futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake ipc mq_getsetattr mq_notify mq_open mq_timedreceive
    mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop
    semtimedop semtimedop_time64 shmat shmctl shmdt shmget
""")
TIME = _allow("""
    adjtimex alarm clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64
    clock_nanosleep clock_nanosleep_time64 getitimer getrandom gettimeofday nanosleep setitimer time timer_create
    timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64
""")
"""`adjtimex` and `clock_adjtime` read without privilege; setting needs CAP_SYS_TIME, which the kernel checks."""

DEBUGGING = _allow("process_vm_readv process_vm_writev ptrace")
"""Safe since Linux 4.8, which runs seccomp after ptrace has changed the call's registers."""

SOCKET = Rule(("socket",), (LinuxSeccompArg(0, _AF_VSOCK, "SCMP_CMP_NE"),))

PERSONALITY = tuple(
    # Linux, Linux32, UNAME26 with either, and the question which one it is.
    Rule(("personality",), (LinuxSeccompArg(0, persona, "SCMP_CMP_EQ"),))
    for persona in (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
)

CLONE = (
    Rule(
        ("clone",),
        (LinuxSeccompArg(0, _NEW_NAMESPACES, "SCMP_CMP_MASKED_EQ", 0),),
        without="CAP_SYS_ADMIN",
        not_machines=("s390x",),
    ),
    # s390 has the flags in its second argument.
    Rule(
        ("clone",),
        (LinuxSeccompArg(1, _NEW_NAMESPACES, "SCMP_CMP_MASKED_EQ", 0),),
        without="CAP_SYS_ADMIN",
        machines=("s390x",),
    ),
    # clone3 has its flags behind a pointer, where no filter can look: ENOSYS sends the C library back to clone.
    Rule(("clone3",), errno=ENOSYS, without="CAP_SYS_ADMIN"),
)

MACHINES = (
    _allow("arch_prctl modify_ldt", machines=("x86_64",)),
    _allow(
        "arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2", machines=("aarch64",)
    ),
    _allow("riscv_flush_icache riscv_hwprobe", machines=("riscv64",)),
    _allow("s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr", machines=("s390x",)),
    _allow("swapcontext sync_file_range2", machines=("ppc64le",)),
)

PRIVILEGED = (
    _allow("bpf", capability="CAP_BPF"),
    _allow("chroot", capability="CAP_SYS_CHROOT"),
    _allow("open_by_handle_at", capability="CAP_DAC_READ_SEARCH"),
    _allow("perf_event_open", capability="CAP_PERFMON"),
    _allow("syslog", capability="CAP_SYSLOG"),
    _allow("reboot", capability="CAP_SYS_BOOT"),
    _allow("delete_module finit_module init_module", capability="CAP_SYS_MODULE"),
    _allow("get_mempolicy mbind set_mempolicy set_mempolicy_home_node", capability="CAP_SYS_NICE"),
    _allow("acct", capability="CAP_SYS_PACCT"),
    _allow("kcmp pidfd_getfd process_madvise", capability="CAP_SYS_PTRACE"),
    _allow("ioperm iopl", capability="CAP_SYS_RAWIO"),
    _allow("clock_settime clock_settime64 settimeofday stime", capability="CAP_SYS_TIME"),
    _allow("vhangup", capability="CAP_SYS_TTY_CONFIG"),
    _allow(
        """
        bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick listmount lookup_dcookie lsm_get_self_attr
        lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd
        setdomainname sethostname setns statmount syslog umount umount2 unshare
        """,
        capability="CAP_SYS_ADMIN",
    ),
)

DEFAULT_RULES = (
    FILES,
    ATTRIBUTES,
    WAITING,
    SOCKETS,
    MEMORY,
    PROCESSES,
    SIGNALS,
    IDENTITY,
    RESTRAINT,
    LOCKS_AND_QUEUES,
    TIME,
    DEBUGGING,
    SOCKET,
    *PERSONALITY,
    *CLONE,
    *MACHINES,
    *PRIVILEGED,
)
