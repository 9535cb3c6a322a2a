/* SPDX-License-Identifier: MIT */
/* The body of an enrolment, made anew for each session that is to carry it. */
#include "linking.h"

#include <string.h>

#include "cert.h"
#include "exchange.h"
#include "priority.h"
#include "session_impl.h"

#define DEMANDS (EST_DEMAND_CHALLENGE_PASSWORD | EST_DEMAND_IDENTITY_LINKING)

enum est_code linking_priority(const struct est_config *config, gnutls_priority_t *out,
	struct est_error *err)
{
	const char *own = config->priority ? config->priority : "";
	struct est_buf text = { 0 };
	enum est_code rc;

	if (config->tls13_only) {
		est_fail(err, EST_E_USAGE,
			"linking by tls-unique and --tls-min 1.3 contradict each other: TLS 1.3 "
			"has no tls-unique (RFC 8446 appendix C.5)");
		return est_hint(err, "a server that knows RFC 9266 takes --pop tls-exporter");
	}
	rc = est_buf_printf(&text, err, "%s%s-VERS-TLS1.3%c", own, *own ? ":" : "", '\0');
	if (rc == EST_OK)
		rc = priority_make((const char *)text.p, GNUTLS_TLS1_2, out, err);
	est_buf_free(&text);
	return rc;
}

/* RFC 8446 appendix C.5: the value exists in TLS 1.2 alone. */
static enum est_code need_tls12(struct est_client *c, struct est_error *err)
{
	gnutls_priority_t priority;
	enum est_code rc;

	if (c->params.tls12_only)
		return EST_OK;
	rc = linking_priority(&c->config, &priority, err);
	if (rc != EST_OK)
		return rc == EST_E_USAGE ? err->code = EST_E_INPUT : rc; /* the server wants it */
	if (c->session && gnutls_protocol_get_version(c->session->tls) != GNUTLS_TLS1_2) {
		client_log(c, EST_LOG_INFO,
			"the server asks for linking: connecting again, with TLS 1.2");
		client_disconnect(c);
	}
	gnutls_priority_deinit(c->params.priority);
	c->params.priority = priority;
	c->params.tls12_only = true;
	return EST_OK;
}

static enum est_code fail_demand(const struct linking *l, const char *why, struct est_error *err)
{
	est_fail(err, EST_E_INPUT,
		"the server's CSR attributes ask for %s (RFC 7030 section 3.5), %s",
		l->own_attribute ? "estIdentityLinking" : "challengePassword", why);
	if (!l->ask->key)
		est_hint(err, "some servers list it and take less: --csrattrs ignore does not ask");
	return est_reason(err, "linking");
}

/* Secrets that the server asks for and that there are none of: it may refuse (RFC 7894 section 4).
 */
static void note_missing(const struct est_client *c, unsigned demands, struct est_span attributes)
{
	const struct {
		unsigned bit;
		struct est_span oid;
		const char *name, *option;
	} secrets[] = {
		{ EST_DEMAND_OTP, CSR_OID_OTP, "otpChallenge", "otp-file" },
		{ EST_DEMAND_REVOCATION, CSR_OID_REVOCATION, "revocationChallenge",
			"revocation-challenge-file" },
	};

	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
		if ((demands & secrets[i].bit) && !csr_attribute(attributes, secrets[i].oid))
			client_log(c, EST_LOG_NOTICE,
				"the server's CSR attributes ask for %s, which needs --%s",
				secrets[i].name, secrets[i].option);
	}
}

enum est_code linking_begin(struct est_client *c, const struct est_enrollment *ask,
	const struct csr_view *csr, struct linking *l, struct est_error *err)
{
	const enum est_pop pop = c->config.pop;
	const bool ready = !ask->key,
		   forced = pop == EST_POP_REQUIRE || pop == EST_POP_TLS_EXPORTER;
	const bool secret = csr_attribute(csr->attributes, CSR_OID_CHALLENGE_PASSWORD);
	const bool linked = csr_attribute(csr->attributes, CSR_OID_IDENTITY_LINKING);
	bool demanded;

	l->ask = ask;
	l->own_attribute = ask->demands & EST_DEMAND_IDENTITY_LINKING;
	demanded = (ask->demands & DEMANDS) && !(l->own_attribute ? linked : secret);
	note_missing(c, ask->demands, csr->attributes);
	if (ready && forced) {
		est_fail(err, EST_E_USAGE,
			"a ready-made request cannot be linked to the TLS session: its key is not "
			"here to sign it (RFC 7030 section 3.5)");
		return est_reason(err, "linking");
	}
	if ((secret || linked) && (forced || (ready && pop != EST_POP_OFF))) {
		est_fail(err, EST_E_USAGE,
			"the request has a %s already, whose place is that of the channel binding "
			"(RFC 7030 section 3.5)",
			secret ? "challengePassword" : "estIdentityLinking");
		est_reason(err, "linking");
		return est_hint(err, "if the server wants it so, send it with --pop off");
	}
	if (demanded && ready)
		return fail_demand(l, "and a ready-made request cannot be linked", err);
	if (demanded && pop == EST_POP_OFF)
		return fail_demand(l, "and --pop off does without", err);
	if (demanded && (secret || linked))
		return fail_demand(l,
			secret ? "and challengePassword holds a secret"
			       : "and the request has an estIdentityLinking of its own",
			err);
	l->required = demanded || forced;
	l->wanted = l->required || (pop == EST_POP_AUTO && !secret && !linked);
	return l->required && pop != EST_POP_TLS_EXPORTER ? need_tls12(c, err) : EST_OK;
}

/* What this session can be told by; without an obligation nothing is an answer too. */
static enum est_code get_binding(struct est_client *c, struct linking *l, struct binding *out,
	struct est_error *err)
{
	gnutls_session_t tls = c->session->tls;
	struct est_error why = { 0 };
	enum est_code rc;

	if (!l->wanted)
		return EST_OK;
	rc = binding_get(tls, c->config.pop == EST_POP_TLS_EXPORTER, out, &why);
	if (rc == EST_OK && !l->ask->key) {
		binding_wipe(out);
		est_fail(&why, EST_E_TLS,
			"a ready-made request cannot be linked to the TLS "
			"session (RFC 7030 section 3.5)");
	} else if (rc == EST_OK) {
		return rc;
	} else if (l->required || rc != EST_E_TLS) {
		*err = why;
		return linking_hint(c, err);
	}
	if (!l->told) /* that TLS 1.3 has none is no news, nor what SRP lacks */
		client_log(c,
			gnutls_protocol_get_version(tls) == GNUTLS_TLS1_3 || c->config.srp_user
				? EST_LOG_INFO
				: EST_LOG_NOTICE,
			"%s", why.msg);
	l->told = true;
	return EST_OK;
}

/* Other wrappings than base64 in lines get 400 from most servers. */
static enum est_code wrap(const struct est_client *c, struct est_span csr, struct est_buf *out,
	struct est_error *err)
{
	enum est_code rc;
	size_t n = 0;

	if (c->config.compat & EST_COMPAT_PEM)
		return est_pem_append(out, "CERTIFICATE REQUEST", csr, err);
	rc = est_base64_append(out, csr, err);
	if (rc != EST_OK || !(c->config.compat & EST_COMPAT_ONELINE))
		return rc;
	for (size_t i = 0; i < out->n; i++) {
		if (out->p[i] != '\n')
			out->p[n++] = out->p[i];
	}
	out->n = n;
	return EST_OK;
}

enum est_code linking_prepare(struct est_client *c, struct linking *l, struct est_error *err)
{
	struct binding binding = { 0 };
	struct est_buf der = { 0 };
	struct est_span csr = l->ask->csr;
	enum est_code rc;

	rc = get_binding(c, l, &binding, err);
	if (rc == EST_OK)
		session_set_bound(c->session, binding.name != NULL);
	/* The same request again is the same bytes (RFC 7030 section 4.2.3). */
	if (rc != EST_OK ||
		(l->body.n && est_span_eq(est_buf_span(&binding.text), est_buf_span(&l->now.text))))
		goto out;
	if (binding.name) {
		rc = csr_link(csr, l->ask->key,
			l->own_attribute ? CSR_OID_IDENTITY_LINKING : CSR_OID_CHALLENGE_PASSWORD,
			est_buf_span(&binding.text), &der, err);
		csr = est_buf_span(&der);
		client_log(c, EST_LOG_INFO, "the request is linked to this session by %s",
			binding.name);
	}
	est_buf_free(&l->body);
	if (rc == EST_OK)
		rc = wrap(c, csr, &l->body, err);
	if (rc != EST_OK)
		goto out;
	binding_wipe(&l->now);
	l->now = binding;
	binding = (struct binding){ 0 };
	c->info.binding = l->now.name;
out:
	binding_wipe(&binding);
	est_buf_free(&der);
	return rc;
}

/* RFC 9266 section 4.1: one use for each connection. */
void linking_done(struct est_client *c, const struct linking *l)
{
	if (!l->now.name || strcmp(l->now.name, "tls-exporter") != 0)
		return;
	client_disconnect(c);
}

static bool speaks_of_it(const char *text)
{
	static const char *const words[] = { "tls-unique", "tls-exporter", "channel binding",
		"challenge", "linking", "proof of possession", "proof-of-possession", "popfailed" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasestr(text, words[i]))
			return true;
	}
	return false;
}

enum est_code linking_hint(const struct est_client *c, struct est_error *err)
{
	if (err->code == EST_E_TLS && c->params.tls12_only && !c->config.srp_user && !err->hint[0])
		est_hint(err,
			"linking by tls-unique needs TLS 1.2 with the extended master secret; a "
			"server that knows RFC 9266 takes --pop tls-exporter");
	return err->code;
}

void linking_explain(const struct linking *l, struct est_error *err)
{
	const char *name = l->now.name;

	if (!l->wanted || !l->ask->key || (err->http_status != 400 && err->http_status != 403))
		return;
	if (!speaks_of_it(err->msg)) {
		if (name && !err->hint[0])
			est_hint(err,
				"the request was linked to the TLS session by %s; if a proxy in "
				"between ends TLS, that cannot work: --pop off leaves it out",
				name);
		return;
	}
	est_reason(err, "binding-refused");
	if (name)
		est_hint(err,
			"the server sees another TLS session than this one when something in "
			"between ends TLS, such as a proxy; or it takes challengePassword for a "
			"secret (--challenge-file); --pop off sends no %s",
			name);
	else
		est_hint(err, "--pop require links the request to a session of TLS 1.2");
}

void linking_wipe(struct linking *l)
{
	binding_wipe(&l->now);
	est_buf_free(&l->body);
}
