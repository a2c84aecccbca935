#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""A visitor whose request is there goes through without a wait: the server
sends it on in the turn in which it accepts him, and the client calls the local
service before it opens the connection for the next visitor. Where a service may
speak first, the client hears at once of a visitor who says nothing. strace(1)
tells.
"""

import re
import signal
import socket

import lt
from tracer import Tracer


def trace(pid, calls, visit):
    """The calls of one process during a visit, a line each."""
    tracer = Tracer(pid, "-s", "24", "-e", "trace=" + calls)
    visit()
    return tracer.stop().splitlines()


def is_asleep():
    with open(f"/proc/{worker}/stat", encoding="ascii") as f:
        return f.read().rpartition(")")[2].split()[0] in "tT"


def visit():
    assert lt.get(server, "demo").status == 200


def visit_asleep():
    """The worker finds the whole request when it wakes up."""
    lt.kill(worker, signal.SIGSTOP)
    lt.wait_until(is_asleep, what="sleep")
    with lt.Visitor(server) as visitor:
        visitor.send(lt.request(server.host("demo")))
        lt.kill(worker, signal.SIGCONT)
        assert visitor.read_response().status == 200


def greet(conn):
    conn.sendall(b"220 ready")


def visit_silent():
    """He hears first what the service has to say."""
    with socket.create_connection(("127.0.0.1", port),
                                  lt.PATIENCE) as visitor:
        assert visitor.recv(100) == b"220 ready"


def word_of_visitor(visit):
    return next(line for line in trace(worker, "sendto", visit)
                if '"proxy' in line or '\\"proxy' in line)


port = lt.free_range(1)
server = lt.Server(workers=1, options={"heartbeat": 3600,
                                       "tcp-ports": f"{port}-{port}"})
service = lt.Service()
client = lt.Client(server, f"127.0.0.1:{service.port}", name="demo")
worker = server.workers()[0]
visit()

ports = [int(re.search(r"htons\((\d+)\)", line).group(1))
         for line in trace(client.pid, "connect", visit)]
assert ports[:2] == [service.port, server.port], ports

# Who is accepted next is the visitor.
lt.wait_until(lambda: server.metrics()["idle"] >= 10, what="a full pool")
lines = trace(worker, "accept4,epoll_wait,sendto", visit_asleep)
accepted = next(i for i, line in enumerate(lines)
                if re.match(r"accept4\(.*\) = \d+$", line))
sent = next(i for i, line in enumerate(lines) if "GET / HTTP" in line)
waits = [line for line in lines[accepted:sent] if "epoll_wait" in line]
assert not waits, lines

# What he has said goes out together with the word that he is there. It does
# not wait for that where he may be silent.
greeter = lt.Client(server, lt.Listener(greet), kind="tcp")
assert "MSG_MORE" in word_of_visitor(visit)
assert "MSG_MORE" not in word_of_visitor(visit_silent)
