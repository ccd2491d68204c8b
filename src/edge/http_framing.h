/*
 * http_framing.h -- does everybody see the same request in these bytes?
 *
 * A proxy in front that reads a body's end elsewhere than we do would take the rest of
 * it for a request of its own, past whatever it checks. So what leaves room for two
 * readings is refused, and its connection closed (RFC 9112, 3.2, 6.1 and 6.3): lengths that
 * differ, a length beside Transfer-Encoding, another coding than chunked, no host or two.
 *
 * Looks at the headers of one request; the HTTP thread.
 */
#pragma once

#include "base/compiler.h"

struct MHD_Connection;

/* NULL: it is good; else what is wrong, a literal. `version` is as in the request's first line. */
MUST_USE const char *http_framing_fault(struct MHD_Connection *connection, const char *version);
