#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The way from ltclient to its server: through a proxy that the test plays,
which connects, refuses, wants a password, or talks nonsense; names that only
the proxy or /etc/hosts knows; several addresses, the first of them dead."""

import base64
import os
import socket
import subprocess
import threading

import ca
import lt

LOGIN = base64.b64encode(b"ada:a@b").decode()


class Proxy:
    """An HTTP proxy that answers each CONNECT as `answer` says; if that is
    None it connects, with `to` whatever host was asked for."""

    def __init__(self, to=None, answer=None, close=True):
        self.to = to
        self.answer = answer
        self.close = close
        self.heads = []
        self.listener = lt.Listener(self.serve)
        self.address = self.listener.target
        self.url = "http://" + self.address

    def asked(self):
        """The hosts and ports that it was asked for."""
        return {head.split()[1].decode() for head in self.heads}

    def serve(self, conn):
        head = b""
        while b"\r\n\r\n" not in head:
            data = conn.recv(4096)
            if not data:
                return
            head += data
        self.heads.append(head)
        if self.answer is not None:
            for piece in self.answer:
                conn.sendall(piece)
            if not self.close:
                conn.recv(1)
            return
        host, _, port = head.split()[1].decode().rpartition(":")
        with socket.create_connection(
                (self.to or host.strip("[]"), int(port))) as server:
            conn.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            there = threading.Thread(target=self.copy, args=(conn, server))
            there.start()
            self.copy(server, conn)
            there.join()

    @staticmethod
    def copy(a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def use(client, server, name):
    """Visits that come by the tunnel; the local service is reached straight,
    or the proxy would have been asked for it."""
    for _ in range(12):
        assert lt.get(server, name).status == 200
    page = lt.get(server, name, "/bytes/1000000")
    assert page.status == 200 and len(page.body) == 1_000_000
    assert client.stop() == 0


service = lt.Service()
authority = ca.Authority()
pair = authority.issue("tunnel.test", "*.tunnel.test")
plain = lt.Server(domain="tunnel.test")
tls = lt.Server(domain="tunnel.test", options={
    "tls-certificate": pair.cert, "tls-key": pair.key})
tls_url = f"https://tunnel.test:{tls.port}"

# --- through ----------------------------------------------------------------

# The name is for the proxy to look up: nobody else knows it.
proxy = Proxy(to="127.0.0.1")
client = lt.Client(plain, service, "--proxy", proxy.url, name="through")
use(client, plain, "through")
assert proxy.asked() == {f"tunnel.test:{plain.port}"}, proxy.asked()
assert not any(b"Authorization" in head for head in proxy.heads)
assert all(head.startswith(b"CONNECT ") for head in proxy.heads)

proxy.heads.clear()
client = lt.Client(tls_url, service, "--ca", authority.cert, "-v",
                   "--proxy", f"http://ada:a%40b@{proxy.address}",
                   name="through")
context = authority.client_context()
for _ in range(12):
    with context.wrap_socket(socket.create_connection(tls.address),
                             server_hostname="through.tunnel.test") as visitor:
        visitor.sendall(b"GET / HTTP/1.1\r\nHost: through.tunnel.test\r\n"
                        b"Connection: close\r\n\r\n")
        assert visitor.recv(12) == b"HTTP/1.1 200"
assert proxy.asked() == {f"tunnel.test:{tls.port}"}, proxy.asked()
assert len(proxy.heads) > 12
for head in proxy.heads:
    assert f"Proxy-Authorization: Basic {LOGIN}\r\n".encode() in head, head
# Who can see the command line cannot see the password, and nor can others.
with open(f"/proc/{client.pid}/cmdline", "rb") as f:
    line = f.read()
assert b"a%40b" not in line and proxy.address.encode() in line, line
assert "a@b" not in client.log() and LOGIN not in client.log()
assert client.stop() == 0

# --- which way --------------------------------------------------------------

other = Proxy(to="127.0.0.1")
for environment, url, way in (
        ({"http_proxy": proxy.url, "https_proxy": "http://192.0.2.1:1"},
         plain.url, proxy),
        ({"https_proxy": proxy.url, "http_proxy": "http://192.0.2.1:1"},
         tls_url, proxy),
        ({"HTTPS_PROXY": proxy.address, "no_proxy": "example.com,test:1"},
         tls_url, proxy),
        ({"http_proxy": other.url, "--proxy": proxy.url, "no_proxy": "*"},
         plain.url, proxy),
        # Straight: the server's host is this machine, excepted, or said so.
        ({"http_proxy": proxy.url},
         plain.url.replace("tunnel.test", "localhost"), None),
        ({"http_proxy": proxy.url, "NO_PROXY": "foo, .test"}, plain.url, None),
        ({"http_proxy": proxy.url, "--proxy": ""}, plain.url, None),
        ({"HTTP_PROXY": proxy.url}, plain.url, None)):
    proxy.heads.clear()
    args = ["--no-reconnect"]
    if "--proxy" in environment:
        args += ["--proxy", environment.pop("--proxy")]
    if url.startswith("https"):
        args += ["--ca", authority.cert]
    client = lt.Client(url, service, *args, env=environment, wait=False)
    if way is not None:
        client.wait_up()
        assert client.stop() == 0
        assert proxy.heads and not other.heads
        continue
    # Whatever became of it without the proxy, who alone knows the name.
    assert client.wait() in (1, 5), client.log()
    assert not proxy.heads and "proxy" not in client.log(), client.log()

# What makes no sense is named, and never shows the password.
for environment, args, words in (
        ({}, ("--proxy", "https://p:1"), ("--proxy", "http://")),
        ({}, ("--proxy", "socks5://p:1"), ("--proxy", "SOCKS")),
        ({}, ("--proxy", "http://ada:secret@p:0"), ("HOST:PORT",)),
        ({"http_proxy": "http://ada:secret@"}, (), ("http_proxy",))):
    bad = lt.Client(plain, service, *args, env=environment, wait=False)
    assert bad.wait() == 2
    assert all(word in bad.log() for word in words), bad.log()
    assert "secret" not in bad.log()

# --- faults -----------------------------------------------------------------

# One that says nothing takes its time, meanwhile the others are asked.
mute = Proxy(answer=[], close=False)
silent = lt.Client(plain, service, "--no-reconnect", "--proxy", mute.url,
                   wait=False)
refusing = lt.free_port()
for answer, words, status in (
        ([b"HTTP/1.1 407 x\r\nProxy-Authenticate: Basic\r\n\r\nno"],
         ("asks for a password", "USER:PASSWORD"), 1),
        ([b"HTTP/1.1 403 Filtered\r\n\r\n"],
         ("refuses", f"tunnel.test:{plain.port}", "--proxy ''"), 1),
        ([b"HTTP/1.1 404 Not Found\r\n\r\n"], ("is it an HTTP proxy",), 1),
        ([b"HTTP/1.1 200 \x1b[31mOK\x1b[0m\r\nX: \x1b]0;x\x07\r\n",
          b"\r\n\x1b[31m"], ("more than",), 1),
        ([b"\x1b[31mSSH-2.0-OpenSSH\r\n"], ("does not answer in HTTP",), 1),
        ([b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000], ("too much",), 1),
        ([b"HTTP/1.1 502 Bad Gateway\r\n\r\n"], ("cannot connect", "502"), 5),
        ([b"HTTP/1.1 20"], ("closed the connection",), 5),
        ([], ("closed the connection",), 5),
        (None, ("Connection refused",), 5)):
    address = f"127.0.0.1:{refusing}" if answer is None \
        else Proxy(answer=answer).address
    client = lt.Client(plain, service, "--no-reconnect", "--proxy", address,
                       wait=False)
    assert client.wait() == status, (answer, client.log())
    for word in (*words, address):
        assert word in client.log(), (answer, word, client.log())
    assert "\x1b" not in client.log() and client.output() == ""
mute_proxy_status = silent.wait(60)
assert mute_proxy_status == 5 and mute.address in silent.log(), silent.log()
assert "does not answer" in silent.log(), silent.log()

# A proxy that goes away for a while ends nothing.
away = Proxy(answer=[b"HTTP/1.1 503 Later\r\n\r\n"])
client = lt.Client(plain, service, "--proxy", away.url, name="later",
                   wait=False)
client.wait_log("cannot connect to tunnel.test")
away.to, away.answer = "127.0.0.1", None
client.wait_up()
use(client, plain, "later")

# --- names and addresses ----------------------------------------------------


def with_files(hosts, *command):
    """The command, in a world with other files in /etc: no name server."""
    files = {"hosts": hosts, "resolv.conf": ""}
    script = ""
    for name, text in files.items():
        with open(f"{lt.tmp}/{name}", "w", encoding="ascii") as f:
            f.write(text)
        script += f"mount --bind {lt.tmp}/{name} /etc/{name} && "
    unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    return [*unshare, "sh", "-c", script + 'exec "$@"', "sh", *command]


hosts_line = "127.0.0.1 tunnel.test\n"
if subprocess.run(with_files(hosts_line, "true"), check=False,
                  stderr=subprocess.DEVNULL).returncode != 0:
    print("no namespaces: names are not tried")
else:
    client = lt.Client(plain, service, name="hosts",
                       wrapper=with_files(hosts_line))
    use(client, plain, "hosts")
    # A literal address needs no name server either.
    unknown = lt.Client(f"http://127.0.0.1:{plain.port}", service,
                        "--no-reconnect", wait=False,
                        wrapper=with_files(hosts_line))
    assert unknown.wait() == 1 and "its domain" in unknown.log()
    # Nobody listens at the first two, and the third would never answer.
    dead = lt.Listener(host="127.0.0.4")
    dead.socket.close()
    blocked = socket.create_server(("127.0.0.5", plain.port), backlog=0)
    queue = [socket.socket() for _ in range(3)]
    for waiting in queue:
        waiting.setblocking(False)
        waiting.connect_ex(blocked.getsockname())
    client = lt.Client(plain, service, "-v", name="many", wrapper=with_files(
        "".join(f"{address} tunnel.test\n" for address in (
            "127.0.0.3", "::1", "127.0.0.5", "127.0.0.1"))))
    use(client, plain, "many")
    assert f"127.0.0.5:{plain.port}: connecting" in client.log()
    assert f"127.0.0.5:{plain.port}: connected" not in client.log()
