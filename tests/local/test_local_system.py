import os
import signal
import socket
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from rich.console import Console

from paymentops.local import embedded, places, record, system
from paymentops.local.output import Output, SteadyConsole
from paymentops.management.commands import up

# Asks for Ctrl-C by itself, because a shell that runs the tests in the background lets its children ignore it.
SERVER = """
import signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    print("up", flush=True)
    time.sleep(600)
except KeyboardInterrupt:
    pass
"""


def listening() -> socket.socket:
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen()
    return server


def test_a_port_that_something_listens_on_is_refused_with_the_option_to_change():
    with listening() as server:
        port = server.getsockname()[1]
        with pytest.raises(system.SystemRefused, match=f"Port {port} .* another with --sandbox-port"):
            system.check_port_free(port, option="--sandbox-port")
        assert system.free_port_from(port, but=0) != port
    system.check_port_free(port, option="--port")


def test_a_free_port_is_found_beyond_the_highest():
    assert 1024 <= system.free_port_from(65535, but=65535) < 65535


def test_a_data_directory_is_held_by_one_system_at_a_time(data_dir: Path):
    with (
        system.data_dir_held(data_dir),
        pytest.raises(system.SystemRefused, match=rf"process {os.getpid()}\) runs on the data directory {data_dir}"),
        system.data_dir_held(data_dir),
    ):
        raise AssertionError
    with system.data_dir_held(data_dir):
        pass


def test_a_second_terminal_finds_a_running_system_but_not_a_dead_one(data_dir: Path):
    assert record.read(data_dir) is None
    mine = record.Record(pid=os.getpid(), port=1, sandbox_port=2, processes={"web": 3})
    record.write(data_dir, mine)
    assert record.read(data_dir) == mine
    gone = subprocess.Popen([sys.executable, "-S", "-c", ""])
    gone.wait()
    record.write(data_dir, record.Record(pid=gone.pid, port=1, sandbox_port=2))
    assert record.read(data_dir) is None
    record.remove(data_dir)
    record.remove(data_dir)


@pytest.mark.parametrize("text", ["", "[]", '{"pid": 1}', "{"])
def test_a_record_that_cannot_be_read_says_nothing(data_dir: Path, text: str):
    (data_dir / "system.json").write_text(text)
    assert record.read(data_dir) is None


def test_a_data_directory_too_deep_for_a_socket_is_refused(data_dir: Path):
    embedded.check_socket_path(data_dir)
    with pytest.raises(embedded.DatabaseNotStarted, match=r"100 characters too long .* --data-dir"):
        embedded.check_socket_path(Path("/" + "d" * (207 - len("//pg/.s.PGSQL.5432"))))


def test_a_pid_file_that_names_a_process_of_somebody_else_is_removed_and_the_process_left_alone(data_dir: Path):
    cluster = places.cluster_dir(data_dir)
    cluster.mkdir()
    other = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"], cwd="/")
    (cluster / "postmaster.pid").write_text(f"{other.pid}\n{cluster}\n")
    embedded.end_orphan(data_dir)
    assert not (cluster / "postmaster.pid").exists()
    assert other.poll() is None
    other.kill()
    other.wait()


@pytest.mark.parametrize("text", ["", "not a number\n"])
def test_a_half_written_pid_file_is_removed(data_dir: Path, text: str):
    cluster = places.cluster_dir(data_dir)
    cluster.mkdir()
    (cluster / "postmaster.pid").write_text(text)
    embedded.end_orphan(data_dir)
    assert not (cluster / "postmaster.pid").exists()


def test_a_server_left_behind_is_asked_to_end(data_dir: Path):
    cluster = places.cluster_dir(data_dir)
    cluster.mkdir()
    with subprocess.Popen([sys.executable, "-S", "-c", SERVER], cwd=cluster, stdout=subprocess.PIPE) as orphan:
        assert orphan.stdout is not None
        orphan.stdout.readline()
        (cluster / "postmaster.pid").write_text(f"{orphan.pid}\n")
        embedded.end_orphan(data_dir)
        assert orphan.wait() == 0


def test_a_database_that_does_not_come_up_is_given_up(data_dir: Path):
    with pytest.raises(embedded.DatabaseNotStarted, match=r"not ready after 0 s"):
        embedded.wait_until_ready(data_dir, seconds=0)


def test_log_lines_carry_the_name_of_their_process_and_plain_lines_nothing():
    stream = StringIO()
    output = Output(Console(file=stream, highlight=False, width=40))
    output.say("web", "a line that is longer than the terminal is wide, [with brackets]")
    output.line("ready http://127.0.0.1:8700")
    output.table([("Console", "http://127.0.0.1:8700/console/"), ("API", "somewhere")])
    assert stream.getvalue().splitlines() == [
        "web      │ a line that is longer than the terminal is wide, [with brackets]",
        "ready http://127.0.0.1:8700",
        "",
        "  Console  http://127.0.0.1:8700/console/",
        "  API      somewhere",
        "",
    ]


def test_output_into_a_closed_pipe_is_dropped():
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        output = Output(SteadyConsole(file=stream))
        output.say("web", "nobody reads this")
        output.say("web", "nor this")


def test_the_plan_leaves_room_for_a_neighbour_on_the_next_port(settings, data_dir: Path):
    settings.UP_SANDBOX_PORT = None
    settings.DATABASE_URL = ""
    settings.DATA_DIR = data_dir
    plan = up.make_plan(port=28700, sandbox_port=None, web_workers=2)
    assert plan.sandbox_port >= 29700
    assert plan.webhook_url == "http://127.0.0.1:28700/api/v1/webhooks/sandbox"
    rows = dict(up.what_runs_where(plan))
    assert rows["Database"] == f"embedded PostgreSQL in {data_dir}/pg"
    assert rows["Second terminal"] == f"uv run manage.py verify --data-dir {data_dir}"


def test_signals_that_end_a_program_become_keyboard_interrupts():
    with system._signals_interrupt(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize("option", [["--port", "0"], ["--port", "65536"], ["--sandbox-port", "x"], ["--workers", "0"]])
def test_a_number_out_of_range_is_refused_before_anything_starts(option: list[str]):
    with pytest.raises(CommandError, match="is not a number from 1 to"):
        call_command("up", *option)


def test_a_refusal_is_said_in_one_sentence(settings, data_dir: Path):
    settings.DATA_DIR = data_dir
    settings.DATABASE_URL = "postgresql://replaced"
    with listening() as server:
        port = server.getsockname()[1]
        with pytest.raises(CommandError, match=f"Port {port} of 127.0.0.1 is in use by another program"):
            call_command("up", port=port)
