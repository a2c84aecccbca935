#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""ltclient start: many tunnels of a configuration file in one client. Each has
options, output and an end of its own."""

import json
import os
import re

import lt

services = {name: lt.Service(name) for name in ("one", "two")}
server = lt.Server(options={"grace": 1})
path = lt.tmp + "/ltclient.conf"


def configure(text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def start(*args, **more):
    return lt.Program("ltclient", "-c", path, *args, **more).start()


def usage(text, *args):
    """What is said of a file that is no good."""
    configure(text)
    program = start(*args)
    assert program.wait() == 2 and program.output() == "", program.log()
    assert program.log().startswith("ltclient: "), program.log()
    return program.log()


def whom(name):
    return lt.get(server, name).json()["service"]


file = f"""
# three tunnels
server = "{server.url}"
tunnel "web" {{
        target = "{services['one'].target}"
        name = web-name
        host-header = "app.example"
        print-requests = yes
}}
tunnel "taken" {{ target = "{services['one'].target}"  name = held }}
tunnel "api" {{
        target = {services['two'].port}
        name = api-name
        allow = {{ "127.0.0.0/8", "::1" }}
}}
"""
holder = lt.Client(server, services["two"], name="held")
configure(file)

# All of them; one is refused, says so, and does not end the others.
client = start("start", "--all")
client.wait_output("^web: ")
client.wait_output("^api: ")
client.wait_log("^ltclient: taken: the name held is taken")
assert sorted(client.output().splitlines()) == [
    f"api: http://api-name.localhost:{server.port}",
    f"web: http://web-name.localhost:{server.port}"], client.output()
assert whom("web-name") == "one" and whom("api-name") == "two"
assert whom("held") == "two"
page = lt.get(server, "web-name", "/seen")
assert page.seen("Host") == ["app.example"]
assert lt.get(server, "api-name", "/unseen").seen("Host") != ["app.example"]
client.wait_log(r"^web: GET /seen 200 \d+ ms$")
assert "/unseen" not in client.log()

# Each comes back by itself, under its name.
server.restart()
for name, service in ("web-name", "one"), ("api-name", "two"), \
        ("held", "two"):
    lt.wait_until(lambda: lt.get(server, name).status == 200)
    assert whom(name) == service
assert len(client.output().splitlines()) == 2, client.output()
assert "ltclient: web: lost the server" in client.log()
assert client.stop() == 0
lt.wait_until(lambda: lt.get(server, "web-name").status == 404)

# Some of them: one is as on the command line; with --json all are named.
client = start("start", "api")
url = client.wait_output(r"^your url is: (\S+)$").group(1)
assert url == f"http://api-name.localhost:{server.port}"
assert client.stop() == 0
client = start("--json", "-q", "start", "api", "taken", "web")
lt.wait_until(lambda: len(client.output().splitlines()) == 3)
events = [json.loads(line) for line in client.output().splitlines()]
assert {(e["event"], e["tunnel"]) for e in events} == {
    ("up", "api"), ("up", "web"), ("error", "taken")}, events
assert client.stop() == 0
for name in "web-name", "api-name":
    lt.wait_until(lambda: lt.get(server, name).status == 404)

# Once nothing is left it ends, as the first failure says.
others = [lt.Client(server, services["one"], name=name)
          for name in ("web-name", "api-name")]
client = start("start", "--all")
assert client.wait() == 3 and client.output() == ""
assert len(re.findall("is taken", client.log())) == 3, client.log()
for other in others:
    assert other.stop() == 0
closed = f"http://127.0.0.1:{lt.free_port()}"
client = start("-S", closed, "--no-reconnect", "start", "web", "api")
assert client.wait() == 5 and len(client.log().splitlines()) == 2

# The user's own file, and -c over it: that one's tunnel of the same name wins.
home = {"XDG_CONFIG_HOME": lt.tmp + "/config"}
os.makedirs(lt.tmp + "/config/localtunnel")
with open(lt.tmp + "/config/localtunnel/ltclient.conf", "w",
          encoding="utf-8") as f:
    f.write(file.replace("web-name", "own-name"))
client = lt.Program("ltclient", "start", "web", env=home).start()
client.wait_output("^your url is: http://own-name")
assert client.stop() == 0
client = start("start", "web", env=home)
client.wait_output("^your url is: http://web-name")
assert client.stop() == 0

# What is wrong is named, with file and line.
log = usage(file, "start", "wbe")
assert f'no tunnel "wbe" in {path}; those that are there: web, taken, api' \
    in log, log
log = usage(file.replace("host-header", "host-heder"), "start", "--all")
assert f"{path}:7: no such option 'host-heder'; " \
    'do you mean "host-header"?' in log, log
log = usage(file.replace('"api"', '"web"'), "start", "web")
assert 'tunnel "web" is there twice' in log and path in log, log
log = usage(file.replace("print-requests = yes", "kind = tls"), "start", "web")
assert f'{path}:4: tunnel "web": print-requests and host-header need' in log
assert "there is no such kind" in usage(
    file.replace("print-requests = yes", "kind = tpc"), "start", "web")
assert "name some of the configuration file" in usage(file, "start")
assert "no tunnel in" in usage(f'server = "{server.url}"', "start", "--all")
