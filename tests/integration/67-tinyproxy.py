#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""tinyproxy as the way out of ltclient: with a password and without, with the
server in clear and in TLS; what it refuses; it ends and comes back."""

import re
import shutil

import ca
import lt

tinyproxy = shutil.which("tinyproxy", path="/usr/bin:/usr/sbin:/bin")
if tinyproxy is None:
    lt.skip("needs tinyproxy")


class Proxy(lt.Program):
    """tinyproxy in the foreground, on a free port."""

    def __init__(self, *settings):
        self.port = lt.free_port()
        self.address = f"127.0.0.1:{self.port}"
        config = f"{lt.tmp}/tinyproxy-{self.port}.conf"
        super().__init__(tinyproxy, "-d", "-c", config, title="tinyproxy")
        with open(config, "w", encoding="ascii") as f:
            f.write("\n".join([f"Port {self.port}", "Listen 127.0.0.1",
                               "Timeout 600", "Allow 127.0.0.1",
                               "LogLevel Connect", *settings, ""]))
        self.start()

    def start(self):
        super().start()
        lt.wait_until(lambda: not lt.refused(("127.0.0.1", self.port)),
                      what="tinyproxy listens")
        return self

    def asked(self):
        return set(re.findall(r"CONNECT (\S+) HTTP", self.log()
                              + self.output()))


service = lt.Service()
authority = ca.Authority()
pair = authority.issue("localhost", "*.localhost")
plain = lt.Server()
tls = lt.Server(options={"tls-certificate": pair.cert, "tls-key": pair.key})
tls_url = f"https://localhost:{tls.port}"
trusted = ("--ca", authority.cert)


def visit(name="demo"):
    for _ in range(12):
        assert lt.get(plain, name).status == 200
    page = lt.get(plain, name, "/bytes/3000000")
    assert page.status == 200 and len(page.body) == 3_000_000


proxy = Proxy()
client = lt.Client(plain, service, "--proxy", "http://" + proxy.address,
                   name="demo")
visit()
assert proxy.asked() == {f"localhost:{plain.port}"}, proxy.asked()

# It ends, and with it all that it has connected; then it is back.
proxy.kill()
client.wait_log("lost the server")
client.wait_log(f"the proxy {proxy.address}: Connection refused")
proxy.start()
client.wait_log("reconnected")
visit()
assert client.stop() == 0
client = lt.Client(tls_url, service, *trusted, "--proxy", proxy.address)
assert client.stop() == 0
assert f"localhost:{tls.port}" in proxy.asked()

# With a password.
closed = Proxy("BasicAuth ada se-cret")
for login, words in ("", "asks for a password"), \
        ("ada:wrong@", "does not take this user"):
    client = lt.Client(tls_url, service, *trusted, "--proxy",
                       f"http://{login}{closed.address}", wait=False)
    assert client.wait() == 1 and words in client.log(), client.log()
    assert closed.address in client.log()
    assert login == "" or "wrong" not in client.log()
for login in "ada:se-cret@", "ada:se%2Dcret@":
    client = lt.Client(plain, service, name="demo", env={
        "https_proxy": "http://192.0.2.1:1"}, *[
            "--proxy", f"http://{login}{closed.address}"])
    visit()
    assert client.stop() == 0
client = lt.Client(tls_url, service, *trusted, "--proxy",
                   f"http://ada:se-cret@{closed.address}")
assert client.stop() == 0

# It allows another port only, or cannot reach the server.
narrow = Proxy("ConnectPort 1")
client = lt.Client(tls_url, service, *trusted, "--proxy", narrow.address,
                   wait=False)
assert client.wait() == 1 and "refuses to connect" in client.log()
assert f"localhost:{tls.port}" in client.log(), client.log()
client = lt.Client(f"http://127.0.0.1:{lt.free_port()}", service,
                   "--no-reconnect", "--proxy", proxy.address, wait=False)
assert client.wait() == 5, client.log()
assert "cannot connect to 127.0.0.1:" in client.log(), client.log()
