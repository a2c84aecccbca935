# SPDX-License-Identifier: ISC
"""nginx as a local service: serves files of its folder www, and takes uploads
below /up/."""

import hashlib
import os
import shutil
import subprocess

import lt

_PROGRAM = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")


def make_file(path, length):
    """A file of pseudo-random bytes; returns its hash."""
    digest = hashlib.sha256()
    with open(path, "wb") as f:
        for block in lt.blocks(length):
            f.write(block)
            digest.update(block)
    return digest.hexdigest()


def hash_file(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


class Nginx:
    """Skips the test where there is no nginx."""

    def __init__(self):
        if _PROGRAM is None:
            lt.skip("nginx is not installed")
        self.port = lt.free_port()
        self.target = f"127.0.0.1:{self.port}"
        self.base = f"{lt.tmp}/nginx"
        self.www = f"{self.base}/www"
        os.makedirs(f"{self.www}/up")
        os.chmod(lt.tmp, 0o755)
        os.chmod(f"{self.www}/up", 0o777)
        with open(f"{self.base}/conf", "w", encoding="ascii") as f:
            f.write(self._configuration())
        self.process = subprocess.Popen(
            [_PROGRAM, "-c", f"{self.base}/conf", "-e",
             f"{self.base}/error.log"])
        lt.wait_until(lambda: not lt.refused(("127.0.0.1", self.port))
                      or self.process.poll() is not None)
        assert self.process.poll() is None, "nginx ended"

    def _configuration(self):
        return f"""
daemon off; master_process off; pid {self.base}/pid;
error_log {self.base}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off; client_max_body_size 0;
  client_body_temp_path {self.base}/body;
  proxy_temp_path {self.base}/proxy;
  fastcgi_temp_path {self.base}/fastcgi;
  uwsgi_temp_path {self.base}/uwsgi;
  scgi_temp_path {self.base}/scgi;
  server {{
    listen 127.0.0.1:{self.port}; root {self.www};
    location /up/ {{ dav_methods PUT; }}
  }}
}}
"""

    def stop(self):
        self.process.terminate()
        self.process.wait()
