# SPDX-License-Identifier: ISC
"""What is measured: each class starts one way from a visitor's port to the
port of a local service. sides is who does the work: the side that visitors
see, and the one beside the service.

All have two processes or threads a side where they can, no log line for each
connection, and no encryption unless they have nothing else. What each is
given is in README.md.
"""

import getpass
import os
import tempfile

from process import BUILD, Process, fail, find, free_port, run, tmp, wait_port

HELPERS = os.path.join(BUILD, "bench")


def write(name, text):
    path = os.path.join(tmp, name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, 0o600)
    return path


class System:
    """port is where visitors come in, host what their requests must say."""

    name = ""
    host = "demo.localhost"
    is_tunnel = True

    def __init__(self, target):
        self.target = target
        self.port = free_port()
        self.sides = {"server": [], "client": []}

    @classmethod
    def is_there(cls):
        return True

    def add(self, side, argv, **kw):
        process = Process(argv, **kw)
        self.sides[side].append(process)
        return process

    def pids(self, side=None):
        return [pid for name, processes in self.sides.items()
                if side in (None, name)
                for p in processes for pid in p.pids()]

    def stop(self):
        for processes in reversed(self.sides.values()):
            for process in processes:
                process.stop()

    @property
    def authority(self):
        return f"{self.host}:{self.port}"


class Direct(System):
    """No relay at all."""

    name = "direct"
    is_tunnel = False

    def __init__(self, target):
        super().__init__(target)
        self.port = target


class Chain(System):
    """Two of the same relay, one behind the other."""

    is_tunnel = False

    def __init__(self, target):
        super().__init__(target)
        middle = free_port()
        for side, port, to in (("client", middle, target),
                               ("server", self.port, middle)):
            process = self.add(side, self.argv(port, to))
            wait_port(port, process)

    def argv(self, port, to):
        raise NotImplementedError


class Limit(Chain):
    name = "limit"

    def argv(self, port, to):
        return [f"{HELPERS}/limit", port, to, 2]


class Haproxy(Chain):
    name = "haproxy"

    @classmethod
    def is_there(cls):
        return find("haproxy")

    def argv(self, port, to):
        return [find("haproxy"), "-db", "-f", write(f"haproxy.{port}", f"""
global
	maxconn 8000
	maxpipes 256
	tune.pipesize 262144
defaults
	mode tcp
	option splice-auto
	timeout connect 5s
	timeout client 60s
	timeout server 60s
listen relay
	bind 127.0.0.1:{port} backlog 4096
	server next 127.0.0.1:{to}
""")]


class NginxStream(Chain):
    name = "nginx-stream"
    module = "/usr/lib/nginx/modules/ngx_stream_module.so"

    @classmethod
    def is_there(cls):
        return find("nginx") and os.path.exists(cls.module)

    def argv(self, port, to):
        return [find("nginx"), "-e", "/dev/null", "-c",
                write(f"stream.{port}", f"""
load_module {self.module};
daemon off;
worker_processes 2;
worker_rlimit_nofile 20000;
pid {tmp}/stream.{port}.pid;
error_log /dev/null;
events {{ worker_connections 8192; }}
stream {{
	server {{
		listen 127.0.0.1:{port} backlog=4096;
		proxy_pass 127.0.0.1:{to};
	}}
}}
""")]


class Localtunnel(System):
    """ltserver and ltclient."""

    name = "localtunnel"
    workers = 2
    options = ()

    def __init__(self, target):
        super().__init__(target)
        self.server()
        client = self.add("client", [
            f"{BUILD}/ltclient", "-S", f"http://localhost:{self.port}", "-s",
            "demo", f"127.0.0.1:{target}"])
        client.wait_log("your url is")

    def server(self):
        options = [x for o in ("log-level=warn", *self.options)
                   for x in ("-o", o)]
        process = self.add("server", [
            f"{BUILD}/ltserver", "-f", "-c", "/dev/null", "-d", "localhost",
            "-w", self.workers, "-l", f"127.0.0.1:{self.port}", *options])
        wait_port(self.port, process)


class Node(Localtunnel):
    """The client from npm against ltserver."""

    name = "npm-client"

    def __init__(self, target):
        System.__init__(self, target)
        self.server()
        client = self.add("client", [
            find("lt"), "--host", f"http://localhost:{self.port}",
            "--subdomain", "demo", "--local-host", "127.0.0.1",
            "--port", target])
        client.wait_log("your url is")

    @classmethod
    def is_there(cls):
        return find("lt")


class Ssh(System):
    """ssh -R, with keys of its own."""

    name = "ssh-R"

    @classmethod
    def is_there(cls):
        return find("sshd") and find("ssh")

    def __init__(self, target):
        super().__init__(target)
        at = free_port()
        # A port comes again in another round; a key must not.
        key = os.path.join(tempfile.mkdtemp(dir=tmp), "key")
        run([find("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", key])
        if os.getuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        sshd = self.add("server", [
            find("sshd"), "-D", "-f", write(f"sshd.{at}", f"""
ListenAddress 127.0.0.1:{at}
HostKey {key}
AuthorizedKeysFile {key}.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
""")])
        wait_port(at, sshd)
        self.add("client", [
            find("ssh"), "-N", "-F", "none", "-p", at, "-i", key,
            "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no",
            "-o", "UserKnownHostsFile=/dev/null",
            "-o", "ExitOnForwardFailure=yes", "-o", "BatchMode=yes",
            "-R", f"127.0.0.1:{self.port}:127.0.0.1:{target}",
            f"{getpass.getuser()}@127.0.0.1"])
        wait_port(self.port)


def _named(variable):
    """A program that a variable names; fails if it is not there."""
    path = os.environ.get(variable)
    if path and not os.access(path, os.X_OK):
        fail(f"{variable}={path} is not a program")
    return path and os.path.abspath(path)


class Frp(System):
    name = "frp"
    mux = "false"

    @classmethod
    def is_there(cls):
        return _named("FRPS") and _named("FRPC")

    def __init__(self, target):
        super().__init__(target)
        at = free_port()
        self.add("server", [_named("FRPS"), "-c", write(
            f"frps.{at}.toml", f"""
bindAddr = "127.0.0.1"
bindPort = {at}
proxyBindAddr = "127.0.0.1"
log.level = "error"
transport.tcpMux = {self.mux}
""")])
        wait_port(at)
        self.add("client", [_named("FRPC"), "-c", write(
            f"frpc.{at}.toml", f"""
serverAddr = "127.0.0.1"
serverPort = {at}
log.level = "error"
transport.tcpMux = {self.mux}
transport.tls.enable = false
transport.poolCount = 5
[[proxies]]
name = "demo"
type = "tcp"
localIP = "127.0.0.1"
localPort = {target}
remotePort = {self.port}
""")])
        wait_port(self.port)


class FrpMux(Frp):
    name = "frp-mux"
    mux = "true"


class Rathole(System):
    name = "rathole"

    @classmethod
    def is_there(cls):
        return _named("RATHOLE")

    def __init__(self, target):
        super().__init__(target)
        at = free_port()
        for side, text in (("server", f"""
[server]
bind_addr = "127.0.0.1:{at}"
default_token = "bench"
[server.services.demo]
bind_addr = "127.0.0.1:{self.port}"
"""), ("client", f"""
[client]
remote_addr = "127.0.0.1:{at}"
default_token = "bench"
[client.services.demo]
local_addr = "127.0.0.1:{target}"
""")):
            self.add(side, [_named("RATHOLE"), f"--{side}", write(
                f"rathole.{at}.{side}.toml", text)],
                env={"RUST_LOG": "error"})
            wait_port(at)
        wait_port(self.port)


class Chisel(System):
    """Always encrypted: it has nothing else."""

    name = "chisel"

    @classmethod
    def is_there(cls):
        return _named("CHISEL")

    def __init__(self, target):
        super().__init__(target)
        at = free_port()
        self.add("server", [_named("CHISEL"), "server", "--host", "127.0.0.1",
                            "--port", at, "--reverse"])
        wait_port(at)
        self.add("client", [_named("CHISEL"), "client",
                            f"http://127.0.0.1:{at}",
                            f"R:127.0.0.1:{self.port}:127.0.0.1:{target}"])
        wait_port(self.port)


class Bore(System):
    """Its control port is always 7835."""

    name = "bore"

    @classmethod
    def is_there(cls):
        return _named("BORE")

    def __init__(self, target):
        super().__init__(target)
        self.add("server", [_named("BORE"), "server", "--min-port", 1024],
                 env={"RUST_LOG": "error"})
        wait_port(7835)
        self.add("client", [_named("BORE"), "local", target, "--to",
                            "127.0.0.1", "--port", self.port],
                 env={"RUST_LOG": "error"})
        wait_port(self.port)


ALL = [Limit, Localtunnel, Haproxy, NginxStream, Ssh, Node, Frp, FrpMux,
       Rathole, Chisel, Bore, Direct]
