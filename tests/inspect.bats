#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2034,SC2154 # lib/est.bash sets and reads them
# est inspect: what is in a file, said as openssl would, for any number of files of any kind; offline.

bats_require_minimum_version 1.5.0

load lib/est

setup_file() {
	export BATS_NO_PARALLELIZE_WITHIN_FILE=true PKI=$BATS_FILE_TMPDIR
	cd "$PKI" || return 1
	openssl ecparam -name secp384r1 -genkey -noout -out ec.key
	openssl genrsa -out rsa.key 2048 2>/dev/null
	openssl req -x509 -new -key rsa.key -subj '/O=Test/CN=root' -days 30 -out root.pem \
		-addext 'keyUsage=critical,keyCertSign,cRLSign'
	openssl req -new -key ec.key -subj '/C=DE/O=Test, Inc./CN=dev' -out dev.csr \
		-addext 'subjectAltName=DNS:dev.example,IP:192.0.2.1,IP:2001:db8::1,email:a@b.example,URI:urn:x'
	printf '%s\n' 'subjectAltName=DNS:dev.example,IP:192.0.2.1,IP:2001:db8::1,email:a@b.example,URI:urn:x' \
		'keyUsage=critical,digitalSignature' 'extendedKeyUsage=clientAuth,1.2.3.4' \
		'basicConstraints=critical,CA:FALSE' >dev.ext
	openssl x509 -req -in dev.csr -CA root.pem -CAkey rsa.key -days 9 -extfile dev.ext \
		-out dev.pem 2>/dev/null
	openssl x509 -in dev.pem -outform DER -out dev.der
	cat dev.pem root.pem >bundle.pem
	openssl crl2pkcs7 -nocrl -certfile bundle.pem -outform DER -out bag.der
	openssl crl2pkcs7 -nocrl -certfile bundle.pem -out bag.pem
	base64 bag.der >bag.b64
	: >index
	printf '[ca]\ndefault_ca=d\n[d]\ndatabase=index\ndefault_md=sha256\ncrlnumber=number\ndefault_crl_days=9\n' >ca.cnf
	echo 01 >number
	openssl ca -config ca.cnf -gencrl -keyfile rsa.key -cert root.pem -out crl.pem 2>/dev/null
	openssl crl -in crl.pem -outform DER -out crl.der
	openssl req -in dev.csr -outform DER -out csr.der
	openssl pkcs12 -export -inkey ec.key -in dev.pem -passout pass:x -out store.p12
	openssl pkcs8 -topk8 -in ec.key -passout pass:x -out enc.key
	openssl pkey -in ec.key -pubout -out pub.pem
	ssh-keygen -q -t ed25519 -N '' -f ssh.key 2>/dev/null || true
}

setup() {
	est_setup
	vectors=$EST_TEST_ROOT/tests/data/vectors
}

# field NAME FILE: of a text report.
field() {
	sed -n "s/^$1: *//p" "$2"
}

@test "inspect: a certificate, word by word as openssl has it" {
	works inspect "$PKI/dev.pem"
	[ ! -s "$ERR" ]
	[ "$(field subject "$OUT")" = 'CN=dev,O=Test\, Inc.,C=DE' ]
	[ "$(field issuer "$OUT")" = 'CN=root,O=Test' ]
	[ "$(field serial "$OUT" | tr a-f A-F | sed 's/^0*//')" = "$(openssl x509 -in "$PKI/dev.pem" -noout -serial |
		sed 's/serial=0*//')" ]
	[ "$(date -u -d "$(field not-after "$OUT")" +%s)" = "$(date -u -d "$(openssl x509 -in "$PKI/dev.pem" \
		-noout -enddate | cut -d = -f 2)" +%s)" ]
	[ "$(date -u -d "$(field not-before "$OUT")" +%s)" = "$(date -u -d "$(openssl x509 -in "$PKI/dev.pem" \
		-noout -startdate | cut -d = -f 2)" +%s)" ]
	[ "$(field key "$OUT")" = 'EC P-384' ]
	grep -q 'digitalSignature' "$OUT"
	grep -q 'clientAuth' "$OUT"
	grep -q '1\.2\.3\.4' "$OUT"
	[ "$(field ca "$OUT")" = no ]
	[ "$(field sha256 "$OUT")" = "$(sha256sum <"$PKI/dev.der" | cut -d ' ' -f 1)" ]
	for san in dns:dev.example ip:192.0.2.1 ip:2001:db8::1 email:a@b.example uri:urn:x; do
		grep -q -- "$san" "$OUT"
	done
}

@test "inspect: --json has the same, as one object" {
	works inspect --json "$PKI/dev.pem" "$PKI/root.pem"
	jq -es 'length == 1 and (.[0] | .ok and .applet == "inspect" and (.certificates | length == 2) and
		(.certificates[0] | .subject == "CN=dev,O=Test\\, Inc.,C=DE" and .ca == false and
		.sans == ["dns:dev.example", "ip:192.0.2.1", "ip:2001:db8::1", "email:a@b.example", "uri:urn:x"]
		and .key_usage == ["digitalSignature"] and .ext_key_usage == ["clientAuth", "1.2.3.4"] and
		.key == "EC P-384" and .self_signed == false) and
		(.certificates[1] | .ca and .self_signed and .key == "RSA 2048" and .file == "'"$PKI/root.pem"'"))' "$OUT"
}

@test "inspect: PEM, DER, base64, bags in each of these, bundles give the same certificates" {
	works inspect --json "$PKI/bundle.pem"
	jq '[.certificates[].sha256] | sort' "$OUT" >due
	[ "$(jq length due)" = 2 ]
	for file in bag.der bag.pem bag.b64; do
		works inspect --json "$PKI/$file"
		jq '[.certificates[].sha256] | sort' "$OUT" | diff due -
	done
	works inspect --json "$PKI/dev.der"
	[ "$(jq -r '.certificates[0].sha256' "$OUT")" = "$(sha256sum <"$PKI/dev.der" | cut -d ' ' -f 1)" ]
	base64 -w 0 "$PKI/dev.der" >dev.b64
	works inspect --json dev.b64
	[ "$(jq -r '.certificates[0].sha256' "$OUT")" = "$(sha256sum <"$PKI/dev.der" | cut -d ' ' -f 1)" ]
}

@test "inspect: - is stdin, a pipe works" {
	works inspect - <"$PKI/dev.pem"
	grep -q 'CN=dev' "$OUT"
	works inspect - < <(cat "$PKI/bag.der")
	[ "$(grep -c '^subject:' "$OUT")" = 2 ]
	works inspect <(cat "$PKI/dev.pem") "$PKI/root.pem"
	[ "$(grep -c '^subject:' "$OUT")" = 2 ]
}

@test "inspect: a request, with its names and its key" {
	for file in dev.csr csr.der; do
		works inspect --json "$PKI/$file"
		jq -e '.requests | length == 1 and (.[0] | .subject == "CN=dev,O=Test\\, Inc.,C=DE" and .key == "EC P-384" and
			(.sans | index("dns:dev.example") != null))' "$OUT"
		works inspect "$PKI/$file"
		grep -q 'CN=dev' "$OUT"
	done
}

@test "inspect: a CRL" {
	for file in crl.pem crl.der; do
		works inspect --json "$PKI/$file"
		jq -e '.crls | length == 1 and .[0].issuer == "CN=root,O=Test"' "$OUT"
		works inspect "$PKI/$file"
		grep -q 'CN=root' "$OUT"
	done
}

@test "inspect: keys are named and never printed" {
	for file in ec.key rsa.key enc.key ssh.key; do
		for json in '' --json; do
			# shellcheck disable=SC2086
			works inspect $json "$PKI/$file"
			grep -qi 'key' "$OUT"
			for line in 2 3; do
				run ! grep -qF -- "$(sed -n ${line}p "$PKI/$file")" "$OUT" "$ERR"
			done
		done
	done
	jq -e '.keys | length == 1' "$OUT"
}

@test "inspect: csrattrs" {
	works inspect "$vectors/rfc9908-5.2-revised.b64"
	grep -q 'secp384r1' "$OUT"
	works inspect --json "$vectors/rfc9908-5.2-revised.der"
	jq -e '.csrattrs | length >= 1' "$OUT"
}

@test "inspect: a file of another kind is named for what it looks like" {
	echo '<html><body>hello</body></html>' >page.html
	echo '{"a": 1}' >some.json
	echo 'hello world' >text
	: >empty
	head -c 500 /dev/urandom | tr -d '0' >random
	mkdir dir
	gzip -c "$PKI/dev.pem" >dev.gz
	iconv -f UTF-8 -t UTF-16 "$PKI/dev.pem" >"$PKI/dev.utf16"
	while IFS='|' read -r file pattern; do
		refused 3 "$pattern" inspect "$file"
		stderr_has "${file##*/}"
	done <<-FILES
		page.html|html
		some.json|json
		text|text
		empty|empty
		dir|directory
		dev.gz|gzip
		not-there|No such file
		$PKI/store.p12|PKCS.?#?12
		$PKI/dev.utf16|UTF-16
	FILES
	run_est inspect random
	[ "$status" = 3 ]
	no_control_bytes "$ERR"
}

@test "inspect: no file named is a usage error" {
	refused 2 'file' inspect
}

@test "inspect: one bad file among good ones: the good ones are shown, the exit code is 3" {
	echo nonsense >bad
	run_est inspect "$PKI/dev.pem" bad "$PKI/root.pem"
	[ "$status" = 3 ]
	stderr_has 'bad'
	run_est inspect --json "$PKI/dev.pem" bad "$PKI/root.pem"
	[ "$status" = 3 ]
	jq -es 'length == 1 and .[0].ok == false and .[0].error.exit == 3' "$OUT"
}

@test "inspect: Debian's whole ca-certificates.crt, every certificate as openssl counts them" {
	store=/etc/ssl/certs/ca-certificates.crt
	[ -s $store ]
	works inspect --json $store
	[ "$(jq '.certificates | length' "$OUT")" = "$(grep -c 'BEGIN CERTIFICATE' $store)" ]
	jq -e '.certificates | all(.ca)' "$OUT"
	jq -r '.certificates[].sha256' "$OUT" >ours
	awk '/BEGIN CERT/ { on = 1; next } /END CERT/ { on = 0; print "" } on { printf "%s", $0 }' $store |
		while read -r der; do
			base64 -d <<<"$der" | sha256sum | cut -d ' ' -f 1
		done | diff ours -
	works inspect $store
	no_control_bytes "$OUT"
}

@test "inspect: the vectors of the standards" {
	for file in "$vectors"/*cacerts-response.* "$vectors"/*simpleenroll*.* "$vectors"/*csrattrs*.b64 \
		"$vectors"/rfc9908*.der; do
		works inspect --json "$file"
		jq -es 'length == 1 and .[0].ok' "$OUT" >/dev/null
	done
}

@test "inspect: names that could paint the terminal are escaped, NUL in a name is shown (H-22)" {
	python3 - "$PKI" <<-'PY'
		import subprocess, sys
		names = {"esc": "a\x1b[2Jb", "bidi": "a\u202eb", "line": "a\nsubject: CN=other"}
		for key, name in names.items():
		    open(key + ".cnf", "wb").write(("[req]\nprompt=no\nutf8=yes\nstring_mask=utf8only\n"
		        "distinguished_name=dn\n[dn]\nCN=\"%s\"\n" % name.replace("\n", "\\n")).encode())
		    subprocess.run(["openssl", "req", "-x509", "-new", "-key", sys.argv[1] + "/rsa.key", "-days", "3",
		                    "-config", key + ".cnf", "-out", key + ".pem"], check=True)
	PY
	for name in esc bidi line; do
		works inspect $name.pem
		no_control_bytes "$OUT"
		[ "$(grep -c '^subject:' "$OUT")" = 1 ]
		works inspect --json $name.pem
		no_control_bytes "$OUT"
		jq -es 'length == 1' "$OUT"
	done
	# The DER of a name with a NUL in its middle.
	openssl req -x509 -new -key "$PKI/rsa.key" -subj /CN=good.exampleXevil -days 3 -outform DER -out nul.der
	sed -i 's/good.exampleXevil/good.example\x00evil/g' nul.der
	works inspect nul.der
	# Escaped, or as RFC 4514 section 2.4 has what cannot be written: never cut at the NUL.
	grep -qE '^subject: .*(good\.example.+evil|#0c11676f6f642e6578616d706c65006576696c)' "$OUT"
	no_control_bytes "$OUT"
}

@test "inspect: a certificate without an end (99991231235959Z), one before 1970" {
	openssl req -new -key "$PKI/rsa.key" -subj /CN=old -out old.csr
	openssl ca -config <(printf '%s\n' '[ca]' 'default_ca=d' '[d]' "database=$PWD/i" 'default_md=sha256' \
		'rand_serial=yes' 'policy=p' '[p]' 'commonName=supplied') -batch -notext -selfsign -in old.csr \
		-keyfile "$PKI/rsa.key" -startdate 19600101000000Z -enddate 99991231235959Z -outdir . \
		-out old.pem 2>ca.err || { touch i && openssl ca -config <(printf '%s\n' '[ca]' 'default_ca=d' \
		'[d]' "database=$PWD/i" 'default_md=sha256' 'rand_serial=yes' 'policy=p' '[p]' \
		'commonName=supplied') -batch -notext -selfsign -in old.csr -keyfile "$PKI/rsa.key" -startdate \
		19600101000000Z -enddate 99991231235959Z -outdir . -out old.pem 2>ca.err; }
	works inspect old.pem
	[ "$(field not-after "$OUT")" = 9999-12-31T23:59:59Z ]
	[ "$(field not-before "$OUT")" = 1960-01-01T00:00:00Z ]
}

@test "inspect: damaged files never crash it, and are refused or read" {
	python3 - "$PKI/bag.der" <<-'PY'
		import random, sys
		random.seed(7)
		data = open(sys.argv[1], "rb").read()
		for i in range(60):
		    broken = bytearray(data)
		    for _ in range(random.randint(1, 4)):
		        broken[random.randrange(len(broken))] = random.randrange(256)
		    if i % 3 == 0:
		        broken = broken[:random.randrange(len(broken))]
		    open("broken-%02d" % i, "wb").write(broken)
	PY
	for file in broken-*; do
		run_est inspect "$file"
		[ "$status" = 0 ] || [ "$status" = 3 ] || [ "$status" = 13 ] || {
			explain "$file"
			return 1
		}
		no_control_bytes "$OUT"
		no_control_bytes "$ERR"
	done
}

@test "inspect: ten thousand certificates; no limit of their number, memory in bounds" {
	python3 - "$PKI/root.pem" <<-'PY'
		import sys
		one = open(sys.argv[1]).read()
		open("many.pem", "w").write(one * 10000)
	PY
	"$EST_LIB/usage.py" usage "$EST" inspect many.pem >"$OUT" 2>"$ERR"
	[ "$(grep -c '^subject:' "$OUT")" = 10000 ]
	with_asan || [ "$(cut -d ' ' -f 2 usage)" -le $(($(stat -c %s many.pem) / 1024 + 16384)) ]
}

@test "inspect: a million empty elements, nests: refused, soon, in bounded memory (R7030-6-03)" {
	python3 - <<-'PY'
		def tlv(tag, body):
		    n = len(body)
		    if n < 128:
		        return bytes([tag, n]) + body
		    size = n.to_bytes((n.bit_length() + 7) // 8, "big")
		    return bytes([tag, 0x80 | len(size)]) + size + body
		nest = b""
		for _ in range(3000):
		    nest = tlv(0x30, nest)
		for name, certs in (("empty", b"\x30\x00" * 1000000), ("nest", nest)):
		    signed = tlv(0x30, b"\x02\x01\x01\x31\x00" + tlv(0x30, bytes.fromhex("06092a864886f70d010701"))
		                 + tlv(0xa0, certs) + b"\x31\x00")
		    open(name, "wb").write(tlv(0x30, bytes.fromhex("06092a864886f70d010702") + tlv(0xa0, signed)))
		open("indefinite", "wb").write(b"\x30\x80" * 1000000)
	PY
	for file in empty nest indefinite; do
		SECONDS=0
		status=0
		"$EST_LIB/usage.py" usage "$EST" inspect $file >"$OUT" 2>"$ERR" || status=$?
		[ "$status" = 3 ]
		[ "$SECONDS" -le 10 ]
		with_asan || [ "$(cut -d ' ' -f 2 usage)" -le $(($(stat -c %s $file) / 1024 + 32768)) ]
	done
}

@test "inspect: it opens no socket and asks nobody named in a certificate" {
	openssl req -x509 -new -key "$PKI/rsa.key" -subj /CN=aia -days 3 -out aia.pem -addext \
		'authorityInfoAccess=OCSP;URI:http://127.0.0.1:9/,caIssuers;URI:http://127.0.0.1:9/ca' \
		-addext 'crlDistributionPoints=URI:http://127.0.0.1:9/crl'
	traced inspect aia.pem
	[ "$status" = 0 ]
	run ! grep -qE 'socket\(|connect\(' "$BATS_TEST_TMPDIR/trace"
}

@test "inspect: a full device as stdout" {
	status=0
	"$EST" inspect "$PKI/dev.pem" >/dev/full 2>"$ERR" || status=$?
	[ "$status" = 4 ]
	stderr_has '^est: inspect: '
}
