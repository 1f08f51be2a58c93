import socket

from composer.keeper import wire
from composer.keeper.start import Request, Start


def _start() -> tuple[Start, socket.socket]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    return Start(Request("job", steps=()), ours, pid=1, pidfd=-1, start_time=0), theirs


def test_a_job_is_over_when_it_says_so_and_not_only_when_its_process_has_gone() -> None:
    begun, channel = _start()
    with begun.channel, channel:
        wire.send(channel, {"done": True})

        begun.listen()

        assert begun.finished
        assert begun.error is None


def test_a_program_runs_when_its_channel_came_to_the_end_that_exec_makes() -> None:
    begun, channel = _start()
    with begun.channel:
        wire.send(channel, {"exec": True})
        begun.listen()
        before = begun.finished

        channel.close()
        begun.listen()

        assert (before, begun.finished) == (False, True)
        assert begun.error is None
