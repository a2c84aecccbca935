#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""After a reboot: a pid file of a number that somebody else has now, a control
socket that nobody listens on. The server starts over both, and neither it nor
ltctl ever signals a process that is not its own."""

import os
import signal
import socket
import subprocess

import ledger
from ledger import lt

ROUNDS = 3 if ledger.QUICK else 20
PIDFILE, SOCKET = f"{lt.tmp}/ltserver.pid", f"{lt.tmp}/ltserver.sock"


def run(program, *args):
    return subprocess.run(
        [os.path.join(lt.BUILD, program), *args], stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=lt.PATIENCE, check=False)


def start():
    """The daemon; its process id."""
    port = lt.free_port()
    done = run("ltserver", "-c", "/dev/null", "-l", str(port), "-w", "2", "-o",
               f"pid-file={PIDFILE}", "-o", f"control-socket={SOCKET}", "-o",
               "log=/dev/null", *lt.sanitized_as())
    assert done.returncode == 0, done.stderr
    with open(PIDFILE, encoding="ascii") as f:
        return int(f.read()), port


with subprocess.Popen(["sleep", "1000"]) as bystander:
    for number in range(ROUNDS):
        with open(PIDFILE, "w", encoding="ascii") as f:
            f.write(f"{bystander.pid}\n" if number % 3 else "1\n")
        if number % 2 and not os.path.exists(SOCKET):
            with socket.socket(socket.AF_UNIX) as stale:
                stale.bind(SOCKET)
        # Nobody answers there: ltctl says so, and signals nobody.
        if os.path.exists(SOCKET):
            done = run("ltctl", "-s", SOCKET, "stop")
            assert done.returncode != 0 and done.stderr, done
        pid, port = start()
        assert pid not in (bystander.pid, 1)
        assert run("ltctl", "-s", SOCKET, "status").returncode == 0
        # A second one does not get in its way.
        done = run("ltserver", "-c", "/dev/null", "-l", "0", "-o",
                   f"pid-file={PIDFILE}", *lt.sanitized_as())
        assert done.returncode != 0 and str(pid) in done.stderr, done
        workers = lt.children(pid)
        os.kill(pid, signal.SIGKILL)
        lt.wait_until(lambda: not any(map(lt.exists, [pid, *workers])))
        assert lt.refused(("127.0.0.1", port))
    assert bystander.poll() is None
    bystander.kill()
