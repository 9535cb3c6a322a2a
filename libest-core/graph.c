/* SPDX-License-Identifier: MIT */
/* Who issued whom in a list of certificates, and what part each plays when a CA changes its key
 * (RFC 4210 section 4.4).  Names and key identifiers say where to look, signatures decide.  Sorted
 * tables and a limit on the tries keep it n log n, whatever the names are. */
#include "est-inspect.h"

#include <stdlib.h>
#include <string.h>

#include "cert.h"
#include "crl.h"
#include "x509_text.h"

#define TRIES_MAX  16 /* signatures that are tried for one certificate */
#define NONE       EST_NO_ISSUER
#define KEY_ID_TAG DER_CONTEXT(0)

struct item {
	struct cert_view view;
	struct est_span key_id, issuer_key_id; /* empty: not said */
	size_t family;                         /* of a root: another root, or itself */
};

struct graph {
	struct item *item;
	struct est_node *node;
	size_t n;
	size_t *order; /* sorted, duplicates left out */
	size_t n_order;
};

const char *est_role_name(enum est_role role)
{
	static const char *const names[] = { "current-anchor", "old-with-old", "old-with-new",
		"new-with-old", "cross", "intermediate", "end-entity", "stray", "duplicate" };

	return names[role];
}

static int span_order(struct est_span a, struct est_span b)
{
	int order = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return order ? order : (a.n > b.n) - (a.n < b.n);
}

static int by_bytes(const void *a, const void *b, void *ctx)
{
	const struct graph *g = ctx;
	size_t x = *(const size_t *)a, y = *(const size_t *)b;
	int order = span_order(g->item[x].view.der, g->item[y].view.der);

	return order ? order : (x > y) - (x < y);
}

static int by_subject(const void *a, const void *b, void *ctx)
{
	const struct graph *g = ctx;
	size_t x = *(const size_t *)a, y = *(const size_t *)b;
	int order = span_order(g->item[x].view.subject, g->item[y].view.subject);

	if (order == 0)
		order = span_order(g->item[x].key_id, g->item[y].key_id);
	return order ? order : (x > y) - (x < y);
}

static int by_key(const void *a, const void *b, void *ctx)
{
	const struct graph *g = ctx;
	size_t x = *(const size_t *)a, y = *(const size_t *)b;
	int order = span_order(g->item[x].view.spki, g->item[y].view.spki);

	return order ? order : (x > y) - (x < y);
}

/* Of the contents of a list of extensions; empty: it does not say. */
static struct est_span issuer_key_id(struct est_span extensions)
{
	struct est_span value;
	struct der_tlv seq, id;

	if (cert_find_extension(extensions, CERT_OID_AUTHORITY_KEY_ID, NULL, &value) &&
		der_expect(&value, DER_SEQUENCE, &seq) && der_expect(&seq.body, KEY_ID_TAG, &id))
		return id.body;
	return (struct est_span){ (const uint8_t *)"", 0 };
}

static void read_key_ids(struct item *item)
{
	struct est_span value;
	struct der_tlv tlv;

	item->key_id = (struct est_span){ item->view.der.p, 0 };
	item->issuer_key_id = issuer_key_id(item->view.extensions);
	if (cert_extension(&item->view, CERT_OID_SUBJECT_KEY_ID, NULL, &value) &&
		der_expect(&value, DER_OCTET_STRING, &tlv))
		item->key_id = tlv.body;
}

static enum est_code read_all(struct graph *g, const struct est_span *certs, struct est_error *err)
{
	enum est_code rc = EST_OK;

	for (size_t i = 0; rc == EST_OK && i < g->n; i++) {
		rc = cert_view(certs[i], "certificate", &g->item[i].view, err);
		if (rc == EST_OK)
			read_key_ids(&g->item[i]);
		g->item[i].family = g->order[i] = i;
		g->node[i].issuer = NONE;
	}
	g->n_order = g->n;
	return rc;
}

/* Signatures are what costs time: not of duplicates. */
static enum est_code judge_all(struct graph *g, time_t at, struct est_error *err)
{
	unsigned key = 0, signature = 0;
	enum est_code rc = EST_OK;

	for (size_t i = 0; rc == EST_OK && i < g->n_order; i++) {
		const struct cert_view *view = &g->item[g->order[i]].view;
		struct est_node *node = &g->node[g->order[i]];

		rc = est_cert_strength(view->der, &key, &signature, err);
		node->expired = view->not_after < at;
		node->not_yet_valid = view->not_before > at;
		node->weak = key < EST_WEAK_BITS || signature < EST_WEAK_BITS;
		node->self_signed = cert_is_self_issued(view) && cert_verifies_itself(view);
	}
	return rc;
}

/* Marks all but the first of equal certificates and takes them out of the tables. */
static void drop_duplicates(struct graph *g)
{
	size_t kept = 0;

	qsort_r(g->order, g->n_order, sizeof(*g->order), by_bytes, g);
	for (size_t i = 0; i < g->n_order; i++) {
		size_t at = g->order[i];

		if (kept > 0 &&
			est_span_eq(g->item[at].view.der, g->item[g->order[kept - 1]].view.der)) {
			g->node[at].role = EST_ROLE_DUPLICATE;
			g->node[at].issuer = g->order[kept - 1];
		} else {
			g->order[kept++] = at;
		}
	}
	g->n_order = kept;
}

/* The first in the table by subject that is not below this name and key identifier. */
static size_t lower_bound(const struct graph *g, struct est_span subject, struct est_span key_id)
{
	size_t low = 0, high = g->n_order;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct item *item = &g->item[g->order[mid]];
		int order = span_order(item->view.subject, subject);

		if (order == 0)
			order = span_order(item->key_id, key_id);
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* A root before a link certificate with the same key, then what is valid for longest. */
static bool better_issuer(const struct graph *g, size_t a, size_t b)
{
	if (g->node[a].self_signed != g->node[b].self_signed)
		return g->node[a].self_signed;
	return g->item[a].view.not_after > g->item[b].view.not_after;
}

/* From a place in the table on, while the name (and, when exact, the identifier) is this one. */
static void try_issuers(struct graph *g, size_t i, struct est_span key_id, bool exact,
	unsigned *tries)
{
	const struct item *item = &g->item[i];
	struct est_node *node = &g->node[i];
	size_t at = lower_bound(g, item->view.issuer, key_id);

	for (; at < g->n_order && *tries < TRIES_MAX; at++) {
		size_t c = g->order[at];
		const struct item *issuer = &g->item[c];

		if (!est_span_eq(issuer->view.subject, item->view.issuer) ||
			(exact && !est_span_eq(issuer->key_id, key_id)))
			return;
		if (c == i)
			continue;
		++*tries;
		if (node->issuer != NONE && !better_issuer(g, c, node->issuer))
			continue;
		if (cert_signed_by(&item->view, &issuer->view))
			node->issuer = c;
		else if (node->issuer == NONE)
			node->bad_signature = true;
	}
}

static void find_issuer(struct graph *g, size_t i)
{
	const struct est_span none = { g->item[i].view.der.p, 0 };
	const struct est_span id = g->item[i].issuer_key_id;
	struct est_node *node = &g->node[i];
	unsigned tries = 0;

	if (id.n > 0)
		try_issuers(g, i, id, true, &tries);
	node->namesake = id.n > 0 && tries == 0;
	if (node->issuer == NONE)
		try_issuers(g, i, none, false, &tries);
	node->namesake &= node->bad_signature;
	if (node->issuer == NONE)
		return;
	node->bad_signature = node->namesake = false;
	node->wrong_key_id = id.n > 0 && g->item[node->issuer].key_id.n > 0 &&
			     !est_span_eq(id, g->item[node->issuer].key_id);
}

/* Cross certificates can be each other's issuers: a loop is cut where it is met. */
static void cut_loops(struct graph *g, size_t *mark)
{
	memset(mark, 0, g->n * sizeof(*mark));
	for (size_t i = 0; i < g->n; i++) {
		size_t at = i;

		while (mark[at] == 0 && g->node[at].role != EST_ROLE_DUPLICATE) {
			mark[at] = i + 1;
			if (g->node[at].issuer == NONE)
				break;
			if (mark[g->node[at].issuer] == i + 1) {
				g->node[at].issuer = NONE;
				g->node[at].loop = true;
				break;
			}
			at = g->node[at].issuer;
		}
	}
}

static size_t family(struct graph *g, size_t root)
{
	while (g->item[root].family != root) {
		g->item[root].family = g->item[g->item[root].family].family;
		root = g->item[root].family;
	}
	return root;
}

/* The later one leads, so the leader of a family is its current root (RFC 7030 section 4.1.3). */
static void join(struct graph *g, size_t a, size_t b)
{
	const struct cert_view *x, *y;

	a = family(g, a);
	b = family(g, b);
	x = &g->item[a].view;
	y = &g->item[b].view;
	if (x->not_after > y->not_after ||
		(x->not_after == y->not_after && x->not_before >= y->not_before))
		g->item[b].family = a;
	else
		g->item[a].family = b;
}

/* In the table by key: a root that has the key of certificate i, or NONE. */
static size_t root_with_key(const struct graph *g, size_t first, size_t end)
{
	for (size_t at = first; at < end; at++) {
		if (g->node[g->order[at]].self_signed)
			return g->order[at];
	}
	return NONE;
}

/* All certificates of one key: what links a root to another, and what is a cross certificate. */
static void class_one_key(struct graph *g, size_t first, size_t end, bool roles)
{
	size_t root = root_with_key(g, first, end), i, issuer;

	for (size_t at = first; at < end; at++) {
		i = g->order[at];
		issuer = g->node[i].issuer;
		if (g->node[i].self_signed) {
			if (roles)
				g->node[i].role = family(g, i) == i ? EST_ROLE_CURRENT_ANCHOR
								    : EST_ROLE_OLD_WITH_OLD;
		} else if (root != NONE && issuer != NONE && g->node[issuer].self_signed &&
			   !est_span_eq(g->item[issuer].view.spki, g->item[i].view.spki)) {
			if (!roles)
				join(g, root, issuer);
			else if (g->item[root].view.not_after > g->item[issuer].view.not_after ||
				 family(g, root) == root)
				g->node[i].role = EST_ROLE_NEW_WITH_OLD;
			else
				g->node[i].role = EST_ROLE_OLD_WITH_NEW;
		} else if (roles && cert_is_ca(&g->item[i].view, NULL) &&
			   (root != NONE ||
				   (end - first > 1 &&
					   !est_span_eq(g->item[i].view.issuer,
						   g->item[g->order[at == first ? end - 1 : first]]
							   .view.issuer)))) {
			g->node[i].role = EST_ROLE_CROSS;
		}
	}
}

static void for_each_key(struct graph *g, bool roles)
{
	size_t first = 0;

	for (size_t at = 1; at <= g->n_order; at++) {
		if (at < g->n_order && est_span_eq(g->item[g->order[at]].view.spki,
					       g->item[g->order[first]].view.spki))
			continue;
		class_one_key(g, first, at, roles);
		first = at;
	}
}

/* Two roots of one name are one CA's, with or without certificates that link them. */
static void join_names(struct graph *g)
{
	size_t last = NONE;

	for (size_t at = 0; at < g->n_order; at++) {
		size_t i = g->order[at];

		if (!g->node[i].self_signed)
			continue;
		if (last != NONE &&
			est_span_eq(g->item[last].view.subject, g->item[i].view.subject))
			join(g, last, i);
		last = i;
	}
}

/* As trust_load() would take them from a file with these certificates. */
static void choose_anchors(struct graph *g)
{
	for (size_t at = 0; at < g->n_order; at++)
		g->node[g->order[at]].anchor = cert_is_root(&g->item[g->order[at]].view);
}

static void class_all(struct graph *g, bool *issued)
{
	for (size_t i = 0; i < g->n; i++) {
		if (g->node[i].role != EST_ROLE_DUPLICATE && g->node[i].issuer != NONE)
			issued[g->node[i].issuer] = true;
	}
	for (size_t at = 0; at < g->n_order; at++) {
		size_t i = g->order[at];

		if (g->node[i].issuer == NONE && !issued[i] && g->n_order > 1)
			g->node[i].role = EST_ROLE_STRAY;
		else if (cert_is_ca(&g->item[i].view, NULL))
			g->node[i].role = EST_ROLE_INTERMEDIATE;
		else
			g->node[i].role = EST_ROLE_END_ENTITY;
	}
	join_names(g); /* sorted by subject still */
	qsort_r(g->order, g->n_order, sizeof(*g->order), by_key, g);
	for_each_key(g, false);
	for_each_key(g, true);
}

/* The tables, without duplicates; close_graph() also after a failure. */
static enum est_code open_graph(struct graph *g, const struct est_span *certs, size_t n,
	struct est_error *err)
{
	enum est_code rc;

	g->n = n;
	g->item = calloc(n + 1, sizeof(*g->item));
	g->node = calloc(n + 1, sizeof(*g->node));
	g->order = calloc(n + 1, sizeof(*g->order));
	if (!g->item || !g->node || !g->order)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	rc = read_all(g, certs, err);
	if (rc == EST_OK)
		drop_duplicates(g);
	return rc;
}

static void close_graph(struct graph *g)
{
	free(g->item);
	free(g->node);
	free(g->order);
}

enum est_code est_graph(const struct est_span *certs, size_t n, time_t at, struct est_node **out,
	struct est_error *err)
{
	struct graph g = { 0 };
	bool *issued = calloc(n + 1, sizeof(*issued));
	size_t *mark = calloc(n + 1, sizeof(*mark));
	enum est_code rc = open_graph(&g, certs, n, err);

	if (rc == EST_OK && (!issued || !mark))
		rc = est_fail(err, EST_E_INTERNAL, "out of memory");
	if (rc != EST_OK)
		goto out;
	rc = judge_all(&g, at, err);
	if (rc != EST_OK)
		goto out;
	qsort_r(g.order, g.n_order, sizeof(*g.order), by_subject, &g);
	for (size_t i = 0; i < g.n_order; i++) {
		if (!g.node[g.order[i]].self_signed)
			find_issuer(&g, g.order[i]);
	}
	cut_loops(&g, mark);
	choose_anchors(&g);
	class_all(&g, issued);
	*out = g.node;
	g.node = NULL;
out:
	close_graph(&g);
	free(issued);
	free(mark);
	return rc;
}

/* From a place in the table on, as try_issuers(). */
static void try_signers(const struct graph *g, const struct crl_view *crl, struct est_span key_id,
	struct est_crl_signer *out, unsigned *tries)
{
	size_t at = lower_bound(g, crl->issuer, key_id);

	for (; out->cert == NONE && at < g->n_order && *tries < TRIES_MAX; at++, ++*tries) {
		const struct item *item = &g->item[g->order[at]];

		if (!est_span_eq(item->view.subject, crl->issuer) ||
			(key_id.n > 0 && !est_span_eq(item->key_id, key_id)))
			return;
		out->named = true;
		if (!crl_signed_by(crl, &item->view, true))
			continue;
		out->cert = g->order[at];
		out->may_not = !crl_may_sign(&item->view);
	}
}

enum est_code est_crl_signers(const struct est_span *crls, size_t n_crls,
	const struct est_span *certs, size_t n, struct est_crl_signer *out, struct est_error *err)
{
	const struct est_span any = { (const uint8_t *)"", 0 };
	struct est_crl_signer signer;
	struct est_error ignored;
	struct graph g = { 0 };
	struct crl_view view;
	struct est_span id;
	unsigned tries;
	enum est_code rc = open_graph(&g, certs, n, err);

	if (rc == EST_OK)
		qsort_r(g.order, g.n_order, sizeof(*g.order), by_subject, &g);
	for (size_t i = 0; rc == EST_OK && i < n_crls; i++) {
		out[i] = signer = (struct est_crl_signer){ .cert = NONE };
		if (crl_view(crls[i], &view, &ignored) != EST_OK)
			continue;
		tries = 0;
		id = issuer_key_id(view.extensions);
		signer.weak = x509_signature_strength(view.signature_oid, crls[i]) < EST_WEAK_BITS;
		if (id.n > 0)
			try_signers(&g, &view, id, &signer, &tries);
		try_signers(&g, &view, any, &signer, &tries);
		out[i] = signer;
	}
	close_graph(&g);
	return rc;
}
