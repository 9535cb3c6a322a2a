/* SPDX-License-Identifier: MIT */
/* est inspect: whose key has signed each CRL.  That can only be told when all certificates are
 * there, so CRLs wait for them. */
#include "inspect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jsonc.h"

#include "inspect_show.h"

struct bag_crl {
	struct est_object object; /* its DER is owned */
	const char *file;         /* borrowed from struct inspect */
};

enum est_code crl_keep(struct inspect *in, const struct est_object *object, struct est_error *err)
{
	struct bag *bag = &in->bag;
	size_t cap = bag->cap_crls ? bag->cap_crls * 2 : 16;
	uint8_t *copy = malloc(object->der.n);
	struct bag_crl *more = bag->crl;

	if (copy && bag->n_crls == bag->cap_crls) {
		more = realloc(bag->crl, cap * sizeof(*more));
		if (more) {
			bag->crl = more;
			bag->cap_crls = cap;
		}
	}
	if (!copy || !more) {
		free(copy);
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	}
	memcpy(copy, object->der.p, object->der.n);
	bag->crl[bag->n_crls] = (struct bag_crl){ .object = *object, .file = in->file };
	bag->crl[bag->n_crls].object.der.p = copy;
	bag->crl[bag->n_crls++].object.label = (struct est_span){ 0 };
	in->n_objects++;
	return EST_OK;
}

enum est_code crl_spans(const struct bag *bag, struct est_span **out, struct est_error *err)
{
	struct est_span *spans = calloc(bag->n_crls + 1, sizeof(*spans));

	if (!spans)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	for (size_t i = 0; i < bag->n_crls; i++)
		spans[i] = bag->crl[i].object.der;
	*out = spans;
	return EST_OK;
}

void crl_wipe(struct bag *bag)
{
	while (bag->n_crls > 0)
		free((uint8_t *)bag->crl[--bag->n_crls].object.der.p);
	free(bag->crl);
	bag->crl = NULL;
}

/* What there is to say of a CRL's signature and times. */
static void judge(const struct inspect *in, const struct est_crl_signer *signer,
	const struct est_crl_info *info, struct crl_verdict *out)
{
	struct notes *notes = &out->notes;
	char when[40];

	out->signer = signer->cert;
	notes->n = notes->facts = 0;
	if (signer->cert == EST_NO_ISSUER && signer->named)
		NOTE(notes, "signed by the key of no certificate here of that name: %s",
			info->issuer);
	else if (signer->cert == EST_NO_ISSUER)
		NOTE(notes, "its issuer is not here: %s", info->issuer);
	if (signer->may_not)
		NOTE(notes, "the keyUsage of its issuer lacks cRLSign");
	if (signer->weak)
		NOTE(notes, "weak: signature %s", info->signature);
	if (info->this_update > in->at) {
		(void)cmd_time_text(info->this_update, when, sizeof(when));
		NOTE(notes, "not valid before %s", when);
	}
	if (info->has_next_update && info->next_update < in->at) {
		(void)cmd_time_text(info->next_update, when, sizeof(when));
		NOTE(notes, "outdated: the next one was due at %s", when);
	}
	notes_printable(notes);
}

enum est_code crl_show(struct inspect *in, crl_fn *fn, void *ctx, struct est_error *err)
{
	const struct bag *bag = &in->bag;
	struct est_crl_signer *signer;
	struct est_span *crls = NULL, *certs = NULL;
	enum est_code rc;

	if (bag->n_crls == 0)
		return EST_OK;
	signer = calloc(bag->n_crls, sizeof(*signer));
	rc = signer ? crl_spans(bag, &crls, err) : est_fail(err, EST_E_INTERNAL, "out of memory");
	if (rc == EST_OK)
		rc = bag_spans(bag, &certs, err);
	if (rc == EST_OK)
		rc = est_crl_signers(crls, bag->n_crls, certs, bag->n, signer, err);
	for (size_t i = 0; rc == EST_OK && i < bag->n_crls; i++) {
		struct est_crl_info info = { 0 };
		struct crl_verdict verdict;

		rc = cmd_stop ? est_fail(err, EST_E_INTERRUPTED, "interrupted")
			      : est_crl_info(crls[i], &info, err);
		if (rc != EST_OK)
			break;
		judge(in, &signer[i], &info, &verdict);
		in->file = bag->crl[i].file;
		rc = fn(ctx, &bag->crl[i].object, &info, &verdict, err);
		est_crl_info_wipe(&info);
	}
	free(signer);
	free(crls);
	free(certs);
	return rc;
}

enum est_code crl_text(const struct inspect *in, const struct crl_verdict *verdict,
	struct est_buf *out, struct est_error *err)
{
	const struct bag_cert *cert;
	enum est_code rc = EST_OK;
	char text[700];

	if (verdict->signer == EST_NO_ISSUER) {
		rc = text_line(out, "signed-by", "none of the certificates here", err);
	} else {
		cert = &in->bag.cert[verdict->signer];
		(void)snprintf(text, sizeof(text), "certificate %zu of %s, sha256 %s", cert->index,
			cert->file, cert->sha256);
		rc = text_line(out, "signed-by", text, err);
	}
	for (size_t i = 0; rc == EST_OK && i < verdict->notes.n; i++)
		rc = text_line(out, "note", verdict->notes.text[i], err);
	return rc;
}

void crl_json(const struct inspect *in, const struct crl_verdict *verdict, struct json_object *o)
{
	struct json_object *by = NULL, *notes = json_object_new_array();
	const struct bag_cert *cert;

	if (verdict->signer != EST_NO_ISSUER) {
		cert = &in->bag.cert[verdict->signer];
		by = json_object_new_object();
		json_object_object_add(by, "file", json_object_new_string(cert->file));
		json_object_object_add(by, "index", json_object_new_int64((int64_t)cert->index));
		json_object_object_add(by, "sha256", json_object_new_string(cert->sha256));
	}
	json_object_object_add(o, "signed_by", by);
	for (size_t i = 0; i < verdict->notes.n; i++)
		json_object_array_add(notes, json_object_new_string(verdict->notes.text[i]));
	json_object_object_add(o, "notes", notes);
}

static enum est_code one_crl(void *ctx, const struct est_object *object,
	const struct est_crl_info *info, const struct crl_verdict *verdict, struct est_error *err)
{
	struct inspect *in = ctx;

	(void)info;
	in->crl = verdict;
	in->n_objects--; /* which was counted when it came */
	return inspect_object(in, object, err);
}

enum est_code inspect_crls(struct inspect *in, struct est_error *err)
{
	enum est_code rc;

	in->keep_crls = false;
	if (in->bag.n_crls > 1) /* it need not be the first one */
		in->announced = 0;
	rc = crl_show(in, one_crl, in, err);
	in->crl = NULL;
	return rc;
}
