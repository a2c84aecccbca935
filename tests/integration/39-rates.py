#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""What one address may try: new tunnels, wrong tokens, wrong passwords of
visitors; in every dialect, IPv6 by its /64. Others are served meanwhile, and
what goes on already is not touched."""

import base64
import os
import socket
import subprocess

import lt
import ltp02

path = lt.tmp + "/tokens"
token = subprocess.run(
    [os.path.join(lt.BUILD, "ltctl"), "-s", lt.tmp + "/none", "-f", path,
     "token", "add", "one"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    text=True, check=True).stdout.strip()
service = lt.Service()
# One worker has the whole limit. Who calls is what a proxy says.
CONFIG = """
    listen "127.0.0.1:0" { proxy-protocol = yes  public = "https://:443" }
    listen "127.0.0.2:0" { }
    trusted-proxies = { "127.0.0.1" }
"""
LIMITS = {"tunnels-per-minute": 3, "failures-per-minute": 4}


def start(**options):
    server = lt.Server(listen=(), workers=1, config=CONFIG,
                       options=LIMITS | options)
    server.direct = ("127.0.0.2", server.ports[1])
    return server


def connect(server, source):
    """A connection that comes from there, says the proxy."""
    kind = "TCP6" if ":" in source else "TCP4"
    target = "2001:db8::1" if ":" in source else "192.0.2.1"
    conn = socket.create_connection(server.address, lt.PATIENCE)
    conn.sendall(f"PROXY {kind} {source} {target} 4711 443\r\n".encode())
    return conn


def ask(server, source, name, **ext):
    """The code of the refusal, or None; the connection ends at once."""
    with connect(server, source) as conn:
        conn.sendall(ltp02.HEADER + ltp02.frame({
            "control": {"name": name, "client": "x"}, "ext": ext}))
        reply = ltp02.read_frame(conn)
        return reply.get("error") and (reply["error"], reply["message"])


# --- new tunnels ------------------------------------------------------------

server = start(**{"node-api": "yes"})
for i in range(3):
    assert ask(server, "203.0.113.7", f"a{i}") is None
code, text = ask(server, "203.0.113.7", "a3")
assert code == "limit" and "too many new tunnels" in text, text
# Nor by the other languages.
with connect(server, "203.0.113.7") as conn:
    conn.sendall(ltp02.HEADER + ltp02.frame(
        {"control": {"name": "old", "client": "x"}}))
    assert ltp02.read_frame(conn)["error"] == "exception"
with connect(server, "203.0.113.7") as conn:
    conn.sendall(lt.request("localhost", "/?new"))
    answer = conn.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 429 ") and b"Retry-After" in answer
# Nor by showing a secret that proves nothing.
code, text = ask(server, "203.0.113.7", "a4", secret="0" * 32)
assert code == "limit", code
# Others can, and IPv6 counts by /64.
assert ask(server, "203.0.113.8", "b") is None
for i in range(3):
    assert ask(server, f"2001:db8:1:2:{i}::1", f"c{i}") is None
assert ask(server, "2001:db8:1:2:9::1", "c9")[0] == "limit"
assert ask(server, "2001:db8:1:3::1", "d") is None
# What comes from this machine is not counted.
for i in range(10):
    ltp02.connect(server.direct, {"control": {"name": f"l{i}", "client": "x"},
                                  "ext": {}}).close()
server.stop()

# --- wrong tokens -----------------------------------------------------------

server = start(tokens=path, **{"tunnels-per-minute": 0})
for i in range(4):
    code, text = ask(server, "203.0.113.7", "demo", token=f"wrong{i}")
    assert code == "unauthorized", (code, text)
# Now not even the right one is looked at; from elsewhere it is.
code, text = ask(server, "203.0.113.7", "demo", token=token)
assert code == "limit" and "too many wrong tokens" in text, text
assert ask(server, "203.0.113.9", "demo", token=token) is None
# One that is not there is no guess.
for i in range(6):
    assert ask(server, "203.0.113.10", "demo")[0] == "unauthorized"
assert ask(server, "203.0.113.10", "demo2", token=token) is None
server.stop()

# --- wrong passwords --------------------------------------------------------

server = start()
control = ltp02.connect(server.direct, {
    "control": {"name": "demo", "client": "x"},
    "ext": {"auth": ["ada:sesame"], "must": ["auth"]}})
granted = ltp02.read_frame(control)["ext"]


def visit(source, password):
    login = base64.b64encode(f"ada:{password}".encode()).decode()
    headers = {"Authorization": f"Basic {login}"} if password else {}
    with connect(server, source) as conn:
        conn.sendall(lt.request("demo.localhost", headers=headers))
        return int(conn.makefile("rb").readline().split()[1])


for _ in range(4):
    assert visit("203.0.113.7", "wrong") == 401
assert visit("203.0.113.7", "wrong") == 429
assert visit("203.0.113.7", "sesame") == 429
# Who has said nothing yet is asked, and others are let in: there is nobody to
# serve them, which is 502.
assert visit("203.0.113.7", None) == 401
assert visit("203.0.113.8", "sesame") == 502
server.wait_log("status=429 .*too many wrong passwords")
assert "sesame" not in server.log()
control.close()
