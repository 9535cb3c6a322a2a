/* SPDX-License-Identifier: MIT */
/*
 * est.h: the EST client as a library (RFC 7030, RFC 8951, RFC 9908).
 *
 * Conventions.  Bytes from outside are a span, never a string.  A fallible function returns an
 * enum est_code, fills *err and leaves its outputs untouched on failure.  Returned objects are
 * owned by the caller and released by the matching _free, which accepts NULL; "borrowed" says
 * otherwise, and until when.  The library never prints, exits, reads the environment or installs
 * a signal handler.  Objects are not thread-safe; different objects may be used in different
 * threads.
 *
 * An output that is a struct est_buf is appended to; after a failure it may hold a part.  Moments
 * are POSIX times, and intervals have their unit in their name.
 *
 * Errors: EST_E_INTERNAL may come from every fallible function.  What talks to the server may also
 * return EST_E_NETWORK, EST_E_TIMEOUT, EST_E_INTERRUPTED, EST_E_TLS, EST_E_UNTRUSTED, EST_E_AUTH,
 * EST_E_REFUSED, EST_E_SERVER, EST_E_PENDING and EST_E_PROTOCOL, and what a secret function or
 * another callback of est_config returns.  Other codes stand where they come from.
 */
#ifndef EST_H
#define EST_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EST_VERSION "0.1.0"

#if defined(__GNUC__)
#define EST_API            __attribute__((visibility("default")))
#define EST_MUST_CHECK     __attribute__((warn_unused_result))
#define EST_PRINTF(fmt, n) __attribute__((format(printf, fmt, n)))
#else
#define EST_API
#define EST_MUST_CHECK
#define EST_PRINTF(fmt, n)
#endif

/* ---- Limits (defaults; the unit is in the name) ---------------------------------------------- */

#define EST_BODY_MAX           (4u << 20)  /* bytes of a response body, --max-size */
#define EST_ERROR_BODY_MAX     (64u << 10) /* bytes read of a body that is not a success */
#define EST_ERROR_TEXT_MAX     512         /* escaped characters of it that are shown */
#define EST_CERTS_MAX          1024        /* certificates in a response */
#define EST_CRLS_MAX           16          /* CRLs in a response */
#define EST_CERT_BYTES_MAX     (64u << 10) /* one certificate */
#define EST_RDNS_MAX           128         /* attributes in one name */
#define EST_EXTENSIONS_MAX     64          /* extensions in one certificate */
#define EST_SANS_MAX           1024        /* names in one subjectAltName */
#define EST_DEPTH_MAX          32          /* nesting of any DER or BER input */
#define EST_CSRATTRS_BYTES_MAX (64u << 10)
#define EST_CSRATTRS_MAX       256        /* elements of a CsrAttrs, and values in one of them */
#define EST_FILE_MAX           (4u << 20) /* a local certificate, key or CSR file */
#define EST_SECRET_MAX         1024       /* bytes of a password */
#define EST_TOKEN_MAX          4096       /* bytes of a bearer token */

/* ---- Errors ---------------------------------------------------------------------------------- */

/* One code per cause the caller can act on.  The numbers are the exit codes of est(1), frozen
 * within a major version. */
enum est_code {
	EST_OK = 0,
	EST_E_INTERNAL = 1,     /* a bug, or no memory */
	EST_E_USAGE = 2,        /* the options contradict each other or the standard */
	EST_E_INPUT = 3,        /* a local file is missing or wrong */
	EST_E_OUTPUT = 4,       /* a local file cannot be written */
	EST_E_NETWORK = 5,      /* no connection, or a broken one */
	EST_E_TIMEOUT = 6,      /* a deadline passed */
	EST_E_UNTRUSTED = 7,    /* the server's certificate or its authorisation */
	EST_E_TLS = 8,          /* the handshake, for another reason */
	EST_E_AUTH = 9,         /* 401, 403 */
	EST_E_REFUSED = 10,     /* other 3xx and 4xx, 501 */
	EST_E_SERVER = 11,      /* 5xx, 429 */
	EST_E_PENDING = 12,     /* 202: come back after retry_after_s */
	EST_E_PROTOCOL = 13,    /* not valid HTTP, base64, CMS; too large */
	EST_E_REJECTED = 14,    /* valid, but must not be installed */
	EST_E_CONDITION = 15,   /* a question was asked and the answer is no */
	EST_E_HOOK = 16,        /* the hook failed, the files are installed */
	EST_E_CLOCK = 17,       /* the local clock is before the build date */
	EST_E_INTERRUPTED = 128 /* est_config.stop became non-zero */
};

struct est_error {
	enum est_code code;
	int http_status;       /* of the answer this is about; 0: none */
	int64_t retry_after_s; /* seconds; -1: the server named none */
	const char *reason;    /* stable id finer than code ("no-san"), static; NULL: none */
	char msg[640];         /* what was found, what was due, the rule; no final newline */
	char hint[320];        /* what to do next; may be empty */
};

/* Fills *err and returns code, so that detection, message and return are one statement.  Clears
 * hint, reason, http_status and retry_after_s.  No err in this library may be NULL. */
EST_API enum est_code est_fail(struct est_error *err, enum est_code code, const char *fmt, ...)
	EST_PRINTF(3, 4);
/* Add to the error just made; both return err->code.  id must be static. */
EST_API enum est_code est_hint(struct est_error *err, const char *fmt, ...) EST_PRINTF(2, 3);
EST_API enum est_code est_reason(struct est_error *err, const char *id);
EST_API bool est_has_reason(const struct est_error *err, const char *id);
/* "untrusted" for EST_E_UNTRUSTED; never NULL. */
EST_API const char *est_code_name(enum est_code code);
/* Whether the same command may succeed later without a change: network, timeout, server, pending.
 */
EST_API bool est_code_retryable(enum est_code code);

/* ---- Bytes ----------------------------------------------------------------------------------- */

struct est_span { /* borrowed bytes, never NUL-terminated */
	const uint8_t *p;
	size_t n;
};

struct est_buf { /* owned bytes; zero-initialised is empty */
	uint8_t *p;
	size_t n, cap;
};

/* The bytes of a string without its NUL. */
EST_API struct est_span est_span_str(const char *s);
/* The bytes of a buffer, until it changes. */
static inline struct est_span est_buf_span(const struct est_buf *buf)
{
	struct est_span span = { buf->p, buf->n };

	return span;
}

/* Not in constant time. */
EST_API bool est_span_eq(struct est_span a, struct est_span b);
/* Old storage is wiped before it is freed, so a buffer may hold secrets. */
EST_API enum est_code est_buf_append(struct est_buf *buf, struct est_span in,
	struct est_error *err) EST_MUST_CHECK;
/* Without the NUL. */
EST_API enum est_code est_buf_printf(struct est_buf *buf, struct est_error *err, const char *fmt,
	...) EST_PRINTF(3, 4) EST_MUST_CHECK;
/* Wipes, frees and empties. */
EST_API void est_buf_free(struct est_buf *buf);
/* Appends bytes from outside so that a terminal and a log can show them: valid printable UTF-8
 * stays, controls, bidirectional overrides and invalid bytes become \xHH or \u{HHHH}.  At most
 * max characters are written, "..." after a cut. */
EST_API enum est_code est_buf_escape(struct est_buf *buf, struct est_span in, size_t max,
	struct est_error *err) EST_MUST_CHECK;
/* The same for text of our own making that quotes such bytes, or that has escapes of its own, such
 * as an RFC 4514 name: a backslash stays as it is. */
EST_API enum est_code est_buf_printable(struct est_buf *buf, struct est_span in, size_t max,
	struct est_error *err) EST_MUST_CHECK;
/* est_buf_escape() into a fixed array, always NUL-terminated; returns out. */
EST_API const char *est_escape(char *out, size_t size, struct est_span in);

/* ---- Deviations that real servers show and this client tolerates ------------------------------
 */

/* est-quirks.h has the list: EST_Q_RAW_DER is "Q-RAW-DER" to users.  Ids never change meaning. */
enum est_quirk {
#define QUIRK(sym, id, text) EST_Q_##sym,
#include "est-quirks.h"
#undef QUIRK
	EST_QUIRKS
};

struct est_quirks {
	uint32_t seen; /* bit 1u << enum est_quirk */
	bool strict;   /* every deviation is EST_E_PROTOCOL */
};

/* Both static. */
EST_API const char *est_quirk_id(enum est_quirk quirk);
EST_API const char *est_quirk_text(enum est_quirk quirk);

/* ---- Files ----------------------------------------------------------------------------------- */

/* Appends a regular file, a pipe or, for "-", stdin.  EST_E_INPUT for a directory, an unreadable
 * file or more than max bytes; EST_E_INTERRUPTED when a signal handler ran while it waited. */
EST_API enum est_code est_read_file(const char *path, size_t max, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;

/* A destination that is replaced by one rename, or not at all. */
struct est_output;

#define EST_OUTPUT_SECRET 1u /* a key: mode 0600, never wider than 0640 */
#define EST_OUTPUT_NEW    2u /* EST_E_OUTPUT when something is there already */

/* *out is owned, est_output_free().  Resolves symbolic links, refuses what is no regular file, and
 * proves that the directory can be written and has room for 64 KiB by making the temporary file
 * now, before anything is sent. Without EST_OUTPUT_SECRET a file that holds a private key is
 * refused, reason holds-key.  Nothing visible changes until est_output_commit().  EST_E_OUTPUT,
 * here and below. */
EST_API enum est_code est_output_open(const char *path, unsigned flags, struct est_output **out,
	struct est_error *err) EST_MUST_CHECK;
/* Writes and syncs the temporary file; content is borrowed until the commit.  Several files can be
 * complete in this way before the first of them is renamed. */
EST_API enum est_code est_output_write(struct est_output *out, struct est_span content,
	struct est_error *err) EST_MUST_CHECK;
/* Renames over the target and syncs the directory.  Equal content is not rewritten; *changed (may
 * be NULL) says which.  Mode and owner of a file that was there are kept. */
EST_API enum est_code est_output_commit(struct est_output *out, bool *changed,
	struct est_error *err) EST_MUST_CHECK;
/* Where the content is between est_output_write() and est_output_commit(); borrowed until then. */
EST_API const char *est_output_temp(const struct est_output *out);
/* Whether two names lead to one file, which may not exist yet. */
EST_API bool est_same_file(const char *a, const char *b);
/* Removes the temporary file when it was not committed. */
EST_API void est_output_free(struct est_output *out);

/* ---- Certificates ---------------------------------------------------------------------------- */

/* A list of certificates, each the exact bytes that came in. */
struct est_certs;

EST_API size_t est_certs_count(const struct est_certs *certs);
/* Borrowed until est_certs_free(); i < est_certs_count(). */
EST_API struct est_span est_certs_get(const struct est_certs *certs, size_t i);
EST_API void est_certs_free(struct est_certs *certs);
/* All of them as an array that the caller releases with free(); its spans borrow from certs. */
EST_API enum est_code est_certs_spans(const struct est_certs *certs, struct est_span **out,
	struct est_error *err) EST_MUST_CHECK;
/* Certs-only SignedData (RFC 5652 section 5, RFC 8951 section 3), DER or BER, as the decoded body
 * of a response; a bare certificate is EST_Q_BARE_CERT.  *out is owned, est_certs_free(): at least
 * one certificate, at most EST_CERTS_MAX, each within the limits above; in server order, not yet
 * trusted.  EST_E_PROTOCOL. */
EST_API enum est_code est_certs_decode(struct est_span cms, struct est_quirks *quirks,
	struct est_certs **out, struct est_error *err) EST_MUST_CHECK;
/* A local file: PEM certificates, DER, base64, certs-only in any of these; or a pkcs11: URL.  *out
 * is owned, est_certs_free().  EST_E_INPUT. */
EST_API enum est_code est_certs_load(const char *path, struct est_certs **out,
	struct est_error *err) EST_MUST_CHECK;
/* Certs-only SignedData in DER with the n certificates as they are (SET OF order). */
EST_API enum est_code est_certs_encode(const struct est_span *certs, size_t n, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;
/* The same with CRLs, of either at least one. */
EST_API enum est_code est_bag_encode(const struct est_span *certs, size_t n,
	const struct est_span *crls, size_t n_crls, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;
/* Appends one PEM block; label is "CERTIFICATE", "PKCS7", "CERTIFICATE REQUEST". */
EST_API enum est_code est_pem_append(struct est_buf *out, const char *label, struct est_span der,
	struct est_error *err) EST_MUST_CHECK;
/* Appends the certificates from the index from to the one before to, as PEM; to is at most
 * est_certs_count(). */
EST_API enum est_code est_certs_pem(const struct est_certs *certs, size_t from, size_t to,
	struct est_buf *out, struct est_error *err) EST_MUST_CHECK;

#define EST_SHA256_HEX 65 /* characters with the NUL */

/* What people ask of a certificate, as text that is safe to print. */
struct est_cert_info {
	char *subject, *issuer;       /* RFC 4514; "" for the empty name */
	char *serial;                 /* lower-case hex */
	char *key;                    /* "EC P-256", "RSA 2048", "Ed25519" */
	char *signature;              /* "ecdsa-with-SHA256" */
	time_t not_before, not_after; /* notAfter 9999-12-31 (RFC 5280 section 4.1.2.5) fits */
	bool ca;                      /* basicConstraints cA */
	int path_len;                 /* -1: none */
	bool self_signed;             /* issuer equals subject and the signature verifies */
	char **sans;                  /* "dns:a.example", "ip:::1", "email:...", "uri:..." */
	size_t n_sans;
	char **key_usage, **ext_key_usage; /* "digitalSignature"; "clientAuth" or a dotted OID */
	size_t n_key_usage, n_ext_key_usage;
	char sha256[EST_SHA256_HEX]; /* of the whole DER certificate, lower-case hex */
};

/* *out is owned, est_cert_info_wipe().  EST_E_PROTOCOL when der is not one certificate (RFC 5280
 * section 4.1). */
EST_API enum est_code est_cert_info(struct est_span der, struct est_cert_info *out,
	struct est_error *err) EST_MUST_CHECK;
/* The same without a look at the signature: self_signed stays false. */
EST_API enum est_code est_cert_words(struct est_span der, struct est_cert_info *out,
	struct est_error *err) EST_MUST_CHECK;
EST_API void est_cert_info_wipe(struct est_cert_info *info);

#include "est-objects.h" /* what a file looks like, and what is in it */

/* ---- Keys ------------------------------------------------------------------------------------ */

struct est_key;

/* type: ec:p256 ec:p384 ec:p521 rsa:2048 ... rsa:8192 ed25519 ed448; EST_E_USAGE for another.  *out
 * is owned, est_key_free(). */
EST_API enum est_code est_key_generate(const char *type, struct est_key **out,
	struct est_error *err) EST_MUST_CHECK;
/* Fetches a secret when it is needed: what names it for people ("password of NAME at HOST"), out is
 * empty and wiped by the caller.  EST_E_INPUT when there is none. */
typedef enum est_code est_secret_fn(void *ctx, const char *what, struct est_buf *out,
	struct est_error *err);
/* Whether a name is a pkcs11: URL (RFC 7512) and no file; NULL is neither. */
EST_API bool est_is_token_url(const char *name);
/* PKCS#8, encrypted PKCS#8, SEC 1, PKCS#1; PEM or DER.  ask is called only for an encrypted key.
 * path is "-" for stdin.  A pkcs11: URL names a key in a token, ask is for its PIN, ctx has to live
 * as long as the key, which can sign and not be written.  *out is owned, est_key_free().
 * EST_E_INPUT. */
EST_API enum est_code est_key_load(const char *path, est_secret_fn *ask, void *ctx,
	struct est_key **out, struct est_error *err) EST_MUST_CHECK;
/* The same also of keys that are too weak, or of a kind that is not used here, for est_key_is_in().
 */
EST_API enum est_code est_key_load_any(const char *path, est_secret_fn *ask, void *ctx,
	struct est_key **out, struct est_error *err) EST_MUST_CHECK;
/* PKCS#8 PEM, unencrypted, or as it was when a passphrase was needed; the buffer holds the private
 * key.  EST_E_INPUT for a key in a token. */
EST_API enum est_code est_key_pem(const struct est_key *key, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;
/* False for a key that a token keeps: est_key_pem() and est_p12_encode() refuse it. */
EST_API bool est_key_exportable(const struct est_key *key);
/* "ec:p256" and so on, as est_key_generate() takes it; static. */
EST_API const char *est_key_type(const struct est_key *key);
/* Whether it may sign more than requests.  false for a key in PKCS #8 whose attribute keyUsage
 * lacks digitalSignature: it is not used in TLS (RFC 7030 section 4.2.1). */
EST_API bool est_key_signs(const struct est_key *key);
/* EST_E_INPUT when the certificate carries another public key; names are for the message. */
EST_API enum est_code est_key_match(const struct est_key *key, const char *key_name,
	struct est_span cert, const char *cert_name, struct est_error *err) EST_MUST_CHECK;
/* The key of a certificate: est_key_load() of key_file, or of cert_file when that is NULL, and
 * est_key_match(). */
EST_API enum est_code est_key_load_for(struct est_span cert, const char *cert_file,
	const char *key_file, est_secret_fn *ask, void *ctx, struct est_key **out,
	struct est_error *err) EST_MUST_CHECK;
EST_API void est_key_free(struct est_key *key);

#include "est-newkey.h" /* the new key of an enrolment under way */

/* ---- Certification requests (RFC 2986) --------------------------------------------------------
 */

struct est_plan;
struct est_csrattrs;

struct est_csr_spec {        /* borrowed */
	const char *subject; /* RFC 4514; NULL: empty */
	const char *const *dns, *const *ip, *const *email,
						    *const *uri; /* NULL-terminated or NULL */
	const char *const *key_usage, *const *ext_key_usage;     /* names or dotted OIDs */
	const char *hash;      /* "sha256", "sha384", "sha512"; NULL: by the key */
	struct est_span renew; /* certificate whose subject and subjectAltName are copied byte for
				* byte (RFC 7030 section 4.2.2); then no name above may be set */
	const char *change_subject; /* with renew: the subject wanted from now on, RFC 4514; goes
				     * into the attribute ChangeSubjectName (RFC 6402 section 2.8),
				     * with the subjectAltName as it is; NULL: no change */
	/* Secrets of 1 to 255 characters in UTF-8 (EST_E_INPUT), or empty: challengePassword (RFC
	 * 2985 section 5.4.1), otpChallenge and revocationChallenge (RFC 7894). */
	struct est_span challenge, otp, revocation;
	const struct est_plan *plan; /* made from this spec: its subject, extensions and hash are
				      * used; NULL: those above */
};

/* Whether a secret can stand in a request; EST_E_INPUT, the message begins with what. */
EST_API enum est_code est_csr_check_secret(struct est_span text, const char *what,
	struct est_error *err) EST_MUST_CHECK;
/* A CertificationRequest (RFC 2986 section 4.2), signed with key.  EST_E_USAGE for a spec that
 * contradicts itself or that has no meaning, EST_E_INPUT for a secret that cannot stand in it. */
EST_API enum est_code est_csr_build(const struct est_csr_spec *spec, const struct est_key *key,
	struct est_buf *der, struct est_error *err) EST_MUST_CHECK;
/* A local file, PEM, DER or base64: decoded, its own signature verified.  EST_E_INPUT. */
EST_API enum est_code est_csr_load(const char *path, struct est_buf *der,
	struct est_error *err) EST_MUST_CHECK;

#include "est-plan.h" /* what the CA wants in a request */

/* What people ask of a request, as text that is safe to print. */
struct est_csr_info {
	char *subject;           /* RFC 4514; "" for the empty name */
	char *key;               /* "EC P-256" */
	char *signature;         /* algorithm */
	bool verified;           /* its own key verifies its signature */
	bool challenge_password; /* has one; the value is a secret and never shown */
	char **sans, **key_usage, **ext_key_usage; /* as in struct est_cert_info */
	size_t n_sans, n_key_usage, n_ext_key_usage;
	char **attributes; /* names or dotted OIDs, in the request's order */
	size_t n_attributes;
	char sha256[EST_SHA256_HEX]; /* of the whole DER */
};

/* *out is owned, est_csr_info_wipe().  EST_E_PROTOCOL when der is not one request. */
EST_API enum est_code est_csr_info(struct est_span der, struct est_csr_info *out,
	struct est_error *err) EST_MUST_CHECK;
EST_API void est_csr_info_wipe(struct est_csr_info *info);

/* Key and certificates, the key's first, as PKCS #12 (RFC 7292): PBES2 with AES-256 for both, a MAC
 * with SHA-256.  password is UTF-8.  EST_E_INPUT for a key in a token. */
EST_API enum est_code est_p12_encode(const struct est_key *key, const struct est_certs *certs,
	const char *password, struct est_buf *out, struct est_error *err) EST_MUST_CHECK;

#include "est-files.h" /* the files of one certificate, swapped together */

#include "est-csrattrs.h" /* what a CA wants in requests, as it says so */

/* ---- Bodies and names --------------------------------------------------------------------------
 */

/* A short name for a dotted OID, static, or NULL. */
EST_API const char *est_oid_name(const char *dotted);
/* The dotted OID of a short name, static, or NULL. */
EST_API const char *est_oid_dotted(const char *name);

/* Base64, PEM or DER by its content, never by Content-Transfer-Encoding (RFC 8951 section 3); the
 * deviations go to quirks.  EST_E_PROTOCOL. */
EST_API enum est_code est_body_decode(struct est_span body, struct est_quirks *quirks,
	struct est_buf *der, struct est_error *err) EST_MUST_CHECK;

/* Appends base64 in lines of 64 columns, each ended by LF, as EST bodies are sent. */
EST_API enum est_code est_base64_append(struct est_buf *out, struct est_span in,
	struct est_error *err) EST_MUST_CHECK;

/* ---- The client -------------------------------------------------------------------------------
 */

enum est_log_level { EST_LOG_NOTICE, EST_LOG_INFO, EST_LOG_DEBUG };

/* Which HTTP authentication may be used (RFC 7030 section 3.2.3).  AUTO is the strongest that the
 * server offers and that there is a secret for: Digest, bearer token, Basic. */
enum est_auth { EST_AUTH_AUTO, EST_AUTH_BASIC, EST_AUTH_DIGEST, EST_AUTH_BEARER, EST_AUTH_NONE };

/* Whether a request says in which TLS session it is sent (RFC 7030 section 3.5).  AUTO: by
 * tls-unique where TLS 1.2 was negotiated; where the server demands it, TLS 1.2 is.  REQUIRE:
 * TLS 1.2, and nothing is sent without it.  TLS_EXPORTER: required too, in TLS 1.3 by RFC 9266. */
enum est_pop { EST_POP_AUTO, EST_POP_OFF, EST_POP_REQUIRE, EST_POP_TLS_EXPORTER };

/* How a request is wrapped for servers that read only this (est_config.compat).  By default it is
 * base64 in lines of 64 columns (RFC 8951 section 3). */
#define EST_COMPAT_CTE     1u /* a Content-Transfer-Encoding field that says base64 */
#define EST_COMPAT_PEM     2u /* PEM armour; not with the next */
#define EST_COMPAT_ONELINE 4u /* one line, without a newline at its end */

struct est_config {         /* what the operator asked for; borrowed until est_client_free() */
	const char *server; /* host[:port], https://host[:port][/.well-known/est[/label]] */
	const char *label;  /* one or more path segments, or NULL */
	const char *const *cacert; /* NULL-terminated files: the explicit TA database, or NULL */
	const char *const *crl;    /* NULL-terminated files with CRLs, or NULL; the server's issuer
				    * needs one then */
	bool system_trust;         /* the implicit TA database; also used when cacert is empty */
	bool bootstrap; /* no trust anchors yet: est_bootstrap() alone works until it has succeeded
			 */
	const char *system_trust_file; /* in place of the library's, or NULL */
	/* The TLS client identity, or NULL: files, or pkcs11: URLs (RFC 7512).  Of several
	 * certificates the first counts. */
	const char *cert_file, *key_file;
	bool send_chain;             /* the others of cert_file that lead to a root go with it */
	est_secret_fn *key_password; /* passphrase or PIN */
	enum est_auth auth;
	const char *user;        /* HTTP user name, may be ""; NULL: neither Basic nor Digest */
	est_secret_fn *password; /* called after a challenge of an authorised server, once */
	est_secret_fn *token;    /* likewise; RFC 6750, sent as it is; NULL: no bearer token */
	const char
		*srp_user; /* certificate-less TLS by SRP with this user and password(), which is
			    * called at once; NULL: certificates.  Not with a client identity, an
			    * HTTP user, bootstrap, priority, tls13_only, session_cache.  No HTTP
			    * credentials are given then, and no other server is redirected to. */
	void *secret_ctx;  /* of the secret functions and consent */
	const char *const *redirect_to; /* origins that a redirect may lead to besides the server's,
					 * "host[:port]", or NULL */
	bool (*consent)(void *ctx, const char *origin); /* asks about another; NULL: never */
	const char *const *resolve;                     /* "host:port:address" */
	const char *proxy;    /* [http://][user[:password]@]host[:port], percent-encoded: the proxy
			       * that CONNECT is asked of; NULL: none.  It sees name and port of the
			       * server, and of HTTP nothing. */
	const char *no_proxy; /* hosts to go to directly, as in the variable no_proxy, or NULL */
	est_secret_fn *proxy_password; /* of the user in proxy, when the proxy asks (407) */
	int family;                    /* AF_UNSPEC, AF_INET, AF_INET6 */
	unsigned connect_timeout_ms, max_time_ms, idle_timeout_ms; /* 0: 10 s, 60 s, 20 s */
	size_t max_size;                                           /* 0: EST_BODY_MAX */
	/* Each attempt has max_time_ms for itself; waiting between attempts does not count. */
	unsigned wait_ms; /* after the first 202 until another attempt, all told; 0: do not wait */
	unsigned retries; /* further attempts after EST_E_NETWORK, EST_E_TIMEOUT, EST_E_SERVER */
	unsigned retry_delay_ms; /* before the first of them, then doubled; 0: 1 s */
	/* Called each second of such a wait with the seconds left, with 0 at its end; or NULL. */
	void (*waiting)(void *ctx, unsigned left_s);
	void *waiting_ctx;
	unsigned compat; /* EST_COMPAT_ bits */
	enum est_pop pop;
	bool strict;
	bool ca_indication;   /* name the explicit anchors to the server (RFC 6066 section 6, RFC
			       * 8446 section 4.2.4); done anyhow when a file of cacert has the
			       * mark */
	bool no_cmc_ra;       /* id-kp-cmcRA does not stand for the name (section 3.6.1) */
	bool tls13_only;      /* not TLS 1.2 */
	const char *priority; /* GnuTLS priority string in place of the default, or NULL */
	const char *session_cache; /* file (0600) with TLS sessions of earlier runs, to resume them;
				    * est_client_free() writes it; NULL: this run's alone.  Who can
				    * read or write it can read what such a session carries, or play
				    * the server. */
	void (*log)(void *ctx, enum est_log_level level, const char *line);
	void *log_ctx;
	const volatile sig_atomic_t *stop; /* non-zero ends every wait; may be NULL */
};

/* The first line of a file of anchors that were fetched from a server for which the implicit TA
 * database vouched. */
#define EST_IMPLICIT_MARK "# est: the implicit trust anchors had vouched for the server\n"

struct est_client;

struct est_session_info {        /* borrowed, of the last connection */
	const char *tls_version; /* "TLS1.3" */
	const char *cipher;      /* GnuTLS's description of the session */
	const char *vouched_by;  /* "explicit" or "implicit" TA database; "srp": a password */
	const char *identity;    /* the name that matched; of SRP the user */
	bool was_implicit;       /* the implicit database vouched, now or when the anchors in use
				  * were fetched: they want EST_IMPLICIT_MARK (RFC 7030 section
				  * 4.1.3) */
	const char *address;     /* "127.0.0.1:8443"; through a proxy name and port */
	const char *proxy;       /* address of the proxy, or NULL */
	const char *binding;     /* the last request was linked by it: "tls-unique",
				  * "tls-exporter"; NULL: by none */
	bool client_cert_sent;
	bool resumed;         /* no full handshake: an earlier one with this server counts */
	bool cmc_ra;          /* the name did not match: id-kp-cmcRA authorised the server */
	unsigned connections; /* made so far */
};

/* Checks the options and loads every file named; nothing is sent.  *out is owned,
 * est_client_free().  EST_E_USAGE, EST_E_INPUT. */
EST_API enum est_code est_client_new(const struct est_config *config, struct est_client **out,
	struct est_error *err) EST_MUST_CHECK;
/* Closes the connection and writes session_cache. */
EST_API void est_client_free(struct est_client *client);
/* Both borrowed until est_client_free(), and up to date after each operation. */
EST_API const struct est_session_info *est_client_session(const struct est_client *client);
EST_API const struct est_quirks *est_client_quirks(const struct est_client *client);

#include "est-pending.h" /* a request that a server has, and when it may be asked again */

/* GET /cacerts (RFC 7030 section 4.1.2).  *out is owned, est_certs_free(): in server order, at
 * least one self-signed certificate (4.1.3), none of them trusted by that. */
EST_API enum est_code est_cacerts(struct est_client *client, struct est_certs **out,
	struct est_error *err) EST_MUST_CHECK;
/* GET /csrattrs (section 4.5).  *out is owned, est_csrattrs_free(); NULL after 204, 404 and an
 * empty body: no demands. */
EST_API enum est_code est_csrattrs(struct est_client *client, struct est_csrattrs **out,
	struct est_error *err) EST_MUST_CHECK;

#include "est-anchors.h" /* bootstrap and update of trust anchors */

enum est_operation { EST_SIMPLEENROLL, EST_SIMPLEREENROLL };

struct est_enrollment { /* borrowed */
	enum est_operation operation;
	struct est_span csr;       /* DER */
	const struct est_key *key; /* of the csr, which is signed anew with the channel binding of
				    * each session that carries it; NULL: it is sent as it is */
	unsigned demands;          /* EST_DEMAND_ bits: what the server's CSR attributes ask for */
	struct est_pending *pending; /* learns from each 202 when to come back; NULL: nobody does */
};

struct est_issued {
	struct est_certs *chain; /* [0] is the issued certificate, then up to, not with, the root */
};

/* POST /simpleenroll or /simplereenroll (section 4.2).  *out is owned, est_issued_wipe(), and the
 * answer is checked before it is handed over: our public key, a chain to the anchors in use, valid
 * now within 30 minutes, not a CA; else EST_E_REJECTED.  After a 202 the same request is sent
 * again, not earlier than the server says and while wait_ms lasts (section 4.2.3); then
 * EST_E_PENDING.  A request that may have reached the server is not repeated under retries, unless
 * the server has answered 5xx or 429. *maybe_issued becomes true when a failure does not mean that
 * nothing was issued: a request may have reached the server, and not every answer was a redirect,
 * 4xx or 501. Linking (section 3.5): EST_E_USAGE or EST_E_INPUT, reason linking, when what the
 * configuration and the server ask for cannot be had with this request; EST_E_TLS, reason
 * no-binding, when the session has no binding and one is required; nothing is sent then.  Reason
 * binding-refused: the server has refused, and speaks of it. */
EST_API enum est_code est_enroll(struct est_client *client, const struct est_enrollment *ask,
	struct est_issued *out, bool *maybe_issued, struct est_error *err) EST_MUST_CHECK;
/* That a renewal is one: EST_E_REJECTED when the certificate issued is the old one, reason
 * same-certificate, or expires before it, reason expires-earlier. */
EST_API enum est_code est_issued_renews(const struct est_issued *issued, struct est_span old,
	struct est_error *err) EST_MUST_CHECK;
/* Whether a certificate can authenticate a TLS client today (RFC 7030 section 3.3.2): valid, with
 * digitalSignature if it has a keyUsage, with clientAuth if it has an extKeyUsage.  EST_E_INPUT
 * says what is in the way; name begins the message. */
EST_API enum est_code est_cert_tls_client(struct est_span der, const char *name,
	struct est_error *err) EST_MUST_CHECK;
/* Whether both are certificates of one subject: byte-equal, and for empty subjects the
 * subjectAltName too. */
EST_API bool est_cert_same_subject(struct est_span a, struct est_span b);
EST_API void est_issued_wipe(struct est_issued *issued);

#include "est-schedule.h" /* when to renew */

#ifdef __cplusplus
}
#endif
#endif
