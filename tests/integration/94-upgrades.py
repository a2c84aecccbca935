#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The program is replaced 20 times under visitors, more than 20 a second; at the
end nothing is left of any of them."""

import upgrades

server = upgrades.start()
upgrades.run(server, 20)
assert "error:" not in server.log(), server.log()
