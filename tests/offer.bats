#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # lib/est.bash sets and reads them
# What TLS offers under --tls-min and --priority, as the server sees it, and --no-cmc-ra.

bats_require_minimum_version 1.5.0

load lib/served

hello_logged() {
	[ "$(server_count '.event == "handshake"')" -ge 1 ]
}

# hello OPTION...: what a run with these options offers to the raw listener, in ./hello.
hello() {
	server_log_reset
	run_est cacerts "${raw[@]}" -l nothing "$@"
	eventually hello_logged
	server_log 'select(.event == "handshake")' | tail -n 1 >hello
}

# offers FILTER: what jq says of ./hello.
offers() {
	jq -e "$1" hello >/dev/null || {
		cat hello
		return 1
	}
}

# 3DES, RC4, NULL, anonymous and DES suites, by number.
never='["0000","0001","0002","0004","0005","0009","000a","0013","0016","0018","001a","001b","0034",
	"003a","003b","006c","006d","00a6","00a7","c006","c007","c008","c010","c011","c012","c015",
	"c016","c017","c018","c019"]'

@test "offer: --tls-min 1.3 takes TLS 1.2 away, 1.2 is the default (R7030-3.3-04)" {
	hello --tls-min 1.3
	offers '.client_hello_versions == ["TLS1.3"]'
	offers '.ciphers | map(select(startswith("13") | not)) - ["00ff"] == []'
	hello --tls-min 1.2
	offers '.client_hello_versions | sort == ["TLS1.2","TLS1.3"]'
	hello
	offers '.client_hello_versions | sort == ["TLS1.2","TLS1.3"]'
}

@test "offer: --tls-min 1.3 does not speak with a server of TLS 1.2 (R7030-3.3-04)" {
	helper peer.py tls --max 1.2 --cert "$EST_TEST_DIR/server.pem" \
		--key "$EST_TEST_DIR/server.key" --capture "$BATS_TEST_TMPDIR/capture"
	refused 8 'TLS' cacerts -s "https://localhost:$PORT" "${anchor[@]}" --tls-min 1.3
	[ ! -e "$BATS_TEST_TMPDIR/capture" ]
}

@test "offer: other values of --tls-min are usage errors" {
	for value in 1.1 1.0 1 3 1.4 tls1.2; do
		ONCE=1 refused 2 'tls-min' cacerts "${trust[@]}" --tls-min "$value"
	done
	nothing_sent
}

@test "offer: --priority that starts with a sign narrows what est offers (R7030-6-02)" {
	hello
	offers '.ciphers | index("1301")'
	hello --priority -AES-128-GCM:-AES-128-CCM:-CHACHA20-POLY1305
	offers '.ciphers | index("1302") != null and index("1301") == null and index("1303") == null'
	offers ".ciphers - $never == .ciphers"
	offers '[.sni, .alpn] == ["localhost","http/1.1"]'
	offers '(.extensions | index(65281) != null) or (.ciphers | index("00ff") != null)'
}

@test "offer: --priority with a whole string; an address is still no SNI (R7030-3.3.1-07)" {
	local string='SECURE256:-VERS-ALL:+VERS-TLS1.2:-SIGN-RSA-SHA1:-SIGN-ECDSA-SHA1'
	hello --priority "$string"
	offers '.client_hello_versions == ["TLS1.2"]'
	offers ".ciphers - $never == .ciphers and (.ciphers | index(\"c02f\") == null)"
	local raw=(-s "https://127.0.0.1:$EST_TEST_RAW_PORT" "${anchor[@]}")
	hello --priority "$string"
	offers '.sni == null and (.extensions | index(0)) == null'
}

@test "offer: --priority with what is banned is refused before a packet leaves (R7030-3.2.3-03 R7030-3.3-04 R7030-6-02)" {
	local string
	for string in NORMAL +VERS-TLS1.1 +3DES-CBC +NULL +ARCFOUR-128 +ANON-ECDH +PSK +SRP +MD5 \
		+SIGN-RSA-SHA1 %COMPAT %UNSAFE_RENEGOTIATION %PROFILE_LOW @SYSTEM nonsense; do
		ONCE=1 refused 2 'priority' cacerts "${raw[@]}" --priority "$string"
	done
	ONCE=1 refused 2 'priority' csrattrs "${raw[@]}" --priority +3DES-CBC
	ONCE=1 refused 2 'priority' enroll "${raw[@]}" "${account[@]}" "${new[@]}" --priority +3DES-CBC
	refused 2 'priority' cacerts "${trust[@]}" --priority -VERS-TLS1.3 --tls-min 1.3
	nothing_sent
	[ "$(server_count '.event == "handshake"')" = 0 ]
}

@test "offer: what was negotiated is looked at again after the handshake (R7030-3.3-01)" {
	with_asan && skip "what is preloaded and ASan both want to be first"
	local odd
	# A library that ends with what was never offered.
	cat >odd.c <<-'C'
		#define _GNU_SOURCE
		#include <dlfcn.h>
		#include <stdlib.h>
		#include <string.h>
		#define ODD(name, value) int gnutls_##name(void *s) \
		{ \
			int (*real)(void *) = (int (*)(void *))dlsym(RTLD_NEXT, "gnutls_" #name); \
			const char *odd = getenv("ODD"); \
			return odd && strcmp(odd, #name) == 0 ? value : real(s); \
		}
		ODD(cipher_get, 3) /* 3DES */
		ODD(protocol_get_version, 3) /* TLS 1.1 */
		ODD(kx_get, 4) /* anonymous */
		ODD(sign_algorithm_get, 1) /* RSA with SHA-1 */
		ODD(sign_algorithm_get_client, 1)
	C
	cc -shared -fPIC -o "$BATS_TEST_TMPDIR/odd.so" odd.c
	export LD_PRELOAD=$BATS_TEST_TMPDIR/odd.so
	works cacerts "${trust[@]}"
	server_log_reset
	for odd in cipher_get protocol_get_version kx_get sign_algorithm_get sign_algorithm_get_client; do
		export ODD=$odd
		ONCE=1 refused 8 'negotiated .*not acceptable' enroll "${trust[@]}" "${account[@]}" "${new[@]}" \
			--priority -VERS-TLS1.3
	done
	nothing_sent
}

# A server whose certificate has id-kp-cmcRA and another name.
cmc_ra_server() {
	identity ra /CN=ra -addext extendedKeyUsage=serverAuth,1.3.6.1.5.5.7.3.28 \
		-addext subjectAltName=DNS:other.example
	cat ra.pem "$EST_TEST_DIR/issuing.pem" >ra-chain.pem
	openssl crl2pkcs7 -nocrl -certfile "$EST_TEST_DIR/ca.pem" -outform DER | base64 >bag.b64
	printf 'HTTP/1.1 200 OK\r\nContent-Type: application/pkcs7-mime\r\nContent-Length: %s\r\n\r\n' \
		"$(stat -c %s bag.b64)" | cat - bag.b64 >answer
	: >capture
	helper peer.py tls --cert ra-chain.pem --key ra.key --answer answer \
		--capture "$PWD/capture"
	at=(-s "https://localhost:$PORT" "${anchor[@]}")
}

@test "offer: id-kp-cmcRA in place of the name is a notice, and JSON says it (R7030-3.6.1-01)" {
	cmc_ra_server
	works cacerts "${at[@]}" -o ca.pem
	stderr_has 'localhost.*id-kp-cmcRA'
	[ "$(wc -l <"$ERR")" = 1 ]
	works cacerts "${at[@]}" -o ca.pem -q --json
	[ ! -s "$ERR" ]
	jq -e '.server | .cmc_ra and .identity == "id-kp-cmcRA" and .vouched_by == "explicit"' "$OUT"
	works cacerts "${trust[@]}" --json
	jq -e '.server.cmc_ra == false' "$OUT"
}

@test "offer: --no-cmc-ra asks for the name (R7030-3.6.1-01)" {
	cmc_ra_server
	LEAVES=capture refused 7 'localhost.*other\.example' cacerts "${at[@]}" --no-cmc-ra
	[ ! -s capture ]
	works cacerts "${trust[@]}" --no-cmc-ra
}
