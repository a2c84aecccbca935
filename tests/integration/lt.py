# SPDX-License-Identifier: ISC
"""What the integration tests are made of.

A test is a program of its own: it imports this, starts servers, clients and
services, and asserts. When it ends, however it ends, all it started is ended
too (by process id), servers and clients must have left with status 0, and no
log may hold the report of a sanitizer. If it failed, the logs are printed.

    import lt
    server = lt.Server()
    client = lt.Client(server, lt.Service(), name="demo")
    assert lt.get(server, "demo").status == 200

LT_BUILD says which build to test (build, build-asan). Services are in toy.py,
visitors in visitor.py, all of them names of this module too; LTP/0.2 peers
that share nothing with our sources are in ltp02.py.
"""

import atexit
import ctypes
import errno
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from signal import SIGINT, SIGKILL, SIGTERM

from toy import (Listener, Service, blocks, echo,  # noqa: F401
                 sha256, sha256_of, stream)
from visitor import PATIENCE, Response, Visitor, get, request  # noqa: F401

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("LT_BUILD", "build"))

tmp = tempfile.mkdtemp(prefix="lt-test.", dir="/tmp")
_programs = []
_failed = False


# --- the life of a test -----------------------------------------------------

def skip(why):
    """Ends the test: it cannot be done here."""
    print(why)
    sys.exit(77)


def wait_until(condition, timeout=PATIENCE, what=None):
    """Waits for a condition to hold; returns its value."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"never came true: {what or condition}")
        time.sleep(0.02)


def _excepthook(kind, value, trace):
    global _failed
    _failed = True
    traceback.print_exception(kind, value, trace)


def _told_to_end(*_):
    raise AssertionError("told to end")


def _finish():
    faults = []
    for program in reversed(_programs):
        try:
            if not _failed and program.alive():
                status = program.stop()
                if status != 0:
                    faults.append(f"{program.title}: status {status}")
        except AssertionError as e:
            faults.append(f"{program.title}: {e}")
    faults += [f"{p.title}: {report[0]}" for p in _programs
               if (report := re.search(
                   r".*(Sanitizer|runtime error:|Assertion .* failed|"
                   r"the sandbox forbids).*", p.log()))]
    _kill_descendants()
    if faults or _failed:
        for fault in faults:
            print("at the end:", fault)
        for program in _programs:
            _dump(program)
    shutil.rmtree(tmp, ignore_errors=True)
    if faults:
        sys.stdout.flush()
        os._exit(1)


def _dump(program):
    print(f"--- {program.title}: {' '.join(program.argv)}")
    for text in (program.output(), program.log()):
        lines = text.splitlines()
        if len(lines) > 400:
            print(f"... {len(lines) - 400} lines before")
        print("\n".join(lines[-400:]))


def descendants(pid):
    """All processes below this one."""
    found = []
    for child in children(pid):
        found += [child] + descendants(child)
    return found


def children(pid):
    """The living children of a process."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="utf-8") as f:
                    state, parent = f.read().rpartition(")")[2].split()[:2]
            except OSError:
                continue
            if int(parent) == pid and state != "Z":
                found.append(int(name))
    return sorted(found)


def _kill_descendants():
    while pids := descendants(os.getpid()):
        for pid in pids:
            kill(pid)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass


def kill(pid, sig=SIGKILL):
    """kill(2); a process that is gone already is fine."""
    try:
        os.kill(pid, sig)
    except ProcessLookupError:
        pass


def exists(pid):
    """True unless the process has ended (a zombie has)."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
            return f.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def fd_count(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def links(pid):
    """What the descriptors of a process are. Pipes may stay in their pool."""
    found = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            found.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
        except FileNotFoundError:
            pass
    return [link for link in found if not link.startswith("pipe:")]


def rss(pid):
    """Resident memory in bytes, but for tables that processes share: these have
    a size of their own and are in memory as far as they were looked at."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        return 1024 * sum(map(int, re.findall(
            r"^Rss(?:Anon|File):\s+(\d+)", f.read(), re.M)))


def free_port():
    """A port of 127.0.0.1 that is for this test alone."""
    return free_range(1)


_reserved = []  # what says so to other tests, until this one ends


def free_range(n):
    """The first of so many ports in a row that are for this test alone. They
    are below those that servers and the system give out by themselves."""
    while True:
        first = random.randrange(10000, 20000 - n)
        marks = []
        try:
            for port in range(first, first + n):
                marks.append(socket.socket(socket.AF_UNIX))
                marks[-1].bind(f"\0lt-test-port-{port}")
                socket.create_server(("127.0.0.1", port)).close()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            _reserved.extend(marks)
            return first


def refused(address):
    """True if nobody listens there."""
    try:
        socket.create_connection(address, PATIENCE).close()
        return False
    except ConnectionResetError:  # it was in the backlog as that was closed
        return False
    except ConnectionRefusedError:
        return True


def under_sanitizer():
    return os.path.basename(BUILD) != "build"


def open_workers():
    """Options of ltserver. Tests look into workers, at descriptors and limits,
    and sanitizers do for leaks; in many containers not even root may do that
    to a process that has changed its user, or is confined as it is by default.
    What a worker may not do is the same with "trap", and its name is in the
    log."""
    return ["-o", "sandbox=" + ("no" if under_sanitizer() else "trap")] \
        + (["-o", "user=root"] if os.getuid() == 0 else [])


def sanitized_as():
    """The same, for those who only serve: under a sanitizer alone."""
    return open_workers() if under_sanitizer() else []


# Workers whose master was killed come to us, so that we can end them.
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
sys.excepthook = _excepthook
atexit.register(_finish)
signal.signal(SIGTERM, _told_to_end)
signal.signal(SIGINT, _told_to_end)


# --- the programs -----------------------------------------------------------

class Program:
    """A program under test, with its output in files."""

    def __init__(self, program, *args, title=None, env=None, wrapper=()):
        name = os.path.basename(program)
        self.title = title or f"{name} {len(_programs)}"
        self.argv = [*wrapper, os.path.join(BUILD, program), *map(str, args)]
        self.base = os.path.join(tmp, f"{len(_programs)}-{name}")
        os.makedirs(self.base, exist_ok=True)
        self.env = {
            k: v for k, v in os.environ.items()
            if not k.startswith("LT_") and not k.lower().endswith("_proxy")
        } | {
            "HOME": self.base,
            "XDG_STATE_HOME": os.path.join(self.base, "state"),
            "XDG_CONFIG_HOME": os.path.join(self.base, "config"),
        } | (env or {})
        self.process = None
        _programs.append(self)

    def start(self):
        with open(self.base + "/out", "ab") as out, \
                open(self.base + "/log", "ab") as log:
            self.process = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=out, stderr=log,
                env=self.env, cwd=tmp)
        return self

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, sig):
        self.process.send_signal(sig)

    def wait(self, timeout=PATIENCE):
        """Waits for its end; returns the status (-N: killed by signal N)."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.title} did not end") from None

    def stop(self, sig=SIGTERM, timeout=PATIENCE):
        self.signal(sig)
        return self.wait(timeout)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def output(self):
        """What it wrote to standard output."""
        return self._read("out")

    def log(self):
        """What it wrote to standard error."""
        return self._read("log")

    def _read(self, name):
        try:
            with open(f"{self.base}/{name}", encoding="utf-8",
                      errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def wait_log(self, pattern, timeout=PATIENCE):
        """Waits for a line in the log; returns the match."""
        return self._wait_text(self.log, pattern, timeout)

    def wait_output(self, pattern, timeout=PATIENCE):
        return self._wait_text(self.output, pattern, timeout)

    def _wait_text(self, read, pattern, timeout):
        def look():
            over = not self.alive()
            match = re.search(pattern, read(), re.M)
            assert match or not over, \
                f"{self.title} ended ({self.process.returncode}) without " \
                f"{pattern!r}"
            return match
        return wait_until(look, timeout, f"{pattern!r} from {self.title}")


class Server(Program):
    """ltserver in the foreground, on a free port of 127.0.0.1.

    config is the text of its configuration file, options are -o settings,
    listen the addresses in place of the default one; () leaves them to config;
    path is another program than the one that was built.
    Once it listens, ports has the port of each and port the first.
    """

    def __init__(self, *args, domain="localhost", workers=2, config="",
                 listen=("127.0.0.1:0",), options=None, wait=True,
                 path="ltserver", **program):
        super().__init__(path, **program)
        self.domain = domain
        self.config = self.base + "/ltserver.conf"
        self.configure(config)
        # On a machine with too much to do a worker may have to wait long.
        self.args = ["-f", "-c", self.config, "-d", domain, "-o",
                     "watchdog=60", *open_workers()]
        if workers:
            self.args += ["-w", str(workers)]
        for key, value in (options or {}).items():
            self.args += ["-o", f"{key}={value}"]
        self.args += map(str, args)
        self.program = self.argv
        # A port of its own, which nobody takes while it is away.
        self.listen = [re.sub(r"^127\.0\.0\.1:0$",
                              f"127.0.0.1:{free_port()}", address)
                       for address in listen]
        self.listeners = len(self.listen) or config.count('listen "')
        self.ports = []
        self.start(wait)

    def configure(self, text):
        """Writes its configuration file."""
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(text)

    def start(self, wait=True):
        listen = [x for a in self.listen for x in ("-l", a)]
        self.argv = [*self.program, *self.args, *listen]
        before = len(self.log())
        super().start()
        if wait and self.listeners:
            self.wait_listening(before)
        return self

    def wait_listening(self, since=0):
        def ports():
            assert self.alive(), f"{self.title} ended: {self.log()}"
            found = re.findall(r"listening on \S+:(\d+)\s", self.log()[since:])
            return len(found) >= self.listeners and [*map(int, found)]
        self.ports = wait_until(ports, what=f"{self.title} listens")

    @property
    def port(self):
        return self.ports[0]

    @property
    def address(self):
        return ("127.0.0.1", self.port)

    @property
    def url(self):
        return f"http://{self.domain}:{self.port}"

    def host(self, name):
        """The Host of a tunnel, as a visitor sends it."""
        return f"{name}.{self.domain}:{self.port}"

    def metrics(self):
        """The counters and gauges of /meta/metrics, by name."""
        page = get(self, f"{self.domain}:{self.port}", "/meta/metrics")
        return {m["name"]: m["value"] for m in page.json()}

    def workers(self):
        """The process ids of its workers."""
        return children(self.pid)

    def restart(self, sig=SIGTERM):
        """Ends it and starts it again on the same ports."""
        self.stop(sig)
        self.start_again()

    def start_again(self):
        """Starts it, after its end, on the ports that it had."""
        self.listen = [re.sub(r"\d+$", str(port), address)
                       for address, port in zip(self.listen, self.ports)]
        self.start()


class Client(Program):
    """ltclient, with a home of its own.

    server is a Server or the URL of one; target a Service or what the
    command line takes. Once the tunnel is up url has its URL.
    """

    def __init__(self, server, target, *args, name=None, kind=None,
                 wait=True, **program):
        super().__init__("ltclient", **program)
        self.program = self.argv
        self.args = ["-S", getattr(server, "url", server)]
        if name is not None:
            self.args += ["-s", name]
        self.args += [*map(str, args)] + ([kind] if kind else []) \
            + [str(getattr(target, "target", target))]
        self.argv = [*self.program, *self.args]
        self.start(wait)

    def start(self, wait=True):
        before = len(self.output())
        super().start()
        if wait:
            self.wait_up(before)
        return self

    def wait_up(self, since=0):
        wait_until(lambda: self._url(since) or not self.alive(),
                   what=f"{self.title} has its URL")
        assert self._url(since), f"{self.title} ended before it had its URL"

    def _url(self, since=0):
        match = re.search(r"^your url is: (\S+)$", self.output()[since:], re.M)
        return match and match.group(1)

    def workers(self):
        return children(self.pid)

    def wait(self, timeout=PATIENCE):
        workers = self.workers()
        status = super().wait(timeout)
        self._wait_gone(workers)
        return status

    def kill(self):
        workers = self.workers()
        super().kill()
        self._wait_gone(workers)

    def _wait_gone(self, workers):
        wait_until(lambda: not any(map(exists, workers)),
                   what=f"the workers of {self.title} end too")

    @property
    def url(self):
        return self._url()
