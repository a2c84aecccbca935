#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""A minute of coming and going: 40 clients that speak LTP with ext, and six
of LTP/0.2, appear, resume, are taken over, reset, say goodbye, send nonsense
or fall silent, with visitors all the time. Nobody gets another tunnel's
answer, a tunnel beside them is never disturbed, no process dies, and when all
have left the counts are what they were.

LT_SEED repeats the choices of an earlier run."""

import asyncio
import collections
import itertools
import json
import os
import random
import socket
import struct
import threading
import time

import lt
import ltp02

SECONDS = 60
CLIENTS = 40
OLD = 6
VISITORS = 12
PROXIES = 3  # a client keeps idle
GRACE = 3
ROOM = 8 << 20  # what memory may grow by in one process
SEED = int(os.environ.get("LT_SEED", time.time_ns() % 1_000_000))

chance = random.Random(SEED)
numbers = itertools.count()
done = collections.Counter()
wrong = []
print("LT_SEED", SEED)


# --- a client that knows ext ------------------------------------------------

conns, tasks = set(), set()


def spawn(coroutine):
    task = asyncio.create_task(coroutine)
    tasks.add(task)
    task.add_done_callback(tasks.discard)


class Conn:
    """A connection to the server that has sent header and first message."""

    async def open(self, message):
        self.reader, self.writer = await asyncio.open_connection(
            *server.address)
        conns.add(self)
        self.writer.write(ltp02.HEADER + ltp02.frame(message))
        return self

    async def read(self):
        """The next message; None at the end."""
        try:
            size, = struct.unpack(">I", await self.reader.readexactly(4))
            return json.loads(await self.reader.readexactly(size))
        except (asyncio.IncompleteReadError, OSError):
            return None

    def send(self, message):
        self.writer.write(ltp02.frame(message))

    def close(self):
        conns.discard(self)
        self.writer.close()

    def reset(self):
        conns.discard(self)
        self.writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


class Session:
    """A control connection and its pool; it serves until it has ended."""

    def __init__(self, name):
        self.name = name
        self.ended = asyncio.Event()
        self.taken = False
        self.silent = False
        self.control, self.ext = None, {}
        self.idle, self.joined = set(), set()

    async def start(self, ext=()):
        """Asks for the name; returns the error's code if it is refused."""
        self.control = await Conn().open(
            {"control": {"name": self.name, "client": f"{self.name}@churn"},
             "ext": {"strict": True, "must": ["strict"], **dict(ext)}})
        reply = await self.control.read()
        if reply is None or "error" in reply:
            self.control.close()
            return reply["error"] if reply else "end"
        self.ext = reply["ext"]
        spawn(self._listen())
        for _ in range(PROXIES):
            spawn(self._proxy())
        return None

    def proof(self):
        return {key: self.ext[key] for key in ("session", "secret")}

    async def _listen(self):
        while (message := await self.control.read()) is not None:
            if message == {"control": "ping"} and not self.silent:
                self.control.send({"control": "pong"})
            elif message.get("event", {}).get("close") == "taken over":
                self.taken = True
        self.ended.set()

    async def _proxy(self):
        while not self.ended.is_set():
            try:
                conn = await Conn().open(
                    {"proxy": {"name": self.name, "client": "-"},
                     "ext": self.proof()})
            except OSError:
                return
            self.idle.add(conn)
            reply = await conn.read()
            self.idle.discard(conn)
            if reply and reply.get("proxy") is True:
                spawn(self._serve(conn))
            else:
                conn.close()
                await asyncio.sleep(0.1)

    async def _serve(self, conn):
        self.joined.add(conn)
        try:
            while True:
                head = await conn.reader.readuntil(b"\r\n\r\n")
                id_ = head.split()[1].decode()[1:]
                text = f"{self.name} {id_}"
                conn.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d"
                                  b"\r\n\r\n%s" % (len(text), text.encode()))
        except (asyncio.IncompleteReadError, OSError):
            pass
        self.joined.discard(conn)
        conn.close()

    def leave(self, how, joined=False):
        """It goes, with what is joined or without; how is Conn.close or
        Conn.reset."""
        self.ended.set()
        for conn in (self.control, *self.idle, *(self.joined if joined
                                                 else ())):
            how(conn)


# --- what such a client can do: each returns the session that is left -------

async def goodbye(session):
    session.control.send({"event": {"close": "goodbye"}})
    await session.ended.wait()
    session.leave(Conn.close)


async def vanish(session):
    session.leave(chance.choice((Conn.close, Conn.reset)),
                  chance.random() < 0.5)


async def resume(session):
    """The control connection is lost; what is joined goes on."""
    proof = session.proof()
    session.control.reset()
    await session.ended.wait()
    if chance.random() < 0.5:
        await asyncio.sleep(chance.uniform(0, 1))
    session.leave(Conn.close)
    return await take(session.name, proof)


async def take_over(session):
    """A second one with the proof, by session or by the name alone."""
    proof = session.proof()
    if chance.random() < 0.5:
        del proof["session"]
    other = await take(session.name, proof)
    if other:
        await asyncio.wait_for(session.ended.wait(), lt.PATIENCE)
        if not session.taken:
            wrong.append(f"{session.name} was not told who took it over")
        session.leave(Conn.close)
    return other


async def take(name, proof):
    other = Session(name)
    error = await other.start(proof)
    if error:
        wrong.append(f"{name} was not resumed: {error}")
        return None
    if other.ext["session"] != proof.get("session", other.ext["session"]) or \
            other.ext["secret"] != proof["secret"] or other.ext["name"] != name:
        wrong.append(f"{name} was resumed as something else")
    return other


async def duplicate(session):
    """Somebody else, without the proof or with a wrong one."""
    error = await Session(session.name).start(chance.choice((
        {}, {"secret": "0" * 32}, session.proof() | {"secret": "f" * 32})))
    if error != "unavailable" and not session.ended.is_set():
        wrong.append(f"{session.name} was had twice: {error}")
    return session


async def nonsense(session):
    session.control.writer.write(chance.choice((
        b"\xff\xff\xff\xff", b"\0\0\0\0", b"\0\0\0\x02[]",
        b"\0\0\0\x12" + b'{"control": "pang"')))
    await asyncio.wait_for(session.ended.wait(), lt.PATIENCE)
    session.leave(Conn.close)


async def silence(session):
    session.silent = True
    await asyncio.wait_for(session.ended.wait(), lt.PATIENCE)
    session.leave(Conn.close)


async def odd_proxies(session):
    """Too many, half a hello, a wrong secret, and resets."""
    conns = [await Conn().open(
        {"proxy": {"name": session.name, "client": "-"},
         "ext": session.proof() | ext})
        for ext in [{}] * 12 + [{"secret": "0" * 32}, {"session": "gone"}]]
    half = await asyncio.open_connection(*server.address)
    half[1].write(ltp02.HEADER[:chance.randrange(8)])
    await asyncio.sleep(chance.uniform(0, 0.2))
    for conn in conns:
        chance.choice((Conn.close, Conn.reset))(conn)
    half[1].close()
    return session


async def quiet_life(session):
    await asyncio.sleep(chance.uniform(0.2, 2))
    return session

ACTIONS = [goodbye, vanish, resume, resume, take_over, take_over, duplicate,
           nonsense, silence, odd_proxies, quiet_life, quiet_life]


async def live(name):
    """A client that comes, does this and that, and comes again."""
    session, proof = None, {}
    while not over():
        if session is None or session.ended.is_set():
            session = Session(name)
            error = await session.start(proof)
            if error:  # held still for one whose secret is lost
                done["refused"] += 1
                session = None
                await asyncio.sleep(GRACE / 4)
                continue
        proof = chance.choice((session.proof(), session.proof(), {}))
        action = chance.choice(ACTIONS)
        session = await action(session)
        done[action.__name__] += 1
        await asyncio.sleep(chance.uniform(0, 0.5))
    if session:
        await chance.choice((goodbye, vanish))(session)


# --- the others -------------------------------------------------------------

def live_old(name):
    """A client of LTP/0.2, which is a thread."""
    target = lt.Listener(lambda conn: answer_old(conn, name)).port
    while not over():
        try:
            client = ltp02.OldClient(server, name, target, f"{name}@churn")
            time.sleep(chance.uniform(0.2, 2))
            if chance.random() < 0.3:  # the same one again: it is replaced
                other = ltp02.OldClient(
                    server, name, target, f"{name}@churn")
                if not client.closed.wait(lt.PATIENCE):
                    wrong.append(f"{name} was not replaced")
                client = other
            client.answer_pings = chance.random() < 0.7
            client.closed.wait(chance.uniform(0, 3))
            client.close()
            done["old"] += 1
        except (ltp02.Refused, OSError) as e:
            wrong.append(f"{name}: {e!r}")


def answer_old(conn, name):
    with conn.makefile("rb") as file:
        while line := file.readline():
            while file.readline() not in (b"\r\n", b""):
                pass
            text = f"{name} {line.split()[1].decode()[1:]}"
            conn.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(text)}"
                         f"\r\n\r\n{text}".encode())


async def ask(reader, writer, name, id_):
    writer.write(lt.request(server.host(name), f"/{id_}"))
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length: ")[2].split()[0]
    body = await reader.readexactly(int(length))
    return int(head.split()[1]), body.decode()


async def visit():
    """A visitor of one tunnel, for some requests; he may be cut off by a
    client that leaves, and must never hang or hear somebody else."""
    name = chance.choice(names)
    reader, writer = await asyncio.open_connection(*server.address)
    try:
        for _ in range(chance.choice((1, 1, 4, 8))):
            id_ = f"v{next(numbers)}"
            status, text = await asyncio.wait_for(
                ask(reader, writer, name, id_), lt.PATIENCE)
            done[status] += 1
            if status == 200 and text != f"{name} {id_}" or \
                    status not in (200, 404, 502, 503, 504):
                wrong.append((name, id_, status, text))
            if status != 200:
                break
            if chance.random() < 0.1:
                writer.write(b"GET / HT")
                break
            await asyncio.sleep(chance.uniform(0, 0.2))
    except asyncio.TimeoutError:
        wrong.append(f"a visitor of {name} hangs")
    except (asyncio.IncompleteReadError, OSError):
        done["cut"] += 1
    writer.close()


async def visitors():
    while not over():
        await visit()
        await asyncio.sleep(0.05)


def neighbour():
    """Visits of the tunnel that nobody disturbs."""
    with lt.Visitor(server) as kept:
        while not over():
            try:
                pages = [lt.get(server, "calm").status,
                         kept.request(server.host("calm")).status]
            except (OSError, AttributeError) as e:
                pages = repr(e)
            if pages != [200, 200]:
                wrong.append(("calm", pages))
                return
            done["calm"] += 1
            time.sleep(0.1)


# --- what happens -----------------------------------------------------------

def wait_rest():
    rest = {"workers": 3, "tunnels": 1, "sessions": 1, "half_made": 0,
            "parked": 0, "queued": 0, "idle": 10, "joined": 0}
    lt.wait_until(lambda: rest.items() <= server.metrics().items(), 60,
                  what=f"{server.metrics()} has {rest}")


def over():
    return time.monotonic() > deadline


async def measure():
    """What each process uses when it has seen everything once."""
    await asyncio.sleep(SECONDS / 3)
    assert all(map(lt.exists, pids)), "a process has died"
    memory.extend(lt.rss(pid) for pid in pids)


async def main():
    await asyncio.gather(
        measure(), *(visitors() for _ in range(VISITORS)),
        *(live(name) for name in names if name.startswith("new")))
    for conn in list(conns):
        conn.close()
    await asyncio.sleep(0.1)


server = lt.Server(workers=3, options={
    "sessions": 1,
    "grace": GRACE, "grace-old": 1, "heartbeat": 1, "queue-timeout": 2})
calm = lt.Client(server, lt.Service(), name="calm")
names = [f"new{i}" for i in range(CLIENTS)] + [f"old{i}" for i in range(OLD)]
for _ in range(20):
    assert lt.get(server, "calm").status == 200
wait_rest()
pids = [server.pid, calm.pid, *server.workers()]
before = [len(lt.links(pid)) for pid in pids]

deadline = time.monotonic() + SECONDS
threads = [threading.Thread(target=live_old, args=(name,))
           for name in names if name.startswith("old")]
threads.append(threading.Thread(target=neighbour))
for thread in threads:
    thread.start()
memory = []
asyncio.run(main())
for thread in threads:
    thread.join()
print(dict(done))
assert not wrong, (len(wrong), wrong[:20])
for action in ACTIONS:
    assert done[action.__name__] > 10, action
assert done["old"] > OLD and done["calm"] > SECONDS and done[200] > 100

wait_rest()
assert [server.pid, calm.pid, *server.workers()] == pids
assert "lost the server" not in calm.log(), calm.log()
lt.wait_until(lambda: [len(lt.links(pid)) for pid in pids] == before,
              what=f"{[len(lt.links(pid)) for pid in pids]} is {before}")
if not lt.under_sanitizer():
    for pid, used in zip(pids, memory):
        assert lt.rss(pid) < used + ROOM, (pid, lt.rss(pid), used)
counts = server.metrics()
assert counts["handed_out"] == counts["handed_in"] > 0, counts
assert " error: " not in server.log()
# All names are free.
for name in names:
    assert lt.get(server, name).status == 404
last = lt.Client(server, lt.Service(), name=names[0])
assert last.stop() == 0
