/* SPDX-License-Identifier: MIT */
/* est-inspect.h: questions about certificates, offline; the conventions are those of est.h. */
#ifndef EST_INSPECT_H
#define EST_INSPECT_H

#include "est.h"

#ifdef __cplusplus
extern "C" {
#endif

struct est_verify { /* borrowed until est_verifier_new() returns */
	const char *const
		*cacert;        /* the explicit TA database as in est_config; NULL: the system's */
	const char *const *crl; /* files of CRLs as in est_config; NULL: none */
	const char *hostname;   /* the server it has to be; NULL: any */
	const char *purpose;    /* name or dotted OID; NULL: any, with a hostname a server's */
	const time_t *at;       /* NULL: now */
};

struct est_verifier;
/* Loads the anchors.  EST_E_USAGE for a hostname or purpose that is none, EST_E_INPUT. */
EST_API enum est_code est_verifier_new(const struct est_verify *config, struct est_verifier **out,
	struct est_error *err) EST_MUST_CHECK;
/* What the client would say of certs[0] as a server's or an issued certificate, the others being
 * there to build paths: trust_verify() and authz_check() themselves.  EST_E_UNTRUSTED, with the
 * client's reasons. */
EST_API enum est_code est_verifier_check(struct est_verifier *verifier,
	const struct est_span *certs, size_t n, struct est_error *err) EST_MUST_CHECK;
EST_API void est_verifier_free(struct est_verifier *verifier);

struct est_cert_parts { /* whole TLVs, borrowed from the certificate */
	struct est_span subject, issuer, spki;
};

EST_API enum est_code est_cert_parts(struct est_span der, struct est_cert_parts *out,
	struct est_error *err) EST_MUST_CHECK;

/* What part a certificate plays in a list, by key and signature and not by the words in its subject
 * (RFC 4210 section 4.4, RFC 7030 section 4.1.3). */
enum est_role {
	EST_ROLE_CURRENT_ANCHOR, /* NewWithNew: of roots that belong together, the one valid longest
				  */
	EST_ROLE_OLD_WITH_OLD,   /* another root of these */
	EST_ROLE_OLD_WITH_NEW,   /* the key of an older root, signed by a newer one */
	EST_ROLE_NEW_WITH_OLD,   /* the key of a newer root, signed by an older one */
	EST_ROLE_CROSS,          /* a CA's key that another certificate has from another issuer */
	EST_ROLE_INTERMEDIATE,
	EST_ROLE_END_ENTITY,
	EST_ROLE_STRAY,    /* neither its issuer nor anything it issued is here */
	EST_ROLE_DUPLICATE /* of the one that issuer says */
};

#define EST_NO_ISSUER SIZE_MAX
#define EST_WEAK_BITS 112 /* of security: what the client's own path validation demands */

struct est_node {
	enum est_role role;
	size_t issuer;      /* the certificate whose key verifies this one; EST_NO_ISSUER */
	bool self_signed;   /* its own key verifies it */
	bool anchor;        /* from a file with these the client takes it as explicit anchor */
	bool bad_signature; /* its issuer's name is here, and that key does not verify it */
	bool namesake;      /* the key that it says is its issuer's is not here, but that name */
	bool wrong_key_id;  /* that key is not the one of its issuer, whose key verifies it */
	bool loop;          /* its issuer is one of those that it issued */
	bool expired, not_yet_valid, weak; /* weak: fewer than EST_WEAK_BITS of security */
};

/* One node for each certificate; released with free().  EST_E_PROTOCOL for a broken one. */
EST_API enum est_code est_graph(const struct est_span *certs, size_t n, time_t at,
	struct est_node **out, struct est_error *err) EST_MUST_CHECK;
EST_API const char *est_role_name(enum est_role role); /* "old-with-new" */

struct est_crl_signer {
	size_t cert;  /* whose key verifies its signature; EST_NO_ISSUER */
	bool named;   /* a certificate with its issuer's name is there */
	bool may_not; /* the signer's keyUsage lacks cRLSign */
	bool weak;    /* signed with fewer than EST_WEAK_BITS of security */
};

/* Who has signed each CRL, into out[n_crls]; for a broken CRL nobody.  EST_E_PROTOCOL for a broken
 * certificate. */
EST_API enum est_code est_crl_signers(const struct est_span *crls, size_t n_crls,
	const struct est_span *certs, size_t n, struct est_crl_signer *out,
	struct est_error *err) EST_MUST_CHECK;

/* Security bits by NIST SP 800-57 part 1 (2048-bit RSA: 112) of the public key and of the hash that
 * is signed; 0: unknown or broken.  signature is UINT_MAX where it does not count: a self-signed
 * certificate is not trusted for it. */
EST_API enum est_code est_cert_strength(struct est_span der, unsigned *key, unsigned *signature,
	struct est_error *err) EST_MUST_CHECK;
/* What a SubjectPublicKeyInfo is, "EC P-256" (owned), and its fingerprint; EST_E_PROTOCOL when it
 * is none. */
EST_API enum est_code est_public_key_info(struct est_span spki, char **key,
	char sha256[EST_SHA256_HEX], struct est_error *err) EST_MUST_CHECK;

struct est_extension {
	char *oid;        /* dotted */
	const char *name; /* static; NULL: not known */
	bool critical;
	char *value; /* in words that are safe to print; "#" and hex where it has none */
};

struct est_cert_details {
	int version;                       /* of a request 1 */
	unsigned key_bits, signature_bits; /* est_cert_strength(); of a CRL: key_bits is 0 */
	char spki_sha256[EST_SHA256_HEX];  /* of a CRL: empty */
	struct est_extension *extension;   /* in the certificate's order */
	size_t n_extensions;
	struct est_extension *attribute; /* of a request; secrets are described, not shown */
	size_t n_attributes;
};

/* All that est_cert_info(), est_csr_info() and est_crl_info() leave out. */
EST_API enum est_code est_cert_details(struct est_span der, struct est_cert_details *out,
	struct est_error *err) EST_MUST_CHECK;
EST_API enum est_code est_csr_details(struct est_span der, struct est_cert_details *out,
	struct est_error *err) EST_MUST_CHECK;
EST_API enum est_code est_crl_details(struct est_span der, struct est_cert_details *out,
	struct est_error *err) EST_MUST_CHECK;
EST_API void est_cert_details_wipe(struct est_cert_details *details);

struct est_crl_entry {         /* borrowed for the call */
	char serial[140];      /* lower-case hex, "..." behind the first 64 bytes */
	const char *reason;    /* "keyCompromise"; NULL: none is given */
	time_t revoked, since; /* revocationDate, invalidityDate */
	bool has_since;
	const struct est_extension *extension; /* all others, as certificateIssuer */
	size_t n_extensions;
};

typedef enum est_code est_crl_entry_fn(void *ctx, const struct est_crl_entry *entry,
	struct est_error *err);
/* Each revoked certificate, in the list's order; nothing is kept.  What fn fails with, ends it. */
EST_API enum est_code est_crl_entries(struct est_span der, est_crl_entry_fn *fn, void *ctx,
	struct est_error *err) EST_MUST_CHECK;

/* A CMS message (RFC 5652) as it is without being opened. */
struct est_cms_info {
	char *type;                   /* "envelopedData", or a dotted OID */
	char *content;                /* of what is in it, "data"; NULL: not said */
	char *encryption;             /* algorithm of the contents; NULL: not encrypted */
	char **recipients, **signers; /* "key transport: issuer CN=x, serial 01, rsaEncryption" */
	size_t n_recipients, n_signers;
	char sha256[EST_SHA256_HEX]; /* of the whole message */
};

/* BER or DER.  No signature is verified and nothing is decrypted.  EST_E_PROTOCOL. */
EST_API enum est_code est_cms_info(struct est_span der, struct est_cms_info *out,
	struct est_error *err) EST_MUST_CHECK;
EST_API void est_cms_info_wipe(struct est_cms_info *info);

/* Whether the certificate or, when csr, the request carries this key. */
EST_API enum est_code est_key_is_in(const struct est_key *key, struct est_span der, bool csr,
	bool *out, struct est_error *err) EST_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
