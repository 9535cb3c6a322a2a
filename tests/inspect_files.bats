#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154 # lib/est.bash sets them
# est inspect: whatever certificates are wrapped in, and folders of it.

bats_require_minimum_version 1.5.0

load lib/est

setup_file() {
	export BATS_NO_PARALLELIZE_WITHIN_FILE=true PKI=$BATS_FILE_TMPDIR
	cd "$PKI" || return 1
	openssl ecparam -name prime256v1 -genkey -noout -out k
	openssl req -x509 -new -key k -subj /CN=one -days 30 -out one.pem
	openssl req -x509 -new -newkey rsa:2048 -nodes -keyout rsa.key -subj /CN=two -days 30 -out two.pem 2>/dev/null
	cat one.pem two.pem >both.pem
	openssl crl2pkcs7 -nocrl -certfile both.pem -outform DER -out bag.der
	openssl x509 -in one.pem -outform DER -out one.der
	openssl x509 -in two.pem -outform DER -out two.der
	echo hello >mail
	printf 's3cret\n' >password
}

setup() {
	est_setup
	cp "$PKI"/* .
}

# subjects NAME... : of the certificates in $OUT (--json), in their order.
subjects() {
	[ "$(jq -r '[.certificates[].subject] | join(" ")' "$OUT")" = "$*" ] || {
		explain "certificates of $* are due"
		return 1
	}
}

# shows FILE SUBJECT...: exactly these certificates, and nothing is broken.
shows() {
	works inspect --json "$1" || return 1
	shift
	subjects "$@"
}

@test "files: HTTP responses as they were saved, with their header fields" {
	head='HTTP/1.1 200 OK\r\nContent-Type: application/pkcs7-mime\r\n'
	{ printf '%b' "$head" '\r\n'; base64 bag.der; } >plain
	shows plain CN=one CN=two
	jq -e '.deviations == []' "$OUT"
	{ printf '%b' 'HTTP/1.1 100 Continue\r\n\r\n' "$head" '\r\n'; cat bag.der; } >raw
	shows raw CN=one CN=two
	jq -e '.deviations == ["Q-RAW-DER"]' "$OUT"
	{ printf '%b' "$head" '\n'; cat one.pem; } >pem
	shows pem CN=one
	jq -e '.deviations == ["Q-PEM"]' "$OUT"
	run_est inspect --strict pem
	[ "$status" = 13 ]
	base64 -w 0 bag.der >text
	{
		printf '%b' "$head" 'transfer-encoding: chunked\r\n\r\n'
		printf '%x\r\n' 100 && head -c 100 text && printf '\r\n%X;x=y\r\n' $(($(stat -c %s text) - 100))
		tail -c +101 text && printf '\r\n0\r\n\r\n'
	} >chunked
	shows chunked CN=one CN=two
	# As curl -i writes it: the field is there, the chunks are not.
	{ printf '%b' "$head" 'Transfer-Encoding: chunked\r\n\r\n'; cat text; } >joined
	shows joined CN=one CN=two
	printf '%b' "$head" '\r\n<html>no</html>' >html
	refused 3 'HTML' inspect html
	printf '%b' "$head" >fields
	refused 3 'plain text' inspect fields
}

@test "files: signed mail, opaque and clear; the signer's certificate and who signed" {
	openssl smime -sign -in mail -signer two.pem -inkey rsa.key -nodetach -out opaque
	openssl smime -sign -in mail -signer two.pem -inkey rsa.key -out clear
	for file in opaque clear; do
		shows "$file" CN=two
		jq -e '.messages | length == 1 and .[0].content_type == "signedData" and .[0].content == "data" and
			(.[0].signers | length == 1 and (.[0] | test("^issuer CN=two, serial [0-9a-f]+, sha256$")))' "$OUT"
	done
	# The mail that a server's operator sends: text and the bag as an attachment.
	{
		printf '%s\n' 'From: ca@a.example' 'Subject: Your certificates' 'MIME-Version: 1.0' \
			'Content-Type: multipart/mixed;' $'\tboundary="=-b"' '' 'preamble' '--=-b' '' 'Hello,' \
			'--=-b' 'Content-Type: application/pkcs7-mime; name="smime.p7c"' \
			'Content-Transfer-Encoding: base64' '' && base64 bag.der && printf '%s\n' '--=-b--' end
	} >sent
	shows sent CN=one CN=two
	sed 's/$/\r/' sent >sent-crlf
	shows sent-crlf CN=one CN=two
	sed '/^MII/,$d' sent >without
	refused 3 'multipart message without' inspect without
}

@test "files: encrypted messages are named with their recipients and not opened" {
	secret=(-secretkey 000102030405060708090a0b0c0d0e0f)
	openssl cms -encrypt -in mail -recip two.pem -aes256 -out transport
	openssl cms -encrypt -in mail -recip one.pem -keyid -aes128 -outform DER -out agreement
	openssl cms -encrypt -in mail "${secret[@]}" -secretkeyid 0a0b -aes128 -outform PEM -out shared
	openssl cms -encrypt -in mail -pwri_password x -aes128 -outform DER -out word
	openssl cms -EncryptedData_encrypt -in mail "${secret[@]}" -aes128 -outform DER -out encrypted
	while IFS='|' read -r file type recipient; do
		works inspect "$file"
		grep -qx "content-type:  $type" "$OUT"
		grep -qE "^encryption:    aes(128|256)-CBC$" "$OUT"
		[ -z "$recipient" ] || grep -qE "^recipient:     $recipient" "$OUT"
		run ! grep -q hello "$OUT"
	done <<-FILES
		transport|envelopedData|key transport: issuer CN=two, serial [0-9a-f]+, rsaEncryption$
		agreement|envelopedData|key agreement: key [0-9a-f]{40}, dhSinglePass
		shared|envelopedData|shared key: key 0a0b, aes128-wrap$
		word|envelopedData|password, pwri-KEK$
		encrypted|encryptedData|
	FILES
	works inspect --json transport agreement
	jq -e '.messages | length == 2 and all(.recipients | length == 1) and .[1].index == 1' "$OUT"
	head -c 200 agreement >cut.der
	refused 3 'object 1 at offset 0' inspect cut.der
}

@test "files: PKCS #12, of each encryption that programs write; the key is named and not opened" {
	unset ONCE # the repetition counts
	export=(openssl pkcs12 -export -inkey k -in one.pem -certfile two.pem -passout pass:s3cret)
	"${export[@]}" -name 'grün ☂' -out aes.p12
	"${export[@]}" -certpbe PBE-SHA1-3DES -keypbe PBE-SHA1-3DES -macalg sha1 -out des.p12
	"${export[@]}" -legacy -out rc2.p12 || cp des.p12 rc2.p12 # without the old provider
	"${export[@]}" -certpbe AES-128-CBC -macalg sha512 -iter 4000 -out other.p12
	openssl base64 -in aes.p12 -out base64.p12
	{ echo -----BEGIN PKCS12-----; cat base64.p12; echo -----END PKCS12-----; } >pem.p12
	certtool --to-p12 --load-privkey k --load-certificate one.pem --load-ca-certificate two.pem \
		--p12-name x --password s3cret --outder --outfile gnutls.p12 2>/dev/null
	for file in aes des rc2 other base64 pem gnutls; do
		works inspect --json --p12-password-file password $file.p12
		subjects CN=one CN=two
		jq -e '.keys | map(.kind) == ["encrypted private key", "PKCS#12 file"] and all(.protection |
			test(", [0-9]+ iterations"))' "$OUT"
		refused 3 'needs a password' inspect $file.p12
	done
	jq -e '.error.code == "p12-password" and (.error.hint | test("--p12-password-file"))' "$OUT"
	# How it is protected, as openssl says it too, and what things are called.
	works inspect -v --p12-password-file password aes.p12
	aes='PBES2, PBKDF2, 2048 iterations, hmacWithSHA256, aes256-CBC'
	sed -n 's/^protection: *//p' "$OUT" | diff - <(printf '%s\n' "$aes" \
		"MAC sha256, 2048 iterations; safe encrypted $aes; safe not encrypted")
	[ "$(grep -c '^friendly-name: grün ☂$' "$OUT")" = 2 ]
	works inspect --p12-password-file password des.p12
	grep -qx 'protection:    MAC sha1, 2048 iterations; safe encrypted pbeWithSHAAnd3-KeyTripleDES-CBC, 2048 iterations; safe not encrypted' "$OUT"
	"${export[@]}" -nomaciter -out once.p12
	works inspect --p12-password-file password once.p12
	grep -q '^protection:    MAC sha256, 1 iteration; safe' "$OUT"
	works inspect --p12-password-file password --extract 1 des.p12
	stderr_has 'not 1 other object$'
	echo wrong >wrong
	refused 3 'the password is wrong' inspect --p12-password-file wrong aes.p12
	refused 3 'cannot open' inspect --p12-password-file nowhere aes.p12
	printf 'Paßwort\xf0\x9f\x98\x80' >utf8
	openssl pkcs12 -export -inkey k -in one.pem -passout file:utf8 -certpbe PBE-SHA1-3DES -out utf8.p12
	works inspect --p12-password-file utf8 utf8.p12
	# None, the empty one, and a file that is not protected at all: with or without one given.
	openssl pkcs12 -export -inkey k -in one.pem -passout pass: -out empty.p12
	openssl pkcs12 -export -inkey k -in one.pem -passout pass: -certpbe NONE -keypbe NONE -nomac -out open.p12
	works inspect open.p12
	grep -qx 'protection:    no MAC; safe not encrypted; safe not encrypted' "$OUT"
	for file in empty open; do
		shows $file.p12 CN=one
		works inspect --json --p12-password-file password $file.p12
		subjects CN=one
	done
	run ! grep -qF "$(sed -n 2p k)" "$OUT"
	# Far more than one library reads of them.
	for _ in {1..40}; do cat one.pem; done >many.pem
	openssl pkcs12 -export -nokeys -in many.pem -passout pass:s3cret -out many.p12
	works inspect --json --p12-password-file password many.p12
	jq -e '.certificates | length == 40 and (map(.index) == [range(1; 41)])' "$OUT"
}

@test "files: PEM of every label; where label and contents differ, the contents count (Q-PEM-LABEL)" {
	block() { printf '%s\n' "-----BEGIN $1-----" && openssl base64 -in "$2" && printf '%s\n' "-----END $1-----"; }
	for label in CERTIFICATE 'X509 CERTIFICATE' 'TRUSTED CERTIFICATE' 'SOMETHING NEW'; do
		block "$label" one.der >file
		shows file CN=one
		jq -e '.deviations == []' "$OUT"
	done
	for label in PKCS7 CMS 'PKCS #7 SIGNED DATA' 'CERTIFICATE CHAIN' 'SOMETHING NEW'; do
		block "$label" bag.der >file
		shows file CN=one CN=two
	done
	block CERTIFICATE bag.der >file
	shows file CN=one CN=two
	jq -e '.deviations == ["Q-PEM-LABEL"]' "$OUT"
	run_est inspect --strict file
	[ "$status" = 13 ]
	ssh-keygen -q -t ed25519 -N '' -f ssh
	{
		openssl dsaparam 1024 2>/dev/null
		cat k one.pem
		openssl ecparam -name prime256v1
		block 'PGP PUBLIC KEY BLOCK' mail
		cat ssh
	} >named
	works inspect --json named
	subjects CN=one
	jq -c '.keys[] | [.kind, .label]' "$OUT" | diff - <(printf '%s\n' '["other PEM block","DSA PARAMETERS"]' \
		'["private key","EC PRIVATE KEY"]' '["other PEM block","EC PARAMETERS"]' \
		'["OpenPGP data","PGP PUBLIC KEY BLOCK"]' '["OpenSSH private key","OPENSSH PRIVATE KEY"]')
	works inspect named ssh.pub
	grep -qx 'label:         DSA PARAMETERS' "$OUT"
	grep -qx 'object:        OpenSSH public key' "$OUT"
	# A key behind the label of a certificate stays one.
	openssl pkcs8 -topk8 -nocrypt -in k -outform DER -out key.der
	block CERTIFICATE key.der >file
	works inspect --json file
	jq -e '.keys[0].kind == "private key"' "$OUT"
	for _ in {1..40}; do # a signature is of this length or that
		openssl req -x509 -new -key k -subj /CN=some -days 3 -out some.pem
		! grep -q '=$' some.pem || break
	done
	sed -E '/^-/!s/=+$//' some.pem >unpadded
	shows unpadded CN=some
	jq -e '.deviations == ["Q-PADDING"]' "$OUT"
}

@test "files: each deviation of an encoding is told by its id, and refused by --strict (Q-BARE-SIGNED)" {
	python3 - <<-'PY'
		import base64
		def tlv(tag, body, end=False):
		    if end:
		        return bytes([tag, 0x80]) + body + b"\0\0"
		    n = len(body)
		    size = b"" if n < 128 else n.to_bytes((n.bit_length() + 7) // 8, "big")
		    return bytes([tag, n if n < 128 else 0x80 | len(size)]) + size + body
		def oid(last):
		    return bytes.fromhex("06092a864886f70d0107") + bytes([last])
		one = open("one.der", "rb").read()
		def bag(certs, content=oid(1), ber=False):
		    data = tlv(0x30, b"\x02\x01\x01\x31\0" + tlv(0x30, content) + tlv(0xa0, certs, ber) + b"\x31\0", ber)
		    return tlv(0x30, oid(2) + tlv(0xa0, data, ber), ber)
		files = {
		    "Q-BER": bag(one, ber=True),
		    "Q-ECONTENT": bag(one, oid(1) + tlv(0xa0, b"\x04\0")),
		    "Q-ECONTENT-TYPE": bag(one, oid(5)),
		    "Q-OTHER-CERTS": bag(one + tlv(0xa1, b"\x30\0")),
		    "Q-DUPLICATE": bag(one + one),
		    "Q-BARE-SIGNED": bag(one)[19:],
		    "Q-TRAILING": bag(one) + b"\r\n\0",
		    "Q-BOM": b"\xef\xbb\xbf" + base64.encodebytes(bag(one)),
		    "Q-PADDING": base64.b64encode(next(x for x in (bag(one + tlv(0xa1, b"\x30\0" * n)) for n in (1, 2))
		                                       if len(x) % 3)).rstrip(b"="),
		    "Q-PEM-LABEL": b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(bag(one)) + b"-----END CERTIFICATE-----\n",
		    "Q-RAW-DER": b"HTTP/1.1 200 OK\nContent-Type: application/pkcs7-mime\n\n" + bag(one),
		    "Q-PEM": b"HTTP/1.1 200 OK\nContent-Type: application/pkcs7-mime\n\n" + open("one.pem", "rb").read(),
		    "Q-BARE-CERT": b"HTTP/1.1 200 OK\nContent-Type: application/pkcs7-mime\n\n" + base64.encodebytes(one),
		    "Q-CSRATTRS-VALUE": tlv(0x30, tlv(0x30, bytes.fromhex("06092a864886f70d01090e") + tlv(0x31, b"\x05\0"))),
		}
		for name, data in files.items():
		    open(name, "wb").write(data)
	PY
	for id in Q-*; do
		works inspect --json "$id"
		jq -e --arg id "$id" '.deviations | index($id) != null' "$OUT" || { explain "$id is due"; return 1; }
		[ "$id" = Q-CSRATTRS-VALUE ] || jq -e '.certificates[0].subject == "CN=one"' "$OUT"
		run_est inspect --strict "$id"
		[ "$status" = 13 ]
		stderr_has "\\($id\\), refused by --strict"
	done
	works inspect -v Q-BER
	stderr_has 'Q-BER: .*\(Q-BER\)$'
}

@test "files: DER values one after another, SignedData alone, what is cut short" {
	cat one.der bag.der two.der >several
	shows several CN=one CN=one CN=two CN=two
	jq -e --argjson at "$(stat -c %s one.der)" '.certificates[1].offset > $at' "$OUT"
	{ cat two.der && printf '\n\0\n'; } >trailing
	shows trailing CN=two
	jq -e '.deviations == ["Q-TRAILING"]' "$OUT"
	cat one.der two.pem >der-pem
	shows der-pem CN=one CN=two
	{ cat two.der && printf 'junk'; } >junk
	refused 3 'bytes after its end' inspect junk
	# ContentInfo has a header of four octets, eleven of OID and four of [0].
	tail -c +20 bag.der >bare
	shows bare CN=one CN=two
	jq -e '.deviations == ["Q-BARE-SIGNED"]' "$OUT"
	# The first of two certificates, and where the file ends.
	head -c $(($(stat -c %s bag.der) - 100)) bag.der >cut.der
	run_est inspect --json cut.der
	[ "$status" = 3 ]
	subjects CN=one
	stderr_has 'cut.der: cut short: it ends at offset'
	for way in cut.der -; do
		run_est inspect "$way" <cut.der
		[ "$status" = 3 ]
		[ "$(grep -c '^subject:' "$OUT")" = 1 ]
	done
	# A broken one between good ones: where it is and why, and the good ones.
	python3 - <<-'PY'
		data = bytearray(open("several", "rb").read())
		at = data.index(b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01", len(open("one.der", "rb").read()))
		data[at + 2] = 0x80 # an OID that begins with padding, in the bag's first certificate
		data[at - 2] = 0x05
		open("broken", "wb").write(data)
	PY
	run_est inspect --json broken
	[ "$status" = 3 ]
	subjects CN=one CN=two CN=two
	jq -e '.broken | length == 1 and .[0].index == 2 and .[0].offset > 300 and .[0].file == "broken"' "$OUT"
	stderr_has 'broken: object 2 at offset [0-9]+: certificate: not '
}

@test "files: folders, with -r alone; each file once, in the order of the names, others skipped" {
	mkdir -p dir/sub/deep empty
	cp two.pem dir/b.pem
	cp one.der dir/a.crt
	cp bag.der dir/sub/deep/bag.p7
	ln -s ../a.crt dir/sub/link
	ln -s .. dir/sub/loop
	ln -s nowhere dir/dangling
	ln dir/a.crt dir/z.crt
	mkfifo dir/fifo
	echo text >dir/README
	refused 3 'is a directory' inspect dir
	stderr_has '-r reads'
	works inspect -r --json dir one.pem
	subjects CN=one CN=two CN=one CN=two CN=one
	jq -e '(.certificates | map(.file) == ["dir/a.crt", "dir/b.pem", "dir/sub/deep/bag.p7", "dir/sub/deep/bag.p7",
		"one.pem"]) and (.skipped | length == 1 and .[0].file == "dir/README")' "$OUT"
	works inspect -r -v dir/
	stderr_has 'dir/README: looks like plain text'
	[ ! -s "$ERR" ] || [ "$(wc -l <"$ERR")" = 1 ]
	run_est inspect -r --strict dir
	[ "$status" = 3 ]
	refused 3 'no file with something to show' inspect -r empty
	refused 3 'other-kind|plain text' inspect -r dir/README
	# A name that would paint the terminal, a file that is broken, one that cannot be read.
	echo 'MIIB' | base64 -d >dir/$'x\e[2Jy'
	run_est inspect -r --json dir
	[ "$status" = 3 ]
	no_control_bytes "$OUT"
	no_control_bytes "$ERR"
	jq -e '.broken[0].file == "dir/x\\x1b[2Jy" and (.certificates | length == 4)' "$OUT"
	works inspect -r -q --expires-within 20d dir/sub
	works inspect --diff -r dir/sub dir/sub
	run_est inspect --diff -r dir empty one.pem
	[ "$status" = 2 ]
	# Trust anchors as Debian has them, each under several names.
	run_est inspect -r --json /etc/ssl/certs
	[ "$(jq '[.certificates[] | select(.file | endswith(".crt") | not) | .sha256] | unique | length' "$OUT")" -ge 1 ]
	jq -e '[.certificates[].file] | length == (unique | length) or (map(select(endswith("certificates.crt"))) |
		length > 0)' "$OUT"
}

@test "files: the first object comes before the last byte is read" {
	python3 - <<-'PY'
		open("big.pem", "w").write(open("one.pem").read() * 2000)
	PY
	# The pipe stays open; what comes out of it meanwhile is seen.
	mkfifo in
	"$EST" inspect in >out 2>&1 3>&- &
	pid=$!
	exec 9>in
	cat big.pem >&9
	eventually grep -q '^subject:       CN=one' out
	kill -0 $pid
	exec 9>&-
	wait $pid
	[ "$(grep -c '^subject:' out)" = 2000 ]
	# A file that gets shorter while it is read is cut short, and no signal kills est.
	for _ in {1..5}; do cat big.pem; done >bigger.pem
	openssl crl2pkcs7 -nocrl -certfile bigger.pem -outform DER -out big.der
	size=$(stat -c %s big.der)
	truncate -s $((size * 3 / 4)) big.der
	run_est inspect big.der
	[ "$status" = 3 ]
	[ "$(grep -c '^subject:' "$OUT")" -gt 5000 ]
	stderr_has 'cut short: it ends at offset'
}

# bats test_tags=once
@test "files: of what is large the first line comes before its end is there, whatever it lies in" {
	python3 - <<-'PY'
		import base64
		def tlv(tag, *parts):
		    body = b"".join(parts)
		    k = 0 if len(body) < 128 else (len(body).bit_length() + 7) // 8
		    return bytes([tag] + [0x80 | k] * (k > 0)) + len(body).to_bytes(k or 1, "big") + body
		def seq(*parts): return tlv(0x30, *parts)
		def oid(text): return tlv(6, bytes.fromhex(text))
		def info(t, body): return seq(oid("2a864886f70d0107" + t), tlv(0xa0, body))
		alg, name = seq(oid("2a8648ce3d040302")), seq(tlv(0x31, seq(oid("550403"), tlv(0x0c, b"x"))))
		entry = seq(tlv(2, b"\1"), tlv(0x17, b"250101000000Z"))
		crl = seq(seq(tlv(2, b"\1"), alg, name, tlv(0x17, b"250101000000Z"), seq(entry * 30000)), alg, tlv(3, b"\0\1"))
		pem, enc = open("one.pem", "rb").read() * 600, base64.encodebytes
		http = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		multi = b"Content-Type: multipart/mixed; boundary=b\r\n\r\nx\r\n--b\r\n\r\nx\r\n--b\r\n"
		who = seq(tlv(2, b"\0"), seq(name, tlv(2, b"\1")), alg, tlv(4, b"\1"))
		for file, data in {
		    "crl": crl, "crl.http": b"HTTP/1.1 200 OK\n\n" + enc(crl),
		    "crl.pem": b"-----BEGIN X509 CRL-----\n" + enc(crl) + b"-----END X509 CRL-----\n",
		    "crl.p7": info("02", seq(tlv(2, b"\1"), tlv(0x31), seq(oid("2a864886f70d010701")), tlv(0xa1, crl), tlv(0x31))),
		    "sealed": info("03", seq(tlv(2, b"\0"), tlv(0x31, who), seq(oid("2a864886f70d010701"), alg, tlv(0x80, b"x" * 600000)))),
		    "chunks": http + b"".join(b"400\r\n%s\r\n" % pem[i : i + 1024] for i in range(0, len(pem) & ~1023, 1024)),
		    "mail": multi + b"X: y\r\n\r\n" + pem + b"\r\n--b--\r\n",
		}.items():
		    open("big." + file, "wb").write(data)
	PY
	mkfifo pipe
	for file in big.* 'big.crl -v' 'big.crl.p7 -v'; do
		read -ra words <<<"$file"
		file=${words[0]}
		"$EST" inspect "${words[@]:1}" pipe >out 2>err 3>&- &
		pid=$!
		exec 9>pipe
		head -c 400000 "$file" >&9
		eventually grep -q '^object:' out
		grep -qE '^object: +(crl|certificate|message)$' out
		tail -c +400001 "$file" >&9
		exec 9>&-
		wait $pid || [ "$file" = big.chunks ]
		# Each object begins once, and has all it has when nobody waits for it.
		run_est inspect "${words[@]:1}" "$file"
		diff out <(sed "s/$file/pipe/" "$OUT")
	done
	# What breaks behind its front is said to, where it was begun.
	head -c 500000 big.crl >short
	for words in short '-v short'; do
		read -ra words <<<"$words"
		run_est inspect "${words[@]}"
		[ "$status" = 3 ]
		stderr_has 'short: object 1 at offset 0: CRL: .*cut short'
		[ "$(grep -c '^object:' "$OUT")" = 1 ]
		grep -q '^broken: .*cut short' "$OUT"
	done
	# With -v a CRL waits for the certificates behind it, and is then said to be one once more.
	cat one.der >>big.crl
	works inspect -v big.crl
	grep '^object:' "$OUT" | diff - <(printf 'object:        %s\n' crl certificate crl)
	run_est inspect big.chunks
	[ "$status" = 3 ]
	stderr_has 'chunks break off at offset'
}

@test "files: a terminal is told how far a long run is, once a second has passed" {
	for _ in {1..80}; do cat one.pem; done >some.pem
	mkfifo in
	feed() { cat some.pem && sleep "$1" && cat some.pem; }
	told() {
		feed "$1" >in 3>&- &
		"$EST_LIB/on-terminal" '' '' "$EST" inspect --dedup -o out "${@:2}" in
	}
	# While nothing comes, too.
	told 1.2 | grep -qaE 'est: inspect: [0-9]+ objects, waiting for in'
	[ -s out ]
	run ! grep -qa 'objects, ' <(told 0)
	run ! grep -qa 'objects, ' <(told 1.2 -q)
	# Nobody is told in a file.
	feed 1.2 | "$EST" inspect --dedup -o out - 2>err
	[ ! -s err ]
}
