#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154 # lib/est.bash sets them
# est inspect and files that were made to hurt: bounded time and memory, no socket, no control
# byte; and every certificate file that Debian ships for tests of others.

bats_require_minimum_version 1.5.0

load lib/est

setup() {
	est_setup
}

@test "hostile: no object takes a second or 64 MiB, and none paints the terminal, whatever its bytes" {
	openssl ecparam -name prime256v1 -genkey -noout -out k
	openssl req -x509 -new -key k -subj /CN=x -days 9 -outform DER -out c
	openssl req -new -key k -subj /CN=x -outform DER -out r
	python3 - <<-'PY'
		import base64
		def tlv(tag, *parts):
		    body = b"".join(parts)
		    n = len(body)
		    size = bytes([n]) if n < 128 else None
		    if size is None:
		        k = (n.bit_length() + 7) // 8
		        size = bytes([0x80 | k]) + n.to_bytes(k, "big")
		    return bytes([tag]) + size + body
		def seq(*parts): return tlv(0x30, *parts)
		def oid(text): return tlv(6, bytes.fromhex(text))
		def save(name, data): open("h-" + name, "wb").write(data)
		ec = seq(oid("2a8648ce3d0403ff"[:14] + "02"))
		day = seq(tlv(0x17, b"250101000000Z"), tlv(0x17, b"350101000000Z"))
		def rdn(value): return tlv(0x31, seq(oid("550403"), tlv(0x0c, value)))
		spki = seq(seq(oid("2a8648ce3d0201"), oid("2a8648ce3d030107")), tlv(3, b"\0" + b"\4" * 65))
		rsa = lambda n: seq(seq(oid("2a864886f70d010101"), tlv(5)), tlv(3, b"\0" + seq(tlv(2, b"\x7f" + b"\xff" * n), tlv(2, b"\1\0\1"))))
		def cert(subject, key=spki, ext=b"", issuer=None):
		    tbs = seq(tlv(0xa0, tlv(2, b"\2")), tlv(2, b"\1"), ec, issuer or subject, day, subject, key, ext)
		    return seq(tbs, ec, tlv(3, b"\0" + seq(tlv(2, b"\1"), tlv(2, b"\1"))))
		def exts(*list): return tlv(0xa3, seq(*list))
		def ext(o, value): return seq(oid(o), tlv(4, value))
		name = seq(rdn(b"x"))
		save("rdns", cert(seq(*[rdn(b"\xe2\x80\xae") for _ in range(4500)])))
		save("name", cert(seq(*[rdn(b"\x1b" * 400) for _ in range(127)])))
		save("sans", cert(name, ext=exts(ext("551d11", seq(*[tlv(0x82, b"\x07" * 55) for _ in range(1023)])))))
		save("dirnames", cert(name, ext=exts(ext("551d11", seq(*[tlv(0xa4, seq(rdn(b"\\"))) for _ in range(1000)])))))
		save("policies", cert(name, ext=exts(ext("551d20", seq(*[seq(oid("550403")) for _ in range(4000)])))))
		save("constraints", cert(name, ext=exts(ext("551d1e", seq(tlv(0xa0, *[seq(tlv(0x87, b"\1" * 32)) for _ in range(1700)]))))))
		save("extensions", cert(name, ext=exts(*[ext("2a03%02x" % i, b"\1" * 900) for i in range(64)])))
		save("modulus", cert(name, key=rsa(2000)).replace(ec, seq(oid("2a864886f70d01010b"), tlv(5))))
		save("modulus64k", cert(name, key=rsa(60000)))
		attr = lambda v: seq(oid("2a864886f70d01090e"), tlv(0x31, v))
		save("csr", seq(seq(tlv(2, b"\0"), name, spki, tlv(0xa0, *[seq(oid("2a03"), tlv(0x31)) for _ in range(1300)])), ec, tlv(3, b"\0\1")))
		save("csr-exts", seq(seq(tlv(2, b"\0"), name, spki, tlv(0xa0, attr(seq(*[ext("2a03", b"\1") for _ in range(3000)])))), ec, tlv(3, b"\0\1")))
		entry = lambda i: seq(tlv(2, i.to_bytes(8, "big")), tlv(0x17, b"250101000000Z"), seq(ext("551d15", b"\x0a\1\1")))
		for n in 200000, 50000:
		    save("crl%d" % n, seq(seq(tlv(2, b"\1"), ec, name, tlv(0x17, b"250101000000Z"), seq(b"".join(entry(i) for i in range(n)))), ec, tlv(3, b"\0\1")))
		def crl(ext=b"", revoked=b""): return seq(seq(tlv(2, b"\1"), ec, name, tlv(0x17, b"250101000000Z"), revoked, tlv(0xa0, seq(ext)) if ext else b""), ec, tlv(3, b"\0\1\1"))
		odd = lambda n: tlv(0xa4, seq(*[rdn(b"\xe2\x80\xae").replace(b"\x0c\3", b"\x14\3")] * n))
		save("crl-name", crl(ext("551d23", seq(tlv(0xa1, odd(30000))))))
		save("crl-names", crl(ext("551d12", seq(*[odd(120)] * 2000))))
		save("crl-many", crl(ext("551d12", seq(*[odd(1)] * 3000))))
		save("crl-values", crl(ext("2b06010505070103", seq(*[seq()] * 30000))))
		by = lambda i: seq(tlv(2, i.to_bytes(8, "big")), tlv(0x17, b"250101000000Z"), seq(ext("551d1d", seq(odd(100 + i % 2)))))
		save("crl-issuers", crl(revoked=seq(*[by(i) for i in range(6000)])))
		p7 = "2a864886f70d0107"
		def info(t, body): return seq(oid(p7 + t), tlv(0xa0, body))
		big = seq(*[rdn(b"\x1b" * 90) for _ in range(120)])
		who = lambda n: seq(tlv(2, b"\0"), seq(n, tlv(2, b"\1")), ec, tlv(4))
		save("recipients", info("03", seq(tlv(2, b"\0"), tlv(0x31, *[who(big) for _ in range(1000)]), seq(oid(p7 + "01"), ec))))
		save("recipients-many", info("03", seq(tlv(2, b"\0"), tlv(0x31, *[who(name) for _ in range(60000)]), seq(oid(p7 + "01"), ec))))
		save("digests", info("02", seq(tlv(2, b"\1"), tlv(0x31, *[seq()] * 500000), seq(oid(p7 + "01")), tlv(0x31))))
		save("nest", seq(oid(p7 + "02"), b"\xa0\x80" + b"\x30\x80" * 500000))
		save("row", b"\x30\x00" * 20000)
		safe = seq(oid(p7 + "01"), tlv(0xa0, tlv(4, seq(*[seq() for _ in range(200000)]))))
		save("p12", seq(tlv(2, b"\3"), info("01", tlv(4, seq(safe)))))
		save("p12-nest", seq(tlv(2, b"\3"), info("01", b"\x24\x80" * 400000)))
		save("pem", b"-----BEGIN X-----\n" * 200000)
		save("pem-long", b"-----BEGIN CERTIFICATE-----\n" + b"A" * 8000000)
		save("parts", b"Content-Type: multipart/x; boundary=b\n\n" + b"--b\n\nx\n" * 20000)
		save("chunks", b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n" + b"1\nA\n" * 500000)
		save("fields", b"HTTP/1.1 200 OK\n" + b"a: b\n" * 500000 + b"\n")
		save("boundary", b"Content-Type: multipart/x; boundary=" + b"-" * 70 + b"\n\n" + b"-" * 4000000)
		save("base64", b"A" * 8000000)
		def pem(label, text): return b"-----BEGIN %s-----\n%s\n-----END %s-----\n" % (label, text, label)
		enc = lambda b: base64.encodebytes(b)
		paint = seq(rdn(b"\xff\xfe\0\x1b[2J\xe2\x80\xae\xe2\x81\xa6\x7f\xc2\x9b\n"))
		save("paint", cert(paint, ext=exts(ext("551d11", seq(tlv(0x82, b"\xe2\x80\xae\0\n"), tlv(0x86, b"\x1b]0;x\7"))))))
		save("paint-label", pem(b"X\xe2\x80\xaeY", b"MAA=") + pem(b"X Y", b"MAA=") + b"-----BEGIN \x1b[2J-----\n")
		save("paint-csr", seq(seq(tlv(2, b"\0"), paint, spki, tlv(0xa0, seq(oid("2a864886f70d010907"), tlv(0x31, tlv(0x0c, b"\x1b\0"))))), ec, tlv(3, b"\0\1")))
		save("paint-crl", seq(seq(tlv(2, b"\1"), ec, paint, tlv(0x17, b"250101000000Z")), ec, tlv(3, b"\0\1")))
		save("paint-cms", info("03", seq(tlv(2, b"\0"), tlv(0x31, who(paint)), seq(oid(p7 + "01"), ec))))
		save("paint-attrs", seq(seq(oid("2a03"), tlv(0x31, tlv(0x0c, b"\x1b[2J\0"), tlv(0x0c, b"\xe2\x80\xae"), tlv(0x13, b"\xff")))))
		save("attrs", seq(*[seq(oid("2a03"), tlv(0x31, *[tlv(0x0c, b"\x1b" * 50) for _ in range(20)])) for _ in range(2000)]))
		save("attrs-oids", seq(*[oid("2a03")] * 200000))
		alg = seq(oid("2a864886f70d010101"), tlv(5))
		save("key", seq(tlv(2, b"\0"), alg, tlv(4, b"\1" * 8000000)))
		save("key-parts", seq(tlv(2, b"\0"), *[tlv(2, b"\1") for _ in range(400000)]))
		save("key-encrypted", seq(alg, tlv(4, b"\1" * 8000000)))
		save("key-public", seq(alg, tlv(3, b"\1" * 8000000)))
		save("key-pem", pem(b"ENCRYPTED PRIVATE KEY", b"A" * 8000000))
		save("key-headers", pem(b"RSA PRIVATE KEY", b"Proc-Type: 4,ENCRYPTED\n" + b"x: y\n" * 400000))
		save("openssh", pem(b"OPENSSH PRIVATE KEY", b"A" * 8000000))
		save("openssh-public", b"ssh-rsa " + b"A" * 8000000)
		save("pgp", pem(b"PGP MESSAGE", b"A" * 8000000))
		save("pgp-binary", b"\x99\x01\x02\x04" + b"\xff" * 8000000)
		save("gzip", b"\x1f\x8b\x08\0" + b"\0" * 8000000)
		save("zip", b"PK\3\4" + b"\0" * 8000000)
		save("html", b"<html>" + b"<" * 8000000)
		save("json", b"[" * 8000000)
		save("utf16", b"\xff\xfe" + b"-\0" * 4000000)
		save("text", b"a b\n" * 2000000)
		save("zeros", b"\0" * 8000000)
		open("h-sparse", "wb").truncate(200 << 20)
		front = b"\x30\x80" + oid(p7 + "02") + b"\xa0\x80\x30\x80\x02\x01\x01\x31\x00" + seq(oid(p7 + "01"))
		save("ber-ends", front + b"\xa0\x80" + b"\0" * 4000000)
		save("ber-members", front + b"\xa0\x80" + b"\x30\x80\0\0" * 20000)
		save("ber-open", front + b"\xa0\x80" + b"\x30\x80" + b"\2\1\1" * 2000000)
		save("ber-huge", front + b"\xa0\x80" + b"\x30\x84\x7f\xff\xff\xff" + b"\1" * 2000000)
		save("ber-base64", enc(front + b"\xa0\x80" + b"\x30\x00" * 20000))
		save("ber-base64-open", enc(front + b"\xa0\x80" + b"\x30\x80" + b"\2\1\1" * 1000000))
		save("ber-pem", pem(b"PKCS7", enc(front + b"\xa0\x80" + b"\x30\x80" + b"\2\1\1" * 1000000)) * 2)
		save("pkcs7-begin", b"-----BEGIN PKCS7-----\n" + b"A" * 8000000)
		save("pkcs7-begins", (b"-----BEGIN PKCS7-----\n" + b"A" * 70000) * 100)
		save("http-nothing", b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n0\n\n")
		save("http-base64", b"HTTP/1.1 200 OK\nContent-Type: application/pkcs7-mime\n\n" + b"A" * 8000000)
		save("mail-nest", b"".join(b"Content-Type: multipart/x; boundary=%d\n\n--%d\n" % (i, i) for i in range(20000)))
	PY
	limit=1000 # ms of CPU
	! with_asan || limit=20000
	python3 - "$EST" $limit <<-'PY'
		import glob, os, re, subprocess, sys
		controls = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]|\xe2\x80[\xaa-\xae]|\xe2\x81[\xa6-\xa9]|\xc2[\x80-\x9f]")
		est, limit = sys.argv[1], int(sys.argv[2])
		for file in sorted(glob.glob("h-*")):
		    for how in ["-v"], ["-v", "--json"]:
		        if len(how) > 1 and (limit > 1000 or os.path.getsize(file) > 9e6):
		            continue
		        for _ in range(3): # a busy machine counts some of the others' time
		            with open("out", "wb") as out:
		                est_run = subprocess.Popen([est, "inspect", "--entries", *how, file], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
		            _, status, used = os.wait4(est_run.pid, 0)
		            est_run.returncode = os.waitstatus_to_exitcode(status)
		            cpu, memory = (used.ru_utime + used.ru_stime) * 1000, used.ru_maxrss
		            if cpu < limit:
		                break
		        line = "%s: exit %d, %d ms, %d KiB" % (file, est_run.returncode, cpu, memory)
		        assert est_run.returncode in (0, 3) and cpu < limit, line
		        assert limit > 1000 or memory <= min(os.path.getsize(file), 64 << 20) / 1024 + 65536, line
		        for shown in open("out", "rb"):
		            shown.decode()
		            assert not controls.search(shown), (line, shown[:200])
	PY
}

@test "hostile: whatever it is asked, it opens no socket" {
	openssl ecparam -name prime256v1 -genkey -noout -out k
	openssl req -x509 -new -key k -subj /CN=x -days 9 -out c -addext \
		'authorityInfoAccess=OCSP;URI:http://127.0.0.1:9/,caIssuers;URI:http://127.0.0.1:9/ca' \
		-addext 'crlDistributionPoints=URI:http://127.0.0.1:9/crl' -addext subjectAltName=DNS:localhost
	openssl pkcs12 -export -inkey k -in c -passout pass:x -iter 9 -out p12
	openssl cms -encrypt -in k -recip c -aes128 -outform DER -out message
	echo x >word
	while read -r -a options; do
		traced inspect "${options[@]}"
		[[ "$status" =~ ^(0|3|15)$ ]] || {
			explain "${options[*]}"
			return 1
		}
		run ! grep -qE '^([0-9]+ +)?[a-z]+\(' "$BATS_TEST_TMPDIR/trace"
	done <<-MODES
		-v c message k
		-r --json .
		--json-lines --entries -v c
		--tree c
		--verify --cacert c --hostname localhost c
		--verify c
		--expires-within 30d --min-strength 112 --match-key k c
		--diff c c
		--sort --dedup -o out c
		--split parts c
		--p12-password-file word p12
		--dot c
	MODES
}

@test "hostile: the files that Debian ships to test other programs with: all are answered" {
	vectors=/usr/lib/python3/dist-packages/cryptography_vectors
	[ -d $vectors ]
	printf password >word
	run_est inspect -r -v --json --entries --p12-password-file word $vectors
	[ "$status" = 3 ]
	no_control_bytes "$OUT"
	# What is broken was made so, or has another password.
	jq -e '(.certificates | length > 1000) and (.crls | length > 200) and (.messages | length > 100) and
		(.requests | length > 20) and ([.broken[] | select(.message | test("password") | not)] | length < 20)' "$OUT"
	# openssl agrees on what can be read.
	jq -r '.broken[] | select(.message | startswith("certificate:")) | .file' "$OUT" >refused
	for file in "$vectors"/x509/*.pem; do
		openssl x509 -in "$file" -noout 2>/dev/null || continue
		! grep -qxF "$file" refused || echo "$file"
	done >differs
	[ "$(wc -l <differs)" -le 3 ] # version 4, an odd length, algorithms that differ
}
