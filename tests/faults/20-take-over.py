#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""1,000 attempts at the name of a client that is there, and 1,000 races of two
clients for one whose owner has just left. The name is never anybody else's,
each race has one winner, and nothing of it slows others down or fills the
log."""

import random
import threading

import ledger
from ledger import lt, ltp02

ATTEMPTS = 100 if ledger.QUICK else 1000
RACES = 50 if ledger.QUICK else 1000

chance = random.Random(1)


def attempt(number):
    """Asks for a in some way that is not its owner's; what it was told."""
    name = chance.choice(("a", "A", "a.", "a\0", "a\0x", " a", "a ", "\u0430",
                          "a.localhost", "a/", "x.a", "a\n"))
    message = {"control": {"name": name, "client": chance.choice(
        (ltp02.CLIENT, f"c{number}", "root@localhost;Linux"))}}
    ext = {"strict": True, "must": ["strict"]}
    proof = chance.choice(({}, {"secret": "0" * 32}, {"session": "s1"},
                           {"secret": "f" * 64, "session": f"{number}"},
                           {"group": "g"}))
    if chance.random() < 0.7:
        message["ext"] = ext | proof
    source = f"127.0.0.{chance.randint(1, 20)}"
    with ltp02.connect(rig.server.address, message, source) as conn:
        try:
            return name, ltp02.read_frame(conn)
        except ConnectionError:
            return name, None


def race(name):
    """Two ask at once; the one who gets it."""
    gate, granted = threading.Barrier(2), []

    def ask(client):
        gate.wait()
        try:
            granted.append(ltp02.open_control(
                rig.server.address, name, client)[0])
        except (ltp02.Refused, ConnectionError):
            pass
    both = [threading.Thread(target=ask, args=(f"c{i}@{name}",))
            for i in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    return granted


rig = ledger.Rig(options={"grace-old": 0})
with rig.traffic():
    for number in range(ATTEMPTS):
        name, answer = attempt(number)
        assert answer is None or "error" in answer, (name, answer)
        if number % 10 == 0:
            assert rig.visit("a").end == "ok"
    winners = 0
    owner = ltp02.open_control(rig.server.address, "prize", "first")[0]
    for _ in range(RACES):
        # Both ask while the owner leaves, and again until one has it.
        threading.Timer(0.001, owner.close).start()
        granted = []
        while not granted:
            granted = race("prize")
        assert len(granted) == 1, granted
        winners += 1
        owner = granted[0]
    owner.close()
rig.judge()
for told in rig.a.log(), rig.b.log():
    assert "taken over" not in told and "lost the server" not in told, told
assert ltp02.CLIENT not in rig.server.log()
print(f"{ATTEMPTS} attempts, {winners} races with one winner each")
