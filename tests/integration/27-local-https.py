#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Local services that speak TLS: whose certificate is good, what the visitor
and the user read if it is not, and that not a byte is lost or missing."""

import socket
import ssl
import threading

import ca
import lt

authority = ca.Authority()
good = authority.issue("localhost", "127.0.0.1")
server = lt.Server()


def secure(context, name="toy", **where):
    """The toy service over TLS; handshakes in the thread of each connection,
    and ends as most programs do: without close_notify."""
    service = lt.Service(name, **where)
    service.http.socket = context.wrap_socket(
        service.http.socket, server_side=True, do_handshake_on_connect=False)
    service.names = []
    context.sni_callback = lambda _, host, __: service.names.append(host)
    return service


def tunnel(service, *args, **more):
    """A tunnel to a service that speaks TLS."""
    return lt.Client(server, f"https://{getattr(service, 'target', service)}",
                     *args, **more)


def page_of(client, **request):
    """What a visitor gets, with the reason why there is nothing else."""
    return lt.get(server, client.url.split("/")[2], **request)


# --- certificates -----------------------------------------------------------

service = secure(ca.server_context(good))
trusting = tunnel(service, "--local-ca", authority.cert, name="demo")
with lt.Visitor(server) as visitor:
    for i in range(5):
        page = visitor.request(server.host("demo"), f"/{i}", "POST",
                               body=b"x" * 70_000)
        assert page.status == 200 and page.json()["body_len"] == 70_000, page
        assert page.seen("Host") == [server.host("demo")]
# No name is sent for an address, and the host where it is one.
assert service.names == [None], service.names
named = lt.Client(server, service.port, "--local-https", "--local-ca",
                  authority.cert, "--host-header", "rewrite")
page = page_of(named)
assert page.seen("Host") == [f"localhost:{service.port}"], page.body
assert service.names[1:] == ["localhost"], service.names
assert named.stop() == 0

unix = secure(ca.server_context(good), "unix", unix=lt.tmp + "/service")
over_unix = lt.Client(server, unix, "--local-https", "--local-ca",
                      authority.cert)
assert page_of(over_unix).json()["service"] == "unix"
assert over_unix.stop() == 0

# One that has made its certificate itself is trusted by that.
lonely = ca.self_signed("127.0.0.1")
service2 = secure(ca.server_context(lonely))
client = tunnel(service2, "--local-ca", lonely.cert)
assert page_of(client).status == 200
assert client.stop() == 0
service2.close()

# Every kind of wrong certificate: a page that says what and where, and the
# user is told too, but not for each visitor.
for pair, args, text, hint in (
        (good, (), "self-signed certificate in certificate chain",
         "--local-ca"),
        (ca.self_signed("127.0.0.1"), (), "self-signed certificate",
         "--local-ca"),
        (ca.self_signed("127.0.0.1"), ("--local-ca", authority.cert),
         "self-signed certificate", "--local-ca"),
        (authority.issue("other.example"), ("--local-ca", authority.cert),
         "for another host (IP address mismatch)", "--allow-invalid-cert"),
        (authority.issue("127.0.0.1", days=-1),
         ("--local-ca", authority.cert),
         "out of date (certificate has expired)", "--allow-invalid-cert")):
    wrong = secure(ca.server_context(pair))
    client = tunnel(wrong, *args)
    for headers in {}, {"Accept": "text/html"}:
        for _ in range(2):
            page = page_of(client, method="POST", body=b"x" * 100_000,
                           headers=headers)
            body = page.body.decode()
            assert page.status == 502, page.status
            assert f"https://{wrong.target}" in body and hint in body, body
            assert "certificate" in body and text in body, body
    assert client.log().count(text) == 1 and hint in client.log()
    assert client.stop() == 0
    client = tunnel(wrong, "--allow-invalid-cert")
    assert page_of(client).status == 200 and "certificate" not in client.log()
    assert client.stop() == 0
    assert not wrong.requests[1:], wrong.requests
    wrong.close()

# A service that wants to see a certificate too. In TLS 1.3 it says so when the
# handshake is over for us.
shown = authority.issue("me.example")
stranger = ca.self_signed("me.example")
demanding = secure(ca.server_context(good, authority))
args = ("--local-ca", authority.cert)
client = tunnel(demanding, *args, "--local-cert", shown.cert, "--local-key",
                shown.key)
for _ in range(3):
    assert page_of(client).status == 200
assert client.stop() == 0
for more in (), ("--local-cert", stranger.cert, "--local-key", stranger.key):
    client = tunnel(demanding, *args, *more)
    page = page_of(client)
    assert page.status == 502 and demanding.target in page.body.decode(), page
    assert "alert" in page.body.decode(), page.body
    client.wait_log("a visitor came, but https://.* cannot be reached")
    assert client.stop() == 0
assert len(demanding.requests) == 3, demanding.requests

# What cannot be used is said at once, with the file.
for option, path, why in (
        ("--local-ca", "/nowhere.pem", "/nowhere.pem: no certificates"),
        ("--local-ca", good.key, f"{good.key}: no certificates"),
        ("--local-cert", "/nowhere.pem", "/nowhere.pem: no certificate"),
        ("--local-key", shown.cert, f"{shown.cert}: no key"),
        ("--local-key", good.key,
         f"{good.key}: the key does not match the certificate in "
         f"{shown.cert}")):
    args = {"--local-cert": shown.cert, "--local-key": shown.key,
            option: path}
    client = tunnel(service, *(x for pair in args.items() for x in pair),
                    wait=False)
    assert client.wait() == 1 and client.output() == "", client.log()
    assert f"ltclient: {why}" in client.log(), client.log()

# No TLS at all; nothing at all; something that never answers.
plain = lt.Service("plain")
client = tunnel(plain, "--allow-invalid-cert")
page = page_of(client)
assert page.status == 502 and b"TLS handshake has failed" in page.body, page
plain.close()
page = page_of(client)
assert page.status == 502 and b"Connection refused" in page.body, page.body
assert client.stop() == 0
over = threading.Event()
mute = lt.Listener(lambda conn: over.wait())
client = tunnel(mute, "--allow-invalid-cert")
page = page_of(client)
assert page.status == 504 and b"TLS handshake" in page.body, page.body
over.set()
assert client.stop() == 0

# --- bytes ------------------------------------------------------------------

# 20 MB each way, one after the other and both at once.
SIZE = 20_000_000
body = lt.stream(SIZE)
for path in f"/bytes/{SIZE}", f"/chunked/{SIZE}":
    page = lt.get(server, "demo", path, method="POST", body=body[:300_000])
    assert page.status == 200 and page.sha256 == lt.sha256(body)
page = lt.get(server, "demo", method="POST", body=body)
assert page.json()["body_sha256"] == lt.sha256(body)

# Upgrades: from 101 on bytes, both ways, that end when an end is said.
def upgrade(context):
    """An echo over TLS that ends with close_notify when it has the end."""
    def serve(raw):
        with context.wrap_socket(raw, server_side=True) as conn:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += conn.recv(1)
            conn.sendall(b"HTTP/1.1 101 Switching\r\nUpgrade: echo\r\n"
                         b"Connection: Upgrade\r\n\r\n")
            lt.echo(conn)
            conn.unwrap()
    return serve


echo = lt.Listener(upgrade(ca.server_context(good)))
client = tunnel(echo, "--local-ca", authority.cert, name="echo")
with lt.Visitor(server) as visitor:
    visitor.send(lt.request(server.host("echo"), headers={
        "Connection": "Upgrade", "Upgrade": "echo"}))
    while (line := visitor.file.readline()) != b"\r\n":
        assert line, "no answer"
    for i in range(50):
        visitor.send(b"ping %d" % i)
        assert visitor.read(len(b"ping %d" % i)) == b"ping %d" % i
    sending = threading.Thread(
        target=lambda: visitor.send(body[:3_000_000]).shut())
    sending.start()
    assert lt.sha256(visitor.read_all()) == lt.sha256(body[:3_000_000])
    sending.join()
assert client.stop() == 0


# --- ends -------------------------------------------------------------------

class Raw:
    """A service that sends these bytes to whoever asks, and closes: with
    close_notify, without, or with a reset."""

    def __init__(self):
        self.context = ca.server_context(good)
        self.answer, self.end = b"", ""
        self.listener = lt.Listener(self.serve)

    def serve(self, raw):
        conn = self.context.wrap_socket(raw, server_side=True,
                                        suppress_ragged_eofs=False)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += conn.recv(1)
        conn.sendall(self.answer)
        if self.end == "close_notify":
            try:
                conn.unwrap()
            except (OSError, ssl.SSLError):
                pass
        elif self.end == "reset":
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                           b"\1\0\0\0\0\0\0\0")
        conn.close()


def read_to_end():
    """All that a visitor gets, and how it ends."""
    got = b""
    with lt.Visitor(server) as visitor:
        visitor.send(lt.request(server.host("raw")))
        try:
            while data := visitor.socket.recv(65536):
                got += data
        except ConnectionResetError:
            return got, "reset"
    return got, "end"


raw = Raw()
client = tunnel(raw.listener, "--local-ca", authority.cert, name="raw")
HEAD = b"HTTP/1.1 200 OK\r\n"
WHOLE = (HEAD + b"Content-Length: 5\r\n\r\nhello",
         HEAD + b"Content-Length: 200000\r\n\r\n" + b"x" * 200_000,
         HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
         b"HTTP/1.1 204 No Content\r\n\r\n",
         b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"Content-Length: 0\r\n\r\n")
CUT = (HEAD + b"Content-Length: 50\r\n\r\nhello",
       HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
       HEAD + b"Connection: close\r\n\r\nhello",
       HEAD + b"Content-Le",
       b"HTTP/1.1 100 Continue\r\n\r\n")
for answer, end, expected in (
        *((a, "close_notify", "end") for a in WHOLE + CUT),
        *((a, "", "end") for a in WHOLE),
        *((a, "", "reset") for a in CUT),
        *((a, "reset", "reset") for a in CUT)):
    raw.answer, raw.end = answer, end
    got = read_to_end()
    assert got == (answer, expected), (answer[:100], end, got[0][:100], got[1])
# Not a byte of an answer: the visitor reads whose fault it is.
for end, text in ("close_notify", b"without an answer"), ("", b"broke off"):
    raw.answer, raw.end = b"", end
    got = read_to_end()
    assert got[0].startswith(b"HTTP/1.1 502 ") and text in got[0], got
    assert got[1] == "end", got
assert client.stop() == 0

# A visitor who leaves in the middle, and one whose end is half an end.
with lt.Visitor(server) as visitor:
    visitor.send(lt.request(server.host("demo"), f"/bytes/{SIZE}"))
    visitor.read(100_000)
    visitor.reset()
with lt.Visitor(server) as visitor:
    visitor.send(lt.request(server.host("demo"), "/slow/0.05", headers={
        "Connection": "close"})).shut()
    assert visitor.read_all().startswith(b"HTTP/1.1 200 ")
before = len(lt.links(trusting.pid))
for _ in range(30):
    assert lt.get(server, "demo").status == 200
lt.wait_until(lambda: len(lt.links(trusting.pid)) <= before)
