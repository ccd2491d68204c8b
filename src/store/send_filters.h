/*
 * send_filters.h -- knows of most sends that they are new, without looking them up.
 *
 * Each SEND must be compared with all that its sender sent before (semantics 3.4), and
 * nearly all of them are new. Each log in use has a filter of its sends that answers that
 * from a cache line or two. A short log has a list of tags, 16 bits of the hash of each
 * send: 32 bytes for five messages, 64 for twenty-one, and a longer list is made by
 * copying. A log of more than 256 messages has a Bloom filter, 14 to 28 bits for each.
 * "New" is certain; "perhaps not" is wrong once in a hundred times or less, and is
 * settled on the disk (sends.h).
 *
 * The filter of a log whose first message is committed begins with that message: there is
 * nothing to be read. Any other is reserved, then loaded from the disk, then used. What is
 * committed while it loads is added at once, so that it misses nothing that is committed
 * after the reservation; what was committed before is on the disk when loading begins. A
 * log that outgrows its filter goes on using it while a larger one loads. Logs that were
 * not used lately make room (filter_room.h).
 *
 * Promises:
 *   (1) SEND_IS_NEW is never wrong, if every commit is added before it is reported;
 *   (2) memory is the region given at opening, whatever is asked.
 *
 * Any thread; a lock is held for the time of a few cache misses, some hundred when room is
 * short. Private to the store layer.
 */
#pragma once

#include "store/filter_room.h"
#include "store/row.h"
#include "system/thread.h"

#include <stdbool.h>

enum send_answer {
    SEND_IS_NEW = 0,
    SEND_IS_KNOWN_PERHAPS,
    SEND_IS_UNKNOWN, /* the log has no filter, or one that is far too small by now */
};

/* What should be done for a log when there is time; see sends.h. */
enum send_care {
    SEND_CARE_NONE = 0,
    SEND_CARE_LOAD, /* its filter: there is none, or it is too small */
    SEND_CARE_PAGE, /* its newest messages */
};

/* Private to send_filters.c. */
struct send_filters {
    struct monitor monitor; /* guards everything below */
    struct filter_room room;
};

MUST_USE enum err send_filters_open(struct send_filters *filters, struct budget *budget,
                                    uint64_t bytes);
void send_filters_close(struct send_filters *filters);

uint64_t send_filters_bytes(const struct send_filters *filters);

/* How much of it is in memory now. */
uint64_t send_filters_resident(const struct send_filters *filters);

/* Forgets all. Nobody loads meanwhile. */
void send_filters_clear(struct send_filters *filters);

/* Gives up the filters of logs that nobody asked about since the last call but one, and the pages
 * that are free then; they are made again from the disk when somebody asks. Gives the bytes of what
 * was given up. Belongs to one thread. */
uint64_t send_filters_rest(struct send_filters *filters);

/* Is the send new? `out_wants_care`: the log should be tended; said once in a while. */
enum send_answer send_filters_ask(struct send_filters *filters, struct log_ref log, uint64_t send,
                                  bool *out_wants_care);

/* What should be done for the log now. */
enum send_care send_filters_care(struct send_filters *filters, struct log_ref log);

/* Reserves a filter for a log of `count` messages, beside one that is too small. False: another
 * thread is loading it, or there is no room. True: the caller loads, and then finishes. */
MUST_USE bool send_filters_begin(struct send_filters *filters, struct log_ref log, uint64_t count);

/* Some sends that were found on the disk; zeros are skipped. */
void send_filters_load(struct send_filters *filters, struct log_ref log, const uint64_t *sends,
                       uint32_t count);

/* Loading has ended, well or not; so many messages are not in pages. */
void send_filters_finish(struct send_filters *filters, struct log_ref log, bool is_loaded,
                         uint64_t unpaged_count);

/* The log was paged; so many messages are not in pages now. */
void send_filters_paged(struct send_filters *filters, struct log_ref log, uint64_t unpaged_count);

/* A committed message; `send` is 0 if it is not to be found. `is_first`: of its log, ever. */
void send_filters_add(struct send_filters *filters, struct log_ref log, uint64_t send,
                      bool is_first);

/* Around several calls of send_filters_add. */
void send_filters_enter(struct send_filters *filters);
void send_filters_leave(struct send_filters *filters);
