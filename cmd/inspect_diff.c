/* SPDX-License-Identifier: MIT */
/* est inspect --diff: what one bag has that another has not, and what is a renewal. */
#include "inspect.h"

#include <stdlib.h>
#include <string.h>

#include "jsonc.h"

#define NONE SIZE_MAX

struct entry {
	struct est_cert_parts parts;
	const struct bag_cert *cert;
	size_t number; /* in its file, from 1 */
	size_t pair;   /* what it was renewed from or as; NONE */
	bool by_key, same;
};

struct diff {
	struct inspect *in;
	struct entry *entry; /* of both files, the first one's before the second's */
	size_t n, n_first;
	size_t *order;
	size_t added, removed, renewed, same;
};

static int span_order(struct est_span a, struct est_span b)
{
	int order = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return order ? order : (a.n > b.n) - (a.n < b.n);
}

enum what { WHOLE, KEY, NAME };

static struct est_span part(const struct entry *e, enum what what)
{
	return what == KEY ? e->parts.spki : what == NAME ? e->parts.subject : e->cert->der;
}

struct order {
	const struct diff *d;
	enum what what;
};

static int by_part(const void *a, const void *b, void *ctx)
{
	const struct order *o = ctx;
	size_t x = *(const size_t *)a, y = *(const size_t *)b;
	int order = span_order(part(&o->d->entry[x], o->what), part(&o->d->entry[y], o->what));

	return order ? order : (x > y) - (x < y);
}

/* Of those with an equal part, those still alone are paired across the files, in their order. */
static void pair_group(struct diff *d, const size_t *group, size_t n, enum what what)
{
	size_t second = 0;

	while (second < n && group[second] < d->n_first)
		second++; /* sorted: the first file's come first */
	for (size_t i = 0, j = second; i < second; i++) {
		struct entry *a = &d->entry[group[i]], *b;

		while (j < n && d->entry[group[j]].pair != NONE)
			j++;
		if (a->pair != NONE || j == n)
			continue;
		b = &d->entry[group[j]];
		a->pair = group[j];
		b->pair = group[i];
		a->by_key = b->by_key = what == KEY;
		a->same = b->same = what == WHOLE;
	}
}

static void pair_by(struct diff *d, enum what what)
{
	struct order order = { d, what };
	size_t first = 0;

	qsort_r(d->order, d->n, sizeof(*d->order), by_part, &order);
	for (size_t i = 1; i <= d->n; i++) {
		if (i < d->n && est_span_eq(part(&d->entry[d->order[i]], what),
					part(&d->entry[d->order[first]], what)))
			continue;
		pair_group(d, d->order + first, i - first, what);
		first = i;
	}
}

/* What is there twice in a file was there before; it is neither added nor removed. */
static void drop_repeated(struct diff *d)
{
	struct order order = { d, WHOLE };
	size_t x, y;

	qsort_r(d->order, d->n, sizeof(*d->order), by_part, &order);
	for (size_t i = 1; i < d->n; i++) {
		x = d->order[i - 1];
		y = d->order[i];
		if ((x < d->n_first) == (y < d->n_first) &&
			est_span_eq(d->entry[x].cert->der, d->entry[y].cert->der)) {
			d->entry[y].pair = y;
			d->entry[y].same = true;
		}
	}
}

static enum est_code text_line_of(const char *mark, const struct entry *e, struct est_buf *out,
	struct est_error *err)
{
	struct est_cert_info info = { 0 };
	char until[40];
	enum est_code rc;

	rc = est_cert_words(e->cert->der, &info, err);
	if (rc != EST_OK)
		return rc;
	(void)cmd_time_text(info.not_after, until, sizeof(until));
	rc = est_buf_printf(out, err, "%s %zu  %.10s  %.16s  %s\n", mark, e->number, until,
		e->cert->sha256, *info.subject ? info.subject : "(no subject)");
	est_cert_info_wipe(&info);
	return rc;
}

static enum est_code json_of(const struct entry *e, struct json_object **out, struct est_error *err)
{
	struct est_cert_info info = { 0 };
	enum est_code rc = est_cert_info(e->cert->der, &info, err);

	if (rc != EST_OK)
		return rc;
	*out = cmd_json_cert(&info);
	jsonc_string(*out, "file", e->cert->file);
	jsonc_number(*out, "index", e->cert->index);
	est_cert_info_wipe(&info);
	return EST_OK;
}

static enum est_code text_entry(struct diff *d, size_t i, struct est_buf *out,
	struct est_error *err)
{
	const struct entry *e = &d->entry[i];
	enum est_code rc;

	if (e->pair == NONE)
		return text_line_of(i < d->n_first ? "-" : "+", e, out, err);
	rc = text_line_of("~", e, out, err);
	if (rc == EST_OK)
		rc = text_line_of(e->by_key ? "  same key: " : "  same name:", &d->entry[e->pair],
			out, err);
	return rc;
}

static enum est_code json_entry(struct diff *d, size_t i, struct json_object *lists[3],
	struct est_error *err)
{
	const struct entry *e = &d->entry[i];
	struct json_object *from = NULL, *to = NULL, *o;
	enum est_code rc = json_of(e, &from, err);

	if (rc != EST_OK || e->pair == NONE) {
		if (rc == EST_OK)
			json_object_array_add(lists[i < d->n_first], from);
		return rc;
	}
	rc = json_of(&d->entry[e->pair], &to, err);
	if (rc != EST_OK) {
		json_object_put(from);
		return rc;
	}
	o = json_object_new_object();
	jsonc_string(o, "by", e->by_key ? "key" : "name");
	json_object_object_add(o, "from", from);
	json_object_object_add(o, "to", to);
	json_object_array_add(lists[2], o);
	return EST_OK;
}

static enum est_code show(struct diff *d, struct est_error *err)
{
	static const char *const names[] = { "added", "removed", "renewed" };
	struct json_object *json = d->in->cmd->json, *o = NULL, *lists[3] = { NULL };
	struct est_buf text = { 0 };
	enum est_code rc = EST_OK;

	if (json) {
		o = json_object_new_object();
		json_object_object_add(json, "diff", o);
		for (int i = 0; i < 3; i++)
			json_object_object_add(o, names[i], lists[i] = json_object_new_array());
		jsonc_number(o, "unchanged", d->same);
	}
	for (size_t i = 0; rc == EST_OK && i < d->n; i++) {
		const struct entry *e = &d->entry[i];

		if (e->same || (e->pair != NONE && i >= d->n_first))
			continue;
		text.n = 0;
		rc = json ? json_entry(d, i, lists, err) : text_entry(d, i, &text, err);
		if (rc == EST_OK && !json)
			rc = cmd_stdout(est_buf_span(&text), err);
	}
	est_buf_free(&text);
	return rc;
}

static enum est_code fill(struct diff *d, struct est_error *err)
{
	const struct bag *bag = &d->in->bag;
	size_t number[2] = { 0 };
	enum est_code rc = EST_OK;

	for (size_t i = 0; rc == EST_OK && i < bag->n; i++) {
		struct entry *e = &d->entry[d->n];
		bool second = bag->cert[i].operand > 0;

		*e = (struct entry){ .cert = &bag->cert[i], .pair = NONE };
		e->number = ++number[second];
		d->n_first += !second;
		d->order[d->n] = d->n;
		d->n++;
		rc = est_cert_parts(e->cert->der, &e->parts, err);
	}
	return rc;
}

enum est_code diff_run(struct inspect *in)
{
	struct diff d = { .in = in };
	struct est_error *err = &in->cmd->err, no = { 0 };
	enum est_code rc = EST_OK;

	d.entry = calloc(in->bag.n + 1, sizeof(*d.entry));
	d.order = calloc(in->bag.n + 1, sizeof(*d.order));
	if (!d.entry || !d.order)
		rc = est_fail(err, EST_E_INTERNAL, "out of memory");
	if (rc == EST_OK)
		rc = fill(&d, err);
	if (rc != EST_OK)
		goto out;
	if (in->bag.n == 0) {
		rc = est_fail(err, EST_E_INPUT, "no certificate to compare");
		goto out;
	}
	drop_repeated(&d);
	for (enum what what = WHOLE; what <= NAME; what++)
		pair_by(&d, what);
	for (size_t i = 0; i < d.n; i++) {
		d.same += i < d.n_first && d.entry[i].same && d.entry[i].pair != i;
		d.renewed += i < d.n_first && !d.entry[i].same && d.entry[i].pair != NONE;
		d.removed += i < d.n_first && d.entry[i].pair == NONE;
		d.added += i >= d.n_first && d.entry[i].pair == NONE;
	}
	rc = show(&d, err);
	if (rc == EST_OK && in->n_objects > in->bag.n)
		cmd_notice(in->cmd, "certificates alone were compared, not %zu other object%s",
			in->n_objects - in->bag.n, in->n_objects - in->bag.n == 1 ? "" : "s");
	if (rc == EST_OK && d.added + d.removed + d.renewed > 0) {
		est_fail(&no, EST_E_CONDITION, "%zu added, %zu removed, %zu renewed, %zu unchanged",
			d.added, d.removed, d.renewed, d.same);
		est_reason(&no, "differs");
		inspect_failure(in, &no);
	}
out:
	free(d.entry);
	free(d.order);
	return rc;
}
