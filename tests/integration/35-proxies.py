#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""nginx as the local service, and haproxy and nginx in front: all of them agree
on who is calling."""

import csv
import io
import os
import shutil
import socket
import subprocess

import lt

PATH = os.environ["PATH"] + ":/usr/sbin"
nginx = shutil.which("nginx", path=PATH)
haproxy = shutil.which("haproxy", path=PATH)
if nginx is None or haproxy is None:
    lt.skip("nginx or haproxy is not installed")
modules = [d for d in ("/usr/lib/nginx/modules", "/usr/share/nginx/modules")
           if os.path.exists(f"{d}/ngx_stream_module.so")]
if not modules:
    lt.skip("the stream module of nginx is not installed")
os.chmod(lt.tmp, 0o755)
started = []


def run(name, argv, ports):
    """Starts a proxy or a service, and waits until it listens."""
    with open(f"{lt.tmp}/{name}.out", "wb") as out:
        started.append(subprocess.Popen(argv, stdout=out, stderr=out))
    process = started[-1]

    def listens():
        with open(f"{lt.tmp}/{name}.out", encoding="utf-8") as f:
            assert process.poll() is None, f.read()
        return not any(lt.refused(("127.0.0.1", port)) for port in ports)
    lt.wait_until(listens, what=f"{name} listens")


def run_nginx(name, text, *ports):
    base = f"{lt.tmp}/{name}"
    os.makedirs(base)
    with open(f"{base}/conf", "w", encoding="ascii") as f:
        f.write(f"""
load_module {modules[0]}/ngx_stream_module.so;
daemon off; master_process off; pid {base}/pid; error_log {base}/error.log;
events {{ worker_connections 256; }}
{text}
""")
    run(name, [nginx, "-c", f"{base}/conf", "-e", f"{base}/error.log"], ports)


# --- nginx as the local service ---------------------------------------------

port = lt.free_port()
temp = "\n".join(f"{kind}_temp_path {lt.tmp}/local/{kind};" for kind in (
    "client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
run_nginx("local", f"""
http {{
  log_format who '$proxy_protocol_addr $proxy_protocol_port $request_uri';
  access_log {lt.tmp}/access.log who; {temp}
  server {{
    listen 127.0.0.1:{port} proxy_protocol;
    return 200 "$proxy_protocol_addr";
  }}
}}
""", port)


def logged(line):
    def is_there():
        with open(f"{lt.tmp}/access.log", encoding="ascii") as f:
            return line in f.read().splitlines()
    lt.wait_until(is_there, what=f"{line} in the log of nginx")


server = lt.Server()
for version in "12":
    client = lt.Client(server, port, "--proxy-protocol", version,
                       name=f"v{version}")
    with lt.Visitor(server, source=("127.7.8.9", 0)) as visitor:
        source = visitor.socket.getsockname()[1]
        answer = visitor.request(server.host(f"v{version}"), f"/{version}")
    assert answer.body == b"127.7.8.9", answer.body
    logged(f"127.7.8.9 {source} /{version}")

# --- haproxy and nginx in front ---------------------------------------------

names = ("haproxy-v1", "haproxy-v2", "nginx-v1", "haproxy-http")
ports = dict(zip(names, (lt.free_port() for _ in names)))
front = lt.Server(workers=4, listen=(), config=f"""
    listen "127.0.0.1:0" {{
        proxy-protocol = yes
        public = "http://:{ports["haproxy-v2"]}"
    }}
    listen "localhost:0" {{ }}
    trusted-proxies = "127.0.0.1"
""")
behind, plain = front.ports
with open(f"{lt.tmp}/haproxy.conf", "w", encoding="ascii") as f:
    f.write(f"""
global
  stats socket {lt.tmp}/haproxy.sock
defaults
  timeout connect 10s
  timeout client 60s
  timeout server 60s
listen v1
  bind 127.0.0.1:{ports["haproxy-v1"]}
  server s 127.0.0.1:{behind} send-proxy
listen v2
  bind 127.0.0.1:{ports["haproxy-v2"]}
  server s 127.0.0.1:{behind} send-proxy-v2
backend checks
  server v1 127.0.0.1:{behind} send-proxy check inter 100
  server v2 127.0.0.1:{behind} send-proxy-v2 check inter 100
listen http
  mode http
  option forwardfor
  bind 127.0.0.1:{ports["haproxy-http"]}
  server s 127.0.0.1:{plain}
""")
run("haproxy", [haproxy, "-db", "-f", f"{lt.tmp}/haproxy.conf"],
    [ports[n] for n in names if n.startswith("haproxy")])
run_nginx("front", f"""
stream {{
  server {{
    listen 127.0.0.1:{ports["nginx-v1"]};
    proxy_pass 127.0.0.1:{behind}; proxy_protocol on;
  }}
}}
""", ports["nginx-v1"])

toy = lt.Service()
client = lt.Client(f"http://localhost:{plain}", toy, name="toy")
gated = lt.Client(f"http://localhost:{plain}", toy, "--allow", "127.7.0.0/16",
                  name="gated")
chained = lt.Client(f"http://localhost:{plain}", port, "--proxy-protocol=2",
                    name="chained")


def visit(way, name, source="127.7.8.9", path="/"):
    with lt.Visitor(("127.0.0.1", ports[way]), source=(source, 0)) as visitor:
        return visitor.request(f"{name}.localhost", path)


for way in names:
    answer = visit(way, "toy")
    said = "127.7.8.9, 127.0.0.1" if way == "haproxy-http" else "127.7.8.9"
    assert answer.seen("X-Forwarded-For") == [said], (way, answer.body)
    assert visit(way, "gated").status == 200
    assert visit(way, "gated", "127.6.0.1").status == 403, way
    if way != "haproxy-http":
        assert visit(way, "chained", path=f"/{way}").body == b"127.7.8.9"
front.wait_log("visitor tunnel=toy from=127.7.8.9:")


# The checks of haproxy find the server up. They have no server of the others,
# which one that is late for its 100 ms would take down.
def checked():
    with socket.socket(socket.AF_UNIX) as stats:
        stats.connect(f"{lt.tmp}/haproxy.sock")
        stats.sendall(b"show stat\n")
        text = b"".join(iter(lambda: stats.recv(65536), b"")).decode()
    rows = list(csv.DictReader(io.StringIO(text.lstrip("# "))))
    return [row["check_status"] for row in rows
            if row["pxname"] == "checks" and row["svname"] != "BACKEND"]


lt.wait_until(lambda: checked() == ["L4OK", "L4OK"], what="haproxy's checks")

# A client too, with all its connections, knows but the way through a proxy.
url = f"http://localhost:{ports['haproxy-v2']}"
there = lt.Client(url, toy, name="there")
assert there.url == url.replace("//", "//there."), there.url
assert [visit(way, "there").status for way in names] == [200] * len(names)
assert "connection refused" not in front.log()

for process in reversed(started):
    process.terminate()
    process.wait()
