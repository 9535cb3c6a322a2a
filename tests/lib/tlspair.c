/* SPDX-License-Identifier: MIT */
#include "tlspair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "testca.h"

static gnutls_datum_t ticket_key;

static void must(int ret)
{
	if (ret < 0)
		fail_msg("%s", gnutls_strerror(ret));
}

static int on_finished(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
	const gnutls_datum_t *msg)
{
	struct tlspair *pair = gnutls_session_get_ptr(session);

	(void)type;
	(void)when;
	if (incoming && pair->n_finished == 0 && msg->size <= sizeof(pair->finished)) {
		memcpy(pair->finished, msg->data, msg->size);
		pair->n_finished = msg->size;
	}
	return 0;
}

static int srp_account(gnutls_session_t session, const char *user, gnutls_datum_t *salt,
	gnutls_datum_t *verifier, gnutls_datum_t *generator, gnutls_datum_t *prime)
{
	static unsigned char salt_bytes[] = "saltsaltsalt";
	const gnutls_datum_t fixed = { salt_bytes, sizeof(salt_bytes) - 1 };

	(void)session;
	if (gnutls_srp_verifier(user, "pw", &fixed, &gnutls_srp_2048_group_generator,
		    &gnutls_srp_2048_group_prime, verifier) < 0)
		return -1;
	/* GnuTLS frees what it gets here. */
	salt->data = gnutls_malloc(fixed.size);
	memcpy(salt->data, fixed.data, fixed.size);
	salt->size = fixed.size;
	*generator = gnutls_srp_2048_group_generator;
	generator->data = gnutls_malloc(generator->size);
	memcpy(generator->data, gnutls_srp_2048_group_generator.data, generator->size);
	*prime = gnutls_srp_2048_group_prime;
	prime->data = gnutls_malloc(prime->size);
	memcpy(prime->data, gnutls_srp_2048_group_prime.data, prime->size);
	return 0;
}

static bool with_srp(struct tlspair *pair)
{
	static gnutls_srp_client_credentials_t client;
	static gnutls_srp_server_credentials_t server;

	if (!client && (gnutls_srp_allocate_client_credentials(&client) < 0 ||
			       gnutls_srp_allocate_server_credentials(&server) < 0))
		return false;
	must(gnutls_srp_set_client_credentials(client, "user", "pw"));
	gnutls_srp_set_server_credentials_function(server, srp_account);
	must(gnutls_credentials_set(pair->client, GNUTLS_CRD_SRP, client));
	must(gnutls_credentials_set(pair->server, GNUTLS_CRD_SRP, server));
	return true;
}

static void with_certificate(struct tlspair *pair)
{
	static gnutls_certificate_credentials_t client, server;
	static struct testca leaf;

	if (!client) {
		testca_issue(&(struct testca_spec){ .subject = "CN=pair" }, &leaf);
		must(gnutls_certificate_allocate_credentials(&client));
		must(gnutls_certificate_allocate_credentials(&server));
		must(gnutls_certificate_set_x509_key(server, &leaf.crt, 1, leaf.key));
		testca_wipe(&leaf);
		must(gnutls_session_ticket_key_generate(&ticket_key));
	}
	must(gnutls_credentials_set(pair->client, GNUTLS_CRD_CERTIFICATE, client));
	must(gnutls_credentials_set(pair->server, GNUTLS_CRD_CERTIFICATE, server));
	must(gnutls_session_ticket_enable_server(pair->server, &ticket_key));
}

static void handshake(struct tlspair *pair)
{
	int client = GNUTLS_E_AGAIN, server = GNUTLS_E_AGAIN;

	for (int turns = 0; client != 0 || server != 0; turns++) {
		if (client != 0)
			client = gnutls_handshake(pair->client);
		if (server != 0)
			server = gnutls_handshake(pair->server);
		if (turns == 100 || gnutls_error_is_fatal(client) || gnutls_error_is_fatal(server))
			fail_msg("no handshake: %s, %s", gnutls_strerror(client),
				gnutls_strerror(server));
	}
}

bool tlspair_open(const char *priority, const gnutls_datum_t *resume, struct tlspair *pair)
{
	bool ok = true;

	*pair = (struct tlspair){ 0 };
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair->fd), 0);
	must(gnutls_init(&pair->client, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL));
	must(gnutls_init(&pair->server, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL));
	for (int i = 0; i < 2; i++) {
		gnutls_session_t s = i ? pair->server : pair->client;

		must(gnutls_priority_set_direct(s, priority, NULL));
		gnutls_transport_set_int(s, pair->fd[i]);
		gnutls_session_set_ptr(s, pair);
		gnutls_handshake_set_hook_function(s, GNUTLS_HANDSHAKE_FINISHED, GNUTLS_HOOK_PRE,
			on_finished);
	}
	if (strstr(priority, "SRP"))
		ok = with_srp(pair);
	else
		with_certificate(pair);
	if (resume)
		must(gnutls_session_set_data(pair->client, resume->data, resume->size));
	if (ok)
		handshake(pair);
	return ok;
}

void tlspair_renegotiate(struct tlspair *pair)
{
	uint8_t byte;

	pair->n_finished = 0;
	must(gnutls_rehandshake(pair->server));
	assert_int_equal(gnutls_record_recv(pair->client, &byte, 1), GNUTLS_E_REHANDSHAKE);
	handshake(pair);
}

void tlspair_close(struct tlspair *pair)
{
	gnutls_deinit(pair->client);
	gnutls_deinit(pair->server);
	(void)close(pair->fd[0]);
	(void)close(pair->fd[1]);
	*pair = (struct tlspair){ 0 };
}
