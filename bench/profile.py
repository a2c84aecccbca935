#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Where the CPU of a request goes: microseconds and number of each system
call, in the limit and in localtunnel, both sides together.

    bench/profile.py [--measure A|B] [--seconds N]

A: 50 connections kept alive, B: a new connection for each request. Needs
perf(1) and the right to use it. What it costs to be looked at is in the
figures: they say where time goes, not how fast anything is. Prints Markdown.
"""

import argparse
import collections
import os
import re
import signal
import subprocess
import time

import load
import systems
from process import cpu_seconds, fail, find, tmp
from service import Services

# A system call's time is that of all it causes, such as what a packet does at
# the other end; the tail of it that wakes somebody or is interrupted, too.
CALL = re.compile(r"^__(?:x64_)?sys_(\w+)$")
NAMES = {"sendto": "send", "recvfrom": "receive", "sendmsg": "hand over",
         "recvmsg": "hand over", "accept4": "accept"}
START_S = 0.3
# To count all that there are takes perf minutes.
CALLS = ("accept4 close connect epoll_ctl epoll_wait getpeername getsockopt "
         "read recvfrom recvmsg sendmsg sendto setsockopt shutdown socket "
         "splice write").split()


class Perf:
    """One perf that looks at some processes until it is told to stop."""

    def __init__(self, command, pids, *args):
        self.path = os.path.join(tmp, f"perf.{command}")
        self.popen = subprocess.Popen(
            [find("perf"), command, *args, "-o", self.path, "-p",
             ",".join(map(str, pids))], stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE)
        time.sleep(START_S)
        if self.popen.poll() is not None:
            fail("perf cannot look: " + self.popen.stderr.read().decode())

    def stop(self):
        self.popen.send_signal(signal.SIGINT)
        self.popen.communicate()
        return self.path


def visit(system, args):
    headers = ("Connection: close",) if args.measure == "B" else ()
    return load.wrk(system, "/small", 50, args.seconds, headers)["n"]


def place(stack):
    """Which system call a sample belongs to."""
    symbols = [line.split()[1] for line in stack if len(line.split()) > 1]
    for symbol in symbols:
        match = CALL.match(symbol)
        if match:
            return NAMES.get(match.group(1), match.group(1))
    return "other, in the kernel" if "[kernel" in stack[0] else "user space"


def times(system, pids, args):
    """Microseconds of a request, by place."""
    perf = Perf("record", pids, "-q", "-g", "-e", "cpu-clock", "-F", "4999")
    before = cpu_seconds(pids)
    n = visit(system, args)
    micros = (cpu_seconds(pids) - before) / n * 1e6
    text = subprocess.run(
        [find("perf"), "script", "-i", perf.stop(), "-F", "ip,sym,dso"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        check=True).stdout
    stacks = [block.strip().splitlines() for block in text.split("\n\n")
              if block.strip()]
    found = collections.Counter(map(place, stacks))
    return {name: micros * k / len(stacks) for name, k in found.items()}


def counts(system, pids, args):
    """Calls of a request, by place; context switches too."""
    perf = Perf("stat", pids, "-x,", "-e",
                ",".join(f"syscalls:sys_enter_{name}" for name in CALLS)
                + ",context-switches")
    n = visit(system, args)
    found = collections.Counter()
    with open(perf.stop(), encoding="ascii") as f:
        for line in f:
            row = line.split(",")
            if len(row) > 2 and row[0].isdigit():
                name = row[2].removeprefix("syscalls:sys_enter_")
                found[NAMES.get(name, name)] += int(row[0]) / n
    return found


def look_at(system, args):
    """{place: [microseconds, calls]}, both sides together."""
    found = collections.defaultdict(lambda: [0, 0])
    visit(system, args)
    for side in "server", "client":
        pids = system.pids(side)
        for column, what in enumerate((times, counts)):
            for name, value in what(system, pids, args).items():
                found[name][column] += value
    system.stop()
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--measure", choices="AB", default="B")
    parser.add_argument("--seconds", type=int, default=4)
    args = parser.parse_args()
    if not find("perf"):
        fail("perf is missing: it is in the package linux-perf")
    service = Services(1 << 20)
    limit, ours = (look_at(kind(service.port), args)
                   for kind in (systems.Limit, systems.Localtunnel))
    service.close()
    print("| | limit, us | calls | localtunnel, us | calls |\n"
          "|---|---:|---:|---:|---:|")
    names = sorted(set(limit) | set(ours), key=lambda name: -ours[name][0])
    for name in names:
        rows = limit[name] + ours[name]
        if max(rows) >= 0.2:
            print(f"| {name} | " + " | ".join(f"{x:.1f}" for x in rows)
                  + " |")
    print("| sum | " + " | ".join(
        f"{sum(row[0] for row in found.values()):.1f} | "
        for found in (limit, ours)) + "|")


main()
