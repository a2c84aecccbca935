#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""A client of two processes: both serve visitors, one of them writes, a worker
that dies takes only its own visitors with it, and none outlives the client."""

import json
import os
import threading
import time

import lt

VISITS = 400
AT_ONCE = 8
KEPT_MIN = 6
KEPT_MAX = 60
IDLE = 10  # of both sessions together

service = lt.Service()
server = lt.Server(workers=2)


def start(*args):
    """A client whose sessions are both up."""
    client = lt.Client(server, service, "--processes", "2", *args,
                       name="demo", wait=False)
    wait_up(client)
    return client


def wait_up(client):
    lt.wait_until(lambda: server.metrics()["sessions"] == 2
                  and server.metrics()["idle"] == IDLE
                  and len(client.workers()) == 1, what="both sessions are up")


def local_sockets(pid):
    """Those that are connected with the service."""
    with open("/proc/net/tcp", encoding="ascii") as f:
        rows = [line.split() for line in f]
    inodes = {row[9] for row in rows
              if row[2].endswith(f":{service.port:04X}")}
    return [link for link in lt.links(pid)
            if link.removeprefix("socket:[").rstrip("]") in inodes]


def keep(client):
    """Visitors who stay, some in each process."""
    kept, pids = [], [client.pid, *client.workers()]
    while not all(map(local_sockets, pids)) or len(kept) < KEPT_MIN:
        assert len(kept) < KEPT_MAX, "all are joined in one process"
        kept.append(lt.Visitor(server))
        assert kept[-1].request(server.host("demo")).status == 200
    return kept


def is_served(visitor):
    try:
        page = visitor.request(server.host("demo"))
        return page is not None and page.status == 200
    except ConnectionError:
        return False


def visit_all():
    faults, turns, lock = [], iter(range(VISITS)), threading.Lock()

    def visit():
        while True:
            with lock:
                i = next(turns, None)
            if i is None:
                return
            page = lt.get(server, "demo", f"/{i}")
            if page is None or page.status != 200:
                faults.append(page)
    visitors = [threading.Thread(target=visit) for _ in range(AT_ONCE)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    assert not faults, faults


def paths(client):
    """Of all requests that were told of, as events."""
    events = [json.loads(line) for line in client.output().splitlines()]
    return [e["path"] for e in events if e["event"] == "request"]


# What both have to say is written once, and whole.
client = start("--json", "--print-requests")
assert {os.sched_getscheduler(pid) for pid in (
    client.pid, *client.workers(), *server.workers())} == {os.SCHED_BATCH}
assert os.sched_getscheduler(server.pid) == os.SCHED_OTHER
visit_all()
kept = keep(client)
for visitor in kept:
    visitor.close()
expected = sorted([f"/{i}" for i in range(VISITS)] + ["/"] * len(kept))
lt.wait_until(lambda: sorted(paths(client)) == expected)
assert client.stop() == 0
last = [json.loads(line) for line in client.output().splitlines()][-1]
assert last["event"] == "traffic" and last["visitors"] == 0, last
assert last["visitors_total"] == VISITS + len(kept), last
assert last["bytes_in"] > 0 and last["bytes_out"] > last["bytes_in"], last

client = start("--print-requests")
visit_all()
lt.wait_until(lambda: client.log().count(" 200 ") == VISITS)
assert sorted(line.split()[1] for line in client.log().splitlines()
              if " 200 " in line) == sorted(f"/{i}" for i in range(VISITS))

# A worker that is killed: only its visitors notice, and others can come again.
kept = keep(client)
worker, = client.workers()
mine = len(local_sockets(client.pid))
lt.kill(worker)
assert sum(map(is_served, kept)) == mine
client.wait_log("process 1 of the client was ended by signal 9")
wait_up(client)
assert not os.path.exists(f"/proc/{worker}"), "a zombie"
assert client.log().count("lost the server") == 0
for visitor in kept:
    visitor.close()

# Nobody is held up by a main process that stands still.
kept = keep(client)
client.signal(lt.signal.SIGSTOP)
in_worker = len(local_sockets(client.workers()[0]))
served = []
threads = [threading.Thread(target=lambda v=v: is_served(v) and
                            served.append(v), daemon=True) for v in kept]
for thread in threads:
    thread.start()
lt.wait_until(lambda: len(served) > 0)
client.signal(lt.signal.SIGCONT)
for thread in threads:
    thread.join()
assert len(served) == len(kept) and in_worker > 0
for visitor in kept:
    visitor.close()
assert client.stop() == 0

# Those who are in the worker are served to the end, and count.
client = start()
kept = keep(client)
client.signal(lt.SIGTERM)
client.wait_log(f"visitors who are still served: {len(kept)}; they have 30 s")
lt.wait_until(lambda: lt.get(server, "demo").status == 404)
for visitor in kept:
    page = visitor.request(server.host("demo"), "/bytes/300000")
    assert page.sha256 == lt.sha256_of(300_000)
    visitor.close()
assert client.wait() == 0

# A second signal ends all of it, and so does the first where nobody is; a
# worker that stands still is not waited for.
client = start()
kept = keep(client)
client.signal(lt.SIGINT)
client.wait_log("visitors who are still served")
assert client.stop(lt.SIGINT) == 0
assert not any(map(is_served, kept))
client = start()
lt.kill(client.workers()[0], lt.signal.SIGSTOP)
begun = time.monotonic()
assert client.stop(lt.SIGINT) == 0
assert time.monotonic() - begun < 15, "it has waited"

# A terminal sends its signals to all of them.
client = start()
kept = keep(client)
for pid in *client.workers(), client.pid:
    lt.kill(pid, lt.SIGINT)
client.wait_log(f"visitors who are still served: {len(kept)}")
assert all(map(is_served, kept))
for visitor in kept:
    visitor.close()
assert client.wait() == 0

# No worker is left behind, however it ends.
client = start()
client.kill()
client.start()
wait_up(client)
assert client.stop() == 0

# One process, if it is to be one.
client = lt.Client(server, service, "--processes", "1", name="demo")
lt.wait_until(lambda: server.metrics()["idle"] == IDLE)
visit_all()
assert client.workers() == []
assert client.stop() == 0
