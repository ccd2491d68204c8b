/*
 * heap_text.h -- jemalloc's heap profile as the text that `go tool pprof` and `jeprof` read.
 *
 * jemalloc writes, for each stack, a line with its addresses and below it what was
 * sampled there, per thread and for all (`t*`). gperftools wrote one line: counts, bytes
 * and addresses; that form is what tools understand. What is written can be taken as
 * negative, so that an earlier profile behind a later one makes the growth: the tools
 * add up what has the same stack.
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdio.h>

/* Writes the first line of a profile, with the period of `dump`. ERR_PROTOCOL: it is no dump. */
MUST_USE enum err heap_text_begin(FILE *dump, struct writer *out);

/* Writes a line for each stack of `dump`, which is read from its beginning to its maps. */
MUST_USE enum err heap_text_stacks(FILE *dump, bool is_negative, struct writer *out);
