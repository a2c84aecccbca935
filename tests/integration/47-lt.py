#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""ltclient called as lt: the options, the environment and the output of the
npm command of that name; with servers of the Node.js localtunnel and with
ltserver."""

import os
import re
import stat
import threading

import lt
import node

LINE = "your url is: http://{}.localhost:{}\n"
# As JavaScript writes the time.
WHEN = r"^[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d{4} \d\d:\d\d:\d\d " \
    r"GMT[+-]\d{4} \(.+\) "

# Others may have set what means something to it.
CLEAN = {name: "" for name in (
    "P", "H", "S", "L", "O", "PORT", "HOST", "SUBDOMAIN", "LOCAL_HOST",
    "LOCAL_HTTPS", "LOCAL_CERT", "LOCAL_KEY", "LOCAL_CA",
    "ALLOW_INVALID_CERT", "OPEN", "PRINT_REQUESTS")}


def call(*args, env=None, **program):
    # A variable that is there but empty says nothing, but for PORT.
    clean = {k: v for k, v in CLEAN.items() if k in os.environ}
    return lt.Program("lt", *map(str, args), env={**clean, **(env or {})},
                      **program).start()


def up(server, service, *args, name="demo", env=None):
    """lt with a tunnel that is there."""
    program = call("-h", server.url, "-p", service.port, *args,
                   *(("-s", name) if name else ()), env=env)
    program.wait_output("^your url is: ")
    return program


def gone(server, name="demo"):
    page = lt.get(server, name)
    return page is not None and page.status == 404


def run(*args, env=None):
    program = call(*args, env=env)
    return program.wait(), program.output(), program.log()


service = lt.Service()
theirs = node.NodeServer()
ours = lt.Server(options={"node-api": "yes", "queue-timeout": 600})

# --- usage ------------------------------------------------------------------

status, output, log = run("--help")
assert status == 0 and log == "" and output.startswith("Usage: lt --port")
for option in ("--port", "--host", "--subdomain", "--local-host",
               "--local-https", "--local-cert", "--local-key", "--local-ca",
               "--allow-invalid-cert", "--open", "--print-requests", "--help",
               "--version", "https://localtunnel.me"):
    assert option in output, option
assert run("-p", 80, "--version") == (0, "1.0\n", "")
for args, text in (((), "Missing required argument: port"),
                   (("-p", "web"), "`port` must be a number"),
                   (("-p", 80, "-h", "ftp://x"), "ftp://x"),
                   (("-p", 80, "-h", theirs.url, "-s", "a_b"), "a_b")):
    status, output, log = run(*args)
    assert status == 1 and output == "", (args, status, output)
    assert log.startswith("Usage: lt ") and text in log.splitlines()[-1], log

# --- one after the other, with both kinds of server -------------------------

for server in theirs, ours:
    client = up(server, service, "--print-requests", "--unknown", "x")
    assert client.output() == LINE.format("demo", server.port)
    for path in "/hello?x=1", "/status/404":
        lt.get(server, "demo", path)
    client.wait_output(WHEN + r"GET /hello\?x=1\n.*GET /status/404$")
    assert len(client.output().splitlines()) == 3
    assert client.log() == "", client.log()
    body = lt.stream(50 << 20)
    page = lt.get(server, "demo", "/up", method="POST", body=body)
    assert page.json()["body_sha256"] == lt.sha256(body)
    with lt.Visitor(server) as visitor:
        visitor.send(lt.request(server.host("demo"), headers={
            "Connection": "Upgrade", "Upgrade": "echo"}))
        assert visitor.file.readline().startswith(b"HTTP/1.1 101")
        while visitor.file.readline() != b"\r\n":
            pass
        assert visitor.send(b"there").read(5) == b"there"
    pages = []
    visitors = [threading.Thread(target=lambda at: pages.append(
        lt.get(at, "demo", "/slow/0.05").status), args=(server,))
        for _ in range(200)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    assert pages == [200] * 200, pages
    assert client.stop() == 0
    lt.wait_until(lambda: gone(server))

    # --local-host is what Host says, too.
    away = lt.Service("away", host="127.0.0.2")
    client = up(server, away, "--local-host", "127.0.0.2")
    for _ in range(2):
        page = lt.get(server, "demo")
        assert page.json()["service"] == "away"
        assert page.seen("Host") == ["127.0.0.2"], page.body

    # A name that is taken: another one, as the npm command has it.
    other = up(server, service)
    match = re.fullmatch(r"your url is: http://([\w-]+)\.localhost:\d+\n",
                         other.output())
    assert match and match.group(1) != "demo", other.output()
    assert f"this tunnel is called {match.group(1)}" in other.log()
    assert lt.get(server, match.group(1)).status == 200
    assert other.stop(lt.SIGINT) == 0 and client.stop() == 0
    lt.wait_until(lambda: gone(server))

    # All of it from the environment, in place of what ltclient has there.
    client = call(env={"PORT": str(service.port), "HOST": server.url + "/",
                       "SUBDOMAIN": "fromenv", "PRINT_REQUESTS": "true",
                       "LT_SERVER": "http://127.0.0.1:1"})
    client.wait_output("^your url is: http://fromenv[.]")
    assert lt.get(server, "fromenv", "/env").status == 200
    client.wait_output(WHEN + "GET /env$")
    assert client.stop() == 0

# --- what only servers of the Node.js localtunnel have ----------------------

theirs.extra = {"cached_url": "https://cache.example/x"}
client = up(theirs, service, name=None)
assert client.output().splitlines()[1] == \
    "your cachedUrl is: https://cache.example/x"
assert client.stop() == 0
theirs.extra = {}
# Theirs would ask for ever, and say nothing.
status, output, log = run("-h", theirs.url, "-p", 80, "-s", "a-b")
assert status == 1 and output == "" and node.BAD_NAME in log
# The server ends and comes back, the local service too.
local = lt.Service()
client = up(theirs, local)
port = theirs.port
theirs.close()
client.wait_log("lost the server")
local.close()
theirs.open(port)
client.wait_log("reconnected")
lt.wait_until(lambda: lt.get(theirs, "demo").status == 502)
local = lt.Service(port=local.port)
lt.wait_until(lambda: lt.get(theirs, "demo").status == 200)
assert client.output() == LINE.format("demo", port)
assert client.stop() == 0

# --- the API of ltserver, as if it knew nothing of LTP ----------------------


def front(conn):
    """Passes all but one question on to ltserver."""
    head = b""
    while b"\r\n\r\n" not in head:
        head += conn.recv(4096)
    if head.startswith(b"GET /meta/"):
        conn.sendall(node.page(404, b"404"))
        return
    with lt.Visitor(ours) as behind:
        conn.sendall(behind.send(head).read_all())


class Front:
    """Where lt asks; visitors go to ltserver itself."""
    url = f"http://localhost:{lt.Listener(front).port}"


client = up(Front, service, "--print-requests", name="behind")
assert client.output() == LINE.format("behind", ours.port)
for i in range(25):
    assert lt.get(ours, "behind", f"/{i}").status == 200
body = lt.stream(3 << 20)
page = lt.get(ours, "behind", method="POST", body=body)
assert page.json()["body_sha256"] == lt.sha256(body)
# Its worker dies: the port stays, the connections are replaced, and nothing is
# asked for again.
for pid in ours.workers():
    lt.kill(pid)
    lt.wait_until(lambda: not lt.exists(pid))
lt.wait_until(lambda: lt.get(ours, "behind").status == 200)
assert client.output().count("your url is") == 1
status, output, log = run("-h", Front.url, "-p", 80, "-s", "a")
assert status == 1 and output == "", (status, output, log)
assert client.stop() == 0

# --- a browser --------------------------------------------------------------

bin_dir = os.path.join(lt.tmp, "bin")
seen = os.path.join(lt.tmp, "opened")
os.mkdir(bin_dir)
opener = os.path.join(bin_dir, "xdg-open")
with open(opener, "w", encoding="utf-8") as f:
    f.write(f"""#!/bin/sh
echo noise
echo "$# $1 policy $(cut -d ' ' -f 41 /proc/$$/stat)" >>"{seen}"
""")
os.chmod(opener, stat.S_IRWXU)
path = {"PATH": f"{bin_dir}:{os.environ['PATH']}"}


def opened():
    try:
        with open(seen, encoding="utf-8") as f:
            return f.read()
    except FileNotFoundError:
        return ""


client = up(theirs, service, "--open", name="opened", env=path)
want = f"1 http://opened.localhost:{theirs.port} policy 0\n"
lt.wait_until(lambda: opened() == want)
lt.wait_until(lambda: not lt.children(client.pid))
assert client.output() == LINE.format("opened", theirs.port)
assert client.stop() == 0
client = lt.Client(ours, service, "-o", name="opened", env=path)
want += f"1 http://opened.localhost:{ours.port} policy 0\n"
lt.wait_until(lambda: opened() == want)
assert client.stop() == 0
client = lt.Client(ours, service, "--open", env={"PATH": lt.tmp})
client.wait_log("no browser can be opened: xdg-open: ")
assert lt.get(ours, client.url.split("/")[2]).status == 200
assert client.stop() == 0
