/*
 * utf8.h -- is this text, and how much of it is.
 */
#pragma once

#include "base/bytes.h"

/* Is all of `bytes` well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates)? */
bool utf8_is_valid(struct bytes bytes);

/* The size in bytes of the well-formed character at the start of `bytes`, or 0. */
size_t utf8_size(struct bytes bytes);
