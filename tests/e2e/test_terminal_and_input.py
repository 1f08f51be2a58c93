"""`tty:` and `stdin_open:` of services, `run` and `up` on a terminal: what is typed arrives, what is drawn is restored."""

from __future__ import annotations

from tests.e2e.harness import IDLE, Engine, eventually
from tests.e2e.terminals import COLUMNS, ROWS, Terminal


def test_run_on_a_terminal_has_its_size_and_passes_keys_and_ctrl_c(engine: Engine, terminal: Terminal) -> None:
    script = "trap 'echo interrupted; exit 9' INT; echo ready; read line; stty size; echo got $$line; sleep 60 & wait"
    shop = engine.project(f"""
        services:
          shell: {{image: host, command: ["sh", "-c", "{script}"]}}
    """)

    terminal.start(shop, "run", "--rm", "shell")
    terminal.until("ready")
    terminal.type("hello\r")
    terminal.until("got hello")
    assert f"{ROWS} {COLUMNS}" in terminal.text
    terminal.type("\x03")
    terminal.until("interrupted")

    assert terminal.end() == 9
    assert terminal.is_restored()
    assert shop.ps() == {}


def test_up_on_a_terminal_draws_follows_and_restores(engine: Engine, terminal: Terminal) -> None:
    shop = engine.project(f"""
        services:
          web: {{image: host, command: ["sh", "-c", "trap 'echo bye; exit 0' TERM; echo serving; sleep infinity & wait"]}}
          db: {{image: host, command: {IDLE}}}
    """)

    terminal.start(shop, "up")
    terminal.until("serving")
    terminal.type("\x03")

    assert terminal.end() == 130, terminal.text
    assert "bye" in terminal.text, "the last line was lost"
    assert terminal.is_restored()
    assert "\x1b[?25l" not in terminal.text.rpartition("\x1b[?25h")[2], "the cursor stays hidden"
    assert {entry["State"] for entry in shop.ps().values()} == {"exited"}


def test_open_input_of_a_service_keeps_it_reading_and_closed_input_is_empty(engine: Engine) -> None:
    shop = engine.project("""
        services:
          open: {image: host, stdin_open: true, init: true, command: ["sh", "-c", "echo reading; cat; echo ended"]}
          closed: {image: host, command: ["sh", "-c", "cat; echo ended"]}
    """)
    shop.up()
    shop.wait_state("closed", "exited")

    assert shop.logs("closed") == ["ended"]
    eventually(lambda: shop.logs("open") == ["reading"])
    assert shop.container("open")["State"] == "running"


def test_a_terminal_service_survives_the_engine_with_its_terminal(engine: Engine) -> None:
    script = "test -t 0 && echo terminal; i=0; while :; do echo line $$i; i=$$((i+1)); sleep 0.05; done"
    shop = engine.project(f"""
        services:
          term: {{image: host, tty: true, stdin_open: true, init: true, command: ["sh", "-c", "{script}"]}}
    """)
    shop.up()
    eventually(lambda: "line 3" in [line.strip() for line in shop.logs()])

    engine.kill("engine")

    lines = eventually(lambda: found if len(found := [line.strip() for line in shop.logs()]) > 20 else None)
    assert lines[0] == "terminal"
    assert lines[1:] == [f"line {number}" for number in range(len(lines) - 1)]
    assert shop.container("term")["State"] == "running"
