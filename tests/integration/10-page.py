#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Visitors reach a local service: pages, bodies both ways, kept-alive
connections, one worker and several."""

import lt

service = lt.Service()
for workers in (1, 3):
    server = lt.Server(workers=workers)
    client = lt.Client(server, service, name="demo")
    assert client.url == f"http://demo.localhost:{server.port}", client.url
    # Nothing but results goes to standard output.
    assert client.output() == f"your url is: {client.url}\n"

    page = lt.get(server, "demo", "/hello?x=1")
    assert page.status == 200 and page.json()["path"] == "/hello?x=1"

    # The name may be written in capitals, with a dot at the end, and with
    # labels to its left.
    for host in ("DEMO.LocalHost", f"demo.localhost.:{server.port}",
                 "a.b.demo.localhost"):
        assert lt.get(server, host).status == 200, host

    body = lt.stream(1 << 20)
    page = lt.get(server, "demo", method="POST", body=body)
    assert page.json()["body_sha256"] == lt.sha256(body)
    for path in ("/bytes/3000000", "/chunked/3000000"):
        page = lt.get(server, "demo", path)
        assert page.sha256 == lt.sha256_of(3000000), path

    # A kept-alive connection carries any of them, one after the other.
    with lt.Visitor(server) as visitor:
        host = server.host("demo")
        for i in range(20):
            assert visitor.request(host, f"/{i}").json()["path"] == f"/{i}"
            page = visitor.request(host, method="PUT", body=body[:70000])
            assert page.json()["body_len"] == 70000
            assert visitor.request(host, "/x", method="HEAD").status == 200
            visitor.send(f"POST / HTTP/1.1\r\nHost: {host}\r\n"
                         "Transfer-Encoding: chunked\r\n\r\n"
                         "5\r\nhello\r\n3;x=y\r\nabc\r\n0\r\n\r\n")
            assert visitor.read_response().json()["body_len"] == 8

    # A head may come one byte at a time.
    with lt.Visitor(server) as visitor:
        visitor.send_slowly(lt.request(server.host("demo"), "/slowly"))
        assert visitor.read_response().json()["path"] == "/slowly"
    assert client.stop() == 0
    server.stop()
    assert "error" not in server.log(), "something was wrong"
