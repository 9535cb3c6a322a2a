#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""peer MODE [OPTIONS]: a server that a client meets on a bad day.  Prints `port N` when ready.

  blackhole     a full queue: no connection is ever established
  silent        accepts, says nothing
  close         accepts, and closes at once
  bytes FILE    accepts, sends the bytes of FILE whatever was asked, waits
  cut PORT      the server at PORT as far as its first answer; then it hears what the client says
                next, and hangs up; with --hang it waits instead
  proxy         an HTTP proxy: tunnels CONNECT to the port asked for on the loopback interface
  tls           TLS of Python's ssl module (OpenSSL): reads a request, plays an answer

Options of tls:
  --cert FILE, --key FILE     chain and key of the server
  --answer FILE               what is sent after each request; else nothing is
  --min 1.2, --max 1.3        versions
  --ciphers LIST              of TLS 1.2 and below
  --client-ca FILE            a client certificate is required
  --then FILE                 chain and key in one file, from the second connection on
  --binding FILE              tls-unique of each session in base64, a line each
  --sni DIR                   for the server name NAME.example the chain is DIR/NAME.pem, and the key
                              DIR/NAME.key where there is one
  --bind ADDR                 127.0.0.1
Option of proxy: --basic USER:PASSWORD, which it asks for with 407.
Every mode: --capture FILE, where all that clients said (under TLS: what they said inside it)
is appended.
"""
import argparse
import base64
import os
import signal
import socket
import ssl
import sys
import threading

VERSIONS = {"1.0": ssl.TLSVersion.TLSv1, "1.1": ssl.TLSVersion.TLSv1_1,
            "1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=["blackhole", "silent", "close", "bytes", "cut", "proxy", "tls"])
    parser.add_argument("file", nargs="?")
    for name in ("cert", "key", "answer", "ciphers", "client-ca", "capture", "then", "binding",
                 "basic", "sni"):
        parser.add_argument("--" + name)
    parser.add_argument("--hang", action="store_true")
    parser.add_argument("--min", default="1.2")
    parser.add_argument("--max", default="1.3")
    parser.add_argument("--bind", default="127.0.0.1")
    return parser.parse_args()


def capture(opt, data):
    if opt.capture and data:
        with open(opt.capture, "ab") as out:
            out.write(data)


def context(opt):
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.minimum_version, ctx.maximum_version = VERSIONS[opt.min], VERSIONS[opt.max]
    ctx.set_ciphers(opt.ciphers or "DEFAULT:@SECLEVEL=0")
    ctx.load_cert_chain(opt.cert, opt.key)
    if opt.client_ca:
        ctx.verify_mode = ssl.CERT_REQUIRED
        ctx.load_verify_locations(opt.client_ca)
    if opt.sni:
        ctx.sni_callback = lambda conn, name, _: by_name(opt, conn, name)
    return ctx


def by_name(opt, conn, name):
    """The chain for a server name."""
    stem = os.path.join(opt.sni, (name or "").removesuffix(".example").replace("/", ""))
    if os.path.exists(stem + ".pem"):
        own = argparse.Namespace(**vars(opt))
        own.sni, own.cert = None, stem + ".pem"
        if os.path.exists(stem + ".key"):
            own.key = stem + ".key"
        conn.context = context(own)


def request(opt, conn):
    """One request; False when there was none."""
    data = b""
    while b"\r\n\r\n" not in data:
        got = conn.recv(65536)
        if not got:
            return False
        capture(opt, got)
        data += got
    head, body = data.split(b"\r\n\r\n", 1)
    length = 0
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    while len(body) < length:
        got = conn.recv(65536)
        if not got:
            return False
        capture(opt, got)
        body += got
    return True


def pump(src, dst):
    try:
        while got := src.recv(65536):
            dst.sendall(got)
        dst.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def tunnel(opt, conn):
    """One CONNECT, of which nothing but the head is captured."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        got = conn.recv(1)
        if not got:
            return
        head += got
    capture(opt, head)
    if opt.basic:
        due = b"\r\nProxy-Authorization: Basic " + base64.b64encode(opt.basic.encode()) + b"\r\n"
        if due not in head:
            conn.sendall(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n"
                         b"Proxy-Authenticate: Basic realm=\"proxy\"\r\n\r\n")
            return
    port = int(head.split(b" ")[1].rsplit(b":", 1)[1])
    with socket.create_connection(("127.0.0.1", port)) as far:
        conn.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        threading.Thread(target=pump, args=(far, conn), daemon=True).start()
        pump(conn, far)


def cut(opt, conn):
    """A TLS handshake as far as the client's second flight."""
    with socket.create_connection(("127.0.0.1", int(opt.file))) as far:
        far.sendall(conn.recv(65536))
        threading.Thread(target=pump, args=(far, conn), daemon=True).start()
        capture(opt, conn.recv(65536))
        if opt.hang:
            conn.recv(65536)
        far.shutdown(socket.SHUT_RDWR)


def serve(opt, ctx, conn):
    try:
        if opt.mode == "silent":
            while got := conn.recv(65536):
                capture(opt, got)
        elif opt.mode == "bytes":
            with open(opt.file, "rb") as answer:
                conn.sendall(answer.read())
            while got := conn.recv(65536):
                capture(opt, got)
        elif opt.mode == "cut":
            cut(opt, conn)
        elif opt.mode == "proxy":
            tunnel(opt, conn)
        elif opt.mode == "tls":
            conn = ctx.wrap_socket(conn, server_side=True)
            if opt.binding:
                with open(opt.binding, "ab") as out:
                    out.write(base64.b64encode(conn.get_channel_binding("tls-unique")) + b"\n")
            while request(opt, conn):
                if opt.answer:
                    with open(opt.answer, "rb") as answer:
                        conn.sendall(answer.read())
    except OSError:
        pass
    finally:
        conn.close()


def main():
    signal.alarm(900)  # a test that does not end it does not leave it behind for ever
    opt = options()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    family = socket.AF_INET6 if ":" in opt.bind else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    ctx = context(opt) if opt.mode == "tls" else None
    listener.bind((opt.bind, 0))
    listener.listen(0 if opt.mode == "blackhole" else 64)
    filled = []
    if opt.mode == "blackhole":
        while True:  # connections until one more is not answered
            sock = socket.socket(family, socket.SOCK_STREAM)
            sock.settimeout(0.3)
            filled.append(sock)
            try:
                sock.connect(listener.getsockname())
            except OSError:
                break
    print("port", listener.getsockname()[1], flush=True)
    while opt.mode == "blackhole":
        signal.pause()
    accepted = 0
    while True:
        conn, _ = listener.accept()
        if opt.mode == "close":
            conn.close()
            continue
        accepted += 1
        if opt.then and accepted == 2:
            opt.cert = opt.key = opt.then
            ctx = context(opt)
        threading.Thread(target=serve, args=(opt, ctx, conn), daemon=True).start()


sys.exit(main())
