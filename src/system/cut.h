/*
 * cut.h -- files that go a piece at a time.
 *
 * A second name keeps a file's bytes when its first is removed; then the file is cut
 * from its end, piece by piece. See store/leaving.h for why.
 */
#pragma once

#include "base/err.h"

#include <stdint.h>

/* Gives the file at `path` the second name `kept`, if it has none yet. ERR_IO: the system refuses.
 */
MUST_USE enum err cut_keep(const char *path, const char *kept);

/* Takes up to `piece_bytes` off the end of `kept` and gives what is left; removes it when that is
 * nothing. ERR_AGAIN: it still has another name. ERR_IO: it cannot be cut. */
MUST_USE enum err cut_piece(const char *kept, uint64_t piece_bytes, uint64_t *out_left);

/* The bytes that are left of `kept`; 0 while it has another name. */
uint64_t cut_waiting_bytes(const char *kept);
