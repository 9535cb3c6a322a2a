/* SPDX-License-Identifier: MIT */
/* est inspect as a gate: questions whose answer is the exit code. */
#include "inspect.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jsonc.h"

#define SHA256_HEX (EST_SHA256_HEX - 1)

enum gate { GATE_EXPIRES, GATE_VERIFY, GATE_KEY, GATE_STRENGTH, GATE_ROOT, GATES };

static const char *const gate_names[GATES] = { "expires-within", "verify", "match-key",
	"min-strength", "has-root" };

struct answer {
	bool asked;
	size_t tested, failed;
	struct json_object *failures; /* NULL without --json */
};

struct root {
	char sha256[EST_SHA256_HEX];
	bool found, other; /* there, but no root */
};

struct gates {
	struct inspect *in;
	struct answer answer[GATES];
	int64_t within_s;
	unsigned bits;
	struct est_verifier *verifier;
	struct est_key *key;
	bool key_found;
	struct root *roots;
	size_t n_roots;
};

/* "2031-01-31", "2031-01-31T00:00:00Z". */
static bool parse_time(const char *text, time_t *out)
{
	const bool day = strlen(text) == strlen("2031-01-31");
	struct tm tm = { 0 };
	char again[40];

	if (!strptime(text, day ? "%Y-%m-%d" : "%Y-%m-%dT%H:%M:%SZ", &tm))
		return false;
	*out = timegm(&tm);
	if (!cmd_time_text(*out, again, sizeof(again)))
		return false;
	/* strptime() takes blanks, single digits and the 30th of February. */
	return strncmp(again, text, day ? strlen(text) : sizeof(again)) == 0;
}

/* Where and which, then what is wrong with it. */
__attribute__((format(printf, 5, 6))) static void fail(struct gates *g, enum gate gate,
	const struct bag_cert *where, const char *reason, const char *fmt, ...)
{
	struct answer *a = &g->answer[gate];
	struct est_error err = { 0 };
	struct json_object *o;
	char why[400];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	cmd_printable(why, sizeof(why));
	if (++a->failed > INSPECT_FAILURES_MAX)
		return;
	if (where)
		est_fail(&err, EST_E_CONDITION, "%.150s: certificate %zu (%.150s): %s", where->file,
			where->index, where->subject, why);
	else
		est_fail(&err, EST_E_CONDITION, "--%s: %s", gate_names[gate], why);
	est_reason(&err, reason);
	inspect_failure(g->in, &err);
	if (!a->failures)
		return;
	o = json_object_new_object();
	jsonc_string(o, "file", where ? where->file : NULL);
	json_object_object_add(o, "index",
		where ? json_object_new_int64((int64_t)where->index) : NULL);
	jsonc_string(o, "subject", where ? where->subject : NULL);
	jsonc_string(o, "sha256", where ? where->sha256 : NULL);
	jsonc_string(o, "code", reason);
	jsonc_string(o, "message", why);
	json_object_array_add(a->failures, o);
}

enum est_code gate_at(struct inspect *in)
{
	const char *at = in->cmd->v.at;
	char shown[80];

	in->at = time(NULL);
	if (at && !parse_time(at, &in->at))
		return est_fail(&in->cmd->err, EST_E_USAGE,
			"--at: '%s' is not a time like 2031-01-31 or 2031-01-31T00:00:00Z",
			est_escape(shown, sizeof(shown), est_span_str(at)));
	return EST_OK;
}

/* Options that make sense only beside another. */
static enum est_code check_options(const struct cmd_values *v, struct est_error *err)
{
	const char *alone = v->cacert.n   ? "cacert"
			    : v->crl.n    ? "crl"
			    : v->hostname ? "hostname"
			    : v->purpose  ? "purpose"
					  : NULL;

	if (alone && !v->verify) {
		est_fail(err, EST_E_USAGE, "--%s is for --verify", alone);
		return est_hint(err, "add --verify");
	}
	if (v->at && !v->verify && !v->expires_within && !v->tree && !v->dot && !v->svg)
		return est_fail(err, EST_E_USAGE,
			"--at is for --verify, --expires-within, --tree, --dot and --svg");
	return EST_OK;
}

static enum est_code parse_numbers(struct gates *g, const struct cmd_values *v,
	struct est_error *err)
{
	char shown[80], *end;

	if (v->expires_within && !cmd_duration(v->expires_within, &g->within_s))
		return est_fail(err, EST_E_USAGE,
			"--expires-within: '%s' is not a number with s, m, h, d or w after it",
			est_escape(shown, sizeof(shown), est_span_str(v->expires_within)));
	if (!v->min_strength)
		return EST_OK;
	g->bits = (unsigned)strtoul(v->min_strength, &end, 10);
	if (*v->min_strength < '1' || *v->min_strength > '9' || *end || end - v->min_strength > 3)
		return est_fail(err, EST_E_USAGE,
			"--min-strength: '%s' is not a number of bits from 1 to 999",
			est_escape(shown, sizeof(shown), est_span_str(v->min_strength)));
	return EST_OK;
}

bool sha256_parse(const char *text, char out[EST_SHA256_HEX])
{
	const char *p = strncmp(text, "sha256:", 7) == 0 ? text + 7 : text;
	size_t n = 0;

	for (; *p; p++) {
		if (*p == ':' && n > 0 && n % 2 == 0 && p[1])
			continue;
		if (n == SHA256_HEX || !strchr("0123456789abcdefABCDEF", *p))
			return false;
		out[n++] = (char)(*p >= 'A' && *p <= 'F' ? *p | 0x20 : *p);
	}
	out[n] = '\0';
	return n == SHA256_HEX;
}

static enum est_code parse_root(const char *text, struct root *root, struct est_error *err)
{
	char shown[100];

	if (!sha256_parse(text, root->sha256))
		return est_fail(err, EST_E_USAGE,
			"--has-root: '%s' is not a SHA-256 fingerprint of 64 hexadecimal digits",
			est_escape(shown, sizeof(shown), est_span_str(text)));
	return EST_OK;
}

static enum est_code open_all(struct gates *g, struct cmd *cmd)
{
	const struct cmd_values *v = &cmd->v;
	const struct est_verify config = {
		.cacert = v->cacert.v,
		.crl = v->crl.v,
		.hostname = v->hostname,
		.purpose = v->purpose,
		.at = v->at ? &g->in->at : NULL,
	};
	enum est_code rc = parse_numbers(g, v, &cmd->err);

	g->roots = calloc(v->has_root.n + 1, sizeof(*g->roots));
	if (rc == EST_OK && !g->roots)
		rc = est_fail(&cmd->err, EST_E_INTERNAL, "out of memory");
	for (; rc == EST_OK && g->n_roots < v->has_root.n; g->n_roots++)
		rc = parse_root(v->has_root.v[g->n_roots], &g->roots[g->n_roots], &cmd->err);
	if (rc == EST_OK && v->match_key)
		rc = est_key_load_any(v->match_key, cmd_key_secret, cmd, &g->key, &cmd->err);
	if (rc == EST_OK && v->verify)
		rc = est_verifier_new(&config, &g->verifier, &cmd->err);
	return rc;
}

enum est_code gates_open(struct inspect *in, struct gates **out)
{
	const struct cmd_values *v = &in->cmd->v;
	const bool asked[GATES] = { v->expires_within, v->verify, v->match_key, v->min_strength,
		v->has_root.n > 0 };
	enum est_code rc = check_options(v, &in->cmd->err);
	struct gates *g;
	bool any = false;

	for (int i = 0; i < GATES; i++)
		any |= asked[i];
	if (rc != EST_OK || !any)
		return rc;
	g = calloc(1, sizeof(*g));
	if (!g)
		return est_fail(&in->cmd->err, EST_E_INTERNAL, "out of memory");
	g->in = in;
	for (int i = 0; i < GATES; i++) {
		g->answer[i].asked = asked[i];
		if (asked[i] && in->cmd->json)
			g->answer[i].failures = json_object_new_array();
	}
	rc = open_all(g, in->cmd);
	if (rc == EST_OK)
		*out = g;
	else
		gates_free(g);
	return rc;
}

void gates_free(struct gates *g)
{
	if (!g)
		return;
	for (int i = 0; i < GATES; i++)
		json_object_put(g->answer[i].failures);
	free(g->roots);
	est_verifier_free(g->verifier);
	est_key_free(g->key);
	free(g);
}

static void ask_expires(struct gates *g, const struct bag_cert *cert,
	const struct est_cert_info *info)
{
	int64_t left = (int64_t)info->not_after - (int64_t)g->in->at;
	char when[40];

	(void)cmd_time_text(info->not_after, when, sizeof(when));
	if (left < 0)
		fail(g, GATE_EXPIRES, cert, "expired", "expired at %s", when);
	else if (left <= g->within_s)
		fail(g, GATE_EXPIRES, cert, "expires", "expires at %s, in %lld %s, within %s", when,
			(long long)(left >= 172800 ? left / 86400 : left / 3600),
			left >= 172800 ? "days" : "hours", g->in->cmd->v.expires_within);
}

static enum est_code ask_strength(struct gates *g, const struct bag_cert *cert,
	const struct est_cert_info *info, struct est_error *err)
{
	unsigned key, signature;
	enum est_code rc = est_cert_strength(cert->der, &key, &signature, err);

	if (rc != EST_OK)
		return rc;
	if (key < g->bits)
		fail(g, GATE_STRENGTH, cert, "weak", "its key, %s, has %u bits of security, not %u",
			info->key, key, g->bits);
	else if (signature < g->bits)
		fail(g, GATE_STRENGTH, cert, "weak",
			"its signature, %s, has %u bits of security, not %u", info->signature,
			signature, g->bits);
	return EST_OK;
}

static void ask_root(struct gates *g, const struct est_cert_info *info)
{
	for (size_t i = 0; i < g->n_roots; i++) {
		if (strcmp(g->roots[i].sha256, info->sha256) != 0)
			continue;
		g->roots[i].found |= info->self_signed;
		g->roots[i].other |= !info->self_signed;
	}
}

enum est_code gates_cert(struct gates *g, const struct est_object *object,
	const struct est_cert_info *info, struct est_error *err)
{
	struct bag_cert cert = {
		.der = object->der,
		.file = g->in->file,
		.subject = info->subject,
		.index = object->index,
	};
	enum est_code rc = EST_OK;

	memcpy(cert.sha256, info->sha256, sizeof(cert.sha256));
	for (int i = 0; i < GATES; i++)
		g->answer[i].tested++;
	if (g->answer[GATE_EXPIRES].asked)
		ask_expires(g, &cert, info);
	if (g->answer[GATE_STRENGTH].asked)
		rc = ask_strength(g, &cert, info, err);
	if (rc == EST_OK && g->key && !g->key_found)
		rc = est_key_is_in(g->key, cert.der, false, &g->key_found, err);
	ask_root(g, info);
	return rc;
}

enum est_code gates_csr(struct gates *g, const struct est_object *object, struct est_error *err)
{
	g->answer[GATE_KEY].tested++;
	return g->key && !g->key_found
		       ? est_key_is_in(g->key, object->der, true, &g->key_found, err)
		       : EST_OK;
}

/* Names a certificate that was kept, now that its name is needed. */
static enum est_code fail_kept(struct gates *g, const struct bag_cert *kept,
	const struct est_error *why, struct est_error *err)
{
	struct est_cert_info info = { 0 };
	struct bag_cert cert = *kept;
	enum est_code rc = est_cert_words(cert.der, &info, err);

	if (rc != EST_OK)
		return rc;
	cert.subject = info.subject;
	fail(g, GATE_VERIFY, &cert, why->reason ? why->reason : "invalid", "%s", why->msg);
	est_cert_info_wipe(&info);
	return EST_OK;
}

/* The CA certificates of a bag, sorted by subject, and what is handed over for one certificate. */
struct issuer {
	struct est_cert_parts parts;
	struct est_span der;
	size_t place; /* in the bag, from 1 on */
	size_t met;   /* for the certificate with this place */
};

struct issuers {
	struct issuer *all, **met;
	size_t n, n_met;
};

static int by_subject(const void *a, const void *b)
{
	const struct issuer *x = a, *y = b;
	struct est_span s = x->parts.subject, t = y->parts.subject;
	int order = memcmp(s.p, t.p, s.n < t.n ? s.n : t.n);

	if (order == 0)
		order = (s.n > t.n) - (s.n < t.n);
	return order ? order : (x->place > y->place) - (x->place < y->place);
}

static void meet(struct issuers *in, struct est_span name, size_t place)
{
	const struct issuer key = { .parts.subject = name };
	size_t low = 0, high = in->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (by_subject(&in->all[mid], &key) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	if (low < in->n && in->all[low].met == place)
		return; /* and with it the others of this name */
	for (; low < in->n && in->n_met < EST_CERTS_MAX; low++) {
		struct issuer *i = &in->all[low];

		if (!est_span_eq(i->parts.subject, name))
			return;
		i->met = place;
		in->met[in->n_met++] = i;
	}
}

/* What the names lead to from a certificate on, nearest first, behind certs[0]. */
static size_t lead(struct issuers *in, size_t place, struct est_span *certs)
{
	struct est_cert_parts parts;
	struct est_error ignored;

	in->n_met = 0;
	if (est_cert_parts(certs[0], &parts, &ignored) == EST_OK)
		meet(in, parts.issuer, place);
	for (size_t i = 0; i < in->n_met; i++) {
		certs[i + 1] = in->met[i]->der;
		meet(in, in->met[i]->parts.issuer, place);
	}
	return in->n_met + 1;
}

static enum est_code issuers_init(struct issuers *in, const struct bag *bag, struct est_error *err)
{
	struct est_error ignored;

	in->all = calloc(bag->n + 1, sizeof(*in->all));
	in->met = calloc(EST_CERTS_MAX, sizeof(*in->met));
	if (!in->all || !in->met)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	for (size_t i = 0; i < bag->n; i++) {
		struct issuer *one = &in->all[in->n];

		one->der = bag->cert[i].der;
		one->place = i + 1;
		in->n += bag->cert[i].ca &&
			 est_cert_parts(one->der, &one->parts, &ignored) == EST_OK;
	}
	qsort(in->all, in->n, sizeof(*in->all), by_subject);
	return EST_OK;
}

/* The certificates of end entities; of a bag that has none, all. */
static enum est_code verify_all(struct gates *g, struct est_error *err)
{
	const struct bag *bag = &g->in->bag;
	struct est_span *certs = calloc(EST_CERTS_MAX + 1, sizeof(*certs));
	struct issuers issuers = { 0 };
	struct est_error why;
	enum est_code rc;
	size_t leaves = 0;

	rc = certs ? issuers_init(&issuers, bag, err)
		   : est_fail(err, EST_E_INTERNAL, "out of memory");
	for (size_t i = 0; i < bag->n; i++)
		leaves += !bag->cert[i].ca;
	for (size_t i = 0; rc == EST_OK && i < bag->n; i++) {
		if (leaves > 0 && bag->cert[i].ca)
			continue;
		if (cmd_stop)
			rc = est_fail(err, EST_E_INTERRUPTED, "interrupted");
		if (rc != EST_OK)
			break;
		inspect_progress(g->in, "verifying, %zu of %zu", i + 1, bag->n);
		certs[0] = bag->cert[i].der;
		rc = est_verifier_check(g->verifier, certs, lead(&issuers, i + 1, certs), &why);
		if (rc == EST_E_UNTRUSTED || rc == EST_E_PROTOCOL)
			rc = fail_kept(g, &bag->cert[i], &why, err);
		else if (rc != EST_OK)
			*err = why;
	}
	free(issuers.all);
	free(issuers.met);
	free(certs);
	return rc;
}

static void report(struct gates *g)
{
	struct json_object *list = json_object_new_array(), *o;
	struct answer *a;

	json_object_object_add(g->in->cmd->json, "checks", list);
	for (int i = 0; i < GATES; i++) {
		a = &g->answer[i];
		if (!a->asked)
			continue;
		o = json_object_new_object();
		jsonc_string(o, "check", gate_names[i]);
		jsonc_bool(o, "ok", a->failed == 0);
		jsonc_number(o, "failed", a->failed);
		json_object_object_add(o, "failures", a->failures);
		a->failures = NULL;
		json_object_array_add(list, o);
	}
}

enum est_code gates_finish(struct gates *g, struct est_error *err)
{
	enum est_code rc = EST_OK;
	char shown[80];

	for (int i = 0; i < GATES; i++) {
		if (g->answer[i].asked && g->answer[i].tested == 0)
			fail(g, i, NULL, "nothing", "there is no certificate to ask about");
	}
	if (g->verifier)
		rc = verify_all(g, err);
	if (g->key && !g->key_found && g->answer[GATE_KEY].tested > 0)
		fail(g, GATE_KEY, NULL, "key-mismatch",
			"none of %zu certificates and requests is for the key in %s",
			g->answer[GATE_KEY].tested,
			est_escape(shown, sizeof(shown), est_span_str(g->in->cmd->v.match_key)));
	for (size_t i = 0; i < g->n_roots && g->answer[GATE_ROOT].tested > 0; i++) {
		if (!g->roots[i].found)
			fail(g, GATE_ROOT, NULL, "no-root",
				"%s is the fingerprint of no %scertificate here",
				g->roots[i].sha256, g->roots[i].other ? "self-signed " : "");
	}
	if (g->in->cmd->json)
		report(g);
	return rc;
}
