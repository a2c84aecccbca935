# SPDX-License-Identifier: ISC
"""What is measured of localtunnel alone, or against other references than the
limit: how it grows with tunnels and workers, TLS, and cost against size."""

import os
import re
import time

import load
import systems
from measures import Meter
from process import BUILD, Process, fail, find, free_port, memory, run, \
    tmp, wait_port
from service import SIZES_KIB


class Crowded(systems.Localtunnel):
    """With other tunnels beside the one that is measured."""

    def __init__(self, target, tunnels=1, workers=2):
        self.workers = workers
        super().__init__(target)
        before = memory(self.pids("server"))
        self.each = 0
        self.quiet = None
        if tunnels > 1:
            self.quiet = Process(
                [f"{BUILD}/bench/tunnels", self.port, tunnels - 1])
            self.quiet.wait_log("up")
            self.each = (memory(self.pids("server")) - before) \
                / (tunnels - 1)

    def stop(self):
        if self.quiet:
            self.quiet.stop()
        super().stop()


def _new(system, plan):
    with Meter(system) as cpu:
        got = load.wrk(system, "/small", 50, plan.seconds,
                       ["Connection: close"])
    return got["rate"], cpu.seconds / got["n"] * 1e4


def tunnels(plan, services, n):
    system = Crowded(services.port, tunnels=n)
    rate, cpu = _new(system, plan)
    found = {"new connections, 1/s": rate, "CPU s of 10,000": cpu,
             "bytes per tunnel": system.each}
    system.stop()
    return found


def workers(plan, services, n):
    system = Crowded(services.port, workers=n)
    kept = load.wrk(system, "/small", 50, plan.seconds)
    rate, cpu = _new(system, plan)
    metrics = load.metrics(system)
    found = {"requests kept alive, 1/s": kept["rate"],
             "new connections, 1/s": rate, "CPU s of 10,000": cpu,
             "handed over, per visit":
                 metrics["handed_in"] / metrics["visitors"]}
    system.stop()
    return found


# --- idle proxy connections ---------------------------------------------------

class Idle(systems.System):
    """Tunnels of one client, each with so many proxy connections that wait."""

    TUNNELS = 50
    FEW, MANY = 4, 60

    def __init__(self, target, each):
        super().__init__(target)
        wait_port(self.port, self.add("server", [
            f"{BUILD}/ltserver", "-f", "-c", "/dev/null", "-d", "localhost",
            "-w", 1, "-l", f"127.0.0.1:{self.port}", "-o", "log-level=warn",
            "-o", f"pool-idle={each}"]))
        config = f'server = "http://localhost:{self.port}"\n' + "".join(
            f'tunnel "t{i}" {{ target = {target} name = "t{i}" }}\n'
            for i in range(self.TUNNELS))
        self.add("client", [
            f"{BUILD}/ltclient", "-c",
            systems.write(f"idle.{self.port}.conf", config), "start", "--all"])
        deadline = time.monotonic() + 60
        while load.metrics(self)["idle"] < each * self.TUNNELS:
            if time.monotonic() > deadline:
                fail("the proxy connections do not come")
            time.sleep(0.1)


def idle(plan, services):
    """Bytes of each one, by the difference between few and many."""
    used = []
    for each in (Idle.FEW, Idle.MANY):
        system = Idle(services.port, each)
        used.append({s: memory(system.pids(s)) for s in system.sides})
        system.stop()
    n = (Idle.MANY - Idle.FEW) * Idle.TUNNELS
    return {f"bytes, {side}": (used[1][side] - used[0][side]) / n
            for side in used[0]}


# --- TLS --------------------------------------------------------------------

def certificate():
    key, cert = f"{tmp}/tls.key", f"{tmp}/tls.crt"
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
         "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost,DNS:*.localhost", "-keyout", key,
         "-out", cert])
    with open(f"{tmp}/tls.pem", "w", encoding="ascii") as both:
        for path in (cert, key):
            with open(path, encoding="ascii") as f:
                both.write(f.read())
    return cert, key


class LocaltunnelTls(systems.Localtunnel):
    def __init__(self, target):
        self.options = (f"tls-certificate={tmp}/tls.crt",
                        f"tls-key={tmp}/tls.key")
        super().__init__(target)


class Terminator(systems.System):
    """A program that ends TLS, and the limit relay behind it: as many hops as
    localtunnel has."""

    def __init__(self, target):
        super().__init__(target)
        middle = free_port()
        self.add("client", [f"{systems.HELPERS}/limit", middle, target, 2])
        wait_port(middle)
        wait_port(self.port, self.add("server", self.argv(middle)))

    def argv(self, middle):
        raise NotImplementedError


class HaproxyTls(Terminator):
    name = "haproxy + limit"

    @classmethod
    def is_there(cls):
        return find("haproxy")

    def argv(self, middle):
        return [find("haproxy"), "-db", "-f", systems.write(
            f"tls.{self.port}", f"""
global
	maxconn 8000
	tune.ssl.default-dh-param 2048
defaults
	mode tcp
	timeout connect 5s
	timeout client 60s
	timeout server 60s
listen relay
	bind 127.0.0.1:{self.port} ssl crt {tmp}/tls.pem
	server next 127.0.0.1:{middle}
""")]


class HitchTls(Terminator):
    name = "hitch + limit"

    @classmethod
    def is_there(cls):
        return find("hitch")

    def argv(self, middle):
        # It serves nobody as root.
        user = "user = \"nobody\"" if os.getuid() == 0 else ""
        return [find("hitch"), "--config", systems.write(
            f"hitch.{self.port}", f"""
frontend = "[127.0.0.1]:{self.port}"
backend = "[127.0.0.1]:{middle}"
pem-file = "{tmp}/tls.pem"
workers = 2
daemon = off
{user}
""")]


TLS = [LocaltunnelTls, HaproxyTls, HitchTls]


def handshakes(system, plan, *extra):
    """Handshakes a second, and what 1,000 of them cost."""
    with Meter(system) as cpu:
        text = run(["openssl", "s_time", "-connect",
                    f"127.0.0.1:{system.port}", "-time", plan.seconds, *extra])
    n, _ = re.findall(r"(\d+) connections in (\d+) real seconds", text)[-1]
    return int(n) / plan.seconds, cpu.seconds / max(int(n), 1) * 1e3


def tls(cls, plan, services):
    system = cls(services.port)
    time.sleep(0.3)
    with Meter(system) as cpu:
        down = load.download(system, scheme="https")
    found = {"one download, MB/s": down,
             "CPU s per GB": cpu.seconds / plan.size * 1e9,
             "eight downloads, MB/s": load.download(system, 8,
                                                    scheme="https")}
    for words, extra in (("full handshakes", ["-new"]),
                         ("resumed handshakes", ["-tls1_2", "-reuse"])):
        rate, cost = handshakes(system, plan, *extra)
        found[f"{words}, 1/s"] = rate
        found[f"{words}, CPU s of 1,000"] = cost
    system.stop()
    return found


# --- cost against size ------------------------------------------------------

def sizes(cls, plan, services):
    """CPU ms of both sides for one answer of so many KiB, kept alive."""
    system = cls(services.port)
    found = {}
    for kib in SIZES_KIB:
        with Meter(system) as cpu:
            got = load.wrk(system, f"/{kib}", 8, plan.seconds)
        found[kib] = cpu.seconds / max(got["n"], 1) * 1e3
    system.stop()
    return found
