#!/usr/bin/env bats
# bats file_tags=once
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2034,SC2154 # lib/est.bash sets and reads them
# TLS without certificates: both sides know a password.  The servers are ours and gnutls-serv.

bats_require_minimum_version 1.5.0

load lib/served

setup_file() {
	est_setup_file --srp-port 0
}

setup() {
	est_setup
	[ -z "${EST_TEST_STDERR:-}" ] ||
		srp=(-s "$(sed -n 's/.* srp=//p' "${EST_TEST_STDERR%/*}/ready")" "${anchor[@]}")
	me=(--srp-user tester --password-file "$BATS_FILE_TMPDIR/password")
}

@test "srp: an enrolment without certificates, under any name (R7030-3.3.3-01 R7030-3.3.3-03)" {
	works enroll "${srp[@]}" "${me[@]}" "${new[@]}" --json -v
	good_cert cert.pem key.pem
	[ "$(jq -c '.server | [.tls, .vouched_by, .identity, .resumed, .client_certificate]' "$OUT")" = \
		'["TLS1.2","srp","tester",false,false]' ]
	stderr_has 'knows the password of tester'
	[ "$(server_log 'select(.method == "POST") | [.listener, .method, .authorization, .status]')" = \
		'["srp","POST",null,200]' ]
	works reenroll "${srp[@]}" -l reenroll-basic "${me[@]}" --cert cert.pem --key key.pem --force
	good_cert cert.pem key.pem
	works cacerts -s "https://no.such.name:${srp[1]##*:}" "${anchor[@]}" \
		--resolve "no.such.name:${srp[1]##*:}:127.0.0.1" "${me[@]}"
	EST_PASSWORD=pass-Wd-43 works csrattrs "${srp[@]}" --srp-user tester
	# Such a session has nothing that a request could be linked to: nothing is sent.
	server_log_reset
	refused 8 'cannot be linked.*set up without certificates' enroll "${srp[@]}" "${me[@]}" --subject CN=x \
		--key-out k.pem -o c.pem -l pop
	no_csr
}

@test "srp: nothing else is offered: TLS 1.2, two suites with AES, neither certificates nor PSK (R7030-3.3.3-02)" {
	works cacerts "${srp[@]}" "${me[@]}"
	server_log 'select(.event == "handshake")' >hello
	[ "$(jq -c '.client_hello_versions | sort' hello)" = '["TLS1.2"]' ]
	[ "$(jq -c '.ciphers - ["00ff"] | sort' hello)" = '["c01d","c020"]' ]
}

@test "srp: a wrong password is one guess, exit 8, and the server has heard nothing (R7030-3.3.3-04 R7030-3.3.3-05)" {
	echo wrong >wrong
	LEAVES='key.pem.est-new' ONCE=1 refused 8 'user or password for SRP' enroll "${srp[@]}" --srp-user tester \
		--password-file wrong "${new[@]}" --retry 3 --retry-delay 0.01
	[ "$(server_count '.event == "handshake"')" = 1 ]
	ONCE=1 refused 8 'user or password for SRP' cacerts "${srp[@]}" --srp-user nobody --password-file wrong
	nothing_sent
	# After two failures the server takes 0.4 s before it listens again.
	local start=${EPOCHREALTIME/./}
	works cacerts "${srp[@]}" "${me[@]}"
	[ $((${EPOCHREALTIME/./} - start)) -ge 400000 ]
}

@test "srp: who breaks off after the proof of the password has had the one guess there is (R7030-3.3.3-05)" {
	local how
	for how in '' --hang; do
		# shellcheck disable=SC2086 # an option or none
		helper peer.py cut "${srp[1]##*:}" --capture "$BATS_TEST_TMPDIR/guesses" $how
		rm -f "$BATS_TEST_TMPDIR/guesses"
		ONCE=1 refused 8 'the (TLS )?handshake' cacerts -s "https://127.0.0.1:$PORT" \
			"${anchor[@]}" "${me[@]}" --retry 2 --retry-delay 0.01 --max-time 0.6
		stderr_has 'hint: user or password for SRP'
		# ClientKeyExchange came once.
		[ "$(xxd -p "$BATS_TEST_TMPDIR/guesses" | tr -d '\n' | grep -o '16030301..1000' | wc -l)" = 1 ]
	done
}

@test "srp: a server without SRP, and one that knows nothing but SRP" {
	# libmicrohttpd hangs up without an alert; no guess was made, and this may pass.
	ONCE=1 refused 5 'server has no SRP' cacerts "${trust[@]}" "${me[@]}" --retry 1 --retry-delay 0.01 -v
	stderr_has 'the next attempt is in'
	ONCE=1 refused 8 'alert|TLS' cacerts "${srp[@]}"
	nothing_sent
}

@test "srp: no HTTP credentials, and no other server (R7030-4.1.1-05)" {
	ONCE=1 refused 9 'without certificates no password' cacerts "${srp[@]}" -l basic "${me[@]}"
	EST_TOKEN=to-ken ONCE=1 refused 9 'without certificates' cacerts "${srp[@]}" -l any-auth "${me[@]}"
	no_credentials
	server_log_reset
	ONCE=1 refused 10 'one server alone' cacerts "${srp[@]}" -l redirect-out "${me[@]}" \
		--redirect-to 127.0.0.2:9
	seen 1 true
}

@test "srp: what contradicts it is a mistake" {
	local option
	identity id /CN=id
	for option in '--user x' '--token-file key' '--auth basic' '--cert id.pem --key id.key' \
		'--tls-min 1.3' '--priority -AES-128-GCM' '--session-cache c'; do
		# shellcheck disable=SC2086 # options
		ONCE=1 refused 2 'srp-user' cacerts "${srp[@]}" "${me[@]}" $option
	done
	ONCE=1 refused 2 'srp-user' cacerts "${srp[@]:0:2}" "${me[@]}" --bootstrap --ca-fingerprint "sha256:$(printf '%064d' 0)"
	ONCE=1 refused 3 'password of tester for SRP' cacerts "${srp[@]}" --srp-user tester
	nothing_sent
}

# What OpenWrt has: a libgnutls without the functions, under whose names nothing is found here.
@test "srp: a GnuTLS that has no SRP, and no PKCS #11, is named; everything else works with it" {
	local gone='srp_(allocate|free|set)_client_credentials|pkcs11_obj_(list_import_url4|export2|deinit)'
	mkdir lib
	LC_ALL=C sed -E "s/\x00g(nutls_($gone))/\x00G\1/g" "$(ldd "$EST" | awk '/libgnutls\.so/ { print $3 }')" \
		>lib/libgnutls.so.30
	run ! env LC_ALL=C grep -qaP "\x00gnutls_($gone)" lib/libgnutls.so.30
	# The library calls some of them itself; and its answer to this question is that of another build.
	cat >odd.c <<-'C'
		int Gnutls_pkcs11_obj_list_import_url4(void) { return -1250; }
		int Gnutls_pkcs11_obj_export2(void) { return -1250; }
		void Gnutls_pkcs11_obj_deinit(void) { }
		int gnutls_url_is_supported(const char *url) { return url && 0; }
	C
	cc -shared -fPIC -o odd.so odd.c
	export LD_LIBRARY_PATH=$PWD/lib
	run ! "$EST" --version # it is this one
	export LD_PRELOAD=$PWD/odd.so
	ONCE=1 refused 2 'built without SRP' cacerts "${srp[@]}" "${me[@]}"
	ONCE=1 refused 3 'PKCS #11|p11-kit' cacerts -s "$EST_TEST_URL" --cacert 'pkcs11:object=x'
	works cacerts -s "$EST_TEST_URL" --cacert "$EST_TEST_DIR/root.pem"
}

# serv BITS-INDEX: gnutls-serv with an SRP password file; PORT.
serv() {
	srptool --create-conf "conf$1" >/dev/null 2>&1
	srptool --passwd "pw$1" --passwd-conf "conf$1" -u tester -i "$1" <<<"$(printf 'pass-Wd-43\npass-Wd-43')" \
		>/dev/null 2>&1
	PORT=$((20000 + RANDOM % 20000))
	gnutls-serv --http -p "$PORT" --srppasswd "pw$1" --srppasswdconf "conf$1" \
		--priority 'NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+SRP' >"$BATS_TEST_TMPDIR/serv.log" 2>&1 3>&- &
	HELPERS="${HELPERS:-} $!"
	eventually grep -q 'listening on IPv4' "$BATS_TEST_TMPDIR/serv.log"
	at=(-s "https://127.0.0.1:$PORT" "${anchor[@]}")
}

@test "srp: gnutls-serv; its group has to have 2048 bits (R7030-3.3.3-01)" {
	serv 3
	run_est cacerts "${at[@]}" "${me[@]}" -v
	stderr_has 'knows the password of tester'
	stderr_has '\(SRP'
	serv 2 # 1536 bits, and nothing is said inside
	ONCE=1 refused 8 'prime|group|acceptable|parameter' cacerts "${at[@]}" "${me[@]}"
	run ! grep -aqE 'GET /|POST /' "$BATS_TEST_TMPDIR/serv.log"
}
