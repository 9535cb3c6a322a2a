/* SPDX-License-Identifier: MIT */
/*
 * makebag N: a certs-only message (RFC 5652 section 5) with N distinct certificates, DER, on
 * stdout. One certificate is made by GnuTLS; the others are copies with another serial number, as
 * signing 100,000 would take minutes and nobody verifies them here.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <gnutls/x509.h>

#define SERIAL_LEN 8

static const char name_mark[] = "device-00000000";
static const uint8_t serial_mark[SERIAL_LEN] = { 0x5a, 0xe1, 0x5e, 0x7a, 0xb1, 0x9b, 0xa9, 0x01 };

static void must(int rc)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "makebag: %s\n", gnutls_strerror(rc));
	exit(1);
}

static gnutls_x509_crt_t crt_new(const char *dn, gnutls_x509_privkey_t key, bool ca)
{
	gnutls_x509_crt_t crt;
	const char *bad;

	must(gnutls_x509_crt_init(&crt));
	must(gnutls_x509_crt_set_version(crt, 3));
	must(gnutls_x509_crt_set_dn(crt, dn, &bad));
	must(gnutls_x509_crt_set_serial(crt, serial_mark, sizeof(serial_mark)));
	must(gnutls_x509_crt_set_activation_time(crt, time(NULL)));
	must(gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 365 * 86400));
	must(gnutls_x509_crt_set_key(crt, key));
	must(gnutls_x509_crt_set_basic_constraints(crt, ca, -1));
	return crt;
}

static gnutls_datum_t certificate_new(void)
{
	gnutls_x509_crt_t ca, crt;
	gnutls_x509_privkey_t key;
	gnutls_datum_t der;

	must(gnutls_x509_privkey_init(&key));
	must(gnutls_x509_privkey_generate(key, GNUTLS_PK_EC,
		GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0));
	ca = crt_new("CN=the CA,O=Example,C=DE", key, true);
	crt = crt_new("CN=device-00000000,O=Example,C=DE", key, false);
	must(gnutls_x509_crt_sign2(crt, ca, key, GNUTLS_DIG_SHA256, 0));
	must(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_DER, &der));
	gnutls_x509_crt_deinit(ca);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
	return der;
}

/* The header of an element with n octets of contents; returns its length. */
static size_t header(uint8_t *out, uint8_t tag, size_t n)
{
	size_t octets = 0, used = 0;

	out[used++] = tag;
	if (n < 0x80) {
		out[used++] = (uint8_t)n;
		return used;
	}
	while (n >> (8 * octets))
		octets++;
	out[used++] = (uint8_t)(0x80 | octets);
	while (octets > 0)
		out[used++] = (uint8_t)(n >> (8 * --octets));
	return used;
}

int main(int argc, char **argv)
{
	/* SignedData: version 1, no digests, id-data without content; crls absent, no signers. */
	static const uint8_t before[] = { 0x02, 0x01, 0x01, 0x31, 0x00, 0x30, 0x0b, 0x06, 0x09,
		0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01 };
	static const uint8_t after[] = { 0x31, 0x00 };
	static const uint8_t signed_data[] = { 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01,
		0x07, 0x02 };
	unsigned long count = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
	uint8_t head[4][6], *serial, *name;
	char digits[16];
	gnutls_datum_t der;
	size_t len[4], size;

	if (count == 0 || count > 10000000) {
		fprintf(stderr, "usage: makebag COUNT\n");
		return 2;
	}
	der = certificate_new();
	serial = memmem(der.data, der.size, serial_mark, sizeof(serial_mark));
	name = memmem(der.data, der.size, name_mark, sizeof(name_mark) - 1);
	if (!serial || !name)
		return 1;
	len[3] = header(head[3], 0xa0, count * der.size);
	size = sizeof(before) + len[3] + count * der.size + sizeof(after);
	len[2] = header(head[2], 0x30, size);
	len[1] = header(head[1], 0xa0, len[2] + size);
	len[0] = header(head[0], 0x30, sizeof(signed_data) + len[1] + len[2] + size);
	fwrite(head[0], 1, len[0], stdout);
	fwrite(signed_data, 1, sizeof(signed_data), stdout);
	fwrite(head[1], 1, len[1], stdout);
	fwrite(head[2], 1, len[2], stdout);
	fwrite(before, 1, sizeof(before), stdout);
	fwrite(head[3], 1, len[3], stdout);
	for (unsigned long i = 0; i < count; i++) {
		for (int k = 0; k < 4; k++) /* ascending, as DER wants a SET OF */
			serial[SERIAL_LEN - 4 + k] = (uint8_t)(i >> (24 - 8 * k));
		snprintf(digits, sizeof(digits), "%08lu", i);
		memcpy(name + sizeof(name_mark) - 1 - 8, digits, 8);
		fwrite(der.data, 1, der.size, stdout);
	}
	fwrite(after, 1, sizeof(after), stdout);
	gnutls_free(der.data);
	return fflush(stdout) != 0 || ferror(stdout);
}
