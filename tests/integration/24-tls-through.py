#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Tunnels of kind tls: found by SNI, passed through untouched. The visitor
sees the certificate of the local service; the server has no key. Clear HTTP,
clear LTP and TLS all come in on one port."""

import shutil
import socket
import ssl
import subprocess
import threading

import lt

if shutil.which("openssl") is None:
    lt.skip("openssl is not installed")

key, cert = f"{lt.tmp}/key.pem", f"{lt.tmp}/cert.pem"
subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
                "-keyout", key, "-out", cert, "-days", "2",
                "-subj", "/CN=demo.localhost",
                "-addext", "subjectAltName=DNS:demo.localhost"],
               check=True, stderr=subprocess.DEVNULL)
mine = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
mine.load_cert_chain(cert, key)
service = lt.Service()
secure = lt.Service("secure")
secure.http.socket = mine.wrap_socket(secure.http.socket, server_side=True)

server = lt.Server(workers=4)
client = lt.Client(server, secure, name="demo", kind="tls")
plain = lt.Client(server, service, name="plain")
assert client.url == f"https://demo.localhost:{server.port}", client.url

trusting = ssl.create_default_context(cafile=cert)


def visit(name, path="/", context=trusting):
    """One request over TLS; the certificate is checked for the name."""
    with socket.create_connection(server.address, lt.PATIENCE) as raw, \
            context.wrap_socket(raw, server_hostname=name) as conn:
        conn.sendall(lt.request(name, path, headers={"Connection": "close"}))
        return b"".join(iter(lambda: conn.recv(65536), b""))


def alert(name, context=None):
    """The alert that a ClientHello with this name is answered with."""
    context = context or ssl._create_unverified_context()
    try:
        visit(name, context=context)
    except ssl.SSLError as e:
        return e.reason
    raise AssertionError(f"{name} was served")


for i in range(30):
    answer = visit("demo.localhost", f"/{i}")
    assert answer.startswith(b"HTTP/1.1 200") and f'"/{i}"'.encode() in answer
    assert lt.get(server, "plain", f"/{i}").json()["path"] == f"/{i}"
# Not one header was added: nobody but the two ends reads this.
assert b"X-Forwarded" not in visit("demo.localhost")
assert visit("demo.localhost", "/bytes/3000000").endswith(
    lt.stream(3_000_000)[-1000:])

# Labels to the left are free, as with hosts; capitals do not matter.
anybody = ssl._create_unverified_context()
assert visit("a.b.demo.localhost", context=anybody).startswith(b"HTTP/1.1 200")
assert visit("DEMO.LocalHost", context=anybody).startswith(b"HTTP/1.1 200")

# Nobody's name, no name, another suffix, a tunnel without TLS.
for name in ("nobody.localhost", "localhost", "demo.example.com",
             "plain.localhost", None):
    assert alert(name) == "TLSV1_UNRECOGNIZED_NAME", (name, alert(name))
# No ClientHello at all.
with lt.Visitor(server) as visitor:
    visitor.send(b"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00")
    assert visitor.read_all() == b"\x15\x03\x01\x00\x02\x02\x0a"

# A hello byte by byte.
out = subprocess.run(
    ["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}",
     "-servername", "demo.localhost", "-CAfile", cert, "-verify_return_error",
     "-brief"], input=b"", capture_output=True, check=True).stderr
assert b"Verification: OK" in out and b"demo.localhost" in out, out

# Clear HTTP is sent to the https URL.
page = lt.get(server, "demo", "/x?y=1")
assert page.status == 308, page.status
assert page.header("Location") == \
    f"https://demo.localhost:{server.port}/x?y=1", page.headers

assert lt.wait_until(lambda: server.log().count("status=308")) == 1
page = lt.get(server, "demo", "*", method="OPTIONS")
assert page.header("Location") == f"https://demo.localhost:{server.port}"

# A session that falls silent: who has had no byte of an answer is told so.
silent = lt.Server(options={"heartbeat": 1})
deaf = lt.Listener(lambda conn: lt.wait_until(lambda: over.is_set()))
over = threading.Event()
sleeper = lt.Client(silent, deaf.port, name="demo", kind="tls")
with socket.create_connection(silent.address, lt.PATIENCE) as raw:
    talk = anybody.wrap_bio(ssl.MemoryBIO(), hello := ssl.MemoryBIO(),
                            server_hostname="demo.localhost")
    try:
        talk.do_handshake()
    except ssl.SSLWantReadError:
        raw.sendall(hello.read())
    lt.wait_until(lambda: silent.metrics()["joined"] == 1)
    sleeper.signal(lt.signal.SIGSTOP)
    assert raw.recv(100) == b"\x15\x03\x01\x00\x02\x02\x50"
sleeper.signal(lt.signal.SIGCONT)
over.set()

# The local service is down: the visitor is closed, nothing else.
secure.close()
try:
    assert visit("demo.localhost") == b""
except (ssl.SSLError, OSError):
    pass
assert lt.get(server, "plain").status == 200

# The client is away: the hello waits, unread, until it is back.
client.kill()
secure2 = lt.Service("secure", port=secure.port)
secure2.http.socket = mine.wrap_socket(secure2.http.socket, server_side=True)
server.wait_log("session ended tunnel=demo")
answers = []
waiting = threading.Thread(
    target=lambda: answers.append(visit("demo.localhost")))
waiting.start()
client.start()
waiting.join()
assert answers[0].startswith(b"HTTP/1.1 200"), answers
