#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""nginx and curl on the two ends: 1 GiB down, 512 MiB up, checksums right.
(A sanitizer's build moves a tenth of that.)"""

import hashlib
import os
import shutil
import subprocess

import lt

nginx = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
if nginx is None or shutil.which("curl") is None:
    lt.skip("nginx or curl is not installed")

part = 10 if lt.under_sanitizer() else 1
DOWN, UP = (1 << 30) // part, (512 << 20) // part
port = lt.free_port()
os.makedirs(f"{lt.tmp}/nginx/www/up")
os.chmod(lt.tmp, 0o755)
os.chmod(f"{lt.tmp}/nginx/www/up", 0o777)


def make_file(path, length):
    digest = hashlib.sha256()
    with open(path, "wb") as f:
        for block in lt.blocks(length):
            f.write(block)
            digest.update(block)
    return digest.hexdigest()


def hash_file(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


with open(f"{lt.tmp}/nginx/conf", "w", encoding="ascii") as f:
    f.write(f"""
daemon off; master_process off; pid {lt.tmp}/nginx/pid;
error_log {lt.tmp}/nginx/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off; client_max_body_size 0;
  client_body_temp_path {lt.tmp}/nginx/body;
  proxy_temp_path {lt.tmp}/nginx/proxy;
  fastcgi_temp_path {lt.tmp}/nginx/fastcgi;
  uwsgi_temp_path {lt.tmp}/nginx/uwsgi;
  scgi_temp_path {lt.tmp}/nginx/scgi;
  server {{
    listen 127.0.0.1:{port}; root {lt.tmp}/nginx/www;
    location /up/ {{ dav_methods PUT; }}
  }}
}}
""")
down = make_file(f"{lt.tmp}/nginx/www/down", DOWN)
up = make_file(f"{lt.tmp}/up", UP)
web = subprocess.Popen([nginx, "-c", f"{lt.tmp}/nginx/conf", "-e",
                        f"{lt.tmp}/nginx/error.log"])

server = lt.Server(workers=4)
client = lt.Client(server, port, name="demo")
url = f"http://demo.localhost:{server.port}"
curl = ["curl", "-sS", "--fail", "--resolve",
        f"demo.localhost:{server.port}:127.0.0.1"]
lt.wait_until(lambda: web.poll() is None and lt.get(server, "demo").status
              != 502)

subprocess.run([*curl, "-o", f"{lt.tmp}/got", f"{url}/down"], check=True)
assert hash_file(f"{lt.tmp}/got") == down
subprocess.run([*curl, "-T", f"{lt.tmp}/up", f"{url}/up/file"], check=True)
assert hash_file(f"{lt.tmp}/nginx/www/up/file") == up
web.terminate()
web.wait()
