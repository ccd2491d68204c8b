/*
 * md5_lanes.h -- MD5 of several texts side by side.
 *
 * One MD5 is a chain of some hundred instructions for each 64 bytes, each waiting for the
 * one before it; eight of them in the lanes of wide registers take hardly longer than one.
 * That is worth it where many texts of like size are due at once: the keys of a message to
 * a group, one for each session.
 *
 * Pure; any thread.
 */
#pragma once

#include "base/bytes.h"

#define MD5_LANES        8u
#define MD5_DIGEST_BYTES 16u

/* The digests of 1 to MD5_LANES texts. It takes as long as the longest of them. */
void md5_lanes(const struct bytes *texts, uint32_t count, uint8_t (*out_digests)[MD5_DIGEST_BYTES]);
