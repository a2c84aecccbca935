#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Tunnels with a public port of their own: every byte opaque, the port that was
asked for, kept for who comes back, shared by several sessions. With OpenSSH
and Redis, where they are installed, both at once."""

import concurrent.futures
import getpass
import os
import shutil
import socket
import subprocess
import sys

import lt

SIZE = 1 << 30 if not lt.under_sanitizer() else 10_000_000
first = lt.free_range(4)
server = lt.Server(workers=4, options={
    "tcp-ports": f"{first}-{first + 3}", "grace": 600})


def talk(port, data, end=True):
    """What comes back for it."""
    with socket.create_connection(("127.0.0.1", port), lt.PATIENCE) as conn:
        conn.sendall(data)
        if end:
            conn.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: conn.recv(65536), b""))


def port_of(client):
    assert client.url.startswith("tcp://localhost:"), client.url
    return int(client.url.rpartition(":")[2])


# Bytes of any kind, both ways, ends included; nothing is looked at.
echo = lt.Listener()
client = lt.Client(server, echo.port, "-r", first + 1, kind="tcp")
assert port_of(client) == first + 1
for data in (b"GET / HTTP/1.1\r\nHost: nobody\r\n\r\n", b"\x16\x03\x01", b"",
             b"LTP/0.2\0\0", b"\0\xff" * 100, lt.stream(3_000_000)):
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        assert pool.submit(talk, first + 1, data).result() == data
# By its name nobody finds it.
assert lt.get(server, f"tcp-{first + 1}").status == 404

# 200 at once, over all sessions, in several workers.
with concurrent.futures.ThreadPoolExecutor(32) as pool:
    texts = [b"%d" % i for i in range(200)]
    assert list(pool.map(lambda t: talk(first + 1, t), texts)) == texts
workers = {m for m in lt.re.findall(
    r"worker (\d) info: visitor tunnel=tcp-", server.log())}
assert len(workers) > 1, workers

# A port that somebody has, that is none of ours, that is none at all.
for port, code, text in ((first + 1, 1, "in use by somebody else"),
                         (22, 1, "not one that the server gives out"),
                         (0, 2, "is not a port"), ("ssh", 2, "is not a port"),
                         (70000, 2, "is not a port")):
    other = lt.Client(server, echo.port, "-r", port, "-s", "other",
                      kind="tcp", wait=False)
    assert other.wait() == code and text in other.log(), (port, other.log())
other = lt.Client(server, echo.port, "-r", first, wait=False)
assert other.wait() == 2 and "only a tcp tunnel" in other.log(), other.log()

# Without a wish any one that is free; then there is none left.
more = [lt.Client(server, echo.port, kind="tcp") for _ in range(3)]
assert {port_of(c) for c in [client, *more]} == set(range(first, first + 4))
full = lt.Client(server, echo.port, kind="tcp", wait=False)
assert full.wait() == 1 and "no free port" in full.log(), full.log()
for c in more:
    c.stop()

# Killed and started again it has its port, and who called meanwhile waits.
client.kill()
with socket.create_connection(("127.0.0.1", first + 1), lt.PATIENCE) as early:
    early.sendall(b"early")
    early.shutdown(socket.SHUT_WR)
    client.start()
    assert early.recv(100) == b"early"
# So it has after the server lost a worker, or was started again.
lt.kill(server.workers()[0])
lt.wait_until(lambda: len(server.workers()) == 4)


def answers():
    try:
        return talk(first + 1, b"there?") == b"there?"
    except OSError:
        return False


lt.wait_until(answers)
server.restart()
lt.wait_until(answers)
assert port_of(client) == first + 1 and client.alive()

# The local service is down: the visitor is closed, and nothing else.
down = lt.Client(server, lt.free_port(), "-s", "down", kind="tcp")
try:
    assert talk(port_of(down), b"x", end=False) == b""
except ConnectionResetError:
    pass
down.wait_log("a visitor came, but")
# One of its sessions that came after its goodbye would take another port.
lt.wait_until(lambda: server.metrics()["sessions"] == 8)
down.stop()
assert answers()

# Goodbye frees the port: whoever asks for it has it at once.
client.stop()
again = lt.Client(server, echo.port, "-r", first + 1, "-s", "again",
                  kind="tcp")
assert port_of(again) == first + 1
again.stop()

# --- OpenSSH and Redis --------------------------------------------------------

sshd = shutil.which("sshd", path=os.environ["PATH"] + ":/usr/sbin")
redis = shutil.which("redis-server")
if not (sshd and redis and shutil.which("scp")):
    print("without OpenSSH or Redis: they are not installed")
    sys.exit(0)
home = lt.tmp + "/ssh"
os.makedirs(home, 0o700)
for key in "host", "user":
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
                    f"{home}/{key}"], check=True)
shutil.copy(f"{home}/user.pub", f"{home}/authorized_keys")
if os.geteuid() == 0:
    os.makedirs("/run/sshd", 0o755, exist_ok=True)
ssh_port, redis_port = lt.free_port(), lt.free_port()
with open(f"{home}/sshd_config", "w", encoding="ascii") as f:
    f.write(f"""Port {ssh_port}
ListenAddress 127.0.0.1
HostKey {home}/host
AuthorizedKeysFile {home}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
Subsystem sftp internal-sftp
""")
daemons = [
    subprocess.Popen([sshd, "-D", "-f", f"{home}/sshd_config"],
                     stderr=subprocess.DEVNULL),
    subprocess.Popen([redis, "--port", str(redis_port), "--bind",
                      "127.0.0.1", "--save", "", "--dir", lt.tmp],
                     stdout=subprocess.DEVNULL)]
for port in ssh_port, redis_port:
    lt.wait_until(lambda: not lt.refused(("127.0.0.1", port)))
over_ssh = lt.Client(server, ssh_port, "-s", "ssh", kind="tcp")
over_redis = lt.Client(server, redis_port, "-s", "redis", kind="tcp")
options = ["-i", f"{home}/user", "-o", "StrictHostKeyChecking=no", "-o",
           "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o",
           "IdentitiesOnly=yes"]
who = f"{getpass.getuser()}@127.0.0.1"
with open(f"{lt.tmp}/big", "wb") as f:
    for block in lt.blocks(SIZE):
        f.write(block)


def copies(_):
    subprocess.run(["scp", *options, "-P", str(port_of(over_ssh)),
                    f"{lt.tmp}/big", f"{who}:{lt.tmp}/copy"], check=True)
    out = subprocess.run(["ssh", *options, "-p", str(port_of(over_ssh)), who,
                          f"sha256sum {lt.tmp}/copy"], check=True,
                         capture_output=True, text=True).stdout
    assert out.split()[0] == lt.sha256_of(SIZE), out


def stores(_):
    with socket.create_connection(
            ("127.0.0.1", port_of(over_redis)), lt.PATIENCE) as conn:
        file = conn.makefile("rb")
        for i in range(2000):
            conn.sendall(b"SET key%d %d\r\nGET key%d\r\n" % (i, i, i))
            assert file.readline() == b"+OK\r\n"
            assert file.readline() == b"$%d\r\n" % len(str(i))
            assert file.readline() == b"%d\r\n" % i


with concurrent.futures.ThreadPoolExecutor(2) as pool:
    for job in pool.submit(copies, 0), pool.submit(stores, 0):
        job.result()
for daemon in daemons:
    daemon.terminate()
    daemon.wait()
