# SPDX-License-Identifier: ISC
"""A server whose program is replaced while it runs, and those who notice
nothing: a tunnel of each kind and dialect, visitors who come steadily."""

import json
import os
import re
import subprocess

import ca
import lt
import node
from load import Load

SOCKET = lt.tmp + "/ctl.sock"
PROGRAM = lt.tmp + "/ltserver"
BUILT = os.path.join(lt.BUILD, "ltserver")


def install(change=lambda code: code, source=BUILT):
    """Puts a program in place as a package does: another file of the name."""
    with open(source, "rb") as f:
        code = change(f.read())
    with open(PROGRAM + ".new", "wb") as f:
        f.write(code)
    os.chmod(PROGRAM + ".new", 0o755)
    os.rename(PROGRAM + ".new", PROGRAM)


def ctl(*words):
    return subprocess.run(
        [os.path.join(lt.BUILD, "ltctl"), "-s", SOCKET, *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        check=False)


def shown(what):
    return json.loads(ctl("--json", what).stdout)


def start(*args, config="", **options):
    """A server with a program of its own, in place of the one that was
    built."""
    install()
    pair = ca.self_signed("localhost", "*.localhost")
    return lt.Server(*args, path=PROGRAM, workers=2, config=config, options={
        "control-socket": SOCKET, "drain": 600, "node-api": "yes",
        "head-timeout": 600, "tls-certificate": pair.cert,
        "tls-key": pair.key, "pid-file": lt.tmp + "/pid"} | options)


def taken_over(server):
    return server.log().count("this program has taken over")


def upgrade(server):
    """By the operator's command; waits until the program has changed and its
    workers are alone, or nearly: who is joined with an old one keeps it."""
    before = taken_over(server)
    lt.wait_until(lambda: (answer := ctl("upgrade")).returncode == 0 or
                  "earlier upgrades" not in answer.stderr and
                  (_ for _ in ()).throw(AssertionError(answer)))
    lt.wait_until(lambda: taken_over(server) > before)
    lt.wait_until(lambda: ready(server) == 2)


def ready(server):
    """How many of the newest workers can be handed connections."""
    del server
    answer = ctl("--json", "workers")
    return sum(row["state"] == "ready" for row in json.loads(answer.stdout)) \
        if answer.returncode == 0 else 0


def descriptors(server):
    """What the master has open, by kind; the empty directory for its workers
    has another name in each program."""
    return sorted(re.sub(r":\[.*|\.\w{6} \(deleted\)$", "", link)
                  for link in lt.links(server.pid))


def run(server, n):
    """So many upgrades under 20 visitors a second, and all that has to stay as
    it was."""
    service = lt.Service()
    client = lt.Client(server, service, name="demo")
    tcp = lt.Client(server, lt.Service(), name="other", kind="tcp")
    nodes = node.NodeClient(server, lt.Service(), "/node")
    port = ("127.0.0.1", int(tcp.url.rpartition(":")[2]))
    lt.wait_until(lambda: ready(server) == 2)
    started, fds = shown("status"), descriptors(server)
    kept = lt.Visitor(port)
    assert kept.request("x").status == 200
    with Load(server, "demo") as load, \
            Load(server, "node", rate=4, keeps=False) as more:
        for _ in range(n):
            upgrade(server)
            load.go_on()
            more.go_on(2)
            with lt.Visitor(port) as visitor:
                assert visitor.request("x").status == 200
            names = {row["name"] for row in shown("tunnels")}
            assert names == {"demo", "other", "node"}, names
    assert kept.request("x").status == 200
    kept.close()
    status = shown("status")
    assert status["pid"] == started["pid"] == server.pid
    assert status["uptime_s"] >= started["uptime_s"]
    assert status["restarts"] == 0, status
    for program in client, tcp:
        assert program.alive()
        assert program.output().count("your url is") == 1, program.output()
    lt.wait_until(lambda: len(server.workers()) == 2)
    lt.wait_until(lambda: descriptors(server) == fds,
                  what="as many descriptors as before")
    nodes.close()
    print(f"{n} upgrades, {load.served + more.served} visitors, 0 failed")
    return client
