/* SPDX-License-Identifier: MIT */
/* How a request is planned: from what the operator asked for and what the CA wants in it. */
#ifndef EST_PLAN_H
#define EST_PLAN_H

#include "csrattrs.h"
#include "est.h"

struct planner {
	const struct est_csr_spec *spec; /* NULL: only explain */
	const char *key_type;
	bool fixed;
	struct est_plan *plan;
	struct est_buf wants; /* the demand under consideration, in words */
};

/* Says what becomes of the demand in planner.wants. */
enum est_code plan_note(struct planner *p, struct est_error *err, const char *fmt, ...)
	EST_PRINTF(3, 4) EST_MUST_CHECK;
/* It cannot be met: EST_E_INPUT for that reason, but only a note when there is no spec. */
enum est_code plan_problem(struct planner *p, const char *reason, struct est_error *err,
	const char *fmt, ...) EST_PRINTF(4, 5) EST_MUST_CHECK;
/* Appends to planner.wants. */
enum est_code plan_wants(struct planner *p, struct est_error *err, const char *fmt, ...)
	EST_PRINTF(3, 4) EST_MUST_CHECK;

/* Replaces the plan's subject by the template's (contents of the RDNSequenceTemplate), filled from
 * the subject that is there (RFC 9908 section 3.4). */
enum est_code plan_subject(struct planner *p, struct est_span rdns,
	struct est_error *err) EST_MUST_CHECK;
/* Makes the plan's extensions from those of the list and the operator's. */
enum est_code plan_extensions(struct planner *p, struct est_span list, bool partial,
	struct est_error *err) EST_MUST_CHECK;

#endif
