# SPDX-License-Identifier: ISC
"""The local services that visitors come for: nginx with one worker process,
and a sink for uploads.

    /small  100 bytes in one segment: head and body in one write
    /two    the same in two: the body comes with sendfile(2)
    /big    a file of `size` bytes, /16, /64 ...: files of so many KiB
"""

import os

from process import BUILD, Process, find, free_port, tmp, wait_port

SIZES_KIB = (1, 4, 16, 64, 256, 1024, 4096, 16384)


class Services:
    def __init__(self, size):
        # In memory: what is measured is not a disk.
        self.root = "/dev/shm" if os.path.isdir("/dev/shm") else "/tmp"
        self.root += "/" + os.path.basename(tmp)
        os.makedirs(self.root, mode=0o755)
        self.big = size
        self._file("two", 100)
        self._file("big", size)
        for kib in SIZES_KIB:
            self._file(str(kib), kib * 1024)
        self.port = free_port()
        path = f"{tmp}/service.conf"
        with open(path, "w", encoding="utf-8") as f:
            f.write(self._config())
        nginx = Process([find("nginx"), "-e", "/dev/null", "-c", path],
                        title="service")
        wait_port(self.port, nginx)
        self.sink = free_port()
        wait_port(self.sink,
                  Process([f"{BUILD}/bench/sink", self.sink]))

    def path(self, name):
        return os.path.join(self.root, name)

    def _file(self, name, size):
        with open(self.path(name), "wb") as f:
            block = os.urandom(min(size, 1 << 20))
            for at in range(0, size, len(block)):
                f.write(block[:size - at])

    def close(self):
        for name in os.listdir(self.root):
            os.unlink(self.path(name))
        os.rmdir(self.root)

    def _config(self):
        user = "user root;" if os.getuid() == 0 else ""
        temp = "".join(
            f"	{kind}_temp_path {tmp}/{kind};\n" for kind in
            ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        return f"""
daemon off;
{user}
worker_processes 1;
worker_rlimit_nofile 20000;
pid {tmp}/service.pid;
error_log /dev/null;
events {{ worker_connections 16384; }}
http {{
{temp}	access_log off;
	sendfile on;
	keepalive_requests 1000000000;
	keepalive_timeout 600s;
	open_file_cache max=100;
	server {{
		listen 127.0.0.1:{self.port} backlog=4096;
		root {self.root};
		location = /small {{
			return 200 "{'x' * 100}";
		}}
	}}
}}
"""
