#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""500 visitors at once all get their page; the pool grows for them."""

import lt

server = lt.Server(workers=4)
service = lt.Service()
client = lt.Client(server, service, name="demo")
for round_ in range(3):
    visitors = [lt.Visitor(server) for _ in range(500)]
    for i, visitor in enumerate(visitors):
        visitor.send(lt.request(server.host("demo"), f"/{round_}/{i}",
                                headers={"Connection": "close"}))
    for i, visitor in enumerate(visitors):
        page = visitor.read_response()
        assert page.status == 200, (i, page.status, page.body)
        assert page.json()["path"] == f"/{round_}/{i}"
        visitor.close()
assert len(service.requests) == 1500
