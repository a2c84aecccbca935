#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""ltclient with a server whose URL is https: everything over one port, by ALPN
and SNI; TLS sessions are resumed; what it says of certificates that are no
good, and of servers that are something else."""

import json
import os
import re
import select
import socket
import ssl
import threading

import ca
import lt
import ltp02

authority = ca.Authority()
good = authority.issue("localhost", "127.0.0.1")
service = lt.Service()


def name_of(raw):
    """The server name in the ClientHello that comes. What Python would say is
    that of the session, in TLS 1.2."""
    def hello():
        data = raw.recv(1 << 16, socket.MSG_PEEK)
        return data if len(data) > 5 and \
            len(data) >= 5 + int.from_bytes(data[3:5], "big") else None
    data = lt.wait_until(hello, what="a ClientHello")
    return next((name for name in ("s1.demo.localhost", "localhost")
                 if name.encode() in data), None)


class Seen:
    """What is known of a connection once its first message has come."""

    def __init__(self, conn, name, message):
        self.conn = conn
        self.sni = name
        self.alpn = conn.selected_alpn_protocol()
        self.is_resumed = conn.session_reused
        self.ext = message["ext"]
        self.kind = "control" if "control" in message else "proxy"


class Server:
    """Speaks LTP over TLS on one port, for one tunnel; the test gives it its
    visitors."""

    def __init__(self, context):
        self.seen = []
        self.idle = []
        self.last_words = []  # of control connections: messages but pongs
        self.refuse_name = None  # until somebody sends the first one
        self.changed = threading.Condition()
        self.context = context
        self.listener = lt.Listener(self.serve)
        self.port = self.listener.port
        self.url = f"https://localhost:{self.port}"

    def serve(self, raw):
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        name = name_of(raw)
        if name == "localhost":
            self.refuse_name = None
        elif name is not None and name == self.refuse_name:
            raw.sendall(b"\x15\3\3\0\2\2\x70")  # unrecognized_name
            return
        # A copy of our own, since the other one is closed when this returns.
        conn = self.context.wrap_socket(
            socket.socket(fileno=os.dup(raw.fileno())), server_side=True,
            suppress_ragged_eofs=False)
        header = ltp02.read_exactly(conn, 7)
        if header != b"LTP/0.2":  # a web server
            conn.sendall(b"HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n")
            return
        seen = Seen(conn, name, ltp02.read_frame(conn))
        with self.changed:
            self.seen.append(seen)
            if seen.kind == "proxy":
                self.idle.append(conn)
            self.changed.notify_all()
        if seen.kind == "control":
            conn.sendall(ltp02.frame({
                "control": {"host": "demo.localhost", "concurrency": 3,
                            "banner": ""},
                "ext": {"name": "demo", "url": "https://demo.localhost/",
                        "session": "s1", "secret": "k1",
                        "sni": "s1.demo.localhost", "heartbeat": 1,
                        "grace": 30, "sessions": 1}}))
            self.control(conn)

    def control(self, conn):
        try:
            while (message := ltp02.read_frame(conn)) is not None:
                if message == {"control": "ping"}:
                    conn.sendall(ltp02.frame({"control": "pong"}))
                else:
                    self.last_words.append(message)
            self.last_words.append("close_notify")
        except (OSError, ssl.SSLError):
            pass
        conn.close()

    def wait_for(self, condition, what):
        with self.changed:
            assert self.changed.wait_for(condition, lt.PATIENCE), what

    def of(self, kind):
        return [seen for seen in self.seen if seen.kind == kind]

    def take(self):
        """An idle proxy connection; those of clients that are gone have an
        end to read."""
        while True:
            self.wait_for(lambda: self.idle, "no proxy connection")
            with self.changed:
                conn = self.idle.pop(0)
            if not select.select([conn], [], [], 0)[0]:
                return conn
            conn.close()

    def visit(self, path="/", body=b"", pieces=1 << 20):
        """One visitor: the body of the answer. Reply and request go out in
        pieces of that size."""
        conn = self.take()
        request = ltp02.frame({"proxy": True, "ext": {"scheme": "https"}}) + \
            lt.request("demo.localhost", path, "POST",
                       {"Connection": "close"}, body)
        for i in range(0, len(request), pieces):
            conn.sendall(request[i:i + pieces])
        answer = b"".join(iter(lambda: conn.recv(1 << 16), b""))
        conn.unwrap().close()
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), head
        return body


def context_of(pair=good, alpn=("ltp",), version=ssl.TLSVersion.TLSv1_3):
    context = ca.server_context(pair, alpn=alpn)
    context.maximum_version = version
    return context


def client_of(server, *args, **more):
    return lt.Client(server, service, *args, **more)


# --- one port, by ALPN and SNI ----------------------------------------------

for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
    server = Server(context_of(version=version))
    client = client_of(server, "-v", "--ca", authority.cert, name="demo")
    assert client.url == "https://demo.localhost/", client.output()
    for i in range(40):
        assert json.loads(server.visit(f"/{i}"))["path"] == f"/{i}"
    # In pieces, so that the frame ends in the middle of a record or between
    # two of them.
    for size in 1, 4, 40, 41, 60:
        assert json.loads(server.visit(f"/{size}", pieces=size))["path"] == \
            f"/{size}"
    server.wait_for(lambda: len(server.idle) == 3, "the pool is full")
    control, *more = server.of("control")
    assert control.sni == "localhost" and not more
    assert not control.is_resumed and "session" not in control.ext
    proxies = server.of("proxy")
    assert len(proxies) == 48, len(proxies)
    assert {seen.sni for seen in proxies} == {"s1.demo.localhost"}
    assert {seen.alpn for seen in server.seen} == {"ltp"}
    assert all(seen.is_resumed for seen in proxies), (version, [
        seen.is_resumed for seen in server.seen])
    assert all(seen.ext == {"session": "s1", "secret": "k1"}
               for seen in proxies)

    body = lt.stream(20_000_000)
    assert lt.sha256(server.visit("/bytes/20000000")) == lt.sha256(body)
    assert json.loads(server.visit(body=body))["body_sha256"] == \
        lt.sha256(body)

    if version == ssl.TLSVersion.TLSv1_2:
        assert client.stop() == 0
        continue
    # Lost: back with the name that the reply said, and its secret.
    server.of("control")[0].conn.shutdown(socket.SHUT_RDWR)
    server.wait_for(lambda: len(server.of("control")) == 2, "it comes back")
    control = server.of("control")[1]
    assert control.sni == "s1.demo.localhost" and control.is_resumed
    assert control.ext["session"] == "s1" and control.ext["secret"] == "k1"

    # That name leads nowhere any more: the first one again.
    server.refuse_name = "s1.demo.localhost"
    control.conn.shutdown(socket.SHUT_RDWR)
    server.wait_for(lambda: len(server.of("control")) == 3, "it comes back")
    assert server.of("control")[2].sni == "localhost"
    assert server.refuse_name is None
    for _ in range(5):
        json.loads(server.visit())

    # A goodbye gets out, and then close_notify.
    server.last_words.clear()
    assert client.stop() == 0
    lt.wait_until(lambda: len(server.last_words) >= 2, what="a goodbye")
    assert "close" in server.last_words[0]["event"], server.last_words
    assert server.last_words[1:] == ["close_notify"], server.last_words
    server.listener.close()

# --- idle connections -------------------------------------------------------

server = Server(context_of())
client = client_of(server, "--ca", authority.cert)
assert server.of("control")[0].ext.get("session") is None


def close_notify(conn):
    """Nothing but that: the socket stays open until the other one ends it."""
    try:
        conn.unwrap()
    except (OSError, ssl.SSLError):
        pass
    conn.close()


def half_a_reply(conn):
    conn.sendall(ltp02.frame({"proxy": True})[:7])
    conn.close()


# Whoever ends, however it does: it is replaced.
for end in close_notify, ssl.SSLSocket.close, half_a_reply:
    server.wait_for(lambda: len(server.idle) == 3, "the pool is full")
    before = len(server.of("proxy"))
    end(server.take())
    server.wait_for(lambda: len(server.of("proxy")) == before + 1,
                    "it is replaced")
    json.loads(server.visit())
assert client.stop() == 0

# --- a literal address ------------------------------------------------------

client = client_of(f"https://127.0.0.1:{server.port}", "--ca", authority.cert)
assert server.of("control")[-1].sni is None
assert server.seen[-1].sni in (None, "s1.demo.localhost")
assert client.stop() == 0

# --- certificates -----------------------------------------------------------


def fails(server, *args, status=1, env=None):
    """ltclient has no tunnel: what it says."""
    client = client_of(server, *args, env=env, wait=False)
    assert client.wait() == status, (client.process.returncode, client.log())
    assert client.output() == "" or "--json" in args, client.output()
    return client.log()


trusted = ("--ca", authority.cert)
self_signed = ca.self_signed("localhost")
server.context = context_of(self_signed)
client = client_of(server, "--ca", self_signed.cert)
assert client.stop() == 0
for pair, args, text, hint in (
        (good, (), "not to be trusted (self-signed certificate in", "--ca"),
        (self_signed, (), "not to be trusted (self-signed certificate)",
         "--ca"),
        (self_signed, trusted, "not to be trusted (self-signed certificate)",
         "--ca"),
        (authority.issue("localhost", days=-1), trusted,
         "out of date (certificate has expired)", "renew"),
        # For the name that is sent later, but not for the host of the URL.
        (authority.issue("*.demo.localhost", "demo.localhost"), trusted,
         "for another host (hostname mismatch)", "name")):
    server.context = context_of(pair)
    log = fails(server, *args)
    assert re.search(rf"^ltclient: server localhost:{server.port}: its "
                     "certificate is " + re.escape(text), log, re.M), log
    assert hint in log and "trying again" not in log, log
    log = fails(server, *args, "--json")
    assert text in log, log
    client = client_of(server, "--insecure")
    assert client.log().count("--insecure: the certificate of") == 1
    json.loads(server.visit())
    assert client.stop() == 0

# With --json too, as a note; and not with -q.
for args, count in (("--json",), 1), (("--json", "-q"), 0):
    client = client_of(server, "--insecure", *args, wait=False)
    client.wait_output('"up"')
    assert client.log().count("--insecure:") == count, client.log()
    assert len(client.output().splitlines()) == 1
    assert client.stop() == 0

# What becomes bad after the first success is waited for.
server.context = context_of()
client = client_of(server, *trusted)
server.context = context_of(self_signed)
server.of("control")[-1].conn.shutdown(socket.SHUT_RDWR)
client.wait_log("self-signed certificate.*; trying again")
assert client.alive()
before = len(server.of("control"))
server.context = context_of()
server.wait_for(lambda: len(server.of("control")) > before, "it comes back")
assert client.stop() == 0

# --- files ------------------------------------------------------------------


def configured(text):
    """The environment of a client with this configuration file."""
    home = os.path.join(lt.tmp, f"home-{len(os.listdir(lt.tmp))}")
    os.makedirs(home + "/localtunnel")
    with open(home + "/localtunnel/ltclient.conf", "w",
              encoding="utf-8") as f:
        f.write(text)
    return {"XDG_CONFIG_HOME": home}


for text, args in ((f"ca = {authority.cert}\n", ()),
                   (f"ca = {self_signed.cert}\n", trusted),
                   ("insecure = yes\n", ())):
    client = client_of(server, *args, env=configured(text))
    assert client.stop() == 0
server.context = context_of(self_signed)
assert "self-signed" in fails(server, *trusted, env=configured("insecure=yes"))
assert "must begin with /" in \
    fails(server, status=2, env=configured("ca = ca.pem"))
assert "contradict" in fails(
    server, status=2, env=configured(f"ca = {good.cert}\ninsecure = yes\n"))
# It is about servers with TLS, and in no other one's way.
plain = lt.Server()
client = client_of(plain, env=configured("ca = /nowhere.pem\n"))
assert client.stop() == 0
for path in "/nowhere.pem", good.key:
    log = fails(server, "--ca", path)
    assert f"ltclient: {path}: no certificates can be read" in log, log

# --- with ltserver ----------------------------------------------------------

pair = authority.issue("localhost", "demo.localhost")
real = lt.Server(config='listen "127.0.0.1:0" { kinds = {"tls"} }\n'
                 f"tls-certificate = {pair.cert}\ntls-key = {pair.key}\n",
                 listen=(), wait=False)
port = real.wait_log(r"listening on \S+:(\d+)\s").group(1)
url = f"https://localhost:{port}"


def visit(path="/"):
    """The status that a visitor gets."""
    with socket.create_connection(("127.0.0.1", port), lt.PATIENCE) as raw, \
            authority.client_context().wrap_socket(
                raw, server_hostname="demo.localhost") as conn:
        conn.sendall(lt.request(f"demo.localhost:{port}", path,
                                headers={"Connection": "close"}))
        return int(conn.recv(1 << 16).split(b" ")[1])


client = client_of(url, *trusted, name="demo")
assert client.url == f"https://demo.localhost:{port}", client.url
assert [visit(f"/{i}") for i in range(20)] == [200] * 20
# Killed: it has its name back at once. Ended: the name is free at once.
client.kill()
client.start()
assert visit() == 200
for pid in real.workers():
    lt.kill(pid)
client.wait_log("reconnected")
assert visit() == 200
assert client.stop() == 0
other = client_of(url, *trusted, name="demo")
assert visit() == 200 and other.stop() == 0
# A goodbye that is there before the session is granted counts too.
real.signal(lt.signal.SIGSTOP)
context = authority.client_context()
context.set_alpn_protocols(["ltp"])
conn = context.wrap_socket(
    socket.create_connection(("127.0.0.1", port), lt.PATIENCE),
    server_hostname="localhost")
conn.sendall(ltp02.HEADER + ltp02.frame({
    "control": {"name": "early", "client": ltp02.CLIENT}, "ext": {}}))
conn.sendall(ltp02.frame({"event": {"close": "early"}}))
conn.shutdown(socket.SHUT_WR)
real.signal(lt.signal.SIGCONT)
real.wait_log("session ended tunnel=early .*closed by the client")
conn.close()
assert client_of(url, *trusted, name="early").stop() == 0
# In clear: told what to say.
log = fails(f"http://localhost:{port}")
assert f"localhost:{port} speaks TLS on that port: say https://" in log, log

# --- something else ---------------------------------------------------------

for alpn in (), ("http/1.1", "h2"):
    server.context = context_of(alpn=alpn)
    log = fails(server, *trusted)
    assert f"localhost:{server.port} is no ltserver: it speaks TLS, but not " \
        "LTP; nor is it a server of the Node.js localtunnel: GET /?new " \
        "answers 404" in log, log
log = fails(f"https://{service.target}", "--insecure")
assert f"{service.target} is no ltserver: the TLS handshake has failed" in log

# Somebody closes, or says nothing: that may be over in a moment.
hasty = lt.Listener(lambda conn: conn.recv(1))
client = client_of(f"https://{hasty.target}", "--insecure", wait=False)
client.wait_log(f"server {hasty.target}: the TLS handshake has failed .*; "
                "trying again")
assert client.stop() == 0
over = threading.Event()
mute = lt.Listener(lambda conn: over.wait())
client = client_of(f"https://{mute.target}", "--insecure", wait=False)
client.wait_log(f"connecting to {mute.target}")
assert client.stop() == 0
over.set()
assert "Connection refused" in fails(
    f"https://127.0.0.1:{lt.free_port()}", "--no-reconnect", status=5)
