#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The lt command and library of npm, as they are: pages, 50 MiB, a WebSocket,
200 visitors at once, its options, and what it does when its local service, a
worker or the server go away."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import lt
import node

try:
    import websockets
except ImportError:
    lt.skip("python3-websockets is not installed")

PACKAGE = "localtunnel@2.0.2"
SHELF = os.path.join(lt.ROOT, "build")
CACHE = os.path.join(SHELF if os.access(SHELF, os.W_OK) else lt.tmp,
                     "npm-" + PACKAGE)


def install():
    """The package, kept from one run to the next."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        lt.skip("npm is not installed")
    if os.path.isdir(CACHE):
        return
    target = tempfile.mkdtemp(prefix="npm-", dir=os.path.dirname(CACHE))
    try:
        done = subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts",
             "--prefix", target, PACKAGE], stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, timeout=120, check=False,
            cwd=target)
        why = done.stderr if done.returncode else None
    except subprocess.TimeoutExpired:
        why = "it took too long"
    if why is None:
        try:
            os.rename(target, CACHE)
        except OSError:  # another test was faster
            pass
    shutil.rmtree(target, ignore_errors=True)
    if why is not None:
        print(why)
        lt.skip(f"npm cannot install {PACKAGE}")


class Lt(lt.Program):
    """The command; or another script, which finds the library."""

    def __init__(self, *args, script=None):
        super().__init__("lt")
        script = script or os.path.join(
            CACHE, "node_modules", "localtunnel", "bin", "lt.js")
        self.argv = ["node", script, *map(str, args)]
        self.env["NODE_PATH"] = os.path.join(CACHE, "node_modules")
        # It has options from the environment, too; make puts its O there.
        for letter in "PHSLO":
            self.env.pop(letter, None)
        self.start()

    @property
    def url(self):
        return self.wait_output(r"^your url is: (\S+)$").group(1)


def start(target, *args, name=None, at=None):
    port = getattr(target, "port", target)
    return Lt("-h", (at or server).url, "-p", port, *args,
              *(("-s", name) if name else ()))


def served(name, path="/", at=None):
    return lt.get(at or server, name, path).status == 200



install()
server = lt.Server(workers=2, options={
    "grace-old": 4, "queue-timeout": 600})
service = lt.Service()

# A page, and what the command prints.
client = start(service, "--print-requests", name="demo")
assert client.url == f"http://demo.localhost:{server.port}"
page = lt.get(server, "demo", "/hello?x=1")
assert page.status == 200 and page.json()["path"] == "/hello?x=1"
assert page.seen("Host") == [server.host("demo")]
client.wait_output(r"GET /hello\?x=1$")

body = lt.stream(50 << 20)
page = lt.get(server, "demo", "/up", method="POST", body=body)
assert page.json()["body_sha256"] == lt.sha256(body)
assert lt.get(server, "demo", "/bytes/20000000").sha256 == \
    lt.sha256_of(20000000)

# 200 at once. Each connection ends after its page, and the local service never
# sees more than ten.
pages, ended, counts = [], [], [0]
counting = threading.Lock()


def count_busy(conn):
    if not conn.recv(65536):
        return
    with counting:
        counts.append(counts[-1] + 1)
    time.sleep(0.05)
    with counting:
        counts.append(counts[-1] - 1)
    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def visit():
    with lt.Visitor(server) as visitor:
        visitor.send(lt.request(server.host("many")))
        pages.append(visitor.read_response().status)
        ended.append(visitor.read_all() == b"")


second = start(lt.Listener(count_busy), name="many")
assert second.url
visitors = [threading.Thread(target=visit) for _ in range(200)]
for visitor in visitors:
    visitor.start()
for visitor in visitors:
    visitor.join()
assert pages == [200] * 200 and ended == [True] * 200, pages
assert 1 < max(counts) <= 10, max(counts)
second.kill()

# The worker that has it dies: the same name, the same client, no exit.
for pid in server.workers():
    ready = server.log().count("is ready")
    lt.kill(pid)
    lt.wait_until(lambda: served("demo"))
    lt.wait_until(lambda: server.log().count("is ready") > ready)
assert client.alive()
assert client.output().count("your url is") == 1

# The command is started again, and has its name again.
client.kill()
lt.wait_until(lambda: node.ask(server, "/api/tunnels/demo/status").json()
              ["connected_sockets"] == 0)


def again():
    one = start(service, name="demo")
    if "//demo." in one.url:
        return one
    one.kill()
    return None


client = lt.wait_until(again)
assert served("demo")

# The name is in use: another one, which works.
second = start(service, name="demo")
name = second.url.split("/")[2].split(".")[0]
assert name != "demo" and served(name)
second.kill()

# Another host for the local service; it is told that name.
second = start(service, "--local-host", "127.0.0.1", name="other-host")
assert second.url
assert lt.get(server, "other-host").seen("Host") == ["127.0.0.1"]
second.kill()


# A WebSocket.
async def echo(websocket):
    async for message in websocket:
        await websocket.send(message)


async def talk(ws_port):
    url = f"ws://sockets.localhost:{server.port}/"
    async with websockets.connect(url, host="127.0.0.1", port=server.port,
                                  max_size=None, compression=None) as socket:
        for i in range(1000):
            await socket.send(f"message {i}")
            assert await socket.recv() == f"message {i}"
        big = lt.stream(4 << 20)
        await socket.send(big)
        assert await socket.recv() == big


async def websocket_test():
    async with websockets.serve(echo, "127.0.0.1", 0, max_size=None,
                                compression=None) as local:
        ws_port = local.sockets[0].getsockname()[1]
        second = start(ws_port, name="sockets")
        await asyncio.get_running_loop().run_in_executor(
            None, lambda: second.url)
        await talk(ws_port)
        second.kill()

asyncio.run(websocket_test())


# The local service goes away: its visitors have an answer, in time, and when
# it is back they are served. It is a process, so that all of it goes.
def run_service(service_port):
    return subprocess.Popen(
        [sys.executable, "-m", "http.server", "--bind", "127.0.0.1",
         str(service_port)], cwd=lt.tmp, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)


strict = lt.Server(options={
    "response-timeout": 2, "queue-timeout": 4, "grace-old": 4})
app_port = lt.free_port()
app = run_service(app_port)
third = start(app_port, name="restarted", at=strict)
assert third.url
lt.wait_until(lambda: served("restarted", at=strict))
app.kill()
app.wait()
pages = []
visitors = [threading.Thread(target=lambda: pages.append(
    lt.get(strict, "restarted").status)) for _ in range(15)]
for visitor in visitors:
    visitor.start()
for visitor in visitors:
    visitor.join()
assert len(pages) == 15 and set(pages) <= {502, 504}, pages
# Its connections are in use, as far as it knows, for longer than the tunnel
# would live without any.
time.sleep(5)
app = run_service(app_port)
lt.wait_until(lambda: served("restarted", at=strict))
assert third.alive()
app.kill()
app.wait()
third.kill()

# The library, which can end a tunnel.
with open(f"{lt.tmp}/library.js", "w", encoding="ascii") as f:
    f.write("""
const localtunnel = require('localtunnel');
(async () => {
  const [port, host] = process.argv.slice(2);
  const tunnel = await localtunnel(
      { port: Number(port), host, subdomain: 'library' });
  tunnel.on('request', r => console.log('request', r.method, r.path));
  tunnel.on('close', () => console.log('closed'));
  process.on('SIGUSR2', () => tunnel.close());
  console.log('your url is:', tunnel.url);
})();
""")
library = Lt(service.port, server.url + "/", script=f"{lt.tmp}/library.js")
assert library.url == f"http://library.localhost:{server.port}"
assert served("library", "/from-library")
library.wait_output(r"request GET /from-library")
library.signal(signal.SIGUSR2)
library.wait_output(r"^closed")
server.wait_log("session ended tunnel=library")
library.kill()

# The server is started again. A client with a tunnel finds its port closed and
# says so at its end; one that was waiting for the server gets a tunnel.
server.stop()
assert client.wait() == 1
assert "connection refused" in client.log(), client.log()
client = start(service, name="demo")
server.start_again()
assert client.url == f"http://demo.localhost:{server.port}"
lt.wait_until(lambda: served("demo"))
client.kill()
