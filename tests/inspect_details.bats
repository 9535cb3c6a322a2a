#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154 # lib/est.bash sets them
# est inspect -v: every extension in words, what is unknown as hex, nothing asked of any address.

bats_require_minimum_version 1.5.0

load lib/est

setup() {
	est_setup
	openssl ecparam -name prime256v1 -genkey -noout -out k
	vectors=/usr/lib/python3/dist-packages/cryptography_vectors/x509
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
	[ "$(shown cRLDistributionPoints)" = 'uri:http://crl.example/a; uri:ldap://x/y' ]
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
	openssl pkey -in k -pubout -out pub.pem
	openssl pkey -in k -pubout -outform DER -out pub.der
	for file in pub.pem pub.der; do
		works inspect $file
		[ "$(tail -n 2 "$OUT")" = $'key:           EC P-256\n'"spki-sha256:   $due" ]
		works inspect --json $file
		jq -e --arg due "$due" '.keys[0] | .key == "EC P-256" and .spki_sha256 == $due' "$OUT"
	done
	works inspect -v cert.pem
	grep -qx 'extension:     basicConstraints: no CA' "$OUT"
	grep -qE '^state:         expires in [89] days$' "$OUT"
	run_est inspect -v --expires-within 0s --at "$(date -u -d '+10 days' +%FT%TZ)" cert.pem
	[ "$status" = 15 ]
	grep -qE '^state:         expired 2[34] hours ago$' "$OUT"
	works inspect -v --expires-within 0s --at "$(date -u -d '-10 days' +%FT%TZ)" cert.pem
	grep -qE '^state:         not valid before (9|10) days have passed$' "$OUT"
	works inspect cert.pem
	run ! grep -q '^extension:' "$OUT"
}

@test "details: signed certificate timestamps are counted, and each has its log and time, as openssl says" {
	cert=$vectors/cryptography-scts.pem
	works inspect -v "$cert"
	openssl x509 -in "$cert" -noout -ext ct_precert_scts | tr -d '\n ' | tr A-F a-f >theirs
	[[ "$(shown signedCertificateTimestamps)" =~ ^'2 signed certificate timestamps: log '([0-9a-f]{64})' at 2018-09-26T20:56:33Z, log '([0-9a-f]{64})' at 2018-09-26T20:56:33Z'$ ]]
	for log in "${BASH_REMATCH[@]:1}"; do
		tr -d : <theirs | grep -q "$log"
	done
	# The length of the second one is wrong.
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

@test "details: the attributes of a request, and what it asks for; secrets are described, not shown" {
	cat >conf <<-'CONF'
		oid_section = oids
		[oids]
		identity = 1.2.840.113549.1.9.16.2.58
		[req]
		prompt = no
		distinguished_name = dn
		attributes = attr
		req_extensions = ext
		[dn]
		CN = x
		[attr]
		challengePassword = AAECAwQFBgcICQoL
		unstructuredName = some thing
		identity = AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=
		[ext]
		subjectAltName = DNS:a.example
		basicConstraints = critical,CA:FALSE
		certificatePolicies = 1.2.3.4
	CONF
	openssl req -new -key k -config conf -out csr
	works inspect -v csr
	grep -qx 'attribute:     challengePassword: 16 characters, not shown; has the form of a channel binding (tls-unique)' "$OUT"
	grep -qx 'attribute:     estIdentityLinking: 44 characters, not shown; has the form of a channel binding (tls-exporter)' "$OUT"
	grep -qx 'attribute:     unstructuredName: some thing' "$OUT"
	grep -qx 'attribute:     extensionRequest: 3 extensions, shown below' "$OUT"
	run ! grep -q 'AAECAwQ' "$OUT"
	[ "$(shown 'basicConstraints, critical')" = 'no CA' ]
	[ "$(shown certificatePolicies)" = '1.2.3.4' ]
	grep -qx 'strength:      key 128, signature 128' "$OUT"
	works inspect -v --json csr
	run ! grep -q 'AAECAwQ' "$OUT"
	jq -e '.requests[0].details | (.attributes | length == 4 and (map(.name) | index("challengePassword") != null)) and
		(.extensions | map(.name) == ["subjectAltName", "basicConstraints", "certificatePolicies"])' "$OUT"
	works inspect "$EST_TEST_ROOT/tests/data/vectors/rfc9908-3.4-template.der"
	grep -q 'subject ' "$OUT"
	sed -i 's/^challengePassword.*/challengePassword = opensesame/' conf
	openssl req -new -key k -config conf -out csr
	works inspect -v csr
	grep -qx 'attribute:     challengePassword: 10 characters, not shown; not of the form of a channel binding' "$OUT"
}

@test "details: the extensions of a CRL, and with --entries what it revokes" {
	printf '%s\n' '[ca]' 'default_ca=d' '[d]' database=db default_md=sha256 crlnumber=number crl_extensions=e \
		'[e]' 'authorityKeyIdentifier=keyid' 'issuingDistributionPoint=critical,@p' '[p]' onlyCA=TRUE \
		'fullname=URI:http://c.example/' >conf
	openssl req -x509 -new -key k -subj /CN=ca -days 9 -out ca
	echo 0a >number
	printf 'R\t351231235959Z\t2%d0101000000Z%s\t%s\tunknown\t/CN=x\n' 6 ,keyCompromise 00AB 5 '' 01 \
		4 ,CAkeyTime,20230102030405Z 7F >db
	openssl ca -config conf -gencrl -keyfile k -cert ca -crldays 9 -out crl 2>err
	works inspect -v --entries crl
	[ "$(shown 'issuingDistributionPoint, critical')" = 'uri:http://c.example/, CA certificates alone' ]
	[ "$(shown cRLNumber)" = 0a ]
	sed -n 's/^entry: *//p' "$OUT" | diff - <(printf '%s\n' '01  2025-01-01T00:00:00Z' \
		'7f  2024-01-01T00:00:00Z  cACompromise, invalid since 2023-01-02T03:04:05Z' \
		'ab  2026-01-01T00:00:00Z  keyCompromise')
	works inspect --json --entries crl
	jq -e '.crls[0] | .revoked == 3 and (.entries | length == 3 and .[2] == {serial: "ab", revoked:
		"2026-01-01T00:00:00Z", reason: "keyCompromise", since: null})' "$OUT"
	works inspect --json-lines --entries crl
	jq -r .type "$OUT" | diff - <(printf '%s\n' crls entries entries entries result)
	works inspect crl
	run ! grep -q '^entry' "$OUT"
	# Of an indirect one each entry can be of another issuer; what is unknown and critical is not left out.
	works inspect --json --entries "$vectors/custom/crl_all_reasons.pem"
	jq -e '.crls[0].entries[7] | .reason == "certificateHold" and .since == "2015-01-01T00:00:00Z" and .extensions ==
		[{oid: "2.5.29.29", name: "certificateIssuer", critical: false, value: "dirname:CN=cryptography.io,C=US"}]' "$OUT"
	works inspect --entries "$vectors/custom/crl_md2_unknown_crit_entry_ext.pem"
	grep -qx 'entry:         00  2015-01-01T00:00:00Z, 1.2.3.4, critical: #0a0100' "$OUT"
}

@test "details: of every certificate that Debian ships" {
	works inspect --json -v /etc/ssl/certs/ca-certificates.crt
	jq -e '[.certificates[].details.extensions[] | select(.value | test("malformed"))] == []' "$OUT"
	jq -e '[.certificates[].details | select(.key_bits < 112)] == []' "$OUT"
	no_control_bytes "$OUT"
}
