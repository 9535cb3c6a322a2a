/* SPDX-License-Identifier: MIT */
/* Part of est.h, which includes it: what a file looks like, and what is in it. */
#ifndef EST_OBJECTS_API_H
#define EST_OBJECTS_API_H

#ifndef EST_H
#error "include est.h"
#endif

/* What a file looks like.  Only its shape is looked at: it need not be valid. */
enum est_file_kind {
	EST_FILE_UNKNOWN,
	EST_FILE_EMPTY,
	EST_FILE_TEXT,
	EST_FILE_CERT,
	EST_FILE_SIGNED_DATA, /* CMS SignedData in a ContentInfo: certs-only, or not */
	EST_FILE_OTHER_CMS,   /* another ContentInfo: enveloped, encrypted, data */
	EST_FILE_BARE_SIGNED, /* SignedData without its ContentInfo */
	EST_FILE_CSR,
	EST_FILE_CRL,
	EST_FILE_CSRATTRS,
	EST_FILE_PRIVATE_KEY, /* PKCS#8, SEC 1, PKCS#1 */
	EST_FILE_ENCRYPTED_KEY,
	EST_FILE_PUBLIC_KEY,
	EST_FILE_PKCS12,
	EST_FILE_TRUSTED_CERT, /* OpenSSL's TRUSTED CERTIFICATE */
	EST_FILE_OTHER_PEM,    /* PEM with another label */
	EST_FILE_OPENSSH_KEY,
	EST_FILE_OPENSSH_PUBLIC_KEY,
	EST_FILE_PGP,
	EST_FILE_HTML,
	EST_FILE_JSON,
	EST_FILE_GZIP,
	EST_FILE_WRAPPED, /* header fields in front: an HTTP response, mail */
	EST_FILE_UTF16,
	EST_FILE_ARCHIVE,
	EST_FILE_KEYSTORE /* Java's own */
};

enum est_encoding { EST_ENCODING_RAW, EST_ENCODING_BASE64, EST_ENCODING_PEM };

/* Of PEM text the first block counts.  *encoding (may be NULL) says how it is wrapped. */
EST_API enum est_file_kind est_file_kind(struct est_span data, enum est_encoding *encoding);
/* "a private key", to follow "looks like"; static, never NULL. */
EST_API const char *est_file_kind_text(enum est_file_kind kind);

/* One thing in a file, borrowed for the call. */
struct est_object {
	enum est_file_kind kind;    /* CERT, CSR, CRL, CSRATTRS, OTHER_CMS (also: signed), a
				     * key, PKCS12 (behind what is in it), OTHER_PEM, PGP */
	struct est_span der;        /* not yet checked in any way; empty for private keys */
	struct est_span label;      /* of its PEM block, printable; empty: none */
	struct est_span name;       /* friendlyName in PKCS #12, printable; empty: none */
	struct est_span protection; /* of PKCS #12 and its keys, algorithms by name; empty: none */
	size_t index;               /* in the file, from 1 */
	size_t offset;              /* in the file, or in the message a base64 text holds */
	const struct est_error *broken; /* why it cannot be had; NULL: it is there */
};

/* Anything but EST_OK ends est_objects(), which returns it. */
typedef enum est_code est_object_fn(void *ctx, const struct est_object *object,
	struct est_error *err);
/* Takes a file apart, whatever it is wrapped in: PEM blocks, base64, DER, one after another,
 * certs-only messages, mail and HTTP responses, PKCS #12 that needs no password.  Linear, and
 * without a limit on the number of objects.  A broken one does not hide the others.  EST_E_INPUT
 * for a file that holds none of this, named for what it looks like. */
EST_API enum est_code est_objects(struct est_span data, struct est_quirks *quirks,
	est_object_fn *fn, void *ctx, struct est_error *err) EST_MUST_CHECK;

struct est_reading {          /* any may be NULL */
	const char *password; /* opens PKCS #12 */
	/* A large CRL or CMS message begins, of which kind, index and offset alone are known.  It
	 * follows when it has been read, perhaps as a broken one. */
	est_object_fn *begins;
	/* Five times a second while a pipe or a terminal is silent. */
	void (*waits)(void *ctx);
};

/* The same of a file as est_read_file() takes it, with the first objects before the last bytes
 * are read. */
EST_API enum est_code est_objects_file(const char *path, size_t max,
	const struct est_reading *reading, struct est_quirks *quirks, est_object_fn *fn, void *ctx,
	struct est_error *err) EST_MUST_CHECK;

/* What people ask of a CRL; its signature is not verified. */
struct est_crl_info {
	char *issuer;    /* RFC 4514 */
	char *signature; /* algorithm */
	char *number;    /* cRLNumber, lower-case hex; NULL: none */
	time_t this_update, next_update;
	bool has_next_update;
	size_t n_revoked;
	char sha256[EST_SHA256_HEX]; /* of the whole DER */
};

EST_API enum est_code est_crl_info(struct est_span der, struct est_crl_info *out,
	struct est_error *err) EST_MUST_CHECK;
EST_API void est_crl_info_wipe(struct est_crl_info *info);

#endif
