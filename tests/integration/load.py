# SPDX-License-Identifier: ISC
"""Visitors who come steadily while something else happens, each on a connection
of its own, and one who stays. All of them must be served: a with statement
fails at its end if somebody was not."""

import threading
import time

from visitor import PATIENCE, Visitor


class Load:
    """`rate` visitors a second; on a slow machine fewer, never more at once
    than `threads`. open_visitor makes the connection, Visitor by default. Without
    `keeps` nobody stays: some tunnels serve one request a connection."""

    def __init__(self, server, name, rate=20, threads=4, open_visitor=None,
                 keeps=True):
        self.server, self.host = server, server.host(name)
        self.open_visitor = open_visitor or (lambda: Visitor(server))
        self.pause, self.keeps = threads / rate, keeps
        self.served, self.faults = 0, []
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self._visit, daemon=True)
                        for _ in range(threads)]

    def _one(self):
        with self.open_visitor() as visitor:
            answer = visitor.request(self.host, "/load")
        if answer is None:
            return "no answer"
        return None if answer.status == 200 else f"status {answer.status}"

    def _visit(self):
        while not self.over.wait(self.pause):
            try:
                fault = self._one()
            except OSError as e:
                fault = repr(e)
            with self.lock:
                self.served += 1
                if fault is not None:
                    self.faults.append(f"{time.time():.3f}: {fault}")

    def go_on(self, n=10):
        """Waits until so many more have been served, all of them well."""
        limit = time.monotonic() + PATIENCE
        until = self.served + n
        while self.served < until:
            assert time.monotonic() < limit, "nobody is served"
            time.sleep(0.01)
        assert not self.faults, self.faults

    def __enter__(self):
        if self.keeps:
            self.kept = self.open_visitor()
            assert self.kept.request(self.host, "/kept").status == 200
        for thread in self.threads:
            thread.start()
        self.go_on()
        return self

    def __exit__(self, kind, *_):
        self.over.set()
        for thread in self.threads:
            thread.join(PATIENCE)
        if kind is not None:
            return
        self.go_on(0)
        if self.keeps:
            assert self.kept.request(self.host, "/kept").status == 200
            self.kept.close()
