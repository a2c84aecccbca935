#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Several sessions behind one name, in clear and over TLS: the workers share
the visitors, the pools grow for a burst, and the tunnel outlives the worker of
any session; after a restart of the server all are back."""

import re
import threading

import ca
import lt

BURST = 1_000 if not lt.under_sanitizer() else 300
SESSIONS = 4
IDLE = 12  # 10 for a tunnel, in equal parts

service = lt.Service()
authority = ca.Authority()
pair = authority.issue("localhost", "*.localhost")


class TlsServer(lt.Server):
    """Clients come over TLS; visitors, as in all tests, in clear."""

    @property
    def url(self):
        return f"https://{self.domain}:{self.port}"


def sessions(server):
    return server.metrics()["sessions"]


def has_all(server):
    return sessions(server) == SESSIONS and server.metrics()["idle"] == IDLE


def done_by(server):
    """The processes that have served visitors, and how many each."""
    pids = re.findall(r"ltserver\[(\d+)\].* visitor tunnel=demo", server.log())
    return {int(pid): pids.count(pid) for pid in set(pids)}


def hosts(server):
    """The processes that took a session, one entry for each."""
    return re.findall(r"ltserver\[(\d+)\].* session started", server.log())


def load(server, is_over):
    """Visitors, 20 at once, until it is over."""
    faults = []

    def visit():
        while not is_over():
            page = lt.get(server, "demo", "/bytes/20000")
            if page is None or page.status != 200:
                faults.append(page)
                return
    visitors = [threading.Thread(target=visit) for _ in range(20)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    assert not faults, faults


def burst(server):
    """As many at once, with none refused. True if a pool has grown."""
    before = len(server.log())
    visitors = [lt.Visitor(server) for _ in range(BURST)]
    for i, visitor in enumerate(visitors):
        visitor.send(lt.request(server.host("demo"), f"/{i}",
                                headers={"Connection": "close"}))
    for i, visitor in enumerate(visitors):
        page = visitor.read_response()
        assert page.status == 200, (i, page.status, page.body)
        assert page.json()["path"] == f"/{i}"
        visitor.close()
    changes = re.findall(r" pool tunnel=demo target=(\d+) was=(\d+)",
                         server.log()[before:])
    return any(int(now) > int(old) for now, old in changes)


def kill_each_worker(server, client):
    for pid in server.workers():
        ready = server.log().count("is ready")
        lt.kill(pid)
        lt.wait_until(lambda: not lt.exists(pid))
        for _ in range(30):
            page = lt.get(server, "demo")
            assert page is not None and page.status == 200, page
        lt.wait_until(lambda: server.log().count("is ready") > ready)
        lt.wait_until(lambda: has_all(server), what="all sessions are back")
    assert "lost the server" not in client.log()


def check(server, *args):
    lt.wait_until(lambda: server.log().count("is ready") == SESSIONS)
    client = lt.Client(server, service, "-v", *args, name="demo")
    lt.wait_until(lambda: has_all(server), what="all sessions are there")
    assert len(set(hosts(server))) == len(hosts(server)), hosts(server)
    load(server, lambda: len(done_by(server)) == SESSIONS)
    # The pool grows, and shrinks again, in every session.
    lt.wait_until(lambda: has_all(server), what="the pools are at rest")
    assert burst(server)
    lt.wait_until(lambda: has_all(server), what="the pools are as before")
    kill_each_worker(server, client)

    for sig in lt.SIGTERM, lt.SIGKILL:
        workers = server.workers()
        server.stop(sig)
        lt.wait_until(lambda: not any(map(lt.exists, workers)))
        server.start_again()
        lt.wait_until(lambda: has_all(server), what="all are back")
        assert lt.get(server, "demo").status == 200
    assert client.output() == f"your url is: {client.url}\n"
    assert "lost the server" in client.log()

    # One that is killed finds its sessions again; one that ends leaves none.
    client.kill()
    client.start()
    lt.wait_until(lambda: has_all(server))
    assert client.stop() == 0
    lt.wait_until(lambda: sessions(server) == 0)
    assert lt.get(server, "demo").status == 404
    return client


# Pools shrink by heartbeats: little, so that it does not take long.
options = {"sessions": SESSIONS, "queue-timeout": 60, "pool-idle-max": 24}
check(lt.Server("-v", workers=4, options=options))
client = check(TlsServer("-v", workers=4, options=options, config=f"""
    tls-certificate = {pair.cert}
    tls-key = {pair.key}
"""), "--ca", authority.cert)
assert client.url.startswith("https://demo.localhost:"), client.url

# A server that wants one session gets one.
few = lt.Server(options={"sessions": 1})
client = lt.Client(few, service, "-v", name="demo")
assert lt.get(few, "demo").status == 200 and sessions(few) == 1
assert "session 2" not in client.log()
