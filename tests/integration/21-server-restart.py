#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The server restarts: the client comes back by itself under the same name,
whether the server left in good order or was killed."""

import lt

server = lt.Server()
service = lt.Service()
named = lt.Client(server, service, name="demo")
chosen = lt.Client(server, service)
pids = [named.pid, chosen.pid]

for sig in (lt.SIGTERM, lt.SIGKILL, lt.SIGINT):
    workers = server.workers()
    server.stop(sig)
    # Workers whose master is gone close their listeners and leave.
    lt.wait_until(lambda: not any(map(lt.exists, workers)))
    server.start_again()
    for client in (named, chosen):
        name = client.url.split("/")[2].split(".")[0]
        lt.wait_until(lambda: lt.get(server, name).status == 200)
assert [named.pid, chosen.pid] == pids and named.alive() and chosen.alive()
# The URL was said once: it has not changed.
assert named.output() == f"your url is: {named.url}\n"
assert chosen.output() == f"your url is: {chosen.url}\n"
