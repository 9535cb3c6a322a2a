/* SPDX-License-Identifier: MIT */
/* One place that waits between attempts, by what the last one has said and what is allowed. */
#include "again.h"

#include "pending.h"

#include <stdio.h>

#include <gnutls/crypto.h>

#define SECOND_MS      1000
#define BACKOFF_MAX_MS 300000
#define DELAY_MS       1000 /* est_config.retry_delay_ms when it is 0 */
#define KEEP_MS        3000 /* servers close idle connections; a POST must not find that out */

int64_t again_jitter(int64_t ms, int64_t limit_ms)
{
	int64_t most = ms / 10;
	uint32_t random = 0;

	if (most > limit_ms - ms)
		most = limit_ms - ms;
	if (most <= 0 || gnutls_rnd(GNUTLS_RND_NONCE, &random, sizeof(random)) < 0)
		return ms; /* no jitter is no harm */
	return ms + (int64_t)(random % (uint64_t)(most + 1));
}

int64_t again_backoff(unsigned retry_delay_ms, unsigned retries, int64_t retry_after_s)
{
	int64_t ms = retry_delay_ms ? retry_delay_ms : DELAY_MS;

	for (unsigned i = 0; i < retries && ms < BACKOFF_MAX_MS; i++)
		ms *= 2;
	if (ms > BACKOFF_MAX_MS)
		ms = retry_delay_ms > BACKOFF_MAX_MS ? retry_delay_ms : BACKOFF_MAX_MS;
	return retry_after_s * SECOND_MS > ms ? retry_after_s * SECOND_MS : ms;
}

/* When the next attempt is, for people (RFC 7030 section 4.2.3). */
static void announce(const struct est_client *c, const char *what, int64_t ms)
{
	time_t when = time(NULL) + (time_t)((ms + SECOND_MS - 1) / SECOND_MS);
	char text[40] = "?";
	struct tm tm;

	if (gmtime_r(&when, &tm))
		(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	client_log(c, EST_LOG_INFO, "the next attempt is in %lld.%lld s, at %s: %s",
		(long long)(ms / SECOND_MS), (long long)(ms % SECOND_MS / 100), text, what);
}

static enum est_code wait_ms(struct est_client *c, int64_t ms, struct est_error *err)
{
	const struct deadline end = { deadline_now_ms() + ms, c->config.stop };
	enum est_code rc = EST_E_TIMEOUT;
	struct est_error why = { 0 };
	int64_t left;

	while (rc == EST_E_TIMEOUT && (left = deadline_left_ms(&end)) > 0) {
		struct deadline tick = deadline_within(&end, (left - 1) % SECOND_MS + 1);

		if (c->config.waiting)
			c->config.waiting(c->config.waiting_ctx,
				(unsigned)((left + SECOND_MS - 1) / SECOND_MS));
		rc = deadline_poll(&tick, -1, 0, -1, "while waiting for the next attempt", &why);
	}
	if (c->config.waiting)
		c->config.waiting(c->config.waiting_ctx, 0);
	if (rc == EST_E_TIMEOUT)
		return EST_OK; /* that is what was wanted */
	*err = why;
	return rc;
}

static int64_t seconds_told(const struct est_error *err)
{
	return err->retry_after_s < 0 ? AGAIN_PENDING_S : err->retry_after_s;
}

/* RFC 7030 section 4.2.3: not earlier than told; with less time left than that, not at all. */
static bool pending_delay(const struct est_client *c, const struct again *again,
	const struct est_error *err, int64_t *out)
{
	int64_t spent = again->since_ms ? deadline_now_ms() - again->since_ms : 0;
	int64_t left = (int64_t)c->config.wait_ms - spent;
	int64_t seconds = seconds_told(err);
	int64_t ms = seconds > 0 ? seconds * SECOND_MS : SECOND_MS;

	if (ms > left)
		return false;
	*out = again_jitter(ms, left);
	return true;
}

static bool retry_delay(const struct est_client *c, const struct operation *op, bool sent,
	const struct again *again, const struct est_error *err, int64_t *out)
{
	bool answered = err->code == EST_E_SERVER;

	if (again->retries >= c->config.retries || !est_code_retryable(err->code))
		return false;
	if (op->content_type && sent && !answered)
		return false; /* H-19: it may have had its effect */
	if (answered && err->retry_after_s > AGAIN_RETRY_AFTER_S)
		return false;
	*out = again_jitter(again_backoff(c->config.retry_delay_ms, again->retries,
				    answered ? err->retry_after_s : -1),
		INT64_MAX);
	return true;
}

/* *err, which is what is waited for, is clear afterwards. */
static enum est_code pause_for(struct est_client *c, int64_t ms, struct est_error *err)
{
	enum est_code rc;

	announce(c, err->msg, ms);
	if (ms > KEEP_MS) {
		client_disconnect(c);
	}
	rc = wait_ms(c, ms, err);
	if (rc != EST_OK)
		return rc;
	c->started = false; /* each attempt has --max-time for itself */
	*err = (struct est_error){ .retry_after_s = -1 };
	return EST_OK;
}

enum est_code client_again(struct est_client *c, const struct operation *op, bool sent,
	struct again *again, struct est_error *err)
{
	bool pending = err->code == EST_E_PENDING;
	int64_t ms;
	enum est_code rc;

	if (pending && c->pending)
		pending_told(c->pending, seconds_told(err));
	if (pending ? !pending_delay(c, again, err, &ms)
		    : !retry_delay(c, op, sent, again, err, &ms))
		return err->code;
	if (pending && !again->since_ms)
		again->since_ms = deadline_now_ms();
	rc = pause_for(c, ms, err);
	if (rc == EST_OK && !pending)
		again->retries++;
	return rc;
}

enum est_code again_come_back(struct est_client *c, struct est_error *err)
{
	const struct again none = { 0 };
	int64_t ms;
	enum est_code rc;

	if (!pending_delay(c, &none, err, &ms))
		return err->code;
	rc = pause_for(c, ms, err);
	if (rc == EST_OK)
		c->config.wait_ms -= (unsigned)ms;
	return rc;
}
