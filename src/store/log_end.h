/*
 * log_end.h -- where a log ends, from memory if it can be.
 *
 * A list of conversations asks it of thousands of logs, most of which have nothing new. To
 * find it on the disk is a search through all levels (tens of microseconds); it is remembered
 * from each commit, and from each search that no commit came in between (a hundredth of that).
 * How many messages lie in the last chunk is remembered too, in the same eight bytes: so the
 * newest messages are found by their key and not by another search (message_log.h). So is that
 * the channel's other log is empty, as that of commands nearly always is: then one entry says all
 * that a channel that comes back into memory needs of its logs.
 *
 * Any thread.
 */
#pragma once

#include "base/err.h"
#include "store/read.h"

struct seq_cache;
struct store;

struct log_end {
    uint64_t last_seq;    /* 0: the log is empty */
    uint32_t chunk_count; /* messages of the chunk that ends there; 0: the log is empty */
    bool is_sole;         /* the channel's other log is empty; false: not known */
};

/* As everything that was committed made it. May block. Errors as in read.h. */
MUST_USE enum err store_log_end(struct store *store, struct log_ref log, struct log_end *out_end);

/* Does memory have it, at this moment? */
bool store_knows_log_end(const struct store *store, struct log_ref log);

/* The last seq of both logs of a channel, by enum log_kind; 0: the log is empty. */
MUST_USE enum err store_log_ends(struct store *store, enum store_wait wait,
                                 struct channel_ref channel, uint64_t out_seq[LOG_KINDS_COUNT]);

/* ---- Private to the store layer. ---- */

/* The key of a log in the cache: another one for each log, and never 0. */
uint64_t log_end_key(struct log_ref log);

/* What a commit has made of the log; between seq_cache_begin and seq_cache_end. */
void log_end_remember(struct seq_cache *lasts, struct log_ref log, const struct log_end *end);

/* The log has its first message: the channel's other log is not alone any more. Likewise. */
void log_end_is_joined(struct seq_cache *lasts, struct log_ref log);

/* The end of the log is about to be asked for. */
void log_end_prefetch(const struct seq_cache *lasts, struct log_ref log);
