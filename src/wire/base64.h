/*
 * base64.h -- standard base64 with padding (RFC 4648 section 4), fast.
 *
 * Payloads, keys and signatures go through here for every message, so the
 * processor's widest table look-ups are used where it has them (AVX2, SSSE3),
 * chosen at run time; the scalar code gives the same results.
 *
 * Decoding is strict: no other alphabet, no blanks, padding complete and only at
 * the end. Bits of the last character that belong to no byte are ignored, as the
 * reference does.
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

/* The size of the text for `size` bytes. */
static inline size_t base64_encoded_size(size_t size)
{
    return (size + 2) / 3 * 4;
}

/* No text of `size` characters decodes to more bytes. */
static inline size_t base64_decoded_size_max(size_t size)
{
    return size / 4 * 3;
}

/* Writes base64_encoded_size(bytes.size) characters. `out_text` does not overlap `bytes`. */
void base64_encode(struct bytes bytes, uint8_t *out_text);

/* Decodes into `area`, which has room for base64_decoded_size_max(text.size) bytes and may be the
 * text's own place or begin before it. ERR_PROTOCOL: that is not base64; the area holds rubbish
 * then. */
MUST_USE enum err base64_decode(struct bytes text, uint8_t *area, size_t *out_size);

/* The same, but CR and LF in the text are skipped, as in JSON payloads (jsonrpc 3.3, http-api 3.1).
 * `area` has room for text.size bytes. */
MUST_USE enum err base64_decode_lines(struct bytes text, uint8_t *area, size_t *out_size);
