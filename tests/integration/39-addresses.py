#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""What one address may have: tunnels, over all workers, and visitors, in each;
IPv6 by its /64, proxies any number. One more is told so, in the language that
it speaks; others do not feel it; HUP changes the limits."""

import signal
import socket

import lt
import ltp02

# Who calls is what a proxy says.
CONFIG = """
    listen "127.0.0.1:0" { }
    listen "127.0.0.2:0" { proxy-protocol = yes  public = "https://:443" }
    trusted-proxies = { "127.0.0.1" }
    tunnels-per-address = %d
    visitors-per-address = %d
"""


def connect(server, source):
    """A connection that comes from there, says the proxy."""
    kind = "TCP6" if ":" in source else "TCP4"
    target = "2001:db8::1" if ":" in source else "192.0.2.1"
    conn = socket.create_connection(("127.0.0.2", server.ports[1]),
                                    lt.PATIENCE)
    conn.sendall(f"PROXY {kind} {source} {target} 4711 443\r\n".encode())
    return conn


def reload(server, tunnels, visitors):
    server.configure(CONFIG % (tunnels, visitors))
    n = server.log().count("settings taken")
    server.signal(signal.SIGHUP)
    lt.wait_until(lambda: server.log().count("settings taken")
                  == n + len(server.workers()))


# --- tunnels ----------------------------------------------------------------

server = lt.Server(listen=(), config=CONFIG % (3, 0), workers=3, options={
    "node-api": "yes", "tunnels-per-minute": 0, "log-level": "debug"})
controls = []


def ask(source, name, **ext):
    """The code of the refusal, or None; a tunnel that was opened stays."""
    conn = connect(server, source)
    conn.sendall(ltp02.HEADER + ltp02.frame(
        {"control": {"name": name, "client": "x"}, "ext": ext}))
    reply = ltp02.read_frame(conn)
    if "error" in reply:
        conn.close()
        return reply["error"], reply["message"]
    controls.append((conn, reply["ext"]))
    return None


for i in range(3):
    assert ask("203.0.113.7", f"a{i}") is None
code, text = ask("203.0.113.7", "a3")
assert code == "limit" and "this address has as many tunnels" in text, text
with connect(server, "203.0.113.7") as conn:
    conn.sendall(lt.request("localhost", "/?new"))
    assert conn.makefile("rb").read().startswith(b"HTTP/1.1 429 ")
# Somebody else can, a /64 is one, and proxies are nobody.
assert ask("203.0.113.8", "b") is None
for i in range(3):
    assert ask(f"2001:db8:1:2:{i}::1", f"c{i}") is None
assert ask("2001:db8:1:2:9::1", "c9")[0] == "limit"
for i in range(5):
    ltp02.connect(server.address, {"control": {"name": f"l{i}", "client": "x"},
                                  "ext": {}})
# One that was lost is held, and counts; whoever has it comes back.
lost, reply = controls.pop(0)
lost.close()
server.wait_log("session ended tunnel=a0 ")
assert ask("203.0.113.7", "a4")[0] == "limit"
assert ask("203.0.113.7", "a0", session=reply["session"],
           secret=reply["secret"]) is None
# One that is closed does not.
controls[0][0].sendall(ltp02.frame({"event": {"close": "enough"}}))
server.wait_log('session ended tunnel=a1 end="closed by the client"')
lt.wait_until(lambda: ask("203.0.113.7", "a5") is None)
reload(server, 4, 0)
assert ask("203.0.113.7", "a6") is None
assert ask("203.0.113.7", "a7")[0] == "limit"
for conn, _ in controls:
    conn.close()
server.stop()

# --- visitors ---------------------------------------------------------------

# One worker, so that all of them are in it.
server = lt.Server(listen=(), config=CONFIG % (0, 3), workers=1, options={
    "log-level": "debug", "queue-timeout": 60})
client = lt.Client(server, lt.Service(), name="demo")


def visit(source):
    """A visitor, his request sent; it stays."""
    conn = connect(server, source)
    conn.sendall(lt.request("demo.localhost"))
    return conn


def status(conn):
    return int(conn.makefile("rb").readline().split()[1])


inside = [visit("203.0.113.7") for _ in range(3)]
assert [status(conn) for conn in inside] == [200] * 3
with visit("203.0.113.7") as conn:
    answer = conn.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 503 "), answer
    assert b"\r\nRetry-After: 1\r\n" in answer, answer
    assert b"too many visitors from this address" in answer
server.wait_log("status=503 .*too many visitors from this address")
with visit("203.0.113.8") as conn:
    assert status(conn) == 200
# Those of this machine are nobody's in particular.
for _ in range(5):
    inside.append(lt.Visitor(server))
    assert inside[-1].request("demo.localhost").status == 200
# Who leaves makes room; a /64 is one.
inside.pop(0).close()
lt.wait_until(lambda: status(visit("203.0.113.7")) == 200)
for conn in inside:
    conn.close()
lt.wait_until(lambda: server.metrics()["joined"] == 0)
inside = [visit(f"2001:db8:1:2:{i}::1") for i in range(3)]
assert [status(conn) for conn in inside] == [200] * 3
with visit("2001:db8:1:2:9::1") as conn:
    assert status(conn) == 503
# Who waits counts like who is joined: the client is not there.
client.kill()
server.wait_log("session ended tunnel=demo ")
for conn in inside:
    conn.close()
lt.wait_until(lambda: server.metrics()["joined"] == 0)
inside = [visit("203.0.113.7") for _ in range(3)]
lt.wait_until(lambda: server.metrics()["parked"] == 3)
with visit("203.0.113.7") as conn:
    assert status(conn) == 503
reload(server, 0, 4)
inside.append(visit("203.0.113.7"))
lt.wait_until(lambda: server.metrics()["parked"] == 4)
with visit("203.0.113.7") as conn:
    assert status(conn) == 503
reload(server, 0, 0)
inside += [visit("203.0.113.7") for _ in range(3)]
lt.wait_until(lambda: server.metrics()["parked"] == 7)
client.start()
assert [status(conn) for conn in inside] == [200] * 7
for conn in inside:
    conn.close()
