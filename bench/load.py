# SPDX-License-Identifier: ISC
"""Visitors: wrk, ab and curl, and what is read from what they print."""

import json
import re
import resource
import socket
import subprocess
import time

from process import fail, run, tmp

UNITS = {"us": 1e-3, "ms": 1, "s": 1e3, "m": 6e4}


def _ms(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(number) * UNITS[unit]


def wrk(system, path, connections, seconds, headers=(), scheme="http"):
    """Requests a second, and latencies in ms. A request that fails ends the
    benchmark: what answers nobody is fast."""
    argv = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency",
            "-H", f"Host: {system.authority}"]
    for header in headers:
        argv += ["-H", header]
    text = run(argv + [f"{scheme}://127.0.0.1:{system.port}{path}"])
    bad = re.search(r"Non-2xx.*|Socket errors:.*", text)
    # wrk counts the end of a connection that was announced as an error.
    closing = any("close" in h for h in headers)
    if bad and not (closing and bad.group().startswith("Socket errors:"
                    " connect 0,")):
        fail(f"{system.name}{path}: {bad.group()}")
    rate = re.search(r"Requests/sec:\s*([\d.]+)", text)
    total = re.search(r"(\d+) requests in", text)
    found = {p: _ms(re.search(rf"^\s+{p}%\s+(\S+)$", text, re.M).group(1))
             for p in (50, 99)}
    return {"rate": float(rate.group(1)), "n": int(total.group(1)),
            "p50": found[50], "p99": found[99]}


def burst(system, n):
    """n new visitors at once; latencies in ms."""
    csv = f"{tmp}/burst.csv"
    text = run(["ab", "-q", "-r", "-n", n, "-c", n, "-e", csv, "-H",
                f"Host: {system.authority}",
                f"http://127.0.0.1:{system.port}/small"])
    failed = int(re.search(r"Failed requests:\s+(\d+)", text).group(1))
    other = re.search(r"Non-2xx responses:\s+(\d+)", text)
    with open(csv, encoding="ascii") as f:
        rows = dict(line.strip().split(",") for line in f.readlines()[1:])
    return {"errors": failed + int(other.group(1) if other else 0),
            "p50": float(rows["50"]), "p99": float(rows["99"])}


def _curls(argvs):
    """Several curls at once; MB/s of all together."""
    start = time.monotonic()
    running = [subprocess.Popen(argv, stdout=subprocess.PIPE)
               for argv in argvs]
    moved = 0
    for curl in running:
        out = curl.communicate()[0].decode().split()
        if curl.returncode != 0 or out[0] != "200":
            fail(f"curl: status {curl.returncode}, {out}")
        moved += int(out[1])
    return moved / (time.monotonic() - start) / 1e6


def download(system, n=1, path="/big", scheme="http"):
    """MB/s of n downloads at once."""
    argv = ["curl", "-sk", "-o", "/dev/null", "-w",
            "%{http_code} %{size_download}", *_place(system, path, scheme)]
    return _curls([argv] * n)


def upload(system, file, n=1, scheme="http"):
    argv = ["curl", "-sk", "-o", "/dev/null", "-H", "Expect:", "-T", file,
            "-w", "%{http_code} %{size_upload}",
            *_place(system, "/sink", scheme)]
    return _curls([argv] * n)


def _place(system, path, scheme):
    return ["--noproxy", "*", "--resolve",
            f"{system.host}:{system.port}:127.0.0.1",
            f"{scheme}://{system.authority}{path}"]


def metrics(system):
    """The counters of ltserver."""
    text = run(["curl", "-s", "--noproxy", "*", "-H",
                f"Host: localhost:{system.port}",
                f"http://127.0.0.1:{system.port}/meta/metrics"])
    return {m["name"]: m["value"] for m in json.loads(text)}


class Crowd:
    """Visitors who have had an answer each and say nothing more."""

    def __init__(self, system, n):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.sockets = []
        ask = f"GET /small HTTP/1.1\r\nHost: {system.authority}\r\n\r\n"
        for _ in range(n):
            s = socket.create_connection(("127.0.0.1", system.port), 20)
            s.sendall(ask.encode())
            if not s.recv(4096).startswith(b"HTTP/1.1 200"):
                fail(f"{system.name}: no answer")
            self.sockets.append(s)

    def close(self):
        for s in self.sockets:
            s.close()
