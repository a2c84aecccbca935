# SPDX-License-Identifier: ISC
"""What is measured of each system. README.md says what each row means."""

import time

import load
from process import cpu_seconds, memory

# key: what the table says, unit, whether more is better, digits
ROWS = {
    "A.rate": ("requests kept alive, 50 visitors", "1/s", True, 0),
    "A.p50": ("a lone request, one segment, median", "ms", False, 3),
    "A.p99": ("a lone request, one segment, p99", "ms", False, 3),
    "A.two.p50": ("a lone request, two segments, median", "ms", False, 3),
    "A.two.p99": ("a lone request, two segments, p99", "ms", False, 3),
    "B.rate": ("new connections, 50 visitors", "1/s", True, 0),
    "C.down": ("one download", "MB/s", True, 0),
    "C.down8": ("eight downloads", "MB/s", True, 0),
    "C.up": ("one upload", "MB/s", True, 0),
    "C.up8": ("eight uploads", "MB/s", True, 0),
    "D.gb": ("CPU of one download, both sides", "s/GB", False, 3),
    "D.gb.up": ("CPU of one upload, both sides", "s/GB", False, 3),
    "D.10k": ("CPU of 10,000 requests kept alive", "s", False, 3),
    "D.10k.new": ("CPU of 10,000 new connections", "s", False, 3),
    "E.rest": ("memory at rest, both sides", "KB", False, 0),
    "E.joined.server": ("memory per quiet visitor, server", "bytes", False, 0),
    "E.joined.client": ("memory per quiet visitor, client", "bytes", False, 0),
    "F.200.p99": ("burst of 200 new visitors, p99", "ms", False, 1),
    "F.200.errors": ("  of them without an answer", "", False, 0),
    "F.1000.p99": ("burst of 1,000 new visitors, p99", "ms", False, 1),
    "F.1000.errors": ("  of them without an answer", "", False, 0),
}


class Meter:
    """CPU seconds of a system while something runs."""

    def __init__(self, system):
        self.pids = system.pids()

    def __enter__(self):
        self.start = cpu_seconds(self.pids)
        return self

    def __exit__(self, *_):
        self.seconds = cpu_seconds(self.pids) - self.start


def requests(system, plan, _):
    with Meter(system) as cpu:
        got = load.wrk(system, "/small", 50, plan.seconds)
    return {"A.rate": got["rate"], "D.10k": cpu.seconds / got["n"] * 1e4}


def lone(system, plan, _):
    one = load.wrk(system, "/small", 1, plan.seconds)
    two = load.wrk(system, "/two", 1, plan.seconds)
    return {"A.p50": one["p50"], "A.p99": one["p99"],
            "A.two.p50": two["p50"], "A.two.p99": two["p99"]}


def new_connections(system, plan, _):
    with Meter(system) as cpu:
        got = load.wrk(system, "/small", 50, plan.seconds,
                       ["Connection: close"])
    return {"B.rate": got["rate"], "D.10k.new": cpu.seconds / got["n"] * 1e4}


def downloads(system, plan, _):
    with Meter(system) as cpu:
        rate = load.download(system)
    return {"C.down": rate, "D.gb": cpu.seconds / plan.size * 1e9,
            "C.down8": load.download(system, 8)}


def uploads(system, plan, services):
    with Meter(system) as cpu:
        rate = load.upload(system, services.path("big"))
    return {"C.up": rate, "D.gb.up": cpu.seconds / plan.size * 1e9,
            "C.up8": load.upload(system, services.path("big"), 8)}


def bursts(system, plan, _):
    found = {}
    for n in (200, 1000):
        got = load.burst(system, n)
        found[f"F.{n}.p99"] = got["p99"]
        found[f"F.{n}.errors"] = got["errors"]
    return found


def memory_of(system, plan, _):
    """Of a fresh one: what it has used before would hide what is new."""
    rest = memory(system.pids())
    # The first ones pay for what all share.
    first = load.Crowd(system, 50)
    time.sleep(0.5)
    before = {side: memory(system.pids(side)) for side in system.sides}
    crowd = load.Crowd(system, plan.crowd)
    time.sleep(0.5)
    found = {"E.rest": rest / 1024}
    for side in system.sides:
        grown = memory(system.pids(side)) - before[side]
        found[f"E.joined.{side}"] = grown / plan.crowd
    crowd.close()
    first.close()
    return found
