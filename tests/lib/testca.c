/* SPDX-License-Identifier: MIT */
/* A small CA for unit tests, on GnuTLS alone: the code under test makes nothing of it. */
#include "testca.h"

#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "forge.h"

static void must(int ret, const char *doing)
{
	if (ret < 0) {
		fprintf(stderr, "testca: %s: %s\n", doing, gnutls_strerror(ret));
		abort();
	}
}

static void must_be(bool ok, const char *doing)
{
	if (!ok) {
		fprintf(stderr, "testca: %s failed\n", doing);
		abort();
	}
}

gnutls_x509_privkey_t testca_key(gnutls_pk_algorithm_t algorithm, unsigned bits)
{
	gnutls_x509_privkey_t key;

	must(gnutls_x509_privkey_init(&key), "privkey_init");
	must(gnutls_x509_privkey_generate(key, algorithm, bits, 0), "privkey_generate");
	return key;
}

/* By hand: GnuTLS ends a name at its first NUL. */
static void set_sans(gnutls_x509_crt_t crt, const struct testca_spec *spec)
{
	static const uint8_t tags[] = { [GNUTLS_SAN_DNSNAME] = 0x82,
		[GNUTLS_SAN_RFC822NAME] = 0x81,
		[GNUTLS_SAN_URI] = 0x86,
		[GNUTLS_SAN_IPADDRESS] = 0x87 };
	struct est_buf names = { 0 };

	for (size_t i = 0; i < 4 && spec->sans[i].value.p; i++)
		forge_put(&names, tags[spec->sans[i].type], spec->sans[i].value);
	if (names.n > 0) {
		forge_wrap(&names, DER_SEQUENCE);
		must(gnutls_x509_crt_set_extension_by_oid(crt, "2.5.29.17", names.p, names.n, 0),
			"subjectAltName");
	}
	est_buf_free(&names);
}

static void set_extensions(gnutls_x509_crt_t crt, const struct testca_spec *spec)
{
	const struct testca_extension *e = &spec->extension;
	gnutls_x509_name_constraints_t names;
	gnutls_datum_t dns;

	if (spec->ca)
		must(gnutls_x509_crt_set_basic_constraints(crt, 1,
			     spec->no_path_len ? -1 : spec->path_len),
			"basicConstraints");
	if (spec->usage)
		must(gnutls_x509_crt_set_key_usage(crt, spec->usage), "keyUsage");
	if (spec->purpose)
		must(gnutls_x509_crt_set_key_purpose_oid(crt, spec->purpose, 0), "extKeyUsage");
	set_sans(crt, spec);
	if (e->oid)
		must(gnutls_x509_crt_set_extension_by_oid(crt, e->oid, e->value.p, e->value.n,
			     e->critical),
			e->oid);
	if (!spec->permitted_dns)
		return;
	dns = (gnutls_datum_t){ (unsigned char *)spec->permitted_dns,
		(unsigned)strlen(spec->permitted_dns) };
	must(gnutls_x509_name_constraints_init(&names), "nameConstraints");
	must(gnutls_x509_name_constraints_add_permitted(names, GNUTLS_SAN_DNSNAME, &dns),
		"nameConstraints");
	must(gnutls_x509_crt_set_name_constraints(crt, names, 1), "nameConstraints");
	gnutls_x509_name_constraints_deinit(names);
}

void testca_issue(const struct testca_spec *spec, struct testca *out)
{
	bool dates = spec->from || spec->until;
	gnutls_datum_t der = { 0 };
	const char *where;
	struct est_error err;
	uint8_t serial[8];
	time_t now = time(NULL);

	*out = (struct testca){ .own_key = !spec->key };
	out->key = spec->key ? spec->key
			     : testca_key(GNUTLS_PK_EC,
				       GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1));
	must(gnutls_x509_crt_init(&out->crt), "crt_init");
	must(gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial)), "rnd");
	serial[0] &= 0x7f;
	serial[0] |= 1;
	must(gnutls_x509_crt_set_serial(out->crt, serial, sizeof(serial)), "serial");
	must(gnutls_x509_crt_set_version(out->crt, spec->version ? spec->version : 3), "version");
	must(gnutls_x509_crt_set_activation_time(out->crt,
		     now + (dates ? spec->from : -TESTCA_DAY)),
		"notBefore");
	must(gnutls_x509_crt_set_expiration_time(out->crt,
		     now + (dates ? spec->until : 10 * TESTCA_DAY)),
		"notAfter");
	must(gnutls_x509_crt_set_dn(out->crt, spec->subject ? spec->subject : "CN=test", &where),
		"subject");
	must(gnutls_x509_crt_set_key(out->crt, out->key), "key");
	set_extensions(out->crt, spec);
	must(gnutls_x509_crt_sign2(out->crt, spec->issuer ? spec->issuer->crt : out->crt,
		     spec->issuer ? spec->issuer->key : out->key,
		     spec->hash ? spec->hash : GNUTLS_DIG_SHA256, 0),
		"sign");
	must(gnutls_x509_crt_export2(out->crt, GNUTLS_X509_FMT_DER, &der), "export");
	must_be(est_buf_append(&out->der, (struct est_span){ der.data, der.size }, &err) == EST_OK,
		"append");
	/* What was made is not what was read: GnuTLS caches some extensions when it imports. */
	gnutls_x509_crt_deinit(out->crt);
	must(gnutls_x509_crt_init(&out->crt), "crt_init");
	must(gnutls_x509_crt_import(out->crt, &der, GNUTLS_X509_FMT_DER), "import");
	gnutls_free(der.data);
}

void testca_wipe(struct testca *cert)
{
	if (cert->crt)
		gnutls_x509_crt_deinit(cert->crt);
	if (cert->own_key)
		gnutls_x509_privkey_deinit(cert->key);
	est_buf_free(&cert->der);
	*cert = (struct testca){ 0 };
}

void testca_root(struct testca *out)
{
	testca_issue(&(struct testca_spec){ .subject = "CN=root",
			     .ca = true,
			     .no_path_len = true,
			     .usage = GNUTLS_KEY_KEY_CERT_SIGN },
		out);
}

void testca_inter(const struct testca *root, struct testca *out)
{
	testca_issue(&(struct testca_spec){ .subject = "CN=inter",
			     .issuer = root,
			     .ca = true,
			     .no_path_len = true,
			     .usage = GNUTLS_KEY_KEY_CERT_SIGN },
		out);
}

char *testca_dir(void)
{
	char *dir = strdup("/tmp/est-unit-XXXXXX");

	must_be(dir && mkdtemp(dir), "mkdtemp");
	return dir;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

void testca_dir_remove(char *dir)
{
	must_be(nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0, "removing the directory");
	free(dir);
}

char *testca_tmp;

int testca_tmp_make(void **state)
{
	(void)state;
	testca_tmp = testca_dir();
	return 0;
}

int testca_tmp_remove(void **state)
{
	(void)state;
	testca_dir_remove(testca_tmp);
	return 0;
}

static size_t counted;

static int count_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)path;
	(void)st;
	(void)kind;
	counted += ftw->level == 1;
	return 0;
}

size_t testca_files(const char *dir)
{
	counted = 0;
	must_be(nftw(dir, count_one, 8, FTW_PHYS) == 0, "reading the directory");
	return counted;
}

const char *testca_path(const char *dir, const char *name)
{
	static char path[8][PATH_MAX];
	static unsigned turn;
	char *out = path[turn++ % 8];

	must_be(snprintf(out, PATH_MAX, "%s/%s", dir, name) < PATH_MAX, "path");
	return out;
}

void testca_write(const char *path, struct est_span bytes)
{
	FILE *f = fopen(path, "wb");

	must_be(f && fwrite(bytes.p, 1, bytes.n, f) == bytes.n && fclose(f) == 0, path);
}

void testca_write_pem(const char *path, const struct testca *const *certs, size_t n)
{
	struct est_buf text = { 0 };
	struct est_error err;

	for (size_t i = 0; i < n; i++)
		must_be(est_pem_append(&text, "CERTIFICATE", est_buf_span(&certs[i]->der), &err) ==
				EST_OK,
			"pem");
	testca_write(path, est_buf_span(&text));
	est_buf_free(&text);
}
