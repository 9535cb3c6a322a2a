#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2034,SC2153,SC2154 # lib/est.bash sets and reads them
# shellcheck disable=SC2030,SC2031 # each test has its own
# Which chains est believes, where GnuTLS alone is softer than RFC 5280: made by openssl, shown by
# one TLS server that has a chain for each name.  Nothing of ours reaches whom est does not believe.

bats_require_minimum_version 1.5.0

load lib/est

CA_EXT='basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign,cRLSign'

ec_key() {
	openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"
}

# sign NAME CA EXTENSIONS [OPENSSL X509 OPTION...]: NAME.pem of NAME.csr.
sign() {
	local name=$1 ca=$2 extensions=$3
	shift 3
	[ -z "$extensions" ] || {
		printf '%b\n' "$extensions" >"$name.ext"
		set -- "$@" -extfile "$name.ext"
	}
	openssl x509 -req -in "$name.csr" -CA "$ca.pem" -CAkey "$ca.key" -days 10 -out "$name.pem" \
		"$@" 2>/dev/null
}

# sub NAME CA EXTENSIONS [OPTION...]: an intermediate; its key may be there already.
sub() {
	[ -e "$1.key" ] || ec_key "$1"
	openssl req -new -key "$1.key" -subj "/O=Test/CN=$1" -out "$1.csr"
	sign "$@"
}

# leaf NAME CA EXTENSIONS [OPTION...]: a server's, for NAME.example, all with one key, its own chain
# behind it.
leaf() {
	local name=$1 ca=$2
	openssl req -new -key leaf.key -subj "/O=Test/CN=$name" -out "$name.csr"
	sign "$@"
	[ "$ca" = root ] || cat "$ca.pem" >>"$name.pem"
}

san() {
	printf 'subjectAltName=DNS:%s.example' "$1"
}

# A CA's database, and its CRL: crl NAME [OPENSSL CA OPTION...]
crl() {
	local name=$1
	shift
	openssl ca -config ca.conf -gencrl -cert root.pem -keyfile root.key -crldays 9 -out "$name.crl" \
		"$@" 2>/dev/null
}

chains() {
	local nc='nameConstraints=critical,'
	leaf good root "$(san good)"
	leaf ca-leaf root "$(san ca-leaf)\nbasicConstraints=critical,CA:TRUE"
	for name in own-ca:TRUE own:FALSE; do
		openssl req -x509 -new -key leaf.key -subj "/CN=${name%:*}" -days 9 \
			-out "${name%:*}.pem" -addext "$(san "${name%:*}")" \
			-addext basicConstraints=critical,CA:"${name#*:}"
	done
	leaf v1 root ''
	leaf sha1 root "$(san sha1)" -sha1
	openssl genrsa -out old-root.key 2048 2>/dev/null # there is no ECDSA with MD5
	openssl req -x509 -new -key old-root.key -subj /CN=old-root -days 9 -out old-root.pem \
		-addext keyUsage=keyCertSign
	leaf md5 old-root "$(san md5)" -md5
	sub sha1-ca root "$CA_EXT" -sha1
	leaf sha1-above sha1-ca "$(san sha1-above)"
	openssl req -new -newkey rsa:1024 -nodes -keyout rsa.key -subj /CN=short -out rsa.csr 2>/dev/null
	sign rsa root "$(san rsa)"
	openssl genrsa -out rsa-ca.key 1024 2>/dev/null
	sub rsa-ca root "$CA_EXT"
	leaf rsa-above rsa-ca "$(san rsa-above)"
	sub caps-ca root "$CA_EXT\n${nc}excluded;DNS:caps.example"
	leaf caps caps-ca 'subjectAltName=DNS:CAPS.example'
	sub wild-ca root "$CA_EXT\n${nc}excluded;DNS:a.wild.example"
	leaf wild wild-ca 'subjectAltName=DNS:*.wild.example'
	cp wild.pem a.wild.pem
	sub within-ca root "$CA_EXT\n${nc}permitted;DNS:example,permitted;dirName:dir\n[dir]\nO=test"
	leaf within within-ca "$(san within)"
	sub dir-ca root "$CA_EXT\n${nc}permitted;dirName:dir\n[dir]\nO=Other"
	leaf dir dir-ca "$(san dir)"
	sub san-ca root "$CA_EXT\n${nc}permitted;DNS:example"
	sub san-sub san-ca "$CA_EXT\nsubjectAltName=DNS:elsewhere.test"
	leaf san-above san-sub "$(san san-above)"
	cat san-ca.pem >>san-above.pem
	leaf critical root "$(san critical)\n1.2.3.4=critical,ASN1:NULL"
	sub critical-ca root "$CA_EXT\n1.2.3.4=critical,ASN1:NULL"
	leaf critical-above critical-ca "$(san critical-above)"
	sub policy-ca root "$CA_EXT\npolicyConstraints=critical,requireExplicitPolicy:0"
	leaf policy policy-ca "$(san policy)"
	sub len-ca root "keyUsage=keyCertSign\nbasicConstraints=critical,CA:TRUE,pathlen:0"
	sub len-sub len-ca "$CA_EXT"
	leaf len len-sub "$(san len)"
	cat len-ca.pem >>len.pem
	leaf revoked root "$(san revoked)"
	sub gone-ca root "$CA_EXT"
	leaf gone gone-ca "$(san gone)"
	leaf must root "$(san must)\ntlsfeature=status_request"
	leaf stapled root "$(san stapled)"
}

# A CA that has changed its key: two roots of one name, and the link between them.
rollover() {
	local name
	for name in first next; do
		ec_key $name-root
		openssl req -x509 -new -key $name-root.key -subj '/O=Test/CN=rolled' -days 9 \
			-out $name-root.pem -addext keyUsage=keyCertSign
	done
	openssl req -new -key first-root.key -subj '/O=Test/CN=rolled' -out old-with-new.csr
	sign old-with-new next-root "$CA_EXT"
	leaf bridged first-root "$(san bridged)"
	openssl x509 -in bridged.pem -out unbridged.pem
	cat unbridged.pem old-with-new.pem >bridged.pem
	cat next-root.pem old-with-new.pem >new-bag.pem
}

lists() {
	printf '[ca]\ndefault_ca=c\n[c]\ndatabase=db\ndefault_md=sha256\n' >ca.conf
	: >db
	for name in revoked gone-ca; do
		openssl ca -config ca.conf -cert root.pem -keyfile root.key -revoke $name.pem 2>/dev/null
	done
	crl root
	crl stale -crl_lastupdate 20240101000000Z -crl_nextupdate 20240201000000Z
	openssl ca -config ca.conf -gencrl -cert stranger.pem -keyfile stranger.key -crldays 9 \
		-out stranger.crl 2>/dev/null
	# The right name and another key.
	openssl req -x509 -new -key stranger.key -subj /CN=root -days 9 -out twin.pem \
		-addext keyUsage=keyCertSign,cRLSign
	openssl ca -config ca.conf -gencrl -cert twin.pem -keyfile stranger.key -crldays 9 \
		-out forged.crl 2>/dev/null
}

# answer NAME CERT SIGNER [PREFIX...]: an OCSP answer about CERT.
answer() {
	local name=$1 cert=$2 signer=$3
	shift 3
	openssl ocsp -issuer root.pem -cert "$cert.pem" -reqout req.der -no_nonce 2>/dev/null
	"$@" openssl ocsp -index db -CA root.pem -rsigner "$signer.pem" -rkey "$signer.key" \
		-reqin req.der -ndays 3 -respout "$name.ocsp" >/dev/null 2>&1
}

setup_file() {
	export BATS_NO_PARALLELIZE_WITHIN_FILE=true
	cd "$BATS_FILE_TMPDIR" || return 1
	printf 'pass-Wd-43\n' >password
	ec_key leaf
	for name in root stranger; do
		ec_key $name
		openssl req -x509 -new -key $name.key -subj /CN=$name -days 30 -out $name.pem \
			-addext keyUsage=critical,keyCertSign,cRLSign
	done
	chains
	rollover
	lists
	openssl crl2pkcs7 -nocrl -certfile root.pem -outform DER | base64 >bag.b64
	printf 'HTTP/1.1 200 OK\r\nContent-Type: application/pkcs7-mime\r\nContent-Length: %s\r\n\r\n' \
		"$(stat -c %s bag.b64)" | cat - bag.b64 >answer
	: >capture
	HELPERS='' BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR
	helper peer.py tls --cert good.pem --key leaf.key --sni . --answer answer --capture capture
	export PEER=$PORT PEER_PID=$HELPERS
}

teardown_file() {
	# shellcheck disable=SC2086 # one number
	kill $PEER_PID
}

setup() {
	est_setup
	pki=$BATS_FILE_TMPDIR
	port=$PEER
}

teardown() {
	est_teardown
}

# The server under the name NAME.example, with the options that follow.
at() {
	local name=$1
	shift
	: >"$pki/capture"
	run_est "${applet:-enroll}" -s "https://$name.example:$port" -m 20 --json \
		--resolve "$name.example:$port:127.0.0.1" --cacert "${root:-$pki/root.pem}" \
		"${account[@]}" "$@"
}

believed() {
	applet=cacerts at "$@"
	[ "$status" = 0 ] || {
		explain "$1 has to be believed"
		return 1
	}
	jq -e '.ok and .server.vouched_by == "explicit"' "$OUT" >/dev/null
}

# disbelieved REASON NAME [OPTION...]: neither credentials nor a request went there.
disbelieved() {
	local reason=$1
	shift
	at "$@" "${new[@]}"
	[ "$status $(jq -r .error.code "$OUT")" = "7 $reason" ] || {
		explain "$1: exit 7 and $reason are due"
		return 1
	}
	[ ! -s "$pki/capture" ]
	[ ! -e key.pem ] && [ ! -e key.pem.est-new ] && [ ! -e cert.pem ]
}

@test "trust: JSON and -v say which database vouched, and for which name (R7030-3.3.1-04)" {
	believed good
	jq -e '.server.identity == "good.example"' "$OUT"
	applet=cacerts at good -vv
	stderr_has 'good\.example matched; an anchor of the explicit database vouched'
	run_est cacerts -s "https://good.example:$port" --json \
		--resolve "good.example:$port:127.0.0.1"
	[ "$status" = 7 ]
	SSL_CERT_FILE=$pki/root.pem run_est cacerts -s "https://good.example:$port" --json \
		--resolve "good.example:$port:127.0.0.1" -v
	jq -e '.server.vouched_by == "implicit" and .server.identity == "good.example"' "$OUT"
	stderr_has 'implicit database'
}

@test "trust: a CA's certificate, and one of version 1, is no server's (R7030-3.3.1-03 R7030-3.3.1-02)" {
	disbelieved ca-as-server ca-leaf
	disbelieved x509-version v1
	# Not even when it was named as an anchor itself.
	root=$pki/own-ca.pem disbelieved ca-as-server own-ca
	root=$pki/own.pem believed own
}

@test "trust: signatures with SHA-1 and MD5, RSA keys under 2048 bits, anywhere (R7030-3.3.1-02)" {
	for name in sha1 sha1-above rsa rsa-above; do
		disbelieved weak $name
	done
	root=$pki/old-root.pem disbelieved weak md5
	openssl req -x509 -new -newkey rsa:1024 -nodes -keyout "$pki/weak-root.key" -subj /CN=weak-root \
		-days 9 -out "$pki/weak-root.pem" -addext keyUsage=keyCertSign 2>/dev/null
	(cd "$pki" && leaf weak weak-root "$(san weak)")
	root=$pki/weak-root.pem disbelieved weak weak
}

@test "trust: name constraints, against capitals, wildcards, subjects, names of a CA (R7030-3.3.1-02)" {
	believed within
	for name in caps a.wild dir san-above; do
		disbelieved name-constraint $name
	done
}

@test "trust: critical extensions nobody acts upon, and a path too long (R7030-3.3.1-02)" {
	for name in critical critical-above policy; do
		disbelieved critical-extension $name
	done
	disbelieved invalid len
}

@test "trust: --cacert DIR: all of its files are anchors (R7030-3.1-06)" {
	mkdir anchors anchors/sub
	cp "$pki/stranger.pem" anchors/a.pem
	cp "$pki/leaf.key" anchors/.hidden
	root=anchors disbelieved unknown-ca good
	ln -s "$pki/root.pem" anchors/12345678.0
	openssl x509 -in "$pki/root.pem" -outform DER -out anchors/again.der
	root=anchors believed good
}

@test "trust: --cacert: one bad file among three is an error, never a smaller list" {
	local bad=$pki/leaf.key file
	mkdir anchors empty
	for file in "$pki/leaf.key" "$pki/capture" "$pki/missing" empty; do
		at good --cacert "$file" --cacert "$pki/stranger.pem" "${new[@]}"
		[ "$status" = 3 ]
		jq -e --arg f "$file" '.error.message | contains($f)' "$OUT"
		[ ! -s "$pki/capture" ]
	done
	cp "$pki/root.pem" "$pki/stranger.pem" anchors
	mkfifo fifo
	for file in "$pki/leaf.key" "$pki/capture" "$pki/missing" "$PWD/fifo"; do
		ln -sf "$file" anchors/middle.pem
		root=anchors at good "${new[@]}"
		[ "$status" = 3 ]
		jq -e '.error.message | contains("anchors/middle.pem")' "$OUT"
		[ ! -s "$pki/capture" ]
	done
}

@test "trust: OldWithNew leads from the old key to the new root, sent or kept (R4210-4.4-03)" {
	root=$pki/next-root.pem believed bridged
	(cd "$pki" && cp bridged.pem both.pem && cp unbridged.pem bridged.pem)
	root=$pki/next-root.pem disbelieved unknown-ca bridged
	root=$pki/new-bag.pem believed bridged
	mv "$pki/both.pem" "$pki/bridged.pem"
	# As an anchor of its own it would be what it is not: the root of the new key.
	root=$pki/old-with-new.pem disbelieved unknown-ca good
}

@test "trust: a server that no anchor vouches for: bootstrap, when it is asked for (R7030-3.3.1-06)" {
	local server=(-s "https://good.example:$port" --resolve "good.example:$port:127.0.0.1")
	ONCE=1 refused 7 anchor cacerts "${server[@]}" -o ca.pem
	works cacerts "${server[@]}" --bootstrap -o ca.pem --ca-fingerprint \
		"sha256:$(openssl x509 -in "$pki/root.pem" -outform DER | sha256sum | cut -c 1-64)"
	works cacerts "${server[@]}" --cacert ca.pem
}

@test "trust: a password for a server that an implicit anchor vouches for is a notice (R7030-3.6.2-02)" {
	local server=(-s "https://good.example:$port" --resolve "good.example:$port:127.0.0.1")
	printf 'HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n' >denied
	helper peer.py tls --cert "$pki/good.pem" --key "$pki/leaf.key" --answer denied \
		--capture capture --max 1.2
	server=(-s "https://good.example:$PORT" --resolve "good.example:$PORT:127.0.0.1")
	SSL_CERT_FILE=$pki/root.pem run_est enroll "${server[@]}" "${account[@]}" "${new[@]}" --csrattrs ignore -m 5
	[ "$status" = 9 ]
	[ "$(grep -c 'implicit trust anchor.*RFC 7030 section 6' "$ERR")" = 1 ]
	# It is linked to this connection, and of no other use.
	tr -d '\r' <capture | awk '/^$/ { on = 1; next } /^(POST|GET) / { if (on) exit } on' | base64 -d |
		openssl req -inform DER -noout -text | grep -q challengePassword
	# Under explicit anchors there is nothing to say.
	SSL_CERT_FILE=$pki/root.pem run_est enroll "${server[@]}" "${account[@]}" "${new[@]}" --csrattrs ignore -m 5 \
		--cacert "$pki/root.pem"
	[ "$status" = 9 ]
	run ! grep -q implicit "$ERR"
}

@test "trust: --crl: a server that is revoked, or whose CA is (R7030-3.3.1-08)" {
	believed revoked
	disbelieved revoked revoked --crl "$pki/root.crl"
	disbelieved revoked gone --crl "$pki/root.crl"
	jq -e '.error.message | test("gone-ca")' "$OUT"
	believed good --crl "$pki/root.crl"
	openssl crl -in "$pki/root.crl" -outform DER -out root.der
	applet=cacerts at revoked --crl root.der
	[ "$status" = 7 ]
}

@test "trust: --crl: stale, of another CA, forged, none for the server's issuer (R7030-3.3.1-08)" {
	disbelieved crl-stale good --crl "$pki/stale.crl"
	disbelieved revoked revoked --crl "$pki/stale.crl"
	believed good --crl "$pki/stale.crl" --crl "$pki/root.crl"
	disbelieved no-crl good --crl "$pki/stranger.crl"
	disbelieved no-crl good --crl "$pki/forged.crl"
	disbelieved no-crl gone --crl "$pki/stranger.crl"
}

@test "trust: --crl: a file that is none is found before anything is sent" {
	for file in "$pki/root.pem" "$pki/missing" "$pki/capture" /; do
		at good --crl "$pki/root.crl" --crl "$file" "${new[@]}"
		[ "$status" = 3 ]
		jq -e --arg f "$file" '.error.message | contains($f)' "$OUT"
	done
	[ ! -s "$pki/capture" ]
	# and on bootstrap
	run_est cacerts -s "https://good.example:$port" --bootstrap --crl "$pki/missing" \
		--ca-fingerprint "sha256:$(openssl x509 -in "$pki/root.pem" -outform DER | sha256sum | cut -c 1-64)"
	[ "$status" = 3 ]
	[ ! -s "$pki/capture" ]
}

# stapler NAME [S_SERVER OPTION...]: openssl's server with the chain NAME; sets port.
stapler() {
	local name=$1 log=$BATS_TEST_TMPDIR/s_server
	shift
	[ -p "$BATS_TEST_TMPDIR/fifo" ] || mkfifo "$BATS_TEST_TMPDIR/fifo"
	exec 7<>"$BATS_TEST_TMPDIR/fifo"
	: >"$log"
	openssl s_server -accept 127.0.0.1:0 -cert "$pki/$name.pem" -key "$pki/leaf.key" "$@" \
		<&7 >"$log" 2>&1 3>&- &
	HELPERS="${HELPERS:-} $!"
	eventually grep -q '^ACCEPT' "$log"
	port=$(sed -n 's/^ACCEPT.*://p' "$log" | head -n 1)
}

silent_server() {
	! grep -aqE 'POST|HTTP/1.1|Authorization' "$BATS_TEST_TMPDIR/s_server"
}

@test "trust: an OCSP answer in the handshake that says revoked is fatal (R7030-3.3.1-08)" {
	(cd "$pki" && answer revoked revoked root && answer unsigned revoked stranger)
	for version in -tls1_2 -tls1_3; do
		stapler revoked $version -status_file "$pki/revoked.ocsp"
		disbelieved revoked revoked
		silent_server
	done
	# Who signed it does not matter: a server does not say that of itself.
	stapler revoked -status_file "$pki/unsigned.ocsp"
	disbelieved revoked revoked
}

@test "trust: TLS 1.3 has an OCSP answer for each certificate: revoked of a CA is fatal too (R7030-3.3.1-08)" {
	(cd "$pki" && answer gone-ca gone-ca root)
	server_start --cert "$pki/gone.pem" --key "$pki/leaf.key" --staple /dev/null \
		--staple "$pki/gone-ca.ocsp"
	port=$EST_TEST_PORT
	disbelieved revoked gone
	jq -e '.error.message | test("CN=gone-ca.* above it is revoked, says the OCSP")' "$OUT"
	port=$EST_TEST_RAW_PORT disbelieved revoked gone
	nothing_sent
	# TLS 1.2 carries the answer about the server alone.
	believed gone --priority -VERS-TLS1.3
	server_stop
}

# heard NAME PATTERN: the server of this chain got the request, and -v says that of its answer.
heard() {
	at "$1" -m 1 -v --csrattrs ignore "${new[@]}"
	stderr_has "OCSP answer of the server: $2"
	grep -aq 'POST /.well-known/est' "$BATS_TEST_TMPDIR/s_server"
}

# Answers for the chains must and stapled: in the database of the CA both are good.
answers() {
	local name serial
	cd "$pki" || return 1
	for name in must stapled; do
		serial=$(openssl x509 -in $name.pem -noout -serial | cut -d = -f 2)
		printf 'V\t400101000000Z\t\t%s\tunknown\t/CN=%s\n' "$serial" "$name" >>db
	done
	answer good must root
	answer other stapled root
	answer forged must stranger
	answer old must root faketime -f -20d
}

@test "trust: a certificate that must be stapled (RFC 7633) needs an answer that counts (R7030-3.3.1-08)" {
	local name
	(answers)
	stapler must
	disbelieved no-staple must
	for name in other forged old; do
		stapler must -status_file "$pki/$name.ocsp"
		disbelieved no-staple must
		silent_server
	done
	stapler must -tls1_2 -status_file "$pki/good.ocsp"
	heard must good
	# Without that extension it may be missing or of no use.
	stapler stapled -status_file "$pki/old.ocsp"
	heard stapled 'it is about another certificate'
}

# hello NAME [OPTION...]: the ClientHello of a run, in hex, to ./hello.
hello() {
	: >hello.bin
	helper peer.py silent --capture hello.bin
	run_est cacerts -s "https://localhost:$PORT" -m 0.5 "$@"
	xxd -p hello.bin | tr -d '\n' >hello
}

# The bodies of the extensions that name these anchors.
two_extensions() {
	local names='' trusted='' file dn sha1
	for file; do
		dn=$(openssl x509 -in "$file" -outform DER | openssl asn1parse -inform DER -i |
			awk '/ SEQUENCE/ && $0 ~ /d=2/ { n++ } n == 4 && /d=2/ { print; exit }')
		dn=$(openssl x509 -in "$file" -outform DER | openssl asn1parse -inform DER -noout \
			-strparse "$(awk -F: '{ print $1 + 0 }' <<<"$dn")" -out dn.der && xxd -p dn.der | tr -d '\n')
		sha1=$(openssl x509 -in "$file" -outform DER | sha1sum | cut -c 1-40)
		dn=$(printf '%04x' $((${#dn} / 2)))$dn
		names+=$dn
		trusted+=02$dn'03'$sha1
	done
	extension 0003 "$trusted"
	extension 002f "$names"
}

extension() {
	local n=$((${#2} / 2))
	printf '%s%04x%04x%s\n' "$1" $((n + 2)) $n "$2"
}

@test "trust: --ca-indication names the explicit anchors in TLS 1.2 and 1.3 (R6066-6-01)" {
	local body version
	two_extensions "$pki/root.pem" "$pki/stranger.pem" >both
	for version in 1.2 1.3; do
		hello --cacert "$pki/root.pem" --cacert "$pki/stranger.pem" --ca-indication \
			--priority "-VERS-ALL:+VERS-TLS$version"
		while read -r body; do
			grep -qF "$body" hello
		done <both
	done
	# By itself est does not say whom it trusts.
	hello --cacert "$pki/root.pem" --cacert "$pki/stranger.pem"
	grep -q . hello
	while read -r body; do
		run ! grep -qF "$body" hello
	done <both
	run_est cacerts -s "https://localhost:$port" --ca-indication -m 5
	[ "$status" = 2 ]
	stderr_has 'there are none'
	believed good --ca-indication
}

# A server of a CA that has changed its root has a chain for each; the roots have one name.
@test "trust: a server with two chains shows the one whose root is indicated (R6066-6-02)" {
	server_start
	local new_root=(--cacert "$EST_TEST_DIR/new-root.pem") version url
	for url in "$EST_TEST_URL" "$EST_TEST_RAW_URL"; do
		for version in 1.2 1.3; do
			set -- -s "$url" --priority "-VERS-ALL:+VERS-TLS$version"
			run_est cacerts "$@" "${new_root[@]}"
			[ "$status" = 7 ]
			run_est cacerts "$@" "${new_root[@]}" --ca-indication -m 0.5
			[ "$status" != 7 ]
			[ "$(server_log 'select(.target) | .indicated' | tail -n 1)" = true ]
		done
	done
	works cacerts -s "$EST_TEST_URL" --cacert "$EST_TEST_DIR/root.pem" --ca-indication
	works cacerts -s "$EST_TEST_URL" --cacert "$EST_TEST_DIR/root.pem" "${new_root[@]}" --ca-indication
	[ "$(server_log 'select(.target) | .indicated' | tail -n 2)" = $'false\nfalse' ]
	# In TLS 1.2 an empty extension says that it was of use; and a list that is none is refused.
	set -- cacerts -s "$EST_TEST_URL" "${new_root[@]}" --priority -VERS-TLS1.3
	ASAN_OPTIONS=detect_leaks=0 strace -f -xx -s 120 -e trace=recvfrom -o with "$EST" "$@" --ca-indication >/dev/null
	ASAN_OPTIONS=detect_leaks=0 strace -f -xx -s 120 -e trace=recvfrom -o without "$EST" "$@" 2>/dev/null || true
	grep -qF '\x00\x03\x00\x00' with
	run ! grep -qF '\x00\x03\x00\x00' without
	run ! openssl s_client -connect "localhost:$EST_TEST_PORT" -serverinfo 3 -tls1_2 </dev/null
	server_stop
}

@test "trust: anchors fetched under an implicit one are named from then on (R7030-4.1.3-11 R7030-4.1.3-12)" {
	local body server=(-s "https://good.example:$port" --resolve "good.example:$port:127.0.0.1")
	export SSL_CERT_FILE=$pki/root.pem
	works cacerts "${server[@]}" -o ca.pem
	head -n 1 ca.pem | grep -q '^# est: the implicit trust anchors'
	same_certs ca.pem "$pki/root.pem"
	two_extensions ca.pem >both
	hello --cacert ca.pem
	while read -r body; do
		grep -qF "$body" hello
	done <both
	# The implicit database is out of use, and the mark stays through further runs.
	works cacerts "${server[@]}" --cacert ca.pem -o again.pem --json
	jq -e '.server.vouched_by == "explicit"' "$OUT"
	cmp ca.pem again.pem
	works cacerts "${server[@]}" --update ca.pem
	cmp ca.pem again.pem
	SSL_CERT_FILE=$pki/root.pem run_est cacerts "${server[@]}" --cacert "$pki/stranger.pem"
	[ "$status" = 7 ]
	# Of what came under an explicit anchor there is no mark, nor in other forms.
	works cacerts "${server[@]}" --cacert "$pki/root.pem" -o plain.pem
	run ! grep -q '^#' plain.pem
	works cacerts "${server[@]}" --outform der -o ca.der
	openssl pkcs7 -inform DER -in ca.der -noout
}
