#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""usage FILE COMMAND...: runs it; `seconds maxrss-KiB CPU-ms` go to FILE, the exit status is its own."""
import os
import resource
import subprocess
import sys
import time

begin = time.monotonic()
status = subprocess.run(sys.argv[2:], check=False).returncode
elapsed = time.monotonic() - begin
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
with open(sys.argv[1], "w", encoding="ascii") as out:
    print("%.3f %d %d" % (elapsed, usage.ru_maxrss, (usage.ru_utime + usage.ru_stime) * 1000), file=out)
sys.exit(status if status >= 0 else 128 - status)
