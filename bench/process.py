# SPDX-License-Identifier: ISC
"""Programs that the benchmark runs: started in a directory of its own, ended
by their process ids, and looked at through /proc.
"""

import atexit
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, "build")
PATIENCE = 20

tmp = tempfile.mkdtemp(prefix="lt-bench.", dir="/tmp")
_running = []


def fail(text):
    sys.exit(f"bench: {text}")


def find(*names):
    """The first of these programs that is there, or None."""
    for name in names:
        path = shutil.which(name, path=os.environ.get("PATH", "")
                            + ":/usr/sbin:/sbin:/usr/local/sbin")
        if path:
            return path
    return None


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def wait_port(port, process=None):
    """Waits until somebody listens there."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 5).close()
            return
        except OSError:
            pass
        if process is not None and not process.is_alive():
            fail(f"{process.title} ended at once: {process.log()}")
        if time.monotonic() > deadline:
            fail(f"nobody listens on port {port}")
        time.sleep(0.02)


class Process:
    """One program and all its descendants."""

    def __init__(self, argv, title=None, env=None):
        self.title = title or os.path.basename(argv[0])
        self.path = os.path.join(tmp, f"{len(os.listdir(tmp))}-{self.title}")
        with open(self.path, "wb") as log:
            self.popen = subprocess.Popen(
                [str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, cwd=tmp,
                env=os.environ | {"HOME": tmp} | (env or {}))
        _running.append(self)

    def is_alive(self):
        return self.popen.poll() is None

    def log(self):
        with open(self.path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def wait_log(self, text):
        deadline = time.monotonic() + PATIENCE
        while text not in self.log():
            if not self.is_alive() or time.monotonic() > deadline:
                fail(f"{self.title} did not say {text!r}: {self.log()}")
            time.sleep(0.02)

    def pids(self):
        return [self.popen.pid] + descendants(self.popen.pid)

    def stop(self):
        pids = self.pids()
        for sig in (signal.SIGTERM, signal.SIGKILL):
            for pid in pids:
                try:
                    os.kill(pid, sig)
                except ProcessLookupError:
                    pass
            deadline = time.monotonic() + 1
            while self.popen.poll() is None and time.monotonic() < deadline:
                time.sleep(0.01)
        self.popen.wait()
        _running.remove(self)


def descendants(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            children = [int(x) for x in f.read().split()]
    except OSError:
        return []
    return children + [d for c in children for d in descendants(c)]


def cpu_seconds(pids):
    """What these processes have used so far, all threads, to the ns."""
    total = 0
    for pid in pids:
        try:
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/schedstat",
                          encoding="ascii") as f:
                    total += int(f.read().split()[0])
        except OSError:
            pass
    return total / 1e9


def memory(pids):
    """Bytes of user memory that only these processes have."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
                for line in f:
                    if line.startswith("Private_Dirty:"):
                        total += int(line.split()[1]) * 1024
        except OSError:
            pass
    return total


def run(argv, timeout=120):
    """Runs to the end; returns what it printed."""
    done = subprocess.run(
        [str(a) for a in argv], stdin=subprocess.DEVNULL, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout,
        cwd=tmp)
    text = done.stdout.decode(errors="replace")
    if done.returncode != 0:
        fail(f"{' '.join(map(str, argv))}: {text}")
    return text


def _finish():
    for process in reversed(list(_running)):
        process.stop()
    shutil.rmtree(tmp, ignore_errors=True)


atexit.register(_finish)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
