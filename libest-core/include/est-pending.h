/* SPDX-License-Identifier: MIT */
/*
 * Part of est.h, which includes it: the request of an enrolment under way, in NAME.est-csr, and
 * what its server has said of the time to come back (RFC 7030 section 4.2.3).  For a renewal that
 * was rejected because of its dates est_enroll() sets a time, too: until the certificate would be
 * valid, but at most a day, and at most a 32nd of its lifetime.
 *
 * It is on disk, synced, before the request leaves, and stays there until the run knows how that
 * ended; the next run sends the same, and not earlier than told.  Before the PEM of the request
 * stand when that was, from when on the server may be asked again, and which server it is:
 *
 *   Date: Sun, 22 Nov 2026 01:02:03 GMT
 *   Retry-After: Sun, 22 Nov 2026 02:02:03 GMT
 *   Server: https://ca.example/.well-known/est
 *
 * More than EST_PENDING_MAX_S ahead counts as that much.  With a clock that has been set back
 * since, the time begins anew.  What is torn, or of another user, or of another server, keeps
 * nobody waiting.
 */
#ifndef EST_PENDING_API_H
#define EST_PENDING_API_H

#ifndef EST_H
#error "include est.h"
#endif

#define EST_PENDING_MAX_S (30 * 86400)

struct est_pending;

/* Reads what an unfinished run left; *found: something was there.  The client says which server
 * this run asks, and has to live as long.  *out is owned, est_pending_free(). */
EST_API enum est_code est_pending_open(struct est_client *client, const char *name,
	struct est_pending **out, bool *found, struct est_error *err) EST_MUST_CHECK;
/* EST_OK when the server may be asked: now, or after a wait for which wait_ms of the client's
 * configuration was enough, and is so much less now.  Else EST_E_PENDING, retry_after_s the rest.
 */
EST_API enum est_code est_pending_wait(struct est_pending *pending,
	struct est_error *err) EST_MUST_CHECK;
/* On disk when this returns: the request in *der.  An unfinished run's takes its place, signature
 * and all, when it asks for the same; *same says so.  EST_E_OUTPUT. */
EST_API enum est_code est_pending_request(struct est_pending *pending, struct est_buf *der,
	bool *same, struct est_error *err) EST_MUST_CHECK;
/* A 202 has come meanwhile. */
EST_API bool est_pending_accepted(const struct est_pending *pending);
/* Removes the file: the server has certainly not issued, or what it has is in place. */
EST_API void est_pending_remove(struct est_pending *pending);
/* The file stays. */
EST_API void est_pending_free(struct est_pending *pending);
/* Whether there is such a file; *when (0: now) is the time from which on its server may be asked.
 */
EST_API bool est_pending_look(const char *name, time_t *when);

#endif
