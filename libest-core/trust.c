/* SPDX-License-Identifier: MIT */
/* Explicit and implicit trust anchors, and whether a path leads to one. */
#include "trust_impl.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <gnutls/gnutls.h>

#include "cert.h"
#include "certs.h"

const char *trust_db_name(enum trust_db db)
{
	static const char *const names[TRUST_DBS] = { "no", "explicit", "implicit" };

	return names[db];
}

enum est_code trust_import(struct est_span der, const char *what, gnutls_x509_crt_t *out,
	struct est_error *err)
{
	gnutls_datum_t datum = { (unsigned char *)der.p, (unsigned)der.n };
	struct cert_view view;
	gnutls_x509_crt_t crt;
	enum est_code rc;
	int ret;

	rc = cert_view(der, what, &view, err);
	if (rc != EST_OK)
		return rc;
	ret = gnutls_x509_crt_init(&crt);
	if (ret < 0)
		return est_fail(err, EST_E_INTERNAL, "%s", gnutls_strerror(ret));
	ret = gnutls_x509_crt_import(crt, &datum, GNUTLS_X509_FMT_DER);
	if (ret < 0) {
		gnutls_x509_crt_deinit(crt);
		return est_fail(err, EST_E_PROTOCOL, "%s: not a certificate that can be used: %s",
			what, gnutls_strerror(ret));
	}
	*out = crt;
	return EST_OK;
}

static enum est_code list_get(struct trust *trust, enum trust_db db, struct est_error *err)
{
	int ret = trust->list[db] ? 0 : gnutls_x509_trust_list_init(&trust->list[db], 0);

	return ret < 0 ? est_fail(err, EST_E_INTERNAL, "%s", gnutls_strerror(ret)) : EST_OK;
}

bool trust_is_anchor(const struct trust *trust, struct est_span der)
{
	for (size_t i = 0; i < est_certs_count(trust->anchors); i++) {
		if (est_span_eq(est_certs_get(trust->anchors, i), der))
			return true;
	}
	return false;
}

static enum est_code add_anchor(struct trust *trust, struct est_span der, const char *name,
	struct est_error *err)
{
	gnutls_x509_crt_t crt;
	struct cert_view view;
	enum est_code rc;
	int ret;

	if (trust_is_anchor(trust, der))
		return EST_OK;
	rc = trust_import(der, name, &crt, err);
	if (rc != EST_OK)
		return rc;
	ret = gnutls_x509_trust_list_add_cas(trust->list[TRUST_EXPLICIT], &crt, 1, 0);
	if (ret < 0) {
		gnutls_x509_crt_deinit(crt);
		return est_fail(err, EST_E_INTERNAL, "%s", gnutls_strerror(ret));
	}
	rc = certs_add(trust->anchors, der, true, NULL, err);
	if (rc == EST_OK)
		rc = cert_view(der, name, &view, err);
	trust->constrained |= rc == EST_OK && cert_has_name_constraints(&view);
	return rc;
}

static bool is_root(struct est_span der)
{
	struct est_error ignored;
	struct cert_view view;

	return cert_view(der, "", &view, &ignored) == EST_OK && cert_is_root(&view);
}

/* What cannot be read a second time, or by us, has no mark. */
static bool has_mark(const char *path)
{
	static const char mark[] = EST_IMPLICIT_MARK;
	char head[sizeof(mark) - 1];
	struct stat st;
	FILE *file;
	bool found;

	if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
		return false;
	file = fopen(path, "re");
	if (!file)
		return false;
	found = fread(head, 1, sizeof(head), file) == sizeof(head) &&
		memcmp(head, mark, sizeof(head)) == 0;
	(void)fclose(file);
	return found;
}

static enum est_code load_file(struct trust *trust, const char *path, struct est_error *err)
{
	bool root[EST_CERTS_MAX], any_root = false; /* est_certs_load() has no more */
	struct est_certs *certs = NULL;
	struct est_span der;
	enum est_code rc;
	size_t n = 0;

	rc = est_certs_load(path, &certs, err);
	for (; rc == EST_OK && n < est_certs_count(certs); n++) {
		root[n] = est_certs_count(certs) == 1 || is_root(est_certs_get(certs, n));
		any_root = any_root || root[n];
	}
	for (size_t i = 0; rc == EST_OK && i < n; i++) {
		der = est_certs_get(certs, i);
		if (!any_root || root[i])
			rc = add_anchor(trust, der, path, err);
		else
			rc = certs_add(trust->helpers, der, true, NULL, err);
		if (rc == EST_E_PROTOCOL)
			rc = err->code = EST_E_INPUT; /* it is a local file */
	}
	est_certs_free(certs);
	trust->marked |= rc == EST_OK && has_mark(path);
	return rc;
}

/* A file of a directory; a folder below it and what is hidden do not count.  A pipe would make us
 * wait. */
static enum est_code load_entry(struct trust *trust, const char *dir, const char *name,
	bool *counts, struct est_error *err)
{
	char path[PATH_MAX], shown[300];
	struct stat st;

	*counts = name[0] != '.';
	if (!*counts)
		return EST_OK;
	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return est_fail(err, EST_E_INPUT, "%.200s: a name too long in it", dir);
	est_escape(shown, sizeof(shown), est_span_str(path));
	if (stat(path, &st) != 0)
		return est_fail(err, EST_E_INPUT, "%s: %s", shown, strerror(errno));
	*counts = !S_ISDIR(st.st_mode);
	if (*counts && !S_ISREG(st.st_mode))
		return est_fail(err, EST_E_INPUT, "%s: not a regular file", shown);
	return *counts ? load_file(trust, path, err) : EST_OK;
}

static enum est_code load_directory(struct trust *trust, const char *dir, struct est_error *err)
{
	struct dirent **entries;
	enum est_code rc = EST_OK;
	int n = scandir(dir, &entries, NULL, alphasort), loaded = 0;
	char shown[300];
	bool counts;

	est_escape(shown, sizeof(shown), est_span_str(dir));
	if (n < 0)
		return est_fail(err, EST_E_INPUT, "%s: %s", shown, strerror(errno));
	for (int i = 0; i < n; i++) {
		if (rc == EST_OK && loaded <= EST_CERTS_MAX) {
			rc = load_entry(trust, dir, entries[i]->d_name, &counts, err);
			loaded += counts;
		}
		free(entries[i]);
	}
	free(entries);
	if (rc == EST_OK && (loaded == 0 || loaded > EST_CERTS_MAX))
		rc = est_fail(err, EST_E_INPUT, "%s: a directory with %s", shown,
			loaded == 0 ? "no file in it" : "too many files");
	return rc;
}

static enum est_code load_explicit(struct trust *trust, const char *path, struct est_error *err)
{
	struct stat st;

	if (strcmp(path, "-") != 0 && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return load_directory(trust, path, err);
	return load_file(trust, path, err);
}

static enum est_code load_system(struct trust *trust, const char *file, struct est_error *err)
{
	gnutls_x509_trust_list_t list;
	enum est_code rc;
	int ret;

	rc = list_get(trust, TRUST_IMPLICIT, err);
	if (rc != EST_OK)
		return rc;
	list = trust->list[TRUST_IMPLICIT];
	if (file)
		ret = gnutls_x509_trust_list_add_trust_file(list, file, NULL, GNUTLS_X509_FMT_PEM,
			0, 0);
	else
		ret = gnutls_x509_trust_list_add_system_trust(list, 0, 0);
	if (ret > 0)
		return EST_OK;
	est_fail(err, EST_E_INPUT, "no trust anchors in %s%s%s",
		file ? file : "the system's trust store", ret < 0 ? ": " : "",
		ret < 0 ? gnutls_strerror(ret) : "");
	return est_hint(err, "name the CA's certificate with --cacert FILE");
}

static enum est_code trust_new(struct trust **out, struct est_error *err)
{
	struct trust *trust = calloc(1, sizeof(*trust));
	enum est_code rc;

	if (!trust)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	rc = certs_new(&trust->helpers, err);
	if (rc == EST_OK)
		rc = certs_new(&trust->anchors, err);
	if (rc == EST_OK)
		*out = trust;
	else
		trust_free(trust);
	return rc;
}

enum est_code trust_load(const char *const *files, bool system, const char *system_file,
	struct trust **out, struct est_error *err)
{
	struct trust *trust = NULL;
	enum est_code rc;

	rc = trust_new(&trust, err);
	if (rc == EST_OK && files && *files)
		rc = list_get(trust, TRUST_EXPLICIT, err);
	for (; rc == EST_OK && files && *files; files++)
		rc = load_explicit(trust, *files, err);
	if (rc == EST_OK && (system || !trust->list[TRUST_EXPLICIT]))
		rc = load_system(trust, system_file, err);
	if (rc == EST_OK)
		*out = trust;
	else
		trust_free(trust);
	return rc;
}

enum est_code trust_from(const struct est_certs *anchors, struct trust **out, struct est_error *err)
{
	struct trust *trust = NULL;
	enum est_code rc;

	rc = trust_new(&trust, err);
	if (rc == EST_OK)
		rc = list_get(trust, TRUST_EXPLICIT, err);
	for (size_t i = 0; rc == EST_OK && i < est_certs_count(anchors); i++)
		rc = add_anchor(trust, est_certs_get(anchors, i), "the root certificate", err);
	if (rc == EST_OK)
		*out = trust;
	else
		trust_free(trust);
	return rc;
}

enum est_code trust_add_helpers(struct trust *trust, const struct est_certs *certs,
	struct est_error *err)
{
	enum est_code rc = EST_OK;

	for (size_t i = 0; rc == EST_OK && i < est_certs_count(certs); i++)
		rc = certs_add(trust->helpers, est_certs_get(certs, i), true, NULL, err);
	return rc;
}

bool trust_has_mark(const struct trust *trust)
{
	return trust->marked;
}

void trust_set_crls(struct trust *trust, const struct crls *crls)
{
	trust->crls = crls;
}

const struct est_certs *trust_anchors(const struct trust *trust)
{
	return trust->anchors;
}

void trust_free(struct trust *trust)
{
	if (!trust)
		return;
	for (int db = TRUST_EXPLICIT; db <= TRUST_IMPLICIT; db++) {
		if (trust->list[db])
			gnutls_x509_trust_list_deinit(trust->list[db], 1);
	}
	if (trust->proven)
		gnutls_x509_trust_list_deinit(trust->proven, 1);
	est_certs_free(trust->helpers);
	est_certs_free(trust->anchors);
	free(trust);
}
