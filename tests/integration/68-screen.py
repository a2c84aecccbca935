#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""What ltclient shows on a terminal, in a real one (tmux): state, URL,
visitors and bytes at the bottom, other lines above; nothing of it elsewhere,
and nothing raw of what a hostile server sends."""

import itertools
import json
import os
import re
import shlex
import shutil
import struct
import subprocess
import threading
import time

import lt

tmux = shutil.which("tmux")
if tmux is None:
    lt.skip("needs tmux")

numbers = itertools.count()


class Terminal:
    """A command in a terminal of its own; raw is all that it has written."""

    def __init__(self, *argv, cols=90, rows=24, term=None):
        number = next(numbers)
        self.base = f"{lt.tmp}/terminal-{number}"
        os.makedirs(self.base + "/home")
        environment = {"HOME": self.base + "/home",
                       "XDG_STATE_HOME": self.base + "/home"}
        if term is not None:
            environment["TERM"] = term
        words = ["env", "-u", "LT_SERVER",
                 *(f"{k}={v}" for k, v in environment.items()),
                 *map(str, argv)]
        # It waits until its output is kept, and says how it has ended.
        script = f"until [ -e {self.base}/go ]; do sleep 0.02; done; " \
            f"{shlex.join(words)}; echo $? >{self.base}/status; " \
            "trap '' INT; exec cat"
        self.run("-f", "/dev/null", "new-session", "-d", "-x", str(cols),
                 "-y", str(rows), script)
        self.run("pipe-pane", f"cat >>{self.base}/raw")
        lt.wait_until(lambda: os.path.exists(self.base + "/raw"))
        with open(self.base + "/go", "w", encoding="ascii"):
            pass

    def run(self, *args):
        return subprocess.run([tmux, "-S", self.base + "/socket", *args],
                              check=True, stdout=subprocess.PIPE, text=True,
                              env={**os.environ, "LC_ALL": "C.UTF-8"}).stdout

    def lines(self):
        """What is on it now, without empty lines."""
        return [line.rstrip() for line in
                self.run("capture-pane", "-p").splitlines() if line.strip()]

    def raw(self):
        with open(self.base + "/raw", "rb") as f:
            return f.read()

    def wait(self, *patterns):
        """Waits until each of these fits a line; returns the lines."""
        def look():
            lines = self.lines()
            return lines if all(any(re.search(pattern, line) for line in lines)
                                for pattern in patterns) else None
        try:
            return lt.wait_until(look, what=patterns)
        except AssertionError:
            print("\n".join(self.lines()))
            raise

    def block(self, n):
        """The last lines, each without its first word."""
        return [re.split(r"\s{2,}| (?=http)", line, maxsplit=1)
                for line in self.lines()[-n:]]

    def end(self, key="C-c"):
        """Ends it; returns its exit code."""
        if key is not None:
            self.run("send-keys", key)
        def status():
            try:
                with open(self.base + "/status", encoding="ascii") as f:
                    return f.read()
            except FileNotFoundError:
                return ""
        code = int(lt.wait_until(status, what="its end"))
        return code

    def close(self):
        self.run("kill-server")


client_path = os.path.join(lt.BUILD, "ltclient")
release = threading.Event()


def slow(conn):
    """Answers once the test says so."""
    while data := conn.recv(65536):
        if data.endswith(b"\r\n\r\n"):
            release.wait(lt.PATIENCE)
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n"
                         + b"x" * 500_000)


server = lt.Server(options={"grace": 600})
service = lt.Listener(slow)

# --- the block --------------------------------------------------------------

screen = Terminal(client_path, "-S", server.url, "-s", "demo",
                  "--print-requests", service.target)
url = f"http://demo.localhost:{server.port}"
screen.wait(rf"^your url is: {url}$", rf"^online +{url}$",
            "^visitors +0 now, 0 in all$", "^bytes +0 B in, 0 B out$")
visitors = [lt.Visitor(server) for _ in range(3)]
for visitor in visitors:
    visitor.send(lt.request(server.host("demo"), "/page"))
lines = screen.wait("^visitors +3 now, 3 in all$")
assert not any("last error" in line for line in lines), lines
release.set()
for visitor in visitors:
    assert visitor.read_response("GET").status == 200
screen.wait("^bytes +[0-9]+ B in, 1.5 MB out$")
lines = screen.wait(r"^GET /page 200 \d+ ms$")
for visitor in visitors:
    visitor.close()
lines = screen.wait("^visitors +0 now, 3 in all$")
# One block, at the bottom; all else above it, in order.
assert lines[0] == f"your url is: {url}", lines
assert [line.split()[0] for line in lines[-3:]] == \
    ["online", "visitors", "bytes"], lines
for word in "online", "visitors", "bytes":
    assert sum(line.startswith(word) for line in lines) == 1, lines
assert sum(line.startswith("GET /page 200") for line in lines) == 3, lines

# Many lines scroll by, and the block stays one; it is redrawn a few times a
# second, however many there are.
before = len(re.findall(rb"\nvisitors ", screen.raw()))
start = time.monotonic()
with lt.Visitor(server) as visitor:
    for i in range(200):
        assert visitor.request(server.host("demo"), f"/many{i}").status == 200
screen.wait("^GET /many199 200", "^visitors +0 now, 4 in all$")
drawn = len(re.findall(rb"\nvisitors ", screen.raw())) - before
assert drawn < 4 * (time.monotonic() - start) + 3, drawn
lines = screen.lines()
for word in "online", "visitors", "bytes":
    assert sum(line.startswith(word) for line in lines) == 1, lines

# The server is lost: state and error say so, the URL stays.
server.kill()
lines = screen.wait(rf"^reconnecting +{url}$",
                    r"^last error +\d\d:\d\d:\d\d .*Connection refused$")
assert lines[-1].startswith("last error"), lines
server.start_again()
lines = screen.wait(rf"^online +{url}$", "reconnected")

# At the end the block is gone, and what was said stays.
assert screen.end() == 0
lt.wait_until(lambda: not any(line.startswith(("online", "visitors", "bytes"))
                              for line in screen.lines()[-2:]))
assert "ltclient: reconnected" in screen.run("capture-pane", "-p", "-S", "-")
screen.close()

# A terminal that changes its size: the block is at the bottom, whole, and cut
# to the width; nothing that was said above is lost.
screen = Terminal(client_path, "-S", server.url, "-s", "size", service.target)
url = f"http://size.localhost:{server.port}"
screen.wait("^visitors")
for cols in 30, 25, 100, 40:
    screen.run("resize-window", "-x", str(cols), "-y", "20")
    lt.wait_until(lambda c=cols: screen.lines()[-3:] == [
        f"online       {url}"[:c - 1], "visitors     0 now, 0 in all"[:c - 1],
        "bytes        0 B in, 0 B out"[:c - 1]])
    assert f"your url is: {url}" in \
        screen.run("capture-pane", "-p", "-J", "-S", "-")
assert screen.end() == 0
screen.close()

# --- where there is none ----------------------------------------------------

for args, term, line in ((["--quiet"], None, "^your url is: "),
                         (["--json"], None, '"event":"up"'),
                         ([], "dumb", "^your url is: ")):
    quiet = Terminal(client_path, "-S", server.url, *args, service.target,
                     term=term)
    quiet.wait(line)
    assert quiet.end() == 0
    assert b"\x1b" not in quiet.raw(), quiet.raw()
    assert b"visitors  " not in quiet.raw()
    quiet.close()
piped = lt.Client(server, service, "-v", name="piped", env={"TERM": "xterm"})
assert lt.get(server, "piped").status == 200
assert piped.stop() == 0
assert "\x1b" not in piped.log() + piped.output()
assert "visitors  " not in piped.log(), piped.log()

# The same as events.
client = lt.Client(server, service, "--json", name="demo", wait=False)
client.wait_output('"event":"up"')
with lt.Visitor(server) as visitor:
    assert visitor.request(server.host("demo"), "/").status == 200
    client.wait_output('"event":"traffic","visitors":1,"visitors_total":1,')
client.wait_output('"event":"traffic","visitors":0,"visitors_total":1,'
                   r'"bytes_in":\d\d+,"bytes_out":50\d\d\d\d')
assert client.stop() == 0

# --- a hostile server -------------------------------------------------------

NASTY = "\x1b[2J\x1b]0;owned\x07\x9b31m\r\n\b\x7f\u202e\u009b31m'\"\\"


class Hostile:
    """Answers each control connection with the next of these; bytes are sent
    as they are, and the connection is closed."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.proxies = 0
        self.listener = lt.Listener(self.serve)
        self.url = f"http://127.0.0.1:{self.listener.port}"

    def serve(self, conn):
        head = conn.recv(16384)
        if head.startswith(b"GET "):
            port = str(self.listener.port).encode()
            conn.sendall(b"HTTP/1.1 200 OK\r\nServer: ltserver/1.0\r\n"
                         b"Content-Length: %d\r\n\r\n%s" % (len(port), port))
            return
        while b"}" not in head:
            head += conn.recv(16384)
        if b'"proxy"' in head:
            self.proxies += 1
            conn.recv(1)
            return
        answer = self.answers.pop(0) if len(self.answers) > 1 \
            else self.answers[0]
        messages = answer if isinstance(answer, list) else [answer]
        for message in messages:
            if not isinstance(message, bytes):
                message = json.dumps(message).encode()
                message = struct.pack(">I", len(message)) + message
            conn.sendall(message)
        if isinstance(messages[-1], dict):
            conn.recv(1)


def frame(raw):
    return struct.pack(">I", len(raw)) + raw


up = {"control": {"host": NASTY + "x" * 900, "concurrency": 10 ** 9,
                  "banner": NASTY * 20}}
hostile = Hostile(up)
screen = Terminal(client_path, "-S", hostile.url, "-v", service.target,
                  rows=50)
lines = screen.wait("^online ", "^visitors +0 now", "the server says: ")
lt.wait_until(lambda: hostile.proxies >= 64)
assert screen.end() == 0
assert hostile.proxies == 64, hostile.proxies
texts = [screen.raw()]
screen.close()

for answer in (
        {"error": "exception" + NASTY, "message": NASTY},
        {"error": NASTY, "message": NASTY * 100},
        {"control": NASTY}, {NASTY: NASTY}, [up, {"event": {"close": NASTY}}],
        [up, {"error": NASTY, "message": NASTY}],
        [up, {"event": {"reconnect": 10 ** 18, "close": [NASTY]}}],
        [up, {"event": {"concurrency": -10 ** 9}}, {"event": {"close": NASTY}}],
        frame(NASTY.encode()), frame(b"[" * 16_000), frame(b"{}"),
        struct.pack(">I", 2 ** 32 - 1), NASTY.encode(), b"\0" * 4,
        frame(b'{"control": {"host": "a\\u0000b", "concurrency": 3}}'),
        frame(json.dumps(up).encode()[:-1]),
        frame(b'{"control": {"host": "a", "concurrency": 1e999}}'),
        {"control": {"host": "x" * 10_000, "concurrency": 3, "banner": ""}}):
    hostile = Hostile(answer)
    screen = Terminal(client_path, "-S", hostile.url, "-v", "--no-reconnect",
                      "-s", "demo", service.target)
    code = lt.wait_until(
        lambda s=screen: os.path.exists(s.base + "/status") or
        any(line.startswith("online") for line in s.lines()))
    assert screen.end("C-c") in (0, 1, 3, 5), answer
    texts.append(screen.raw())
    screen.close()

# Only what the block itself is made of gets through.
for text in texts:
    rest = re.sub(rb"\x1b\[(\d+A|K|J)|\r\n|\r(?=\x1b)|^\r|\n\r", b"", text)
    rest = rest.replace(b"\r", b"").replace(b"\n", b"")
    rest = rest.replace(b"^C", b"")
    assert all(0x20 <= byte < 0x7f for byte in rest), \
        (re.findall(rb".{0,20}[^\x20-\x7e].{0,20}", rest)[:5])
    assert b"\x1b[2J" not in text and b"\x1b]" not in text
