/* SPDX-License-Identifier: MIT */
/* TLS alerts of the server in words: which side, which certificate, until when it is valid. */
#ifndef EST_ALERT_H
#define EST_ALERT_H

#include <gnutls/gnutls.h>

#include "est.h"

/* For a fatal alert that has come from address; EST_E_TLS, reason alert. */
enum est_code alert_fail(gnutls_session_t tls, const char *address, struct est_error *err);

#endif
