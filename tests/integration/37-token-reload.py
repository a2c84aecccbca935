#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Tokens when settings are read again and when another program takes over: they
can be asked for while the server runs, and what was counted is counted still."""

import os
import subprocess

import lt

path, sock = lt.tmp + "/tokens", lt.tmp + "/sock"
FREE = f'control-socket = "{sock}"\n'
GUARDED = FREE + f'tokens = "{path}"\n'


def ctl(*args, code=0):
    done = subprocess.run(
        [os.path.join(lt.BUILD, "ltctl"), "-s", sock, *args],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == code, done
    return done.stdout.strip()


def reload(config):
    server.configure(config)
    ctl("reload")


one = ctl("-f", path, "token", "add", "one", "tunnels=1")
service = lt.Service()
server = lt.Server(workers=2, config=FREE)
nobody = lt.Client(server, service, name="nobody")
assert "no file of tokens" in subprocess.run(
    [os.path.join(lt.BUILD, "ltctl"), "-s", sock, "token", "list"],
    stderr=subprocess.PIPE, text=True, check=False).stderr

# From now on there must be one: who has none is told, and leaves.
reload(GUARDED)
assert nobody.wait() == 4, nobody.log()
assert "not good any more" in nobody.log()
client = lt.Client(server, service, "-t", one, name="demo")


def is_full():
    second = lt.Client(server, service, "-t", one, name="second", wait=False)
    assert second.wait() == 1, second.log()
    assert "as many tunnels as it may" in second.log(), second.log()


is_full()
# The same after another program has taken over.
before = server.workers()
ctl("upgrade")
lt.wait_until(lambda: not set(before) & set(server.workers()))
lt.wait_until(lambda: lt.get(server, "demo").status == 200)
is_full()
assert client.alive()
ctl("token", "revoke", "one")
assert client.wait() == 4, client.log()
# And none is asked for any more.
reload(FREE)
lt.Client(server, service, name="again")
assert lt.get(server, "again").status == 200
