/*
 * detect.h -- WKProto or JSON-RPC, told from the first bytes (wire-protocol 1.4).
 *
 * To be asked until it has decided, once per connection, after a PROXY header
 * and the WebSocket framing have been taken off.
 */
#pragma once

#include "base/bytes.h"

enum detect_result {
    DETECT_INCOMPLETE = 0, /* nothing but blanks so far */
    DETECT_JSONRPC,        /* the first byte that is not blank is `{` */
    DETECT_WKPROTO,
};

enum detect_result detect_dialect(struct bytes stream);
