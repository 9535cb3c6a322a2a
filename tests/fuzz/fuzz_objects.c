/* SPDX-License-Identifier: MIT */
/* Any file: it is taken apart, and what is in it can be shown. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "est-inspect.h"
#include "fuzzing.h"
#include "objects.h"

static void check_list(const struct est_extension *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		fuzz_assert_safe(list[i].oid, strlen(list[i].oid));
		fuzz_assert_safe(list[i].value, strlen(list[i].value));
	}
}

static void show_details(struct est_span der, bool csr)
{
	struct est_cert_details d;
	struct est_error err;
	enum est_code rc = csr ? est_csr_details(der, &d, &err) : est_crl_details(der, &d, &err);

	if (rc != EST_OK) {
		fuzz_assert_failed(rc, &err);
		return;
	}
	check_list(d.extension, d.n_extensions);
	check_list(d.attribute, d.n_attributes);
	est_cert_details_wipe(&d);
}

static enum est_code count_entry(void *ctx, const struct est_crl_entry *entry,
	struct est_error *err)
{
	size_t *n = ctx;

	(void)err;
	fuzz_assert_safe(entry->serial, strlen(entry->serial));
	++*n;
	return EST_OK;
}

static void show_csr(struct est_span der)
{
	struct est_csr_info info;
	struct est_error err;
	enum est_code rc = est_csr_info(der, &info, &err);

	if (rc != EST_OK) {
		fuzz_assert_failed(rc, &err);
		return;
	}
	fuzz_assert_safe(info.subject, strlen(info.subject));
	fuzz_assert_safe(info.key, strlen(info.key));
	for (size_t i = 0; i < info.n_sans; i++)
		fuzz_assert_safe(info.sans[i], strlen(info.sans[i]));
	for (size_t i = 0; i < info.n_attributes; i++)
		fuzz_assert_safe(info.attributes[i], strlen(info.attributes[i]));
	show_details(der, true);
	est_csr_info_wipe(&info);
}

static void show_crl(struct est_span der)
{
	struct est_crl_info info;
	struct est_error err;
	enum est_code rc = est_crl_info(der, &info, &err);
	size_t n = 0;

	if (rc != EST_OK) {
		fuzz_assert_failed(rc, &err);
		return;
	}
	fuzz_assert_safe(info.issuer, strlen(info.issuer));
	fuzz_assert_safe(info.signature, strlen(info.signature));
	FUZZ_ASSERT(info.n_revoked <= der.n / 2);
	if (est_crl_entries(der, count_entry, &n, &err) == EST_OK)
		FUZZ_ASSERT(n == info.n_revoked);
	show_details(der, false);
	est_crl_info_wipe(&info);
}

#define KEPT 8 /* of a kind: each pair may cost a signature */

struct shelf {
	struct est_buf buf[KEPT];
	struct est_span span[KEPT];
	size_t n;
};

struct shown {
	size_t n;
	struct shelf certs, crls;
};

static void keep(struct shelf *shelf, struct est_span der)
{
	struct est_error err;

	if (shelf->n == KEPT || der.n > 65536)
		return;
	FUZZ_ASSERT(est_buf_append(&shelf->buf[shelf->n], der, &err) == EST_OK);
	shelf->span[shelf->n] = est_buf_span(&shelf->buf[shelf->n]);
	shelf->n++;
}

static void clear(struct shelf *shelf)
{
	while (shelf->n > 0)
		est_buf_free(&shelf->buf[--shelf->n]);
}

/* Who has signed the lists of the file, among its certificates. */
static void find_signers(const struct shelf *crls, const struct shelf *certs)
{
	struct est_crl_signer signer[KEPT];
	struct est_error err = { 0 };
	enum est_code rc = est_crl_signers(crls->span, crls->n, certs->span, certs->n, signer,
		&err);

	if (rc != EST_OK)
		fuzz_assert_failed(rc, &err);
	for (size_t i = 0; rc == EST_OK && i < crls->n; i++) {
		FUZZ_ASSERT(signer[i].cert == EST_NO_ISSUER || signer[i].cert < certs->n);
		FUZZ_ASSERT(signer[i].cert == EST_NO_ISSUER || signer[i].named);
		FUZZ_ASSERT(!signer[i].may_not || signer[i].cert != EST_NO_ISSUER);
	}
}

static enum est_code show(void *ctx, const struct est_object *object, struct est_error *err)
{
	struct est_cert_info info;
	struct shown *shown = ctx;

	(void)err;
	FUZZ_ASSERT(object->index == ++shown->n);
	FUZZ_ASSERT(!object->broken || object->broken->msg[0]);
	if (object->broken)
		return EST_OK;
	FUZZ_ASSERT(object->kind != EST_FILE_PRIVATE_KEY || object->der.n == 0);
	if (object->kind == EST_FILE_CERT &&
		est_cert_info(object->der, &info, &(struct est_error){ 0 }) == EST_OK) {
		est_cert_info_wipe(&info);
		keep(&shown->certs, object->der);
	}
	if (object->kind == EST_FILE_CSR)
		show_csr(object->der);
	if (object->kind == EST_FILE_CRL) {
		show_crl(object->der);
		keep(&shown->crls, object->der);
	}
	return EST_OK;
}

struct sum { /* of the objects in their order */
	uint64_t hash;
	size_t n, broken;
};

static enum est_code add(void *ctx, const struct est_object *object, struct est_error *err)
{
	struct est_cert_info info;
	struct sum *sum = ctx;
	enum est_code rc = EST_OK;

	sum->n++;
	if (object->kind == EST_FILE_CERT && !object->broken)
		rc = est_cert_words(object->der, &info, err);
	if (object->kind == EST_FILE_CERT && !object->broken && rc == EST_OK)
		est_cert_info_wipe(&info);
	sum->broken += object->broken || rc != EST_OK;
	sum->hash = (sum->hash ^ object->kind ^ object->der.n << 8) * 1099511628211u;
	for (size_t i = 0; i < object->der.n; i++)
		sum->hash = (sum->hash ^ object->der.p[i]) * 1099511628211u;
	return EST_OK;
}

/* The same file, from a descriptor and in small parts: the same objects, if nothing is wrong. */
static void in_parts(const uint8_t *data, size_t size, struct sum *out, struct est_error *err)
{
	static int fd = -1;
	static char path[40];
	struct source source = { .fd = -1 };
	struct est_quirks quirks = { 0 };

	if (fd < 0)
		fd = memfd_create("parts", 0);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	FUZZ_ASSERT(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
	FUZZ_ASSERT(source_open(path, 1u << 20, 80, NULL, NULL, &source, err) == EST_OK);
	err->code = objects_walk(&source, &(struct est_reading){ 0 }, &quirks, add, out, err);
	source_close(&source);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sum whole = { 0 }, parts = { 0 };
	struct est_quirks quirks = { 0 };
	struct est_error err = { 0 }, other = { 0 };
	struct shown shown = { 0 };
	enum est_code rc;

	rc = est_objects((struct est_span){ data, size }, &quirks, show, &shown, &err);
	if (rc != EST_OK)
		fuzz_assert_failed(rc, &err);
	FUZZ_ASSERT(shown.n <= size);
	if (shown.crls.n > 0)
		find_signers(&shown.crls, &shown.certs);
	clear(&shown.crls);
	clear(&shown.certs);
	if (size > 1u << 20)
		return 0;
	in_parts(data, size, &parts, &other);
	if (rc != EST_OK || other.code != EST_OK)
		return 0;
	rc = est_objects((struct est_span){ data, size }, NULL, add, &whole, &err);
	FUZZ_ASSERT(rc == EST_OK);
	if (whole.broken == 0 && parts.broken == 0)
		FUZZ_ASSERT(whole.n == parts.n && whole.hash == parts.hash);
	return 0;
}
