#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154 # lib/est.bash sets them
# est inspect: its JSON is what the schema in docs/ says, in one object or in lines.

bats_require_minimum_version 1.5.0

load lib/est

setup_file() {
	export BATS_NO_PARALLELIZE_WITHIN_FILE=true PKI=$BATS_FILE_TMPDIR
	cd "$PKI" || return 1
	openssl ecparam -name prime256v1 -genkey -noout -out k
	openssl req -x509 -new -key k -subj /CN=root -days 30 -out root.pem
	openssl req -x509 -new -key k -subj /CN=root -days 60 -out again.pem
	openssl req -new -key k -subj /CN=x -addext subjectAltName=DNS:x -out csr
	printf '[ca]\ndefault_ca=c\n[c]\ndatabase=db\ndefault_md=sha256\n' >conf
	printf 'R\t351231235959Z\t260101000000Z\t01\tunknown\t/CN=x\n' >db
	openssl ca -config conf -gencrl -cert root.pem -keyfile k -crldays 9 -out crl 2>/dev/null
	printf '%s\n' '-----BEGIN CERTIFICATE-----' MAA= '-----END CERTIFICATE-----' >broken
}

setup() {
	est_setup
	cp "$PKI"/* .
	vectors=$EST_TEST_ROOT/tests/data/vectors
}

# Every line of $OUT, or all of it, is an instance of the schema.
valid() {
	python3 -I - "$EST_TEST_ROOT/docs/est-inspect.schema.json" "$1" "$OUT" <<-'PY'
		import json, sys
		from jsonschema import Draft202012Validator
		schema = json.load(open(sys.argv[1]))
		Draft202012Validator.check_schema(schema)
		text = open(sys.argv[3]).read()
		found = [json.loads(line) for line in text.splitlines()] if sys.argv[2] == "lines" else [json.loads(text)]
		assert found
		for one in found:
		    Draft202012Validator(schema).validate(one)
	PY
}

@test "schema: the object of every kind of run, success or not" {
	run_est inspect --json csr root.pem crl k broken "$vectors/rfc9908-5.2-revised.der"
	[ "$status" = 3 ]
	valid object
	works inspect --json -v --tree root.pem again.pem "$vectors/rfc7030-a1-cacerts-response.b64"
	valid object
	run_est inspect --json --verify --cacert root.pem --expires-within 300d --min-strength 128 root.pem
	[ "$status" = 15 ]
	valid object
	run_est inspect --json --diff root.pem again.pem
	[ "$status" = 15 ]
	valid object
	works inspect --json --dedup -o out root.pem
	valid object
	openssl cms -encrypt -in csr -recip root.pem -aes128 -outform DER -out message
	openssl pkcs12 -export -inkey k -in root.pem -name x -passout pass: -out p12
	openssl pkey -in k -pubout -out pub
	mkdir dir && echo text >dir/text && cp root.pem dir
	cp /usr/lib/python3/dist-packages/cryptography_vectors/x509/custom/crl_all_reasons.pem dir
	works inspect -r --json -v --entries csr crl root.pem message p12 pub dir
	jq -e '(.messages | length == 1) and (.skipped | length == 1)' "$OUT"
	valid object
	works inspect -r --json-lines -v --entries csr crl root.pem message p12 pub dir
	valid lines
	run_est inspect --json
	[ "$status" = 2 ]
	valid object
	works inspect --json -v /etc/ssl/certs/ca-certificates.crt
	valid object
}

@test "schema: it does not take what est does not print" {
	works inspect --json root.pem
	for change in '.certificates[0].sha256 = "x"' '.extra = 1' 'del(.ok)' '.certificates[0].ca = 1' \
		'.deviations = ["R-1"]' 'del(.certificates[0].subject)'; do
		jq "$change" "$OUT" >changed
		run ! env OUT=changed bash -c "$(declare -f valid); valid object"
	done
}

@test "json-lines: one line for each object, then the rest; the same as the object has" {
	run_est inspect --json-lines -v --tree csr root.pem crl k broken again.pem
	[ "$status" = 3 ]
	valid lines
	[ "$(wc -l <"$OUT")" = 7 ]
	jq -r .type "$OUT" | diff - <(printf '%s\n' requests certificates keys broken certificates crls result)
	jq -se '.[-1] | .ok == false and .error.exit == 3 and (.tree.certificates | length == 2) and
		(has("certificates") | not)' "$OUT"
	cp "$OUT" lines
	run_est inspect --json -v --tree csr root.pem crl k broken again.pem
	diff <(jq .certificates "$OUT") <(jq -s 'map(select(.type == "certificates") | del(.type))' lines)
	run_est inspect --json-lines
	[ "$status" = 2 ]
	valid lines
}

# bats test_tags=once
@test "json: a large bag needs no more memory than the file, as one object or in lines" {
	python3 - <<-'PY'
		open("many.pem", "w").write(open("root.pem").read() * 5000)
	PY
	for how in --json --json-lines; do
		"$EST_LIB/usage.py" usage "$EST" inspect $how many.pem >"$OUT" 2>"$ERR"
		[ "$(grep -c '"subject":"CN=root"' "$OUT")" = 5000 ]
		with_asan || [ "$(cut -d ' ' -f 2 usage)" -le 16384 ] # of this file nothing is kept
	done
}

@test "json: what fails after the object was begun still ends it, and says so" {
	python3 - <<-'PY'
		open("many.pem", "w").write(open("root.pem").read() * 300)
	PY
	run_est inspect --json -v many.pem csr broken nowhere crl
	[ "$status" = 3 ]
	valid object
	jq -e '(.certificates | length == 300) and (.requests | length == 1) and (.crls | length == 1) and
		(.broken | length == 1) and .ok == false and .error.exit == 3' "$OUT"
	# A CRL's entries are printed as they are read too, up to the one that is broken.
	openssl crl -in crl -outform DER -out list.der
	python3 - <<-'PY'
		data = open("list.der", "rb").read()
		at = data.index(b"\x17\x0d260101000000Z")
		open("list.der", "wb").write(data[:at + 4] + b"x" + data[at + 5:])
	PY
	run_est inspect --json --entries crl list.der crl
	valid object
	jq -e '(.crls | map(.entries | length)) as $n | $n[0] == 1 and $n[-1] == 1 and (.broken | length == 1)' "$OUT"
	# Entries that have to wait for the end, behind another list, have a limit; printed at once, in lines
	# and as text they have none.
	python3 - <<-'PY'
		def tlv(tag, body):
		    k = 0 if len(body) < 128 else (len(body).bit_length() + 7) // 8
		    return bytes([tag] + [0x80 | k] * (k > 0)) + len(body).to_bytes(k or 1, "big") + body
		alg, name = bytes.fromhex("300a06082a8648ce3d040302"), bytes.fromhex("300c310a300806035504030c0178")
		day = tlv(0x17, b"250101000000Z")
		for n in 20000, 20001:
		    entries = b"".join(tlv(0x30, tlv(2, (i + 1).to_bytes(4, "big")) + day) for i in range(n))
		    tbs = tlv(0x30, tlv(2, b"\1") + alg + name + day + tlv(0x30, entries))
		    open("crl%d" % n, "wb").write(tlv(0x30, tbs + alg + tlv(3, b"\0\1")))
	PY
	works inspect --json --entries root.pem crl20000
	jq -e '.crls[0].entries | length == 20000' "$OUT"
	run_est inspect --json --entries root.pem crl20001
	[ "$status" = 3 ]
	jq -e '.crls == [] and (.certificates | length == 1) and
		(.broken[0].message | startswith("more than 20000 entries"))' "$OUT"
	stderr_has '--json-lines'
	works inspect --json --entries crl20001
	jq -e '.crls[0] | .revoked == 20001 and (.entries | length == 20001)' "$OUT"
	works inspect --json-lines --entries root.pem crl20001
	[ "$(grep -c '"type":"entries"' "$OUT")" = 20001 ]
	works inspect --entries root.pem crl20001
	[ "$(grep -c '^entry:' "$OUT")" = 20001 ]
	# The list that comes first is the one that is printed as it is read.
	works inspect --json csr many.pem csr
	valid object
	[ "$(sed -n 2p "$OUT")" = '  "requests":[' ]
	jq -e '(.requests | length == 2) and (.certificates | length == 300)' "$OUT"
	mkfifo in
	"$EST" inspect --json in >"$OUT" 2>"$ERR" 3>&- &
	pid=$!
	exec 9>in
	cat many.pem >&9
	eventually grep -q CN=root "$OUT"
	kill -INT $pid
	status=0
	wait $pid || status=$?
	exec 9>&-
	[ "$status" = 130 ]
	valid object
	jq -e '(.certificates | length > 100) and .error.class == "interrupted"' "$OUT"
	status=0
	"$EST" inspect --json many.pem >/dev/full 2>"$ERR" || status=$?
	[ "$status" = 4 ]
}
