#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154 # lib/est.bash sets them
# est inspect -v: every extension in words, what is unknown as hex, nothing asked of any address.

bats_require_minimum_version 1.5.0

load lib/est

setup() {
	est_setup
	openssl ecparam -name prime256v1 -genkey -noout -out k
}

# made EXTENSION...: cert.pem with these.
made() {
	printf '%s\n' "$@" >ext
	openssl req -new -key k -subj /CN=x -out csr
	openssl x509 -req -in csr -key k -days 9 -extfile ext -out cert.pem 2>err
}

shown() { # NAME: the value of an extension
	sed -n "s/^extension:     $1: //p" "$OUT"
}

@test "details: each extension of RFC 5280, as openssl made it" {
	made 'basicConstraints=critical,CA:TRUE,pathlen:3' 'keyUsage=keyCertSign' 'subjectKeyIdentifier=hash' \
		'authorityKeyIdentifier=keyid:always,issuer:always' 'subjectAltName=DNS:a.example,IP:::1' \
		'issuerAltName=email:ca@b.example' 'extendedKeyUsage=serverAuth,1.2.3' \
		'nameConstraints=permitted;DNS:.example,permitted;IP:10.0.0.0/255.0.0.0,excluded;email:b.example' \
		'certificatePolicies=1.2.3.4,@pol' 'policyConstraints=requireExplicitPolicy:2,inhibitPolicyMapping:0' \
		'policyMappings=1.2.3.4:1.2.3.5' 'inhibitAnyPolicy=7' \
		'crlDistributionPoints=URI:http://crl.example/a,URI:ldap://x/y' \
		'freshestCRL=URI:http://crl.example/delta' \
		'authorityInfoAccess=OCSP;URI:http://ocsp.example/,caIssuers;URI:http://ca.example/ca.der' \
		'subjectInfoAccess=caRepository;URI:rsync://r.example/' '1.2.3.4.5=ASN1:UTF8String:hello' \
		'[pol]' 'policyIdentifier=1.2.3.6' 'CPS.1=http://cps.example/'
	works inspect -v cert.pem
	[ "$(shown 'basicConstraints, critical')" = 'CA, path length 3' ]
	key=$(openssl x509 -in cert.pem -noout -ext subjectKeyIdentifier | tail -n 1 | tr -d ' :' | tr A-F a-f)
	[ "$(shown subjectKeyIdentifier)" = "$key" ]
	[[ "$(shown authorityKeyIdentifier)" == "key $key, issuer dirname:CN=x, serial "* ]]
	[ "$(shown subjectAltName)" = 'dns:a.example, ip:::1' ]
	[ "$(shown issuerAltName)" = 'email:ca@b.example' ]
	[ "$(shown extKeyUsage)" = 'serverAuth, 1.2.3' ]
	[ "$(shown nameConstraints)" = 'permitted dns:.example, permitted ip:10.0.0.0/255.0.0.0, excluded email:b.example' ]
	[ "$(shown certificatePolicies)" = '1.2.3.4, 1.2.3.6 http://cps.example/' ]
	[ "$(shown policyConstraints)" = 'explicit policy after 2, no mapping after 0' ]
	[ "$(shown policyMappings)" = '1.2.3.4 = 1.2.3.5' ]
	[ "$(shown inhibitAnyPolicy)" = 'after 7' ]
	[ "$(shown cRLDistributionPoints)" = 'uri:http://crl.example/a, uri:ldap://x/y' ]
	[ "$(shown freshestCRL)" = 'uri:http://crl.example/delta' ]
	[ "$(shown authorityInfoAccess)" = 'ocsp uri:http://ocsp.example/, caIssuers uri:http://ca.example/ca.der' ]
	[[ "$(shown subjectInfoAccess)" == *' uri:rsync://r.example/' ]]
	[ "$(shown 1.2.3.4.5)" = '#0c0568656c6c6f' ]
	works inspect --json -v cert.pem
	jq -e '.certificates[0].details | .version == 3 and .key_bits == 128 and .signature_bits == null and
		(.extensions | length == 17 and .[0] == {oid: "2.5.29.19", name: "basicConstraints", critical: true,
		value: "CA, path length 3"} and (.[-1] | .oid == "1.2.3.4.5" and .name == null))' "$OUT"
	traced inspect -v cert.pem
	[ "$status" = 0 ]
	run ! grep -qE 'socket\(|connect\(' "$BATS_TEST_TMPDIR/trace"
}

@test "details: the fingerprint of the public key is openssl's" {
	made 'basicConstraints=CA:FALSE'
	works inspect -v cert.pem
	due=$(openssl x509 -in cert.pem -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum | cut -d ' ' -f 1)
	grep -qx "spki-sha256:   $due" "$OUT"
	grep -qx 'extension:     basicConstraints: no CA' "$OUT"
	works inspect cert.pem
	run ! grep -q '^extension:' "$OUT"
}

@test "details: signed certificate timestamps are counted" {
	# Two timestamps of three octets each.
	made '1.3.6.1.4.1.11129.2.4.2=DER:04:0c:00:0a:00:03:01:02:03:00:03:04:05:06'
	works inspect -v cert.pem
	[ "$(shown signedCertificateTimestamps)" = '2 signed certificate timestamps' ]
	made '1.3.6.1.4.1.11129.2.4.2=DER:04:0c:00:0a:00:03:01:02:03:00:04:04:05:06'
	works inspect -v cert.pem
	[[ "$(shown signedCertificateTimestamps)" == 'malformed #040c'* ]]
}

@test "details: malformed extensions are said to be, with their bytes; controls are escaped" {
	made '2.5.29.36=DER:30:03:80:01' '2.5.29.30=DER:30:02:a0:05' '2.5.29.31=DER:04:00' '2.5.29.54=DER:02:05:01:01:01:01:01' \
		'1.3.6.1.5.5.7.1.1=DER:30:19:30:17:06:08:2b:06:01:05:05:07:30:01:86:0b:61:1b:5b:32:4a:e2:80:ae:62:0a:00'
	works inspect -v cert.pem
	[ "$(shown policyConstraints)" = 'malformed #30038001' ]
	[ "$(shown nameConstraints)" = 'malformed #3002a005' ]
	[ "$(shown cRLDistributionPoints)" = 'malformed #0400' ]
	[[ "$(shown inhibitAnyPolicy)" == 'malformed #02050101010101' ]]
	[ "$(shown authorityInfoAccess)" = 'ocsp uri:a\x1b[2J\u{202E}b\n\x00' ]
	no_control_bytes "$OUT"
	works inspect --json -v cert.pem
	no_control_bytes "$OUT"
}

@test "details: of every certificate that Debian ships" {
	works inspect --json -v /etc/ssl/certs/ca-certificates.crt
	jq -e '[.certificates[].details.extensions[] | select(.value | test("malformed"))] == []' "$OUT"
	jq -e '[.certificates[].details | select(.key_bits < 112)] == []' "$OUT"
	no_control_bytes "$OUT"
}
