#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Who is calling, by the PROXY protocol: what the client tells the local
service, and what the server believes of proxies in front."""

import re
import socket
import struct

import ca
import lt
import ltp02

SIGN = b"\r\n\r\n\0\r\nQUIT\n"
LOCAL = SIGN + b"\x20\0\0\0"


def v2(host, port=40112, more=b""):
    """A header of version 2 for a visitor."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    src = socket.inet_pton(family, host)
    body = src + bytes(len(src)) + struct.pack(">HH", port, 80) + more
    return SIGN + bytes([0x21, 0x21 if ":" in host else 0x11]) + \
        struct.pack(">H", len(body)) + body


def v1(host, port=40112):
    family, to = ("TCP6", "::1") if ":" in host else ("TCP4", "127.0.0.1")
    return f"PROXY {family} {host} {to} {port} 80\r\n".encode()


# --- the client tells the local service -------------------------------------

class Told(lt.Listener):
    """Answers any request; keeps what came before it."""

    def __init__(self, tls=None):
        self.headers = []
        self.tls = tls
        super().__init__(self.serve)

    def serve(self, conn):
        conn.settimeout(lt.PATIENCE)
        head = ltp02.read_exactly(conn, 6)
        if head == b"PROXY ":
            while not head.endswith(b"\r\n"):
                head += ltp02.read_exactly(conn, 1)
        else:
            head += ltp02.read_exactly(conn, 10)
            head += ltp02.read_exactly(
                conn, struct.unpack(">H", head[14:16])[0]) or b""
        self.headers.append(head)
        if self.tls is not None:
            conn = self.tls.wrap_socket(conn, server_side=True)
        text = b""
        while b"\r\n\r\n" not in text:
            text += conn.recv(65536)
        assert text.startswith(b"GET /"), text
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        conn.close()


server = lt.Server(workers=4)
for version in "12":
    service = Told()
    client = lt.Client(server, service.port, "--proxy-protocol", version,
                       name=f"v{version}")
    for source in ("127.0.0.1", "127.3.2.1"):
        with lt.Visitor(server, source=(source, 0)) as visitor:
            port = visitor.socket.getsockname()[1]
            assert visitor.request(server.host(f"v{version}")).status == 200
        if version == "1":
            expected = f"PROXY TCP4 {source} 127.0.0.1 {port} " \
                f"{service.port}\r\n".encode()
        else:
            expected = v2(source, port)[:20] + b"\x7f\0\0\1" + \
                struct.pack(">HH", port, service.port)
        assert service.headers.pop() == expected, (version, expected)
    # With requests that are looked at on the way.
    shown = lt.Client(server, service.port, f"--proxy-protocol={version}",
                      "--print-requests", "--host-header", "rewrite",
                      name=f"shown{version}")
    assert lt.get(server, f"shown{version}").status == 200
    assert b"127.0.0.1" in service.headers[0] or version == "2"
    client.stop()

# Over TLS to the local service: the header comes before, in clear. On a Unix
# socket there is no address to name as the one that was called.
authority = ca.Authority()
pair = authority.issue("localhost", "toy.localhost", "gated.localhost")
service = Told(ca.server_context(pair))
secure = lt.Client(server, f"https://localhost:{service.port}",
                   "--proxy-protocol", "1", "--allow-invalid-cert",
                   name="secure")
assert lt.get(server, "secure").status == 200
assert service.headers[0].startswith(b"PROXY TCP4 127.0.0.1 127.0.0.1 ")
raw = socket.socket(socket.AF_UNIX)
raw.bind(f"{lt.tmp}/raw")
raw.listen()
client = lt.Client(server, f"unix:{lt.tmp}/raw", "--proxy-protocol", "1",
                   name="unix")
with lt.Visitor(server) as visitor:
    visitor.send(lt.request(server.host("unix")))
    port = visitor.socket.getsockname()[1]
    conn = raw.accept()[0]
    head = f"PROXY TCP4 127.0.0.1 0.0.0.0 {port} 0\r\n".encode()
    assert ltp02.read_exactly(conn, len(head)) == head
    conn.close()

# A server that does not say who calls.
old = ltp02.OldServer()
for version, expected in (("1", b"PROXY UNKNOWN\r\n"), ("2", LOCAL)):
    service = Told()
    client = lt.Client(old, service.port, "--proxy-protocol", version,
                       name=f"v{version}")
    assert lt.get(old, f"v{version}").status == 200
    assert service.headers == [expected], service.headers
    client.stop()
old.close()
client = lt.Client(server, 1, "--proxy-protocol", "3", wait=False)
assert client.wait() == 2 and "1 or 2" in client.log()


# --- the server believes proxies in front -----------------------------------

toy = lt.Service()
front = lt.Server(workers=4, listen=(), config=f"""
    listen "127.0.0.1:0" {{ proxy-protocol = yes }}
    listen "localhost:0" {{ }}
    trusted-proxies = {{ "127.0.0.1", "127.0.0.7" }}
    tls-certificate = "{pair.cert}"
    tls-key = "{pair.key}"
    head-timeout = 2
    sessions = 1
    log-level = debug
""")
direct = f"http://localhost:{front.ports[1]}"
client = lt.Client(direct, toy, name="toy")
gated = lt.Client(direct, toy, "--allow", "203.0.113.0/24", name="gated")
told = Told()
chained = lt.Client(direct, told.port, "--proxy-protocol=2", name="told")


def visit(header, name="toy", source=None, pieces=False, **headers):
    with lt.Visitor(front, source=(source or "127.0.0.1", 0)) as visitor:
        if pieces:
            visitor.send_slowly(header)
        else:
            visitor.send(header)
        return visitor.request(front.host(name), headers=headers)


for host in ("203.0.113.7", "2001:db8::7"):
    for header in (v1(host), v2(host), v2(host, more=b"\x04\0\x02xx"),
                   v2(host, more=b"\x04\x0e\0" + bytes(3584))):
        for pieces in (False, len(header) < 100):
            answer = visit(header, pieces=pieces)
            assert answer.seen("X-Forwarded-For") == [host], answer.body
    front.wait_log(f"visitor tunnel=toy from={re.escape(host)}:40112" if "."
                   in host else r"visitor tunnel=toy from=\[2001:db8::7\]:40112")
# What a visitor says in his request is not believed for the proxy's sake.
answer = visit(v1("203.0.113.7"), **{"X-Forwarded-For": "9.9.9.9"})
assert answer.seen("X-Forwarded-For") == ["203.0.113.7"]
answer = visit(v1("127.0.0.7"), **{"X-Forwarded-For": "9.9.9.9"})
assert answer.seen("X-Forwarded-For") == ["127.0.0.7"]
# UNKNOWN, LOCAL: the proxy's own address, and still no more than that.
for header in (b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN a b\r\n", LOCAL,
               SIGN + b"\x20\x11\0\x03abc", SIGN + b"\x21\0\0\0"):
    answer = visit(header, **{"X-Forwarded-For": "9.9.9.9"})
    assert answer.seen("X-Forwarded-For") == ["127.0.0.1"]
assert visit(LOCAL, source="127.0.0.7").seen("X-Forwarded-For") == \
    ["127.0.0.7"]
# Gates, and what goes on to the local service, go by it.
assert visit(v2("203.0.113.7"), "gated").status == 200
assert visit(v2("198.51.100.7"), "gated").status == 403
assert visit(LOCAL, "gated").status == 403
assert visit(v1("203.0.113.7", 7), "told").status == 200
assert told.headers[-1] == v2("203.0.113.7", 7)[:20] + b"\x7f\0\0\1" + \
    struct.pack(">HH", 7, told.port)
assert visit(v1("2001:db8::7", 7), "told").status == 200
assert told.headers[-1][13:32] == b"\x21\0\x24" + \
    socket.inet_pton(socket.AF_INET6, "2001:db8::7")

# From whichever worker accepts, and with the request in the same packet.
with lt.Visitor(front) as visitor:
    visitor.send(v2("203.0.113.9") + lt.request(front.host("toy")))
    answer = visitor.read_response()
    assert answer.seen("X-Forwarded-For") == ["203.0.113.9"]
    visitor.send(lt.request(front.host("toy")))
    answer = visitor.read_response()
    assert answer.seen("X-Forwarded-For") == ["203.0.113.9"]
for i in range(20):
    answer = visit(v1(f"203.0.113.{i}"))
    assert answer.seen("X-Forwarded-For") == [f"203.0.113.{i}"]
front.wait_log("handed over kind=visitor from=203.0.113")

# TLS behind it, by the gate or not; and a client.
def visit_tls(header, name):
    raw = socket.create_connection(front.address, lt.PATIENCE)
    raw.sendall(header)
    context = authority.client_context()
    with context.wrap_socket(raw, server_hostname=f"{name}.localhost") as conn:
        conn.sendall(lt.request(front.host(name),
                                headers={"Connection": "close"}))
        return b"".join(iter(lambda: conn.recv(65536), b""))


for host in "203.0.113.8", "2001:db8::8":
    for header in v1(host), v2(host):
        answer = visit_tls(header, "toy")
        assert f'["X-Forwarded-For", "{host}"]'.encode() in answer, answer
assert visit_tls(v2("203.0.113.8"), "gated").startswith(b"HTTP/1.1 200 ")
assert visit_tls(v2("2001:db8::8"), "gated").startswith(b"HTTP/1.1 403 ")
conn = socket.create_connection(front.address, lt.PATIENCE)
conn.sendall(v1("203.0.113.6") + ltp02.HEADER + ltp02.frame(
    {"control": {"name": "old", "client": "x"}}))
assert ltp02.read_frame(conn)["control"]["host"].startswith("old.")
front.wait_log("session started tunnel=old .* from=203.0.113.6:40112")
conn.close()


# None, a bad one, one that does not end: closed, and logged.
def refused(data, why, source="127.0.0.1", shut=True):
    with lt.Visitor(front, source=(source, 0)) as visitor:
        port = visitor.socket.getsockname()[1]
        visitor.send(data)
        if shut:
            visitor.shut()
        assert visitor.read_all() == b""
    front.wait_log(
        f"connection refused from={re.escape(source)}:{port} end=\".*{why}")


refused(lt.request(front.host("toy")), "no PROXY header", shut=False)
refused(ltp02.HEADER, "no PROXY header", shut=False)
refused(b"\x16\x03\x01", "no PROXY header", shut=False)
refused(b"PROXY TCP4 1.2.3.4\r\n", "five parts", shut=False)
refused(b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n", "no good end", shut=False)
refused(b"PROXY " + b"x" * 200, "no good end", shut=False)
refused(v2("1.2.3.4")[:-3], "ended within")
refused(SIGN + b"\x21\x11\xff\xff", "too long", shut=False)
refused(SIGN + b"\x21\x11\0\x0e" + bytes(14), "length", shut=False)
refused(b"PROXY TCP4 ", "did not come in time", shut=False)
# From elsewhere, whatever it says.
refused(v1("203.0.113.7"), "not a trusted proxy", "127.0.0.2", shut=False)
refused(b"", "not a trusted proxy", "127.0.0.2", shut=False)
# The header belongs to that listener alone.
with lt.Visitor(("127.0.0.1", front.ports[1])) as visitor:
    visitor.send(v1("203.0.113.7") + lt.request(front.host("toy")))
    assert visitor.read_response().status == 400
# Nothing behind it, as a health check has it.
for data in (b"", LOCAL, v1("203.0.113.7")):
    with lt.Visitor(front) as visitor:
        assert visitor.send(data).shut().read_all() == b""
lt.wait_until(lambda: {"name": "half_made", "value": 0} in lt.get(
    ("127.0.0.1", front.ports[1]), f"localhost:{front.ports[1]}",
    "/meta/metrics").json())

# Without anybody to trust nobody could come in: said at the start.
wrong = lt.Server(listen=(), wait=False, config="""
    listen "127.0.0.1:0" { proxy-protocol = yes }
""")
assert wrong.wait() != 0 and "needs trusted-proxies" in wrong.log()
wrong = lt.Server(listen=(), wait=False, config="""
    trusted-proxies = { "10.0.0.0/8", "10.0.0.1/8" }
    listen "127.0.0.1:0" { proxy-protocol = maybe }
""")
assert wrong.wait() != 0
assert ':2: trusted-proxies: "10.0.0.1/8" is not a network' in wrong.log()
assert ':3: listen: proxy-protocol: "maybe" is not yes or no' in wrong.log()
