#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""torture.py [-s N] [-k REGEX] [-v] BUILD: faults at every point of a renewal.

A point is one system call of one run and one fault there: killed, SIGTERM, an error, once or from
there on; or one state that a power cut can leave, which is made of the run's trace (disk.py).
After each the files must be whole, keys for their owners' eyes, no key lost for which the server
has issued, and the next run must put everything in order.  -s: a sample of N points of each kind,
by --seed, or by the date.  Ends with the line `N points tried, N survived`.
"""
import argparse
import base64
import concurrent.futures
import datetime
import hashlib
import os
import queue
import random
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile

import disk

CALLS = ("open openat creat write pwrite64 writev fsync fdatasync ftruncate fallocate rename "
         "renameat renameat2 link linkat unlink unlinkat symlink symlinkat mkdir mkdirat rmdir "
         "chmod fchmod fchmodat chown fchown fchownat flock close lseek").split()
TRACE = ",".join("?" + name for name in CALLS)
ERRORS = ("ENOSPC", "EIO", "EDQUOT", "EROFS")
LEAVES = ("unlink", "unlinkat", "rmdir", "rename", "linkat", "flock")
POINT = re.compile(rb"\x03\x42\x00(\x04.{64})", re.S)  # BIT STRING with a point on P-256
PEM = re.compile(rb"-----BEGIN ([A-Z ]+)-----\n(.*?)\n-----END \1-----\n", re.S)


class Scenario:
    """A command, its files, and what may be there when it has worked."""

    def __init__(self, name, setup, args, pair, names, atomic):
        self.name, self.setup, self.args, self.atomic = name, setup, args, atomic
        self.pair = pair  # certificate, key
        self.names = re.compile("|".join(names))
        self.home = self.trace = self.key = None  # filled in by prepare()


SCENARIOS = [
    Scenario("pair", ["-o", "dev.pem", "--key-out", "dev.key"],
             ["reenroll", "--force", "--cert", "dev.pem", "--key", "dev.key", "--rekey",
              "--chain-out", "chain.pem"], ("dev.pem", "dev.key"),
             [r"dev\.(pem|key)(\.prev)?", r"chain\.pem(\.prev)?"], False),
    Scenario("store", ["--store", "st"], ["reenroll", "--force", "--store", "st", "--rekey"],
             ("st/current/cert.pem", "st/current/key.pem"),
             [r"st", r"st/current", r"st/gen-\d{6}(/(key|cert|chain|fullchain)\.pem)?"], True),
    Scenario("combined", ["--combined", "all.pem"],
             ["reenroll", "--force", "--cert", "all.pem", "--combined", "all.pem", "--rekey",
              "--keep", "0"],
             ("all.pem", "all.pem"), [r"all\.pem"], True),
    Scenario("renew", ["-o", "dev.pem", "--key-out", "dev.key"],
             ["reenroll", "--force", "--reuse-key", "--cert", "dev.pem", "--key",
              "dev.key", "--fullchain", "--hook", "echo $EST_FINGERPRINT >>../hooked"],
             ("dev.pem", "dev.key"), [r"dev\.(pem|key)"], True),
    Scenario("enroll", None, ["enroll", "--subject", "CN=dev", "--key-out", "dev.key", "-o",
                              "dev.pem", "--force"],
             ("dev.pem", "dev.key"), [r"dev\.(pem|key)"], False),
    Scenario("new store", None, ["enroll", "--subject", "CN=dev", "--store", "st"],
             ("st/current/cert.pem", "st/current/key.pem"),
             [r"st", r"st/current", r"st/gen-\d{6}(/(key|cert|chain|fullchain)\.pem)?"], False),
]


def keys_in(data):
    """The public keys of what PEM blocks hold, whichever kind they are."""
    return {match.group(1) for block in PEM.finditer(data)
            for match in POINT.finditer(base64.b64decode(block.group(2)))}


def snapshot(home):
    """{name: (type and mode, content or target)} of all below a folder."""
    found = {}
    for folder, folders, files in os.walk(home):
        for name in folders + files:
            path = os.path.join(folder, name)
            mode = os.lstat(path).st_mode
            content = None
            if stat.S_ISLNK(mode):
                content = os.readlink(path)
            elif stat.S_ISREG(mode):
                with open(path, "rb") as file:
                    content = file.read()
            found[os.path.relpath(path, home)] = (mode, content)
    return found


def read(home, name):
    try:
        with open(os.path.join(home, name), "rb") as file:
            return file.read()
    except OSError:
        return b""


def fits(home, pair):
    """The public key that certificate and key share, or None."""
    cert = [block.group(0) for block in PEM.finditer(read(home, pair[0]))
            if b"CERTIFICATE" in block.group(1)]
    key = [block.group(0) for block in PEM.finditer(read(home, pair[1]))
           if b"PRIVATE KEY" in block.group(1)]
    if not cert or not key:
        return None
    one, two = keys_in(cert[0]), keys_in(key[0])
    return one.pop() if one and one == two else None


class Place:
    """A server of its own and a folder to work in; one for each worker."""

    def __init__(self, build, top, number, like=None):
        self.est = os.path.join(build, "est")
        self.top = os.path.join(top, "place%d" % number)
        self.work = os.path.join(self.top, "work")
        os.makedirs(self.top)
        if like:  # the same CA
            shutil.copytree(like.ca, self.top + "/ca", ignore=shutil.ignore_patterns("log*"))
        password = os.path.join(self.top, "password")
        with open(password, "w", encoding="ascii") as file:
            file.write("pass-Wd-43")
        self.server = subprocess.Popen(
            [os.path.join(build, "est-testserver"), "--dir", self.top + "/ca", "--user", "tester",
             "--password-file", password, "--parent-exit", "--max-seconds", "40000"],
            stdout=subprocess.PIPE, text=True)
        ready = dict(word.split("=", 1) for word in self.server.stdout.readline().split()[1:])
        self.ca, self.log = ready["dir"], os.path.join(ready["dir"], "log.jsonl")
        self.common = ["-s", ready["url"], "--cacert", self.ca + "/root.pem", "-u", "tester",
                       "--password-file", password]

    def issued(self):
        """The public keys for which this server has issued, oldest first."""
        out = []
        with open(self.log, encoding="utf-8") as log:
            for line in log:
                name = re.search(r'"csr":"([^"]+)"', line)
                if name and '"status":200' in line:
                    out += POINT.findall(read(self.ca, name.group(1)))
        return out

    def empty(self):
        shutil.rmtree(self.work, ignore_errors=True)
        with open(self.top + "/hooked", "w", encoding="ascii"):
            pass

    def fresh(self, scenario):
        self.empty()
        shutil.copytree(scenario.home, self.work, symlinks=True)

    def run(self, args, strace=(), umask=0o022):
        """Exit status and stderr; a shell's status for a signal."""
        command = ["strace", "-qq", "-o", self.top + "/strace", *strace] if strace else []
        done = subprocess.run([*command, self.est, args[0], *self.common, *args[1:]],
                              cwd=self.work, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, timeout=120, check=False, umask=umask,
                              env=dict(os.environ, ASAN_OPTIONS="detect_leaks=0"))
        status = 128 - done.returncode if done.returncode < 0 else done.returncode
        return status, done.stderr.decode(errors="replace")

    def close(self):
        self.server.terminate()
        self.server.wait()


class Bad(Exception):
    """What a point has shown."""


def due(condition, text, *args):
    if not condition:
        raise Bad(text % args)


def keys_on_disk(place):
    return {key for _, content in snapshot(place.work).values()
            if isinstance(content, bytes) and b"PRIVATE KEY" in content
            for block in PEM.finditer(content) if b"PRIVATE" in block.group(1)
            for key in keys_in(block.group(0))}


def last_kept(place, issued_before):
    """Of several runs: earlier keys were replaced by right, the last one never."""
    due(set(place.issued()[issued_before:][-1:]) <= keys_on_disk(place),
        "the key of the last certificate that was issued is lost")


def look(scenario, place, before, issued_before):
    """What holds at any time."""
    now, keys = snapshot(place.work), keys_on_disk(place)
    for name, (mode, content) in now.items():
        if isinstance(content, bytes) and b"PRIVATE KEY" in content:
            due(stat.S_IMODE(mode) & ~0o640 == 0, "%s has mode %o", name, mode)
    for name in before:
        due(name in now or not scenario.names.fullmatch(name) or "gen-" in name or ".prev" in name,
            "%s is gone", name)
    if scenario.atomic and scenario.setup:
        due(fits(place.work, scenario.pair), "key and certificate do not fit")
    lost = [key for key in place.issued()[issued_before:] if key not in keys]
    due(not lost, "the key of a certificate that was issued is lost")


def fingerprint(home, name):
    cert = PEM.search(read(home, name))
    return hashlib.sha256(base64.b64decode(cert.group(2))).hexdigest().encode()


def next_run(scenario, place, key=None):
    """It works, puts everything in order, and goes on with the key that waited."""
    waits = [name for name in snapshot(place.work) if name.endswith((".est-new", ".est-journal"))]
    status, err = place.run(scenario.args)
    due(status == 0, "the next run: %d, %s", status, err)
    now = fits(place.work, scenario.pair)
    due(now, "the next run: key and certificate do not fit")
    left = snapshot(place.work)
    for name in left:
        due(scenario.names.fullmatch(name), "the next run leaves %s", name)
    due(len([name for name in left if re.fullmatch(r"st/gen-\d{6}", name)]) <= 2,
        "the next run leaves more than two generations")
    if "--hook" in scenario.args:
        due(fingerprint(place.work, scenario.pair[0]) in read(place.top, "hooked").split(),
            "the next run: the hook has never been run for the certificate that is in place")
    if key and any(name.endswith(".est-new") for name in waits):
        due(now == key, "the next run has another key than the one that waited")


def relevant(line, home):
    return home in line or ".est-" in line or '"dev.' in line or '"st' in line or '"all.' in line


def prepare(scenario, place):
    """The files before the run, and the calls of a run from the first that changes something."""
    scenario.home = os.path.join(place.top, "home-" + scenario.name)
    place.empty()
    os.makedirs(place.work)
    if scenario.setup:
        status, err = place.run(["enroll", "--subject", "CN=dev", *scenario.setup])
        due(status == 0, "enroll: %s", err)
    shutil.copytree(place.work, scenario.home, symlinks=True)
    status, err = place.run(scenario.args, ["-y", "-e", "trace=" + TRACE])
    due(status == 0, "%s: %s", scenario.name, err)
    counts, calls, begun = {}, [], False
    with open(place.top + "/strace", encoding="utf-8", errors="replace") as file:
        for line in file:
            name = re.match(r"(\w+)\(", line)
            if not name:
                continue
            name = name.group(1)
            counts[name] = counts.get(name, 0) + 1
            begun = begun or "est-journal" in line
            if begun:
                calls.append((name, counts[name], relevant(line, place.work), line.strip()))
    scenario.trace = calls
    place.fresh(scenario)
    status, err = place.run(scenario.args, ["-y", "-xx", "-s", "200000", "-e", "trace=" + TRACE])
    due(status == 0, "%s: %s", scenario.name, err)
    scenario.key = fits(place.work, scenario.pair)
    with open(place.top + "/strace", encoding="ascii") as file:
        scenario.cuts = disk.crashes(file, place.work, snapshot(scenario.home))


# ---- Kinds of points ------------------------------------------------------------------------------


def at_call(place, scenario, call, fault, umask=0o022):
    place.fresh(scenario)
    return place.run(scenario.args, ["-e", "trace=" + call[0], "-e",
                                     "inject=%s:%s:when=%s" % (call[0], fault, call[1])], umask)


def killed(place, scenario, call, umask=0o022):
    issued, before = len(place.issued()), snapshot(scenario.home)
    at_call(place, scenario, call, "signal=KILL", umask)
    look(scenario, place, before, issued)
    new = place.issued()[issued:]
    next_run(scenario, place, new[-1] if new else None)


def killed_masked(place, scenario, call):
    killed(place, scenario, call, random.choice([0, 0o777]))


def terminated(place, scenario, call):
    issued, before = len(place.issued()), snapshot(scenario.home)
    status, err = at_call(place, scenario, call, "signal=TERM")
    due(status in (0, 128 + signal.SIGTERM), "%d, %s", status, err)
    look(scenario, place, before, issued)
    owed = "--hook" in scenario.args and any(  # the files are new, their hook was kept from its end
        name.endswith(".est-journal") for name in snapshot(place.work))
    whole(scenario, place, before, 0 if owed else status, owed)
    next_run(scenario, place)


def whole(scenario, place, before, status, removing=False):
    """After a run that has ended by itself: everything new, or everything old."""
    now = snapshot(place.work)
    if status == 0:
        due(fits(place.work, scenario.pair), "0, and key and certificate do not fit")
    for name, old in before.items():
        due(status == 0 or now.get(name) == old, "%d, and %s has changed", status, name)
    for name in now:
        due(removing or scenario.names.fullmatch(name) and (status == 0 or name in before) or
            status != 0 and (re.search(r"\.est-(new|csr)$", name) or any(
                other.startswith(name + "/") for other in now)), "%d, and %s is left", status,
            name)


def failed(place, scenario, call, error, onwards):
    issued, before = len(place.issued()), snapshot(scenario.home)
    when = (call[0], "%d%s" % (call[1], "+" if onwards else ""))
    status, err = at_call(place, scenario, when, "error=" + error)
    owed = status == 16 and "--hook" in scenario.args and "cannot be started" in err
    due(status in (0, 3, 4) or owed, "%d, %s", status, err)
    due(status == 0 or err.startswith("est: ") or onwards and call[0] == "write",
        "%d without a word", status)
    look(scenario, place, before, issued)
    if not onwards:
        whole(scenario, place, before, 0 if owed else status, owed or call[0] in LEAVES)
    next_run(scenario, place)


def failed_once(place, scenario, call):
    for error in ERRORS if FULL else random.sample(ERRORS, 1):
        failed(place, scenario, call, error, False)


def failed_onwards(place, scenario, call):
    for error in ERRORS if FULL else random.sample(ERRORS, 1):
        failed(place, scenario, call, error, True)


def power_cut(place, scenario, cut):
    place.empty()
    os.makedirs(place.work)
    cut.write(place.work)
    if scenario.atomic and scenario.setup:
        due(fits(place.work, scenario.pair), "key and certificate do not fit")
    due(not cut.sent or scenario.key in keys_on_disk(place), "the key of a request that was sent is lost")
    next_run(scenario, place, scenario.key if cut.sent and scenario.name != "renew" else None)


def ten_crashes(place, scenario, _):
    """No run between them gets to its end."""
    issued = len(place.issued())
    place.fresh(scenario)
    for _ in range(10):
        call = random.choice(scenario.trace)
        place.run(scenario.args, ["-e", "trace=" + call[0], "-e", "inject=%s:signal=KILL:when=%d" %
                                  (call[0], call[1])])
        due(not scenario.atomic or not scenario.setup or fits(place.work, scenario.pair),
            "key and certificate do not fit")
        last_kept(place, issued)
    next_run(scenario, place)
    next_run(scenario, place)


def two_at_once(place, scenario, call):
    """One is killed, the other waits for it, or the other way round."""
    issued = len(place.issued())
    place.fresh(scenario)
    second = subprocess.Popen([place.est, scenario.args[0], *place.common, *scenario.args[1:],
                               "--lock-wait", "60"], cwd=place.work, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    place.run([*scenario.args, "--lock-wait", "60"],
              ["-e", "trace=" + call[0], "-e",
               "inject=%s:signal=KILL:when=%d" % (call[0], call[1])])
    err = second.communicate(timeout=120)[1].decode(errors="replace")
    due(second.returncode == 0, "the other run: %d, %s", second.returncode, err)
    last_kept(place, issued)
    left = any(name.endswith(".est-journal") for name in snapshot(place.work))
    due((left and not scenario.atomic) or fits(place.work, scenario.pair),
        "key and certificate do not fit")
    look(scenario, place, {}, len(place.issued()))
    next_run(scenario, place)


def points():
    """(kind, function, scenario, what the function gets)"""
    for scenario in SCENARIOS:
        mine = [call for call in scenario.trace if call[2]]
        for call in scenario.trace:
            yield "killed", killed, scenario, call
            yield "SIGTERM", terminated, scenario, call
        for call in mine:
            yield "failing once", failed_once, scenario, call
            yield "failing from there on", failed_onwards, scenario, call
            yield "killed, umask", killed_masked, scenario, call
        for cut in scenario.cuts:
            yield "power cut", power_cut, scenario, cut
        for i in range(10):
            yield "ten crashes", ten_crashes, scenario, i
        for call in mine[::7]:
            yield "two at once", two_at_once, scenario, call


def describe(what):
    return what[3][:150] if isinstance(what, tuple) else str(what)


def options(text):
    parser = argparse.ArgumentParser(description=text)
    parser.add_argument("-s", type=int, default=0)
    parser.add_argument("-k", default="")
    parser.add_argument("-v", action="store_true")
    parser.add_argument("--seed", type=int, default=datetime.date.today().toordinal())
    parser.add_argument("build")
    args = parser.parse_args()
    random.seed(args.seed)
    return args


def places(build, top):
    """One for each processor, with the same CA."""
    found = [Place(os.path.abspath(build), top, 0)]
    for i in range(1, os.cpu_count()):
        found.append(Place(os.path.abspath(build), top, i, found[0]))
    return found


def try_all(free, points, verbose, describe_point):
    """Each (..., function of a place) of them; prints what is bad.  (tried, survived)"""
    waiting, tried, survived = queue.Queue(), 0, 0
    for place in free:
        waiting.put(place)

    def one(point):
        place = waiting.get()
        try:
            point[-1](place)
            return None
        except (Bad, subprocess.TimeoutExpired) as bad:
            return str(bad)
        finally:
            waiting.put(place)

    with concurrent.futures.ThreadPoolExecutor(len(free)) as pool:
        for point, bad in zip(points, pool.map(one, points)):
            tried += 1
            survived += bad is None
            if bad or verbose:
                print("%s: %s" % (describe_point(point), bad or "survived"), flush=True)
    return tried, survived


def main():
    global FULL
    args = options(__doc__)
    FULL = args.s == 0
    top = tempfile.mkdtemp(prefix="est-torture.")
    mine = places(args.build, top)
    try:
        for scenario in SCENARIOS:
            prepare(scenario, mine[0])
        kinds = {}
        for point in points():
            if re.search(args.k, "%s: %s" % (point[2].name, point[0])):
                kinds.setdefault(point[0], []).append(
                    (*point, lambda place, p=point: p[1](place, p[2], p[3])))
        every = [point for kind in kinds.values()
                 for point in (random.sample(kind, min(args.s, len(kind))) if args.s else kind)]
        tried, survived = try_all(mine, every, args.v, lambda point: "%s: %s at %s" % (
            point[2].name, point[0], describe(point[3])))
    finally:
        for place in mine:
            place.close()
        shutil.rmtree(top, ignore_errors=True)
    print("%d points tried, %d survived" % (tried, survived))
    return tried == 0 or tried != survived


FULL = True
if __name__ == "__main__":
    sys.exit(main())
