#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""alloc.py [-s N] [-k REGEX] [-v] BUILD: every allocation of every applet fails once.

A point is one run in which one allocation fails.  Whatever comes of it, the run must not crash and
must release what it has; when it fails it says so in one line, and every file is as it was, but
for KEY.est-new.  libtasn1 and others do crash when an allocation of theirs fails: that counts as
survived when no file has changed, and is named at the end.  -s: a sample of N points for each
command, by --seed, or by the date.  Ends with the line `N points tried, N survived`.
"""
import hashlib
import os
import random
import re
import shutil
import ssl
import sys
import tempfile

import torture

COMMANDS = [
    ("csr", ["csr", "--subject", "CN=x", "--dns", "x.example", "--key-out", "new.key", "-o",
             "new.csr"]),
    ("cacerts", ["cacerts", "-o", "ca.pem"]),
    ("cacerts --update", ["cacerts", "--update", "root.pem", "--chain-out",
                         "inter.pem", "--json"]),
    ("csrattrs", ["csrattrs", "-l", "csrattrs-rfc"]),
    ("enroll", ["enroll", "--subject", "CN=x", "--dns", "x.example", "--store", "st", "--json"]),
    ("enroll, files", ["enroll", "--subject", "CN=x", "--key-out", "new.key", "-o", "new.pem",
                       "--chain-out", "chain.pem"]),
    ("enroll, template", ["enroll", "-l", "csrattrs-template", "--subject", "CN=dev", "--dns",
                          "www.myServer.com", "--ip", "192.0.2.1", "--ext-key-usage", "clientAuth",
                          "--combined", "new.pem", "-v", "--json"]),
    ("csr, attributes", ["csr", "--from", "attrs", "--subject", "CN=x", "--key-out", "new.key",
                         "-o", "new.csr", "-v", "--json"]),
    ("cacerts --bootstrap", ["cacerts", "--bootstrap", "--ca-fingerprint", "ROOT", "-o", "ca.pem",
                             "--json"]),
    ("reenroll, store", ["reenroll", "--force", "--store", "kept", "--verify-with", "true",
                         "--hook", "true", "--json"]),
    ("reenroll, not due", ["reenroll", "--cert", "dev.pem", "--key", "dev.key", "--json"]),
    ("reenroll --status", ["reenroll", "--cert", "dev.pem", "--key", "dev.key", "--status"]),
    ("reenroll --config-dir", ["reenroll", "--config-dir", "conf", "--json"]),
    ("reenroll", ["reenroll", "--force", "--cert", "dev.pem", "--key", "dev.key", "--rekey",
                  "--keep", "2"]),
    ("inspect", ["inspect", "dev.pem", "ca.csr", "-v"]),
    ("inspect --tree", ["inspect", "--tree", "root.pem", "dev.pem", "--json"]),
    ("inspect --diff", ["inspect", "--diff", "root.pem", "all.pem"]),
    ("inspect --verify", ["inspect", "--verify", "--cacert", "root.pem", "dev.pem",
                          "--expires-within", "1d"]),
]
MADE = re.compile(r"(new|dev)\.(key|pem|csr)(\.prev)?|ca\.pem|inter\.pem|chain\.pem|root\.pem|"
                  r"(st|kept)|(st|kept)/current|(st|kept)/gen-\d{6}(/(key|cert|chain|fullchain)\.pem)?")
CRASHED = {}  # library: how often
OFFLINE = ("csr", "inspect")


def arguments(place, args):
    # By address: the name is looked up by a thread, which may end after the program.
    common = [word.replace("//localhost:", "//127.0.0.1:") for word in place.common]
    if args[0] in OFFLINE:
        common = []
    elif "--update" in args or "--bootstrap" in args:  # it has anchors of its own
        common = common[:2]
    elif args[0] in ("cacerts", "csrattrs"):
        common = common[:4]
    return [args[0], *common, *(place.root if word == "ROOT" else word for word in args[1:])]


def root_fingerprint(place):
    with open(place.ca + "/root.pem", encoding="ascii") as file:
        der = ssl.PEM_cert_to_DER_cert(file.read())
    return "sha256:" + hashlib.sha256(der).hexdigest()


def run(place, home, shim, args, at):
    """Exit status, stderr, the report of the shim."""
    shutil.rmtree(place.work, ignore_errors=True)
    shutil.copytree(home, place.work, symlinks=True)
    report = place.top + "/report"
    if os.path.exists(report):
        os.unlink(report)
    env = dict(os.environ, LD_PRELOAD=shim, FAILALLOC_AT=str(at), FAILALLOC_REPORT=report)
    done = torture.subprocess.run([place.est, *arguments(place, args)], cwd=place.work, env=env,
                                  stdin=torture.subprocess.DEVNULL,
                                  stdout=torture.subprocess.DEVNULL,
                                  stderr=torture.subprocess.PIPE, timeout=60, check=False)
    err = done.stderr.decode(errors="replace")
    torture.due(os.path.exists(report), "%d without a report, %s", done.returncode, err)
    with open(report, encoding="ascii") as file:
        return done.returncode, err, file.read()


def library_crash(report):
    """The library in which the run has crashed; None when it has not, or in est."""
    frames = [line for line in report.splitlines()[1:] if "failalloc" not in line and
              "libc.so" not in line]
    if "getaddrinfo" in report and report.startswith("crashed 6 "):
        return "libc.so.6"  # an assertion of its own
    if not report.startswith("crashed") or not frames or re.match(r"\S*/est\(", frames[0]):
        return None
    return os.path.basename(frames[0].split("(")[0])


def count_of(report):
    return int(re.search(r"count (\d+)", report).group(1))


def try_point(place, home, shim, args, at):
    before = torture.snapshot(home)
    status, err, report = run(place, home, shim, args, at)
    library = library_crash(report)
    if library:
        now = torture.snapshot(place.work)
        for name, old in before.items():
            torture.due(now.get(name) == old, "%s crashed, and %s has changed", library, name)
        CRASHED[library] = CRASHED.get(library, 0) + 1
        return
    torture.due(status >= 0 and not report.startswith("crashed"), "%d, %s", status, report)
    torture.due(" leaked 0" in report, "%d, %s", status, report)
    if "failed 0" in report:
        return
    torture.due(status < 18, "exit %d", status)
    torture.due(status in (0, 15) or err.startswith("est: "), "exit %d without a word", status)
    if status == 1 and "--json" in args and "out of memory" in err:
        return  # what was done could not be printed any more
    if any(name.endswith(".est-journal") for name in torture.snapshot(place.work)):
        again = place.run(args)  # what it could not tidy up, the next run does
        torture.due(status == 0 and again[0] == 0, "%d with a journal, then %d, %s", status, *again)
    now = torture.snapshot(place.work)
    for name, old in before.items():
        torture.due(status == 0 or now.get(name) == old, "exit %d, and %s has changed", status, name)
    for name in now:
        torture.due(name in before or MADE.fullmatch(name) and status == 0 or
                    status != 0 and re.search(r"\.est-(new|csr)$|^st$", name), "exit %d, and %s is left",
                    status, name)


def main():
    args = torture.options(__doc__)
    shim = os.path.join(os.path.abspath(args.build), "tests/torture/failalloc.so")
    top = tempfile.mkdtemp(prefix="est-torture.")
    mine = torture.places(args.build, top)
    home = os.path.join(top, "home")
    try:
        place = mine[0]
        os.makedirs(place.work)
        torture.due(place.run(["enroll", "--subject", "CN=dev", "-o", "dev.pem", "--key-out",
                               "dev.key"])[0] == 0, "enroll")
        torture.due(place.run(["cacerts", "-o", "all.pem"])[0] == 0, "cacerts")
        shutil.copy(place.ca + "/root.pem", place.work)
        torture.subprocess.run([place.est, "csr", "--use-key", "dev.key", "--subject", "CN=x", "-o",
                                "ca.csr"], cwd=place.work, check=True)
        for other in mine:
            other.root = root_fingerprint(place)
        with open(place.work + "/attrs", "wb") as file:
            torture.subprocess.run([place.est, *arguments(place, ["csrattrs", "-l", "csrattrs-rfc",
                                    "--outform", "b64"])], stdout=file, check=True)
        torture.due(place.run(["enroll", "--subject", "CN=dev", "--store", "kept"])[0] == 0,
                    "enroll --store")
        os.mkdir(place.work + "/conf")
        with open(place.work + "/conf/dev.conf", "w", encoding="ascii") as file:
            file.write("cert = dev.pem\nkey = dev.key\n")
        shutil.copytree(place.work, home, symlinks=True)
        points = []
        for name, command in COMMANDS:
            if not re.search(args.k, name):
                continue
            status, err, report = run(place, home, shim, command, 0)
            torture.due(status in (0, 15), "%s: %d, %s", name, status, err)
            every = range(1, count_of(report) + 1)
            points += [(name, at, lambda place, c=command, n=at: try_point(place, home, shim, c, n))
                       for at in (random.sample(every, min(args.s, len(every))) if args.s else every)]
        tried, survived = torture.try_all(mine, points, args.v, lambda point:
                                          "%s: allocation %d" % (point[0], point[1]))
    finally:
        for place in mine:
            place.close()
        shutil.rmtree(top, ignore_errors=True)
    for library in sorted(CRASHED):
        print("%s crashed %d times, and no file had changed" % (library, CRASHED[library]))
    print("%d points tried, %d survived" % (tried, survived))
    return tried == 0 or tried != survived


if __name__ == "__main__":
    sys.exit(main())
