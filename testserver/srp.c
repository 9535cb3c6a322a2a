/* SPDX-License-Identifier: MIT */
/* Certificate-less TLS (RFC 7030 section 3.3.3): SRP ends here, on a socket of its own, for
 * libmicrohttpd knows nothing of it.  What was said inside goes to a daemon without TLS. */
#include "rawconn.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SRP_PRIORITY "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+SRP:+SRP-RSA:%SAFE_RENEGOTIATION"
#define SALT_SIZE    16
#define DELAY_MS     100 /* after a failure, doubled with each further one (RFC 7030 section 6) */
#define DELAY_TIMES  5

struct srp {
	gnutls_srp_server_credentials_t cred;
	gnutls_priority_t priority;
	struct MHD_Daemon *daemon;
	const char *user; /* borrowed from the options */
	uint8_t salt[SALT_SIZE];
	gnutls_datum_t verifier;
	atomic_uint failures; /* in a row */
};

static int copy(const void *p, size_t n, gnutls_datum_t *out)
{
	out->data = gnutls_malloc(n ? n : 1);
	if (!out->data)
		return GNUTLS_E_MEMORY_ERROR;
	memcpy(out->data, p, n);
	out->size = (unsigned)n;
	return 0;
}

/* GnuTLS calls it with the user of the ClientHello; 1: there is no such user. */
static int on_user(gnutls_session_t session, const char *user, gnutls_datum_t *salt,
	gnutls_datum_t *verifier, gnutls_datum_t *g, gnutls_datum_t *n)
{
	const struct raw_conn *c = gnutls_session_get_ptr(session);
	const struct srp *srp = c->srv->srp;
	const gnutls_datum_t *group[] = { &gnutls_srp_2048_group_generator,
		&gnutls_srp_2048_group_prime };

	if (strcmp(user, srp->user) != 0)
		return 1;
	return copy(srp->salt, SALT_SIZE, salt) < 0 ||
			       copy(srp->verifier.data, srp->verifier.size, verifier) < 0 ||
			       copy(group[0]->data, group[0]->size, g) < 0 ||
			       copy(group[1]->data, group[1]->size, n) < 0
		       ? -1
		       : 0;
}

enum est_code srp_account(struct server *srv, const char *password, struct est_error *err)
{
	struct srp *srp = calloc(1, sizeof(*srp));
	gnutls_datum_t salt;
	int r;

	if (!srp)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	srv->srp = srp;
	srp->user = srv->opt.user;
	salt = (gnutls_datum_t){ srp->salt, SALT_SIZE };
	r = gnutls_rnd(GNUTLS_RND_NONCE, srp->salt, SALT_SIZE);
	if (r >= 0)
		r = gnutls_srp_verifier(srp->user, password, &salt,
			&gnutls_srp_2048_group_generator, &gnutls_srp_2048_group_prime,
			&srp->verifier);
	return r < 0 ? gnutls_fail(err, "SRP", r) : EST_OK;
}

enum est_code srp_start(struct server *srv, struct est_error *err)
{
	struct srp *srp = srv->srp;
	int r;

	r = gnutls_srp_allocate_server_credentials(&srp->cred);
	if (r >= 0)
		r = gnutls_priority_init(&srp->priority, SRP_PRIORITY, NULL);
	if (r < 0)
		return gnutls_fail(err, "SRP", r);
	gnutls_srp_set_server_credentials_function(srp->cred, on_user);
	srp->daemon = http_plain_start(srv);
	return srp->daemon ? EST_OK : est_fail(err, EST_E_INTERNAL, "libmicrohttpd does not start");
}

int srp_setup(struct raw_conn *c)
{
	const struct srp *srp = c->srv->srp;
	unsigned failures = atomic_load(&srp->failures);
	int r = gnutls_priority_set(c->session, srp->priority);

	if (failures > 0)
		(void)conn_sleep(c, DELAY_MS << (failures < DELAY_TIMES ? failures : DELAY_TIMES));
	return r < 0 ? r : gnutls_credentials_set(c->session, GNUTLS_CRD_SRP, srp->cred);
}

/* Some bytes from the client to the daemon; false: it was the end. */
static bool to_daemon(struct raw_conn *c, int fd)
{
	uint8_t block[16384];
	ssize_t n = gnutls_record_recv(c->session, block, sizeof(block));

	if (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED)
		return true;
	/* The daemon reads as long as it lives, and a request is small. */
	return n > 0 && send(fd, block, (size_t)n, MSG_NOSIGNAL) == n;
}

static bool to_client(struct raw_conn *c, int fd)
{
	uint8_t block[16384];
	ssize_t n = recv(fd, block, sizeof(block), 0);

	return n > 0 && conn_send(c, (struct est_span){ block, (size_t)n });
}

void srp_serve(struct raw_conn *c, bool ok)
{
	struct srp *srp = c->srv->srp;
	const struct sockaddr_in nobody = { .sin_family = AF_INET };
	struct pollfd p[3] = { { .fd = c->fd, .events = POLLIN }, { .events = POLLIN },
		{ .fd = c->srv->stop_fd, .events = POLLIN } };
	bool open = ok;
	int pair[2];

	if (!ok) {
		(void)atomic_fetch_add(&srp->failures, 1);
		return;
	}
	atomic_store(&srp->failures, 0);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return;
	/* The daemon takes pair[1] over, whatever happens. */
	if (MHD_add_connection(srp->daemon, pair[1], (const struct sockaddr *)&nobody,
		    sizeof(nobody)) != MHD_YES)
		open = false;
	p[1].fd = pair[0];
	while (open) {
		if (gnutls_record_check_pending(c->session) == 0 && poll(p, 3, -1) < 0 &&
			errno != EINTR)
			break;
		if (p[2].revents & POLLIN)
			break;
		if (p[0].revents || gnutls_record_check_pending(c->session) > 0)
			open = to_daemon(c, pair[0]);
		if (open && p[1].revents)
			open = to_client(c, pair[0]);
	}
	(void)close(pair[0]);
}

void srp_stop(struct server *srv)
{
	struct srp *srp = srv->srp;

	if (!srp)
		return;
	if (srp->daemon)
		MHD_stop_daemon(srp->daemon);
	if (srp->priority)
		gnutls_priority_deinit(srp->priority);
	if (srp->cred)
		gnutls_srp_free_server_credentials(srp->cred);
	gnutls_free(srp->verifier.data);
	free(srp);
	srv->srp = NULL;
}
