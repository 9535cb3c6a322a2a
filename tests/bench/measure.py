#!/usr/bin/env python3
"""measure.py BUILD: the numbers of est against a bare program on GnuTLS and against other clients.

Everything runs on this machine, in turns, against one test server; what counts is the ratio of the
medians.  Prints a table with value, target and verdict; a number that misses its target is no
error.  RUNS is how often each command runs (20).
"""
import base64
import math
import os
import re
import shutil
import statistics
import subprocess
import sys
import time

BUILD = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build")
HERE = os.path.dirname(os.path.abspath(__file__))
TOOLS = os.path.join(BUILD, "tests/bench")
WORK = os.path.join(BUILD, "bench")
RUNS = int(os.environ.get("RUNS", "20"))
CPU, WALL, MEMORY = 0, 1, 2  # microseconds, microseconds, KiB


def run_once(command, limit_s=120):
    """[CPU, WALL, MEMORY] of one run, or None when it fails or takes too long."""
    try:
        with open("last.log", "wb") as log:
            subprocess.run([TOOLS + "/usage", "usage", *command], stdin=subprocess.DEVNULL,
                           stdout=log, stderr=log, timeout=limit_s, check=True)
    except subprocess.TimeoutExpired:
        return None
    with open("usage", encoding="ascii") as file:
        *used, status = [int(word) for word in file.read().split()]
    return used if status == 0 else None


def measure(commands, runs):
    """The medians for {name: function of the run's number that gives a command}, run in turns."""
    results = {name: [] for name in commands}
    for turn in range(runs + 1):
        for name, command in commands.items():
            used = run_once(command(turn)) if results[name] is not None else None
            if used is None and results[name] is not None:
                results[name] = None
                with open("last.log", errors="replace", encoding="utf-8") as log:
                    print("%s does not work here: %s" % (name, log.read().strip()[-300:]))
            elif used and turn > 0:  # the first run fills caches
                results[name].append(used)
    return {name: [statistics.median(column) for column in zip(*rows)] if rows else None
            for name, rows in results.items()}


def row(what, value, target, good, unit=""):
    """One line of the table; value None: could not be measured."""
    shown = "-" if value is None else ("%.2f" if value < 100 else "%.0f") % value + unit
    verdict = "-" if value is None else "met" if good(value) else "NOT MET"
    print("%-62s %12s %14s  %s" % (what, shown, target, verdict))


def ratio(results, name, base, column):
    """How many times base's number."""
    if not results[name] or not results[base]:
        return None
    return results[name][column] / results[base][column]


def ratio_row(results, what, name, base, column, most):
    row(what, ratio(results, name, base, column), "<= %.2f" % most, lambda value: value <= most)


def start_server():
    """The process and its URL, once it is ready."""
    with open("password", "w", encoding="ascii") as file:
        file.write("bench-password\n")
    server = subprocess.Popen([BUILD + "/est-testserver", "--dir", "server", "--user", "bench",
                               "--password-file", "password", "--parent-exit",
                               "--wrap", "0"],  # strongSwan reads no other base64
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    url = re.search(r'https://[^\s",]+', server.stdout.readline())
    if not url:
        server.kill()
        sys.exit("est-testserver did not start")
    return server, url.group(0).rstrip("/")


def clients(url):
    """Each client against the same server, with the same certificate."""
    est, floor = BUILD + "/est", TOOLS + "/floor"
    host, port, path = re.match(r"https://([^:/]+):(\d+)(.*)", url).groups()
    path = path or "/.well-known/est"
    base = "https://%s:%s%s" % (host, port, path)
    trust = ["--cacert", "server/root.pem"]
    subprocess.run([est, "enroll", "-s", url, *trust, "--user", "bench", "--password-file",
                    "password", "--new-key", "ec:p256", "--subject", "CN=bench", "--key-out",
                    "id.key", "-o", "id.crt"], check=True, stdin=subprocess.DEVNULL)
    est_tls = ["-s", url, *trust, "--cert", "id.crt", "--key", "id.key"]
    bare = [host, port, path, "server/root.pem", "id.crt", "id.key"]
    other = [base, "server/root.pem", "id.crt", "id.key"]
    # The CSR attributes of ask-enroll: ecPublicKey {secp256r1}, ecdsa-with-SHA256.
    with open("server/bench.csrattrs", "wb") as file:
        file.write(bytes.fromhex("3021301506072a8648ce3d0201310a06082a8648ce3d030107"
                                 "06082a8648ce3d040302"))
    ask = "csrattrs-file-bench"
    asked = [host, port, path + "/" + ask, *bare[3:]]
    enroll = [est, "enroll", *est_tls, "--subject", "CN=bench"]
    results = measure({
        "est enroll": lambda n: [*enroll, "--csrattrs", "ignore", "--key-out", "e%d.key" % n,
                                 "-o", "e%d.crt" % n],
        "est ask-enroll": lambda n: [*enroll, "-l", ask, "--key-out", "a%d.key" % n,
                                     "-o", "a%d.crt" % n],
        "floor ask-enroll": lambda n: [floor, "ask-enroll", *asked, "a%d.p7" % n, "fa%d.key" % n],
        "est link-enroll": lambda n: [*enroll, "-l", "pop", "--pop", "require", "--key-out",
                                      "l%d.key" % n, "-o", "l%d.crt" % n],
        "floor link-enroll": lambda n: [floor, "link-enroll", host, port, path + "/pop", *bare[3:],
                                        "l%d.p7" % n, "fl%d.key" % n],
        "floor enroll": lambda n: [floor, "enroll", *bare, "f%d.p7" % n, "f%d.key" % n],
        "curl enroll": lambda n: [HERE + "/curl-enroll", *other, "c%d" % n],
        "pki enroll": lambda n: [HERE + "/pki-enroll", *other, "p%d" % n],
        "est cacerts": lambda n: [est, "cacerts", *est_tls, "-o", "e%d.pem" % n],
        "floor cacerts": lambda n: [floor, "cacerts", *bare, "fc%d.p7" % n],
        "curl cacerts": lambda n: [HERE + "/curl-cacerts", *other, "cc%d" % n],
    }, RUNS)
    print("%-20s %10s %10s %10s   (medians of %d runs)" %
          ("", "CPU ms", "wall ms", "peak MiB", RUNS))
    for name, used in results.items():
        if used:
            print("%-20s %10.2f %10.2f %10.2f" %
                  (name, used[CPU] / 1e3, used[WALL] / 1e3, used[MEMORY] / 1024))
    return results


def inspect_bags():
    """{count: (file bytes, medians)} of est inspect, openssl and certtool."""
    found = {}
    for count in (100, 1000, 10000, 100000):
        bag = "bag-%d.p7" % count
        with open(bag, "wb") as file:
            subprocess.run([TOOLS + "/makebag", str(count)], stdout=file, check=True)
        commands = {"est": lambda n: [BUILD + "/est", "inspect", bag]}
        if count <= 10000:  # the largest would take them minutes
            commands["openssl"] = lambda n: ["openssl", "pkcs7", "-inform", "DER", "-in", bag,
                                             "-print_certs", "-noout"]
            commands["certtool"] = lambda n: ["certtool", "--p7-info", "--inder", "--infile", bag]
        found[count] = (os.path.getsize(bag), measure(commands, 3))
        for name, used in found[count][1].items():
            if used:
                print("inspect %6d  %-9s %10.1f ms CPU %8.1f MiB" %
                      (count, name, used[CPU] / 1e3, used[MEMORY] / 1024))
    return found


def other_forms(bag):
    """The bag as PEM, base64, BER with indefinite lengths, one PEM block, mail, an HTTP response in
    chunks: {name: file}."""
    with open(bag, "rb") as file:
        der = file.read()

    def element(at):  # header and contents
        n, size = der[at + 1], 2
        if n & 0x80:
            size, n = 2 + (n & 0x7f), int.from_bytes(der[at + 2:at + 2 + (n & 0x7f)], "big")
        return size, n

    at = element(0)[0]
    oid = der[at:at + sum(element(at))]
    at += len(oid)
    at += element(at)[0]  # [0]
    at += element(at)[0]  # SignedData
    begin = at
    for _ in range(3):  # version, digestAlgorithms, encapContentInfo
        at += sum(element(at))
    frame, size = der[begin:at], element(at)
    certs, tail = der[at + size[0]:at + sum(size)], der[at + sum(size):]
    text = base64.encodebytes(der)
    found = {"PEM": [], "BER": [b"\x30\x80" + oid + b"\xa0\x80\x30\x80" + frame + b"\xa0\x80",
                                certs, b"\0\0" + tail + b"\0" * 6], "base64": [text],
             "PKCS7": [b"-----BEGIN PKCS7-----\n", text, b"-----END PKCS7-----\n"],
             "mail": [b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\n", text, b"--b--\n"],
             "chunks": [b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n"] +
                       [b"2000\r\n%s\r\n" % text[i:i + 8192] for i in range(0, len(text) - 8191, 8192)] +
                       [b"%x\r\n%s\r\n" % (len(text) % 8192, text[len(text) // 8192 * 8192:]),
                        b"0\r\n\r\n" if len(text) % 8192 else b"\r\n"]}
    view, place = memoryview(der), at + size[0]
    end = place + size[1]
    while place < end:
        found["PEM"].append(b"-----BEGIN CERTIFICATE-----\n" +
                            base64.encodebytes(view[place:place + sum(element(place))]) +
                            b"-----END CERTIFICATE-----\n")
        place += sum(element(place))
    for name, parts in found.items():
        with open(bag + "." + name, "wb") as file:
            file.writelines(parts)
        found[name] = bag + "." + name
    return found


def first_line(bag):
    """Milliseconds until est inspect has printed the first line, the best of five."""
    best = None
    for _ in range(5):
        begin = time.monotonic()
        with subprocess.Popen([BUILD + "/est", "inspect", bag], stdout=subprocess.PIPE) as est:
            est.stdout.readline()
            took = (time.monotonic() - begin) * 1000
            est.stdout.read()
        best = took if best is None else min(best, took)
    return best


def inspect_rows(found):
    many = found[10000][1]
    for other in ("openssl", "certtool"):
        row("inspect, 10,000 certificates: times faster than " + other,
            ratio(many, other, "est", CPU), ">= 10", lambda value: value >= 10)
    for less, more in ((1000, 10000), (10000, 100000)):
        growth = None
        if found[less][1]["est"] and found[more][1]["est"]:
            growth = math.log10(found[more][1]["est"][CPU] / found[less][1]["est"][CPU])
        row("inspect, %d to %d: time grows as count to the power" % (less, more), growth,
            "<= 1.10", lambda value: value <= 1.1)
    bag = "bag-100000.p7"
    for name, file in {"DER": bag, **other_forms(bag)}.items():
        row("inspect, 100,000, %s: the first line after" % name, first_line(file), "<= 100 ms",
            lambda value: value <= 100, " ms")
        for how in ([], ["--json"]) if name in ("DER", "PEM") else ([],):
            used = run_once([BUILD + "/est", "inspect", *how, file])
            row("inspect%s, 100,000, %s: memory beyond the file's" %
                (" --json" if how else "", name),
                used and used[MEMORY] / 1024 - os.path.getsize(file) / 2**20, "<= 16 MiB",
                lambda value: value <= 16, " MiB")


def system_calls(command):
    """The lines of strace, or None where that does not work."""
    if not shutil.which("strace"):
        return None
    subprocess.run(["strace", "-f", "-o", "trace", *command], stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    with open("trace", encoding="ascii", errors="replace") as file:
        return [line for line in file if "execve(" not in line]


def not_due_rows():
    """A reenroll from cron that finds nothing to do; neither server nor trust anchor exists."""
    version, idle = "est --version", "est reenroll, not due"
    commands = {version: [BUILD + "/est", "--version"],
                idle: [BUILD + "/est", "reenroll", "-s", "localhost:1", "--cacert", "none.pem",
                       "--cert", "id.crt", "--key", "id.key"]}
    results = measure({name: lambda n, c=command: c for name, command in commands.items()}, RUNS)
    calls = {name: system_calls(command) for name, command in commands.items()}
    ratio_row(results, idle + ": CPU, --version = 1", idle, version, CPU, 3)
    ratio_row(results, idle + ": peak memory, --version = 1", idle, version, MEMORY, 3)
    row(idle + ": system calls, --version = 1",
        len(calls[idle]) / len(calls[version]) if calls[version] else None, "<= 3.00",
        lambda value: value <= 3)
    busy = re.compile(r'socket\(|connect\(|none\.pem|open.*id\.key"|O_WRONLY|O_RDWR|O_CREAT|rename|link')
    row(idle + ": of these for network, trust, files written",
        sum(map(bool, map(busy.search, calls[idle]))) if calls[idle] else None, "0",
        lambda value: value == 0)


def stripped_size():
    """Bytes of est with every applet, -Os, stripped."""
    tree = BUILD + "/bench-os"
    made = subprocess.run(["make", "-s", "-C", HERE + "/../..", "BUILD=" + tree, "CFLAGS=-Os",
                           tree + "/est"], check=False)
    if made.returncode != 0:
        return None
    subprocess.run(["strip", "-o", "est.stripped", tree + "/est"], check=True)
    return os.path.getsize("est.stripped") / 1000


def torture_row():
    """A sample of the points of `make torture`: tried, and survived."""
    done = subprocess.run([os.path.join(HERE, "../torture/run"), BUILD, "-s", "10"],
                          stdout=subprocess.PIPE, text=True, check=False)
    found = re.findall(r"^(\d+) points tried, (\d+) survived$", done.stdout, re.M)
    tried, survived = (int(word) for word in found[-1]) if found else (0, None)
    row("torture: faults survived, of %d tried" % tried, survived, "all",
        lambda value: value == tried)


def main():
    shutil.rmtree(WORK, ignore_errors=True)
    os.makedirs(WORK)
    os.chdir(WORK)
    for name in list(os.environ):
        if name.startswith(("MAKE", "MFLAGS")):  # the size is not built with our caller's flags
            del os.environ[name]
    server, url = start_server()
    try:
        results = clients(url)
    finally:
        server.terminate()
        server.wait()
    bags = inspect_bags()
    size = stripped_size()

    print("\n%-62s %12s %14s" % ("", "value", "target"))
    for job, what in (("ask-enroll", "asking for CSR attributes"),
                      ("link-enroll", "that, and linked to the session")):
        ratio_row(results, "est enroll, %s: CPU, bare program = 1" % what, "est " + job,
                  "floor " + job, CPU, 1.15)
    for job in ("enroll", "cacerts"):
        mine, bare = "est " + job, "floor " + job
        ratio_row(results, mine + ": CPU, bare program = 1", mine, bare, CPU, 1.15)
        ratio_row(results, mine + ": wall time, bare program = 1", mine, bare, WALL, 1.15)
        ratio_row(results, mine + ": peak memory, bare program = 1", mine, bare, MEMORY, 1.2)
        ratio_row(results, mine + ": CPU, curl and openssl = 1", mine, "curl " + job, CPU, 0.25)
        ratio_row(results, mine + ": peak memory, curl and openssl = 1", mine, "curl " + job,
                  MEMORY, 0.6)
    ratio_row(results, "est enroll: CPU, strongSwan pki = 1", "est enroll", "pki enroll", CPU, 0.5)
    ratio_row(results, "est enroll: peak memory, strongSwan pki = 1", "est enroll", "pki enroll",
              MEMORY, 0.8)
    inspect_rows(bags)
    not_due_rows()
    torture_row()
    row("est with every applet, -Os, stripped", size, "<= 200 kB", lambda value: value <= 200,
        " kB")


main()
