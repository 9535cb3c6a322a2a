/* SPDX-License-Identifier: MIT */
/* A small CA for tests. */
#include "certmake.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY 86400

static void must(int ret, const char *what)
{
	if (ret < 0) {
		fprintf(stderr, "certmake: %s: %s\n", what, gnutls_strerror(ret));
		abort();
	}
}

static void take_der(gnutls_datum_t *der, struct est_buf *out)
{
	struct est_error err;

	if (est_buf_append(out, (struct est_span){ der->data, der->size }, &err) != EST_OK)
		abort();
	gnutls_free(der->data);
}

static gnutls_x509_privkey_t key_make(const struct certmake_spec *spec)
{
	gnutls_pk_algorithm_t pk = spec->pk ? spec->pk : GNUTLS_PK_ECDSA;
	unsigned bits = spec->bits;
	gnutls_x509_privkey_t key;

	if (bits == 0)
		bits = pk == GNUTLS_PK_ECDSA ? GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1)
		       : pk == GNUTLS_PK_RSA ? 2048
					     : 0;
	must(gnutls_x509_privkey_init(&key), "key");
	must(gnutls_x509_privkey_generate(key, pk, bits, 0), "generate");
	return key;
}

static size_t address(const char *text, unsigned char out[16])
{
	if (inet_pton(AF_INET, text, out) == 1)
		return 4;
	return inet_pton(AF_INET6, text, out) == 1 ? 16 : 0;
}

static void add_names(gnutls_x509_crt_t crt, const struct certmake_spec *spec)
{
	unsigned char ip[16];

	if (spec->dns)
		must(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, spec->dns,
			     (unsigned)strlen(spec->dns), GNUTLS_FSAN_APPEND),
			"dns");
	if (spec->email)
		must(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_RFC822NAME, spec->email,
			     (unsigned)strlen(spec->email), GNUTLS_FSAN_APPEND),
			"email");
	if (spec->uri)
		must(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_URI, spec->uri,
			     (unsigned)strlen(spec->uri), GNUTLS_FSAN_APPEND),
			"uri");
	if (spec->ip)
		must(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, ip,
			     (unsigned)address(spec->ip, ip), GNUTLS_FSAN_APPEND),
			"ip");
}

void certmake_make(const struct certmake_spec *spec, const struct certmake *issuer,
	struct certmake *out)
{
	gnutls_digest_algorithm_t hash = spec->hash ? spec->hash : GNUTLS_DIG_SHA256;
	time_t now = time(NULL);
	unsigned char serial[8];
	gnutls_datum_t der;
	const char *bad;

	*out = (struct certmake){ .key = key_make(spec) };
	must(gnutls_x509_crt_init(&out->crt), "certificate");
	must(gnutls_x509_crt_set_version(out->crt, 3), "version");
	for (size_t i = 0; i < sizeof(serial); i++)
		serial[i] = (unsigned char)(rand() & 0x7f) | 1;
	must(gnutls_x509_crt_set_serial(out->crt, serial, sizeof(serial)), "serial");
	must(gnutls_x509_crt_set_dn(out->crt, spec->dn ? spec->dn : "CN=test", &bad), "dn");
	must(gnutls_x509_crt_set_activation_time(out->crt,
		     spec->not_before ? spec->not_before : now - DAY),
		"notBefore");
	must(gnutls_x509_crt_set_expiration_time(out->crt,
		     spec->not_after ? spec->not_after : now + 365 * DAY),
		"notAfter");
	must(gnutls_x509_crt_set_key(out->crt, out->key), "key");
	must(gnutls_x509_crt_set_basic_constraints(out->crt, spec->ca,
		     spec->ca ? spec->path_len : -1),
		"basicConstraints");
	if (spec->key_usage)
		must(gnutls_x509_crt_set_key_usage(out->crt, spec->key_usage), "keyUsage");
	if (spec->eku)
		must(gnutls_x509_crt_set_key_purpose_oid(out->crt, spec->eku, 0), "extKeyUsage");
	add_names(out->crt, spec);
	must(gnutls_x509_crt_sign2(out->crt, issuer ? issuer->crt : out->crt,
		     issuer ? issuer->key : out->key,
		     spec->pk == GNUTLS_PK_EDDSA_ED25519 && !issuer ? GNUTLS_DIG_SHA512 : hash, 0),
		"sign");
	must(gnutls_x509_crt_export2(out->crt, GNUTLS_X509_FMT_DER, &der), "export");
	take_der(&der, &out->der);
}

void certmake_wipe(struct certmake *ca)
{
	gnutls_x509_crt_deinit(ca->crt);
	gnutls_x509_privkey_deinit(ca->key);
	est_buf_free(&ca->der);
	*ca = (struct certmake){ 0 };
}

void certmake_csr(const struct certmake_spec *spec, const char *challenge, struct est_buf *out)
{
	gnutls_x509_privkey_t key = key_make(spec);
	gnutls_x509_crq_t crq;
	gnutls_datum_t der;
	const char *bad;

	must(gnutls_x509_crq_init(&crq), "request");
	must(gnutls_x509_crq_set_version(crq, 1), "version");
	must(gnutls_x509_crq_set_dn(crq, spec->dn ? spec->dn : "CN=test", &bad), "dn");
	must(gnutls_x509_crq_set_key(crq, key), "key");
	if (spec->dns)
		must(gnutls_x509_crq_set_subject_alt_name(crq, GNUTLS_SAN_DNSNAME, spec->dns,
			     (unsigned)strlen(spec->dns), GNUTLS_FSAN_APPEND),
			"dns");
	if (spec->key_usage)
		must(gnutls_x509_crq_set_key_usage(crq, spec->key_usage), "keyUsage");
	if (challenge)
		must(gnutls_x509_crq_set_challenge_password(crq, challenge), "challenge");
	must(gnutls_x509_crq_sign2(crq, key, GNUTLS_DIG_SHA256, 0), "sign");
	must(gnutls_x509_crq_export2(crq, GNUTLS_X509_FMT_DER, &der), "export");
	take_der(&der, out);
	gnutls_x509_crq_deinit(crq);
	gnutls_x509_privkey_deinit(key);
}

void certmake_crl(const struct certmake *ca, unsigned n, struct est_buf *out)
{
	time_t now = time(NULL);
	gnutls_x509_crl_t crl;
	gnutls_datum_t der;

	must(gnutls_x509_crl_init(&crl), "CRL");
	must(gnutls_x509_crl_set_version(crl, 2), "version");
	must(gnutls_x509_crl_set_this_update(crl, now), "thisUpdate");
	must(gnutls_x509_crl_set_next_update(crl, now + DAY), "nextUpdate");
	must(gnutls_x509_crl_set_number(crl, "\x01\x02", 2), "number");
	for (unsigned i = 0; i < n; i++) {
		unsigned char serial[2] = { 1, (unsigned char)i };

		must(gnutls_x509_crl_set_crt_serial(crl, serial, sizeof(serial), now), "serial");
	}
	must(gnutls_x509_crl_sign2(crl, ca->crt, ca->key, GNUTLS_DIG_SHA256, 0), "sign");
	must(gnutls_x509_crl_export2(crl, GNUTLS_X509_FMT_DER, &der), "export");
	take_der(&der, out);
	gnutls_x509_crl_deinit(crl);
}
