/* SPDX-License-Identifier: MIT */
/* getaddrinfo() knows no deadline, so a name is looked up in a thread of its own; when the time is
 * up the thread is left behind with what it uses, and the last of the two frees it. */
#include "resolve.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct lookup {
	atomic_int users; /* the waiter and the thread */
	int done_fd;
	int error;
	struct addrinfo hints, *list;
	char port[8];
	char host[];
};

static void lookup_release(struct lookup *job)
{
	if (atomic_fetch_sub(&job->users, 1) > 1)
		return;
	if (job->list)
		freeaddrinfo(job->list);
	(void)close(job->done_fd);
	free(job);
}

static void *lookup_run(void *arg)
{
	struct lookup *job = arg;
	uint64_t one = 1;

	job->error = getaddrinfo(job->host, job->port, &job->hints, &job->list);
	(void)!write(job->done_fd, &one, sizeof(one));
	lookup_release(job);
	return NULL;
}

static struct lookup *lookup_new(const char *host, const struct addrinfo *hints, const char *port)
{
	size_t n = strlen(host) + 1;
	struct lookup *job = calloc(1, sizeof(*job) + n);

	if (!job)
		return NULL;
	job->done_fd = eventfd(0, EFD_CLOEXEC);
	if (job->done_fd < 0) {
		free(job);
		return NULL;
	}
	atomic_init(&job->users, 2);
	job->hints = *hints;
	memcpy(job->port, port, sizeof(job->port));
	memcpy(job->host, host, n);
	return job;
}

static enum est_code lookup_start(struct lookup *job, struct est_error *err)
{
	pthread_attr_t attr;
	pthread_t thread;
	int error;

	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	error = pthread_create(&thread, &attr, lookup_run, job);
	(void)pthread_attr_destroy(&attr);
	if (error == 0)
		return EST_OK;
	lookup_release(job); /* the thread's share */
	return est_fail(err, EST_E_INTERNAL, "cannot start a thread: %s", strerror(error));
}

static enum est_code lookup_failed(const char *host, int error, struct est_error *err)
{
	est_fail(err, EST_E_NETWORK, "cannot find the address of %s: %s", host,
		gai_strerror(error));
	return est_reason(err, "dns");
}

enum est_code resolve_name(const char *host, uint16_t port, int family,
	const struct deadline *deadline, struct addrinfo **out, struct est_error *err)
{
	struct addrinfo hints = {
		.ai_family = family,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
	};
	struct lookup *job;
	char text[8];
	enum est_code rc;

	(void)snprintf(text, sizeof(text), "%u", port);
	if (getaddrinfo(host, text, &hints, out) == 0)
		return EST_OK; /* an address needs no thread */
	hints.ai_flags = AI_NUMERICSERV;
	job = lookup_new(host, &hints, text);
	if (!job)
		return est_fail(err, EST_E_INTERNAL, "out of memory or descriptors");
	rc = lookup_start(job, err);
	if (rc == EST_OK)
		rc = deadline_poll(deadline, job->done_fd, POLLIN, -1,
			"while looking up the server's name", err);
	if (rc == EST_OK && job->error != 0)
		rc = lookup_failed(host, job->error, err);
	if (rc == EST_OK) {
		*out = job->list;
		job->list = NULL;
	}
	lookup_release(job);
	return rc;
}
