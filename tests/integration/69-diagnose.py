#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""ltclient diagnose: how far it gets on the way to servers of all kinds, and
what it says of the step where it stops."""

import json
import re
import socket
import ssl
import struct

import ca
import lt
import ltp02


def diagnose(url, *args, status=1, **program):
    """What it says; the columns are joined by single blanks."""
    client = lt.Program("ltclient", "diagnose", "-S", url, *args,
                        **program).start()
    assert client.wait(60) == status, (client.output(), client.log())
    return re.sub(" +", " ", client.output())


def steps(text):
    """The steps that went well, and the one that did not."""
    return re.findall(r"^ok (\w+) ", text, re.M), \
        re.findall(r"^FAILED (\w+) ", text, re.M)


authority = ca.Authority()
pair = authority.issue("localhost", "*.localhost")
trusted = ("--ca", authority.cert)
plain = lt.Server()
tls = lt.Server(options={"tls-certificate": pair.cert, "tls-key": pair.key})
tls_url = f"https://localhost:{tls.port}"

# --- all is well ------------------------------------------------------------

text = diagnose(plain.url, status=0)
assert steps(text) == (["name", "TCP", "HTTP", "LTP", "ping"], []), text
assert "localhost is ::1, 127.0.0.1 (" in text, text
assert f"connected to 127.0.0.1:{plain.port} (" in text, text
assert f"an ltserver, which takes clients at port {plain.port}" in text, text
assert re.search(r"there and back in \d+\.\d\d ms", text), text
assert f"All is well: tunnels can be opened at localhost:{plain.port}." in text
text = diagnose(tls_url, *trusted, status=0)
assert steps(text) == (["name", "TCP", "TLS", "LTP", "ping"], []), text
assert "a good certificate for localhost" in text, text
text = diagnose(tls_url.replace("localhost", "127.0.0.1"), "--insecure",
                status=0)
assert "127.0.0.1 is an address" in text and "nobody has checked" in text
# What it has opened it has given back.
lt.wait_until(lambda: plain.log().count("session ended") == 1)
assert "closed by the client" in plain.log(), plain.log()

old = ltp02.OldServer()
text = diagnose(f"http://localhost:{old.port}", status=0)
assert steps(text) == (["name", "TCP", "HTTP", "LTP"], []), text
assert "- ping not tried" in text and not old.faults, (text, old.faults)

# --- name and address -------------------------------------------------------

text = diagnose(f"http://127.0.0.1:{lt.free_port()}")
assert steps(text) == (["name"], ["TCP"]), text
assert "Connection refused" in text and "is the server running" in text

# A port that says nothing: its queue is full.
full = socket.create_server(("127.0.0.1", 0), backlog=0)
queue = [socket.socket() for _ in range(3)]
for waiting in queue:
    waiting.setblocking(False)
    waiting.connect_ex(full.getsockname())
text = diagnose(f"http://127.0.0.1:{full.getsockname()[1]}")
assert steps(text) == (["name"], ["TCP"]), text
assert "timed out" in text and "a firewall" in text, text

# --- TLS --------------------------------------------------------------------

text = diagnose(tls_url)
assert steps(text) == (["name", "TCP"], ["TLS"]), text
assert "not to be trusted" in text and "--ca FILE" in text, text
text = diagnose(f"https://127.0.0.1:{tls.port}", *trusted)
assert "for another host" in text, text
text = diagnose(f"https://localhost:{lt.Listener().port}", *trusted)
assert steps(text) == (["name", "TCP"], ["TLS"]) and "http://" in text, text


def web(conn):
    """A web server with TLS, which knows no LTP."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    try:
        with context.wrap_socket(conn, server_side=True) as secure:
            secure.recv(1)
    except OSError:
        pass


text = diagnose(f"https://localhost:{lt.Listener(web).port}", *trusted)
assert steps(text) == (["name", "TCP", "TLS"], ["LTP"]), text
assert "no ltserver" in text, text

# --- servers of other kinds -------------------------------------------------

text = diagnose(f"http://localhost:{lt.Service().port}")
assert steps(text) == (["name", "TCP"], ["HTTP"]), text
text = diagnose(plain.url.replace("localhost", "127.0.0.1"))
assert steps(text)[1] == ["HTTP"] and "not its domain" in text, text


def ltp(*answers, port=None):
    """A server that says these things on each connection for LTP."""
    def serve(conn):
        head = conn.recv(16384)
        if head.startswith(b"GET "):
            number = str(port or listener.port).encode()
            conn.sendall(b"HTTP/1.1 200 OK\r\nServer: ltserver/1.0\r\n"
                         b"Content-Length: %d\r\n\r\n%s"
                         % (len(number), number))
            return
        for answer in answers:
            raw = answer if isinstance(answer, bytes) \
                else json.dumps(answer).encode()
            conn.sendall(struct.pack(">I", len(raw)) + raw)
        conn.recv(1)
    listener = lt.Listener(serve)
    return f"http://127.0.0.1:{listener.port}"


up = {"control": {"host": "a.example", "concurrency": 3, "banner": ""},
      "ext": {"name": "a", "url": "http://a.example", "session": "s",
              "secret": "x" * 32, "heartbeat": 5}}
for answers, words in (
        ([{"error": "unauthorized", "message": "no token"}],
         ("no token (unauthorized)", "It wants a token")),
        ([{"error": "limit", "message": "enough"}], ("enough (limit)", "room")),
        ([{"error": "\x1b[31m", "message": "\x1b[2J\r\n"}],
         (r"\x1b[2J\x0d\x0a (\x1b[31m)",)),
        ([b"{}"], ("FAILED LTP",)), ([b"\xff"], ("FAILED LTP",)),
        ([up, {"event": {"close": "bye"}}], ("bye (closed)",)),
        ([{"control": "ping"}], ("no reply",))):
    text = diagnose(ltp(*answers))
    assert all(word in text for word in words), (answers, text)
    assert steps(text)[1] == ["LTP"] and "\x1b" not in text, text
text = diagnose(ltp(port=lt.free_port()))
assert steps(text) == (["name", "TCP", "HTTP"], ["TCP"]), text
assert "A firewall may let the other port pass only" in text, text

# --- by a proxy -------------------------------------------------------------


def proxy(answer):
    """One that answers this, or connects."""
    def serve(conn):
        head = b""
        while b"\r\n\r\n" not in head:
            head += conn.recv(4096)
        conn.sendall(answer)
        conn.recv(1)
    return lt.Listener(serve).target


for answer, words in (
        (b"HTTP/1.1 407 No\r\n\r\n", "asks for a password"),
        (b"HTTP/1.1 503 No\r\n\r\n", "cannot connect to tunnel.test:443")):
    address = proxy(answer)
    text = diagnose("https://tunnel.test", "--proxy", address)
    assert steps(text) == (["name", "TCP"], ["proxy"]), text
    assert f"by the proxy {address}" in text and words in text, text
text = diagnose("https://tunnel.test", "--proxy",
                f"127.0.0.1:{lt.free_port()}")
assert steps(text) == (["name"], ["TCP"]), text

# --- usage ------------------------------------------------------------------

program = lt.Program("ltclient", "diagnose", "-S", plain.url, "5000").start()
assert program.wait() == 2 and "takes no TARGET" in program.log()
program = lt.Program("ltclient", "diagnose").start()
assert program.wait() == 2 and "no server" in program.log()
