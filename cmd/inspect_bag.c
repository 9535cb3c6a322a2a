/* SPDX-License-Identifier: MIT */
/* The certificates of all files, kept for what needs to see them together. */
#include "inspect.h"

#include <stdlib.h>
#include <string.h>

enum est_code bag_add(struct inspect *in, const struct est_object *object,
	const struct est_cert_info *info, struct est_error *err)
{
	struct bag *bag = &in->bag;
	size_t cap = bag->cap ? bag->cap * 2 : 64;
	struct bag_cert *more, *c;

	if (bag->n == bag->cap) {
		more = realloc(bag->cert, cap * sizeof(*more));
		if (!more)
			return est_fail(err, EST_E_INTERNAL, "out of memory");
		bag->cert = more;
		bag->cap = cap;
	}
	c = &bag->cert[bag->n];
	*c = (struct bag_cert){ .bytes = malloc(object->der.n) };
	if (!c->bytes)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	bag->n++;
	memcpy(c->bytes, object->der.p, object->der.n);
	c->der = (struct est_span){ c->bytes, object->der.n };
	c->file = in->file;
	c->index = object->index;
	c->others = in->others.n;
	c->operand = in->operand;
	c->trusted = est_span_eq(object->label, est_span_str("TRUSTED CERTIFICATE"));
	c->ca = info->ca || info->self_signed;
	memcpy(c->sha256, info->sha256, sizeof(c->sha256));
	return EST_OK;
}

enum est_code bag_spans(const struct bag *bag, struct est_span **out, struct est_error *err)
{
	struct est_span *spans = calloc(bag->n + 1, sizeof(*spans));

	if (!spans)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	for (size_t i = 0; i < bag->n; i++)
		spans[i] = bag->cert[i].der;
	*out = spans;
	return EST_OK;
}

void bag_wipe(struct bag *bag)
{
	for (size_t i = 0; i < bag->n; i++)
		free(bag->cert[i].bytes);
	free(bag->cert);
	bag->cert = NULL;
	bag->n = bag->cap = 0;
}
