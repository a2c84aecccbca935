#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""HUP: every class of settings changes under visitors who notice nothing; what
is wrong changes nothing and says where; listeners come and go, and so do
workers."""

import json
import os
import signal
import ssl
import subprocess

import ca
import lt
from load import Load
from tlsvisitor import TlsVisitor

PORT, OTHER, METRICS = lt.free_port(), lt.free_port(), lt.free_port()
SOCKET = lt.tmp + "/ctl.sock"


def config(listen=(PORT,), **settings):
    settings.setdefault("workers", 2)
    listeners = "".join(f'listen "127.0.0.1:{port}" {{ }}\n'
                        for port in listen)
    return listeners + "".join(f"{key.replace('_', '-')} = {value}\n"
                               for key, value in settings.items())


def ctl(*words):
    return subprocess.run(
        [os.path.join(lt.BUILD, "ltctl"), "-s", SOCKET, *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        check=False)


server = lt.Server("-v", listen=(), workers=None, config=config(workers=2),
                   options={"control-socket": SOCKET})
client = lt.Client(server, lt.Service(), name="demo")
tcp = lt.Client(server, lt.Service(), name="other", kind="tcp")


def put(text, word="settings read again"):
    """Changes the file, asks for it by signal, and waits for what comes."""
    server.configure(text)
    before = len(server.log())
    server.signal(signal.SIGHUP)
    lt.wait_until(lambda: word in server.log()[before:], what=word)
    return server.log()[before:]


def setting(key):
    return json.loads(ctl("--json", "config").stdout)[key]


def when_taken(word, text):
    """The same, and waits until each worker has them."""
    n = server.log().count("settings taken")
    put(text, word)
    lt.wait_until(lambda: server.log().count("settings taken") >= n + 2,
                  what="both workers have the settings")


def reload(**settings):
    when_taken("settings read again", config(**settings))


with Load(server, "demo") as load:
    # Deadlines: a head that is never whole is waited for less long.
    reload(head_timeout=1)
    with lt.Visitor(server) as slow:
        slow.send(b"GET / HTTP/1.1\r\n")
        assert slow.read_response().status == 408
    # Limits and names.
    reload(pool_idle=3, grace=77)
    assert setting("grace") == "77"
    load.go_on()

    # What is wrong changes nothing, and says where it is.
    said = put(config(grace=78) + "head-timeout = soon\n",
               "settings stay as they were")
    assert f"{server.config}:4: head-timeout" in said, said
    said = put(config() + "hed-timeout = 5\n", "settings stay as they were")
    assert f"{server.config}:3: " in said, said
    busy = lt.Service()
    said = put(config([PORT, busy.port], grace=78),
               "settings stay as they were")
    assert f"cannot listen on 127.0.0.1:{busy.port}" in said, said
    put(config(grace=78, tls_certificate="/none.pem", tls_key="/none.key"),
        "settings stay as they were: /none.pem")
    put(config(grace=78, access_log='"/none/access"'),
        "settings stay as they were: cannot open /none/access")
    os.unlink(server.config)
    os.mkfifo(server.config)
    answer = ctl("reload")
    assert answer.returncode == 1 and "no regular file" in answer.stderr, \
        answer
    os.unlink(server.config)
    assert setting("grace") == "77"
    load.go_on()

    # What needs a restart is named, and the rest done.
    said = put(config(max_tunnels=5, max_workers=3, grace=79))
    assert "max-tunnels stays 16384 until a restart" in said, said
    assert "max-workers stays 16 until a restart" in said, said
    assert setting("grace") == "79" and setting("max-tunnels") == "16384"

    # Logs: elsewhere, and less.
    path = lt.tmp + "/other.log"
    server.configure(config(log=f'"{path}"', access_log="off"))
    server.signal(signal.SIGHUP)
    lt.wait_until(lambda: os.path.exists(path) and "settings read again"
                  in open(path, encoding="utf-8").read())
    load.go_on()
    with open(path, encoding="utf-8") as f:
        assert "tunnel=demo from" not in f.read()
    server.configure(config())
    answer = ctl("reload")
    assert answer.returncode == 0, answer
    server.wait_log("settings read again")
    n = server.log().count("tunnel=demo from")
    lt.wait_until(lambda: server.log().count("tunnel=demo from") > n)

    # Listeners: one more, then not any more; who came by it stays.
    reload(listen=[PORT, OTHER])
    came = lt.Visitor(("127.0.0.1", OTHER))
    assert came.request(server.host("demo")).status == 200
    reload(listen=[PORT, OTHER], metrics=METRICS)
    with lt.Visitor(("127.0.0.1", METRICS)) as visitor:
        assert visitor.request("x", "/ready").status == 200
    reload(listen=[PORT])
    lt.wait_until(lambda: lt.refused(("127.0.0.1", OTHER)))
    lt.wait_until(lambda: lt.refused(("127.0.0.1", METRICS)))
    assert came.request(server.host("demo")).status == 200
    came.close()
    load.go_on()

    # Certificates where there were none, others, and none again.
    anybody = ssl._create_unverified_context()
    for _ in range(2):
        pair = ca.self_signed("localhost", "*.localhost")
        reload(tls_certificate=pair.cert, tls_key=pair.key)
        with open(pair.cert, encoding="ascii") as f:
            der = ssl.PEM_cert_to_DER_cert(f.read())
        for _ in range(4):
            with TlsVisitor(server, "demo.localhost", anybody) as visitor:
                assert visitor.tls.getpeercert(True) == der
                assert visitor.request(server.host("demo")).status == 200
        load.go_on()
    reload()
    try:
        TlsVisitor(server, "demo.localhost", anybody).close()
        raise AssertionError("there is TLS still")
    except ssl.SSLError:
        pass
    load.go_on()

    # Ports of tunnels: the one that is there stays, others are of the range.
    port = lt.free_port()
    reload(tcp_ports=f"{port}-{port}")
    more = lt.Client(server, lt.Service(), kind="tcp")
    assert more.url.endswith(f":{port}"), more.url
    for url in tcp.url, more.url:
        with lt.Visitor(("127.0.0.1", int(url.rpartition(":")[2]))) as v:
            assert v.request("x").status == 200
    reload()

    # Workers: more, and fewer. Those who are joined there stay to their end,
    # all others move.
    put(config(workers=4))
    lt.wait_until(
        lambda: json.loads(ctl("--json", "status").stdout)["workers"] == 4)
    load.go_on(40)
    kept = [lt.Visitor(server) for _ in range(24)]
    for visitor in kept:
        assert visitor.request(server.host("demo")).status == 200
    before = server.workers()
    assert len(before) == 4
    put(config(workers=1))
    load.go_on(40)
    for visitor in kept:
        assert visitor.request(server.host("demo")).status == 200
        visitor.close()
    with lt.Visitor(("127.0.0.1", int(tcp.url.rpartition(":")[2]))) as v:
        assert v.request("x").status == 200
    load.kept.close()
    lt.wait_until(lambda: len(server.workers()) == 1)
    load.kept = lt.Visitor(server)
    put(config(workers=2))
    lt.wait_until(lambda: len(server.workers()) == 2)
    load.go_on()

for program in client, tcp, more:
    assert program.output().count("your url is") == 1, program.output()
assert " died " not in server.log()
