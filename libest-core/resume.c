/* SPDX-License-Identifier: MIT */
/* What a session is bound to, the sessions in memory, and the file they are kept in. */
#include "resume.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#define MAGIC_LEN (sizeof(RESUME_MAGIC) - 1)
#define DIGEST    32 /* SHA-256 of what follows, so that a torn file never gets to GnuTLS */
#define HEAD      (RESUME_BINDING + 8 + 8 + 1 + 1 + 2 + 4)
#define FILE_MAX  (MAGIC_LEN + DIGEST + RESUME_MAX * (HEAD + 256 + RESUME_DATA_MAX))

/* ---- What a session is bound to -----------------------------------------------------------------
 */

static enum est_code add_text(struct est_buf *buf, const char *text, struct est_error *err)
{
	return est_buf_printf(buf, err, "%zu:%s", text ? strlen(text) : 0, text ? text : "");
}

static enum est_code add_der(struct est_buf *buf, struct est_span der, struct est_error *err)
{
	enum est_code rc = est_buf_printf(buf, err, "%zu:", der.n);

	return rc == EST_OK ? est_buf_append(buf, der, err) : rc;
}

enum est_code resume_binding(const struct est_config *config, const struct url *url,
	const struct trust *trust, gnutls_certificate_credentials_t credentials,
	uint8_t out[RESUME_BINDING], struct est_error *err)
{
	const struct est_certs *anchors = trust_anchors(trust);
	bool implicit = config->system_trust || !config->cacert || !config->cacert[0];
	gnutls_datum_t own = { 0 };
	struct est_buf all = { 0 };
	enum est_code rc;

	(void)gnutls_certificate_get_crt_raw(credentials, 0, 0, &own); /* none is none */
	rc = est_buf_printf(&all, err, "%s %u %d %d ", url->host, url->port, implicit,
		config->tls13_only);
	if (rc == EST_OK)
		rc = add_text(&all, config->system_trust_file, err);
	if (rc == EST_OK)
		rc = add_text(&all, config->priority, err);
	if (rc == EST_OK)
		rc = add_der(&all, (struct est_span){ own.data, own.size }, err);
	for (size_t i = 0; rc == EST_OK && anchors && i < est_certs_count(anchors); i++)
		rc = add_der(&all, est_certs_get(anchors, i), err);
	if (rc == EST_OK && gnutls_hash_fast(GNUTLS_DIG_SHA256, all.p, all.n, out) < 0)
		rc = est_fail(err, EST_E_INTERNAL, "no SHA-256");
	est_buf_free(&all);
	return rc;
}

/* ---- In memory ----------------------------------------------------------------------------------
 */

static void drop(struct resume *resume, size_t i)
{
	est_buf_free(&resume->entry[i].data);
	resume->n--;
	memmove(resume->entry + i, resume->entry + i + 1,
		(resume->n - i) * sizeof(resume->entry[0]));
	resume->changed = true;
}

/* By the local clock, which may have been set back. */
static bool is_fresh(const struct resume_entry *e, time_t now)
{
	return e->made <= now && now - e->made < RESUME_AGE_S && now <= e->facts.until;
}

bool resume_take(struct resume *resume, const uint8_t binding[RESUME_BINDING],
	struct resume_facts *facts, struct est_buf *data)
{
	for (size_t i = 0; i < resume->n; i++) {
		struct resume_entry *e = &resume->entry[i];

		if (memcmp(e->binding, binding, RESUME_BINDING) != 0)
			continue;
		if (is_fresh(e, time(NULL))) {
			*facts = e->facts;
			*data = e->data;
			e->data = (struct est_buf){ 0 };
		}
		drop(resume, i);
		return data->n > 0;
	}
	return false;
}

void resume_put(struct resume *resume, const uint8_t binding[RESUME_BINDING],
	const struct resume_facts *facts, struct est_buf *data)
{
	struct resume_entry *e;

	for (size_t i = resume->n; i-- > 0;)
		if (memcmp(resume->entry[i].binding, binding, RESUME_BINDING) == 0)
			drop(resume, i);
	if (data->n == 0 || data->n > RESUME_DATA_MAX) {
		est_buf_free(data);
		return;
	}
	if (resume->n == RESUME_MAX)
		drop(resume, 0); /* the oldest */
	e = &resume->entry[resume->n++];
	memcpy(e->binding, binding, RESUME_BINDING);
	e->made = time(NULL);
	e->facts = *facts;
	e->data = *data;
	*data = (struct est_buf){ 0 };
	resume->changed = true;
}

void resume_wipe(struct resume *resume)
{
	while (resume->n > 0)
		drop(resume, resume->n - 1);
	*resume = (struct resume){ 0 };
}

/* ---- As bytes -----------------------------------------------------------------------------------
 */

static uint64_t get(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	while (n-- > 0)
		v = v << 8 | *p++;
	return v;
}

static void put(uint8_t *p, size_t n, uint64_t v)
{
	while (n-- > 0) {
		p[n] = (uint8_t)v;
		v >>= 8;
	}
}

static bool decode_one(struct est_span *in, struct resume_entry *e)
{
	const uint8_t *p = in->p;
	size_t identity, data;
	struct est_error ignored;

	if (in->n < HEAD)
		return false;
	memcpy(e->binding, p, RESUME_BINDING);
	p += RESUME_BINDING;
	e->made = (time_t)(get(p, 8) & INT64_MAX);
	e->facts.until = (time_t)(get(p + 8, 8) & INT64_MAX);
	e->facts.db = p[16];
	e->facts.client_cert = p[17];
	identity = (size_t)get(p + 18, 2);
	data = (size_t)get(p + 20, 4);
	if ((p[16] != TRUST_EXPLICIT && p[16] != TRUST_IMPLICIT) || p[17] > 1 ||
		identity >= sizeof(e->facts.identity) || data == 0 || data > RESUME_DATA_MAX ||
		in->n - HEAD < identity + data)
		return false;
	p += HEAD - RESUME_BINDING;
	if (memchr(p, 0, identity))
		return false;
	memcpy(e->facts.identity, p, identity);
	*in = (struct est_span){ p + identity + data, in->n - HEAD - identity - data };
	return est_buf_append(&e->data, (struct est_span){ p + identity, data }, &ignored) ==
	       EST_OK;
}

bool resume_decode(struct est_span in, time_t now, struct resume *out)
{
	bool good = true;

	while (good && in.n > 0) {
		struct resume_entry e = { 0 };

		good = out->n < RESUME_MAX && decode_one(&in, &e);
		if (good && is_fresh(&e, now))
			out->entry[out->n++] = e;
		else
			est_buf_free(&e.data);
	}
	return good;
}

enum est_code resume_encode(const struct resume *resume, struct est_buf *out, struct est_error *err)
{
	enum est_code rc = EST_OK;
	uint8_t head[HEAD];

	for (size_t i = 0; rc == EST_OK && i < resume->n; i++) {
		const struct resume_entry *e = &resume->entry[i];
		const size_t identity = strlen(e->facts.identity);

		memcpy(head, e->binding, RESUME_BINDING);
		put(head + RESUME_BINDING, 8, (uint64_t)e->made);
		put(head + RESUME_BINDING + 8, 8, (uint64_t)e->facts.until);
		head[RESUME_BINDING + 16] = (uint8_t)e->facts.db;
		head[RESUME_BINDING + 17] = e->facts.client_cert;
		put(head + RESUME_BINDING + 18, 2, identity);
		put(head + RESUME_BINDING + 20, 4, e->data.n);
		rc = est_buf_append(out, (struct est_span){ head, HEAD }, err);
		if (rc == EST_OK)
			rc = est_buf_append(out, est_span_str(e->facts.identity), err);
		if (rc == EST_OK)
			rc = est_buf_append(out, est_buf_span(&e->data), err);
	}
	return rc;
}

/* ---- In a file ----------------------------------------------------------------------------------
 */

/* Whoever can write the file could make est believe a server of their own. */
static enum est_code check_owner(const char *file, int fd, mode_t *mode, struct est_error *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return est_fail(err, EST_E_INPUT, "%s: not a regular file", file);
	if (st.st_uid != geteuid())
		return est_fail(err, EST_E_INPUT,
			"%s: belongs to another user, who could make est trust any server", file);
	*mode = st.st_mode;
	return EST_OK;
}

/* One byte more than FILE_MAX is enough to know that it is none of ours. */
static enum est_code read_all(const char *file, int fd, struct est_buf *out, struct est_error *err)
{
	enum est_code rc = EST_OK;
	uint8_t block[4096];
	ssize_t n;

	while (rc == EST_OK && out->n <= FILE_MAX && (n = read(fd, block, sizeof(block))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = est_fail(err, EST_E_INPUT, "%s: %s", file, strerror(errno));
		else
			rc = est_buf_append(out, (struct est_span){ block, (size_t)n }, err);
	}
	explicit_bzero(block, sizeof(block));
	return rc;
}

static bool take_digest(struct est_span *in)
{
	uint8_t digest[DIGEST];

	if (in->n < MAGIC_LEN + DIGEST)
		return false;
	*in = (struct est_span){ in->p + MAGIC_LEN, in->n - MAGIC_LEN };
	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, in->p + DIGEST, in->n - DIGEST, digest) < 0 ||
		memcmp(digest, in->p, DIGEST) != 0)
		return false;
	*in = (struct est_span){ in->p + DIGEST, in->n - DIGEST };
	return true;
}

enum est_code resume_load(struct resume *resume, const char *file, const char **note,
	struct est_error *err)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct est_buf all = { 0 };
	struct est_span in;
	enum est_code rc;
	mode_t mode = 0;

	*note = NULL;
	resume->file = file;
	if (fd < 0 && errno == ENOENT)
		return EST_OK;
	if (fd < 0)
		return est_fail(err, EST_E_INPUT, "%s: %s", file, strerror(errno));
	rc = check_owner(file, fd, &mode, err);
	if (rc == EST_OK)
		rc = read_all(file, fd, &all, err);
	in = est_buf_span(&all);
	if (rc == EST_OK && in.n > 0 &&
		(in.n < MAGIC_LEN || in.n > FILE_MAX ||
			memcmp(in.p, RESUME_MAGIC, MAGIC_LEN) != 0)) {
		*note = "it is no session cache of est: neither used nor overwritten";
		resume->file = NULL;
	} else if (rc == EST_OK && mode & 077) {
		*note = "the session cache was open to others: it is not used, and made anew";
		if (fchmod(fd, 0600) != 0)
			rc = est_fail(err, EST_E_INPUT, "%s: %s", file, strerror(errno));
	} else if (rc == EST_OK && in.n > 0 &&
		   (!take_digest(&in) || !resume_decode(in, time(NULL), resume))) {
		*note = "the session cache is damaged: it is not used, and made anew";
		resume_wipe(resume);
		resume->file = file;
	}
	est_buf_free(&all);
	(void)close(fd);
	return rc;
}

enum est_code resume_save(struct resume *resume, struct est_error *err)
{
	struct est_buf all = { 0 }, entries = { 0 };
	struct est_output *out = NULL;
	uint8_t digest[DIGEST];
	enum est_code rc;

	if (!resume->file || !resume->changed)
		return EST_OK;
	rc = resume_encode(resume, &entries, err);
	if (rc == EST_OK && gnutls_hash_fast(GNUTLS_DIG_SHA256, entries.p, entries.n, digest) < 0)
		rc = est_fail(err, EST_E_INTERNAL, "no SHA-256");
	if (rc == EST_OK)
		rc = est_buf_append(&all, est_span_str(RESUME_MAGIC), err);
	if (rc == EST_OK)
		rc = est_buf_append(&all, (struct est_span){ digest, DIGEST }, err);
	if (rc == EST_OK)
		rc = est_buf_append(&all, est_buf_span(&entries), err);
	if (rc == EST_OK)
		rc = est_output_open(resume->file, EST_OUTPUT_SECRET, &out, err);
	if (rc == EST_OK)
		rc = est_output_write(out, est_buf_span(&all), err);
	if (rc == EST_OK)
		rc = est_output_commit(out, NULL, err);
	resume->changed = rc != EST_OK;
	est_output_free(out);
	est_buf_free(&all);
	est_buf_free(&entries);
	return rc;
}
