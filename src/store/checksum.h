/*
 * checksum.h -- CRC-32C over whole rows, with the processor's own instruction where it has one.
 *
 * Gives what hash_crc32c gives; that one is made for short ids, this one for
 * messages and for the write-ahead log. Private to the store layer; any thread.
 */
#pragma once

#include "base/bytes.h"

/* `seed` is 0, or the result over the bytes before. */
uint32_t checksum_crc32c(uint32_t seed, struct bytes bytes);
