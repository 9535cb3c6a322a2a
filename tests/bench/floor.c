/* SPDX-License-Identifier: MIT */
/*
 * The floor of the benchmark: the least that a program on GnuTLS has to do for an enrolment or for
 * /cacerts, with no check of the answer.  est is measured against it.
 *
 *   floor cacerts HOST PORT PATH ANCHORS CERT KEY OUT
 *   floor enroll  HOST PORT PATH ANCHORS CERT KEY OUT KEY-OUT
 *   floor ask-enroll ...       the same after GET csrattrs, on one connection
 *   floor link-enroll ...      the same in TLS 1.2, with tls-unique in the request
 */
#include <fcntl.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define ANSWER_MAX (1u << 20)

static _Noreturn void die(const char *what, int rc)
{
	fprintf(stderr, "floor: %s: %s\n", what, rc ? gnutls_strerror(rc) : "failed");
	exit(1);
}

static void must(const char *what, int rc)
{
	if (rc < 0)
		die(what, rc);
}

static void save(const char *path, mode_t mode, const void *data, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	if (fd < 0 || write(fd, data, n) != (ssize_t)n || fsync(fd) != 0 || close(fd) != 0)
		die(path, 0);
}

static int dial(const char *host, const char *port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL, *ai;
	int fd = -1, one = 1;

	if (getaddrinfo(host, port, &hints, &list) != 0)
		die(host, 0);
	for (ai = list; ai; ai = ai->ai_next) {
		fd = socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC, ai->ai_protocol);
		if (fd >= 0 && connect(fd, ai->ai_addr, ai->ai_addrlen) == 0)
			break;
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	freeaddrinfo(list);
	/* Without it every request waits 40 ms for the other side's delayed ACK. */
	if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) != 0)
		die("connect", 0);
	return fd;
}

/* The channel binding goes into challengePassword (RFC 7030 section 3.5). */
static void link_to(gnutls_x509_crq_t crq, gnutls_session_t session)
{
	gnutls_datum_t unique, text;

	must("binding", gnutls_session_channel_binding(session, GNUTLS_CB_TLS_UNIQUE, &unique));
	must("base64", gnutls_base64_encode2(&unique, &text));
	must("binding", gnutls_x509_crq_set_challenge_password(crq, (char *)text.data));
	gnutls_free(unique.data);
	gnutls_free(text.data);
}

/* A new P-256 key, saved, and a request for it, linked to a session or NULL: base64 with lines of
 * 64. */
static gnutls_datum_t request_new(const char *key_out, gnutls_session_t link)
{
	gnutls_datum_t pem, der, text;
	gnutls_x509_privkey_t key;
	gnutls_x509_crq_t crq;
	const char *bad;
	size_t lines;
	char *body;

	must("key", gnutls_x509_privkey_init(&key));
	must("key", gnutls_x509_privkey_generate(key, GNUTLS_PK_EC,
			    GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0));
	must("key", gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL,
			    GNUTLS_PKCS_PLAIN, &pem));
	save(key_out, 0600, pem.data, pem.size);
	must("request", gnutls_x509_crq_init(&crq));
	must("request", gnutls_x509_crq_set_version(crq, 1));
	must("request", gnutls_x509_crq_set_dn(crq, "CN=bench", &bad));
	must("request", gnutls_x509_crq_set_key(crq, key));
	if (link)
		link_to(crq, link);
	must("request", gnutls_x509_crq_sign2(crq, key, GNUTLS_DIG_SHA256, 0));
	must("request", gnutls_x509_crq_export2(crq, GNUTLS_X509_FMT_DER, &der));
	must("base64", gnutls_base64_encode2(&der, &text));
	lines = (text.size + 63) / 64;
	body = malloc(text.size + lines + 1);
	if (!body)
		die("memory", 0);
	for (size_t i = 0, n; i < lines; i++) {
		n = i + 1 < lines ? 64 : text.size - i * 64;
		memcpy(body + i * 65, text.data + i * 64, n);
		body[i * 65 + n] = '\n';
	}
	gnutls_x509_crq_deinit(crq);
	gnutls_x509_privkey_deinit(key);
	gnutls_free(pem.data);
	gnutls_free(der.data);
	gnutls_free(text.data);
	return (gnutls_datum_t){ (unsigned char *)body, (unsigned)(text.size + lines) };
}

static gnutls_session_t handshake(gnutls_certificate_credentials_t cred, int fd, const char *host,
	bool tls12)
{
	gnutls_session_t session;
	int rc;

	must("session", gnutls_init(&session, GNUTLS_CLIENT));
	must("priority",
		tls12 ? gnutls_priority_set_direct(session, "NORMAL:-VERS-ALL:+VERS-TLS1.2", NULL)
		      : gnutls_set_default_priority(session));
	must("name", gnutls_server_name_set(session, GNUTLS_NAME_DNS, host, strlen(host)));
	must("credentials", gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, cred));
	gnutls_session_set_verify_cert(session, host, 0);
	gnutls_transport_set_int(session, fd);
	do
		rc = gnutls_handshake(session);
	while (rc < 0 && !gnutls_error_is_fatal(rc));
	must("handshake", rc);
	return session;
}

/* Reads the answer, up to its Content-Length; *body points into the return value. */
static char *answer_read(gnutls_session_t session, gnutls_datum_t *body)
{
	char *text = malloc(ANSWER_MAX + 1), *end = NULL, *field;
	size_t n = 0, want = ANSWER_MAX;
	ssize_t got;

	if (!text)
		die("memory", 0);
	while (n < want) {
		got = gnutls_record_recv(session, text + n, ANSWER_MAX - n);
		if (got == GNUTLS_E_AGAIN || got == GNUTLS_E_INTERRUPTED)
			continue;
		if (got <= 0)
			break;
		n += (size_t)got;
		text[n] = '\0';
		if (end)
			continue;
		end = strstr(text, "\r\n\r\n");
		field = end ? strcasestr(text, "\r\nContent-Length:") : NULL;
		if (field && field < end)
			want = (size_t)(end + 4 - text) + strtoul(field + 17, NULL, 10);
	}
	if (!end || strncmp(text, "HTTP/1.1 200", 12) != 0)
		die(n ? text : "no answer", 0);
	body->data = (unsigned char *)end + 4;
	body->size = (unsigned)(n - (size_t)(end + 4 - text));
	return text;
}

/* What the CA wants is fetched, and taken for what was asked for anyway. */
static void attributes_read(gnutls_session_t session, char *const *argv)
{
	gnutls_datum_t body, der;
	char head[1024], *text;

	snprintf(head, sizeof(head), "GET %s/csrattrs HTTP/1.1\r\nHost: %s:%s\r\n\r\n", argv[4],
		argv[2], argv[3]);
	must("send", (int)gnutls_record_send(session, head, strlen(head)));
	text = answer_read(session, &body);
	must("base64", gnutls_base64_decode2(&body, &der));
	gnutls_free(der.data);
	free(text);
}

int main(int argc, char **argv)
{
	bool linked = argc == 10 && strcmp(argv[1], "link-enroll") == 0;
	bool ask = linked || (argc == 10 && strcmp(argv[1], "ask-enroll") == 0);
	bool enroll = ask || (argc == 10 && strcmp(argv[1], "enroll") == 0);
	gnutls_datum_t csr = { 0 }, body, der;
	gnutls_certificate_credentials_t cred;
	gnutls_session_t session;
	char head[1024], *text;
	int fd;

	if (!enroll && !(argc == 9 && strcmp(argv[1], "cacerts") == 0)) {
		fprintf(stderr, "usage: floor cacerts|enroll|ask-enroll|link-enroll HOST PORT PATH"
				" ANCHORS CERT KEY OUT [KEY-OUT]\n");
		return 2;
	}
	must("credentials", gnutls_certificate_allocate_credentials(&cred));
	must("anchors", gnutls_certificate_set_x509_trust_file(cred, argv[5], GNUTLS_X509_FMT_PEM));
	must("identity",
		gnutls_certificate_set_x509_key_file(cred, argv[6], argv[7], GNUTLS_X509_FMT_PEM));
	if (enroll && !linked)
		csr = request_new(argv[9], NULL);
	fd = dial(argv[2], argv[3]);
	session = handshake(cred, fd, argv[2], linked);
	if (ask)
		attributes_read(session, argv);
	if (linked)
		csr = request_new(argv[9], session);
	if (enroll)
		snprintf(head, sizeof(head),
			"POST %s/simpleenroll HTTP/1.1\r\nHost: %s:%s\r\n"
			"Content-Type: application/pkcs10\r\nContent-Length: %u\r\n\r\n",
			argv[4], argv[2], argv[3], csr.size);
	else
		snprintf(head, sizeof(head), "GET %s/cacerts HTTP/1.1\r\nHost: %s:%s\r\n\r\n",
			argv[4], argv[2], argv[3]);
	gnutls_record_cork(session);
	must("send", (int)gnutls_record_send(session, head, strlen(head)));
	if (enroll)
		must("send", (int)gnutls_record_send(session, csr.data, csr.size));
	must("send", gnutls_record_uncork(session, GNUTLS_RECORD_WAIT));
	text = answer_read(session, &body);
	must("base64", gnutls_base64_decode2(&body, &der));
	save(argv[8], 0644, der.data, der.size);
	gnutls_bye(session, GNUTLS_SHUT_WR);
	gnutls_deinit(session);
	close(fd);
	gnutls_certificate_free_credentials(cred);
	gnutls_free(der.data);
	free(csr.data);
	free(text);
	return 0;
}
