# SPDX-License-Identifier: ISC
"""What the faults are played on: two tunnels, a and b, with traffic of four
kinds on each, and two books, of the visitors and of the services.

    rig = ledger.Rig()
    with rig.traffic():
        ...                  # the fault; b is never touched
    rig.judge(excused=...)   # who may have ended otherwise than well

The judge has no mercy for anybody: nothing is answered twice, by the wrong
tunnel or with other bytes; what a visitor calls good is in both books; only who
is excused may have failed; both tunnels serve afterwards; descriptors, memory
and gauges are what they were; and no process has died but those in `died`.

lt and ltp02 are names of this module too. LT_QUICK=1 plays shorter.
"""

import collections
import contextlib
import http.client
import itertools
import json
import os
import random
import re
import shutil
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "integration"))

import lt  # noqa: E402
import ltp02  # noqa: E402,F401

QUICK = "LT_QUICK" in os.environ
LENGTH = (2 if QUICK else 20) << 20  # of a download, and of an upload
BLOCK = 65536
PAUSE = BLOCK / (2 << 20)  # after a block: 2 MB/s
ROOM = 6 << 20  # what memory may grow by in one process

now = time.monotonic


def need(*programs):
    """Skips the row where one of these is missing."""
    for program in programs:
        if shutil.which(program) is None:
            lt.skip(f"{program} is not installed")


def own_network():
    """Goes on in a network of its own, which nobody else has and which ends
    with it: there packets may be dropped. Skips the row for all but root."""
    if os.getuid() != 0:
        lt.skip("only root may have a network of its own")
    need("unshare", "ip", "iptables")
    if "LT_OWN_NETWORK" not in os.environ:
        os.environ["LT_OWN_NETWORK"] = "yes"
        shutil.rmtree(lt.tmp)
        os.execvp("unshare", ["unshare", "-n", sys.executable, *sys.argv])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    if subprocess.run(["iptables", "-w", "-L", "-n"], check=False,
                      capture_output=True).returncode != 0:
        lt.skip("iptables does not work here")


def traced(pid):
    """True once strace has a process in its hands."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return "TracerPid:\t0\n" not in f.read()


def cpu(pid):
    """Seconds of a processor that a process has used."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        user, system = f.read().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def private(pid):
    """Bytes of memory that a process has for itself alone."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        return 1024 * int(re.search(r"Private_Dirty: +(\d+)", f.read())[1])


class Crowd:
    """Many clients, in a process of their own: crowd.py."""

    def __init__(self, server, first, tunnels, proxies, sources):
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(os.path.dirname(
                os.path.abspath(__file__)), "crowd.py"),
             *map(str, (server.port, first, tunnels, proxies)), *sources],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def wait(self):
        """Waits until all have an answer: the counts, by name."""
        words = self.process.stdout.readline().split(maxsplit=9)
        assert words, "the crowd has ended"
        counts = dict(zip(words[0:8:2], map(float, words[1:8:2])))
        return counts | {"errors": words[9]}

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def content(id_, length):
    """Bytes that no other id has."""
    return random.Random(id_).randbytes(length)


def send_paced(conn, data):
    for at in range(0, len(data), BLOCK):
        conn.sendall(data[at:at + BLOCK])
        if at + BLOCK < len(data):
            time.sleep(PAUSE)


class Service(lt.Listener):
    """Answers with its name, the id and the hash of what came; to "down" with
    the bytes of the id; to "echo" each line, its name before it. It writes the
    book: (tunnel, id, hash)."""

    def __init__(self, tunnel, book, port=0):
        self.tunnel, self.book = tunnel, book
        super().__init__(self.serve, port=port)

    def note(self, id_, digest=None):
        self.book.append((self.tunnel, id_, digest))

    def serve(self, conn):
        with conn.makefile("rb") as file:
            words = file.readline().split()
            if len(words) < 2:
                return
            kind, id_ = words[1].decode().split("/")[-2:]
            headers = http.client.parse_headers(file)
            length = int(headers.get("Content-Length", 0))
            body = file.read(length)
            if len(body) < length:
                return
            self.note(id_, lt.sha256(body))
            if kind == "echo":
                self.echo(conn, file)
            else:
                self.answer(conn, content(id_, LENGTH) if kind == "down" else
                            f"{self.tunnel} {id_} {lt.sha256(body)}".encode())

    def echo(self, conn, file):
        conn.sendall(b"HTTP/1.1 101 Switching Protocols\r\n"
                     b"Connection: Upgrade\r\nUpgrade: echo\r\n\r\n")
        while (line := file.readline()).endswith(b"\n"):
            self.note(line.decode().strip())
            conn.sendall(f"{self.tunnel} ".encode() + line)

    def answer(self, conn, body):
        conn.sendall(f"HTTP/1.1 200 OK\r\nX-Tunnel: {self.tunnel}\r\n"
                     f"Content-Length: {len(body)}\r\n"
                     "Connection: close\r\n\r\n".encode())
        send_paced(conn, body)


class Trial:
    """One visitor: what he sent, and how it ended: ok, the status of a page of
    the server, or cut. wrong has what he got but must not have got."""

    numbers = itertools.count()

    def __init__(self, server, tunnel, kind, stop):
        self.server, self.tunnel, self.kind = server, tunnel, kind
        self.stop = stop
        self.id = f"{kind}{next(self.numbers)}"
        body = content(self.id, LENGTH) if kind == "up" else b""
        self.hash = lt.sha256(body)
        self.port = None
        self.wrong = []
        self.end = "never ended"
        self.begun = self.ended = now()

    def run(self):
        try:
            with lt.Visitor(self.server) as visitor:
                self.port = visitor.socket.getsockname()[1]
                self.end = self._echo(visitor) if self.kind == "echo" else \
                    self._ask(visitor)
        except http.client.IncompleteRead as e:
            self.end = f"cut after {len(e.partial)} bytes"
            if self.kind == "down":
                self._compare(e.partial, content(
                    self.id, LENGTH)[:len(e.partial)])
        except TimeoutError:
            self.end = "hangs"
        except (OSError, http.client.HTTPException) as e:
            self.end = f"cut: {e!r}"
        self.ended = now()
        return self

    def _compare(self, got, expected):
        if got != expected:
            self.wrong.append(got[:80])

    def _send_head(self, visitor, **headers):
        visitor.send(f"GET /{self.kind}/{self.id} HTTP/1.1\r\n"
                     f"Host: {self.server.host(self.tunnel)}\r\n" + "".join(
                         f"{k}: {v}\r\n" for k, v in headers.items())
                     + "\r\n")

    def _ask(self, visitor):
        body = content(self.id, LENGTH) if self.kind == "up" else b""
        self._send_head(visitor, **{"Content-Length": len(body)}
                        if body else {})
        send_paced(visitor.socket, body)
        answer = visitor.read_response()
        if answer is None:
            return "cut: no answer"
        if answer.status != 200:
            return f"{answer.status}: {answer.body!r}"
        self._compare(answer.body, content(self.id, LENGTH)
                      if self.kind == "down" else
                      f"{self.tunnel} {self.id} {self.hash}".encode())
        self._compare(answer.header("X-Tunnel"), self.tunnel)
        return "ok"

    def _echo(self, visitor):
        self._send_head(visitor, Connection="Upgrade", Upgrade="echo")
        head = visitor.file.readline()
        if b" 101 " not in head:
            return f"{head.decode().partition(' ')[2]}" if head else \
                "cut: no answer"
        http.client.parse_headers(visitor.file)
        for n in itertools.count():
            line = f"{self.id}.{n}\n"
            visitor.send(line)
            reply = visitor.file.readline()
            if not reply.endswith(b"\n"):
                return "cut: no echo"
            self._compare(reply, f"{self.tunnel} {line}".encode())
            if self.stop.wait(0.1):
                return "ok"


class Rig:
    """A server, the clients a and b and their services. Arguments are those
    of lt.Server; client those of the lt.Client of a, clients of both. With two
    listeners a's client has the second one for itself."""

    def __init__(self, workers=4, options=None, client=None, clients=None,
                 **more):
        self.server = lt.Server(
            workers=workers, options={"sessions": 1, **(options or {})},
            **more)
        self.workers = workers
        lt.wait_until(lambda: self.server.metrics()["workers"] == workers)
        self.book, self.trials, self.began = [], [], 0
        self.services = {n: Service(n, self.book) for n in "ab"}
        self.clients = {
            n: lt.Client(f"http://localhost:{self.server.ports[port]}",
                         self.services[n].target, name=n,
                         **(clients or {}),
                         **(client or {} if n == "a" else {}))
            for n, port in (("a", -1), ("b", 0))}
        self.idle = 20
        self._measure()

    @property
    def a(self):
        return self.clients["a"]

    @property
    def b(self):
        return self.clients["b"]

    def processes(self):
        return [self.server.pid, *(c.pid for c in self.clients.values()),
                *self.server.workers()]

    # --- traffic ---

    def visit(self, tunnel, kind="get", stop=None):
        """One visitor, from beginning to end."""
        trial = Trial(self.server, tunnel, kind, stop or threading.Event())
        self.trials.append(trial)
        return trial.run()

    def _repeat(self, tunnel, kind, stop):
        while not stop.is_set():
            trial = self.visit(tunnel, kind, stop)
            if trial.end != "ok":
                stop.wait(0.1)

    def _gets(self, tunnel, stop):
        """20 a second, however long one of them takes."""
        running = []
        while not stop.wait(0.05):
            running.append(threading.Thread(
                target=self.visit, args=(tunnel,)))
            running[-1].start()
        for thread in running:
            thread.join()

    @contextlib.contextmanager
    def traffic(self, tunnels="ab"):
        """Of all four kinds, on each of the tunnels, until the block ends;
        then the last of each is waited for."""
        stop = threading.Event()
        self.began = now()
        threads = [threading.Thread(target=self._gets, args=(t, stop))
                   for t in tunnels]
        threads += [threading.Thread(target=self._repeat, args=(t, kind, stop))
                    for t in tunnels for kind in ("down", "up", "echo")]
        for thread in threads:
            thread.start()
        try:
            time.sleep(1)
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    # --- rest ---

    def wait_rest(self, **gauges):
        """Waits until nobody is served any more, and all are well."""
        rest = {"workers": self.workers, "tunnels": 2, "sessions": 2,
                "half_made": 0, "parked": 0, "queued": 0, "idle": self.idle,
                "joined": 0, **gauges}
        lt.wait_until(lambda: rest.items() <= self.server.metrics().items(),
                      60, what=f"{self.server.metrics()} has {rest}")

    def in_use(self):
        """Descriptors: of the master, the clients and all workers together."""
        return [len(lt.links(p.pid))
                for p in (self.server, *self.clients.values())] + [
            sum(len(lt.links(pid)) for pid in self.server.workers())]

    def _measure(self):
        """What all use after some traffic and before the fault."""
        with self.traffic():
            time.sleep(1 if QUICK else 4)
        self.wait_rest()
        self.fds = self.in_use()
        self.memory = max(map(lt.rss, self.processes()))
        self.pids = set(self.processes())

    # --- the owners ---

    def owner(self, tunnel):
        """The worker that joined the last visitor of a tunnel."""
        return self.owners(tunnel)[-1]

    def owners(self, tunnel):
        """All that have joined its visitors, in order."""
        return [int(pid) for pid in re.findall(
            rf"ltserver\[(\d+)\].* visitor tunnel={tunnel} .* client=",
            self.server.log())]

    def visitors_of(self, pid):
        """The ports of the visitors whose connections a process holds."""
        held = {int(link[8:-1]) for link in lt.links(pid)
                if link.startswith("socket:")}
        with open("/proc/net/tcp", encoding="ascii") as f:
            rows = [line.split() for line in f][1:]
        return {int(row[2].split(":")[1], 16) for row in rows
                if int(row[9]) in held and int(row[1].split(":")[1], 16)
                == self.server.port}

    # --- the judgement ---

    def judge(self, excused=lambda trial: False, died=(), log=()):
        """Compares the books; died are the processes that may be gone, log
        has patterns with how often each stands in the server's log."""
        self._compare_books()
        lost = [t for t in self.trials if t.end != "ok"]
        unexcused = [(t.tunnel, t.id, t.end, round(t.begun - self.began, 3),
                      round(t.ended - t.begun, 3))
                     for t in lost if not excused(t)]
        assert not unexcused, (len(unexcused), unexcused[:20])
        for pattern, times in dict(log).items():
            found = len(re.findall(pattern, self.server.log(), re.M))
            assert found == times, (pattern, found, times)
        gone = self.gone()
        assert gone <= set(died), (gone, died)
        self._judge_rest()
        gets = [t.ended - t.begun for t in self.trials
                if t.kind == "get" and t.end == "ok"]
        print(json.dumps({
            "trials": len(self.trials), "served": len(self.book),
            "lost": dict(collections.Counter(
                f"{t.tunnel} {t.end[:3]}" for t in lost)),
            "slowest get (s)": round(max(gets), 2)}))

    def turned_away(self, trial):
        """True if he got a page of the server's. Who was still sending his
        body may have met the end of the connection first."""
        return trial.end.startswith(("502", "503")) or (
            trial.kind == "up" and trial.end.startswith("cut") and
            trial.id not in {id_ for _, id_, _ in self.book})

    def gone(self):
        """The processes that were there before the fault, and are not now."""
        return {pid for pid in self.pids if not lt.exists(pid)}

    def _compare_books(self):
        wrong = [(t.id, t.wrong) for t in self.trials if t.wrong]
        assert not wrong, wrong
        ids = collections.Counter(id_ for _, id_, _ in self.book)
        assert not (twice := [i for i in ids if ids[i] > 1]), twice
        trial_of = {t.id: t for t in self.trials}
        for tunnel, id_, digest in self.book:
            trial = trial_of[id_.split(".")[0]]
            assert trial.tunnel == tunnel, (id_, tunnel)
            assert digest in (None, trial.hash), id_
        for t in self.trials:
            assert t.end not in ("never ended", "hangs"), (t.tunnel, t.id)
            assert t.end != "ok" or t.id in ids, t.id

    def _judge_rest(self):
        """Who comes afterwards is served, and all is given back."""
        for tunnel in "ab" * 20:
            after = self.visit(tunnel)
            assert after.end == "ok", (tunnel, after.end)
        self.wait_rest()
        lt.wait_until(lambda: all(
            n <= before for n, before in zip(self.in_use(), self.fds)),
            what=f"{self.in_use()} is {self.fds}")
        if not lt.under_sanitizer():
            for pid in self.processes():
                assert lt.rss(pid) < self.memory + ROOM, \
                    (pid, lt.rss(pid), self.memory)
