/*
 * sends.h -- finds the message that an earlier SEND of the same number has become.
 *
 * Promise 3 of the design: a SEND repeated with the same channel, sender and
 * client_msg_no gives the first result again, also after a restart. A row of its own for
 * each message would cost more than the message (a third of a microsecond at commit, two
 * more in the background, and three to five for each look-up: measured). So the chunks of
 * a log carry a hash for each of their messages, and costs are shared:
 *
 *   - a filter in memory knows nearly all new sends to be new (send_filters.h);
 *   - behind the newest messages of a log the hashes are copied into pages, 512 in
 *     a row, so that loading a filter or settling a doubt reads 8 bytes a message:
 *
 *       sends   … | page u64  ->  format u8 | 512 times send u64, of the seqs
 *                                 page * 512 + 1 … page * 512 + 512
 *
 * Pages say nothing that the chunks do not say: a lost one is written again. Paging a log and
 * making it a larger filter is care that no send waits for: whoever asks is told that it is due,
 * and has a reader tend the log.
 *
 * A resend is recognised among the newest SENDS_SEARCHED_MAX messages of its log.
 *
 * Private to the store layer, but for store_find_send and store_tend_sends (read.h).
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "store/row.h"

#include <stdint.h>

/* Hashes of a page. */
#define SENDS_PAGE_COUNT 512u
/* So many messages outside of pages, and paging them is due: reading these is what loading costs
 * at most after a restart, in milliseconds about one. */
#define SENDS_UNPAGED_MAX 1024u
/* Keeps the filter of one log at some two megabytes, and loading it at some milliseconds. */
#define SENDS_SEARCHED_MAX (768u * 1024u)

struct store;

/* The hash of a sender, and that of one of its sends, which is never 0; both keyed. */
uint64_t sends_hash_sender(const struct store *store, struct bytes sender);
uint64_t sends_hash(const struct store *store, uint64_t sender_hash, struct bytes client_msg_no);
