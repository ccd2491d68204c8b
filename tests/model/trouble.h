/*
 * trouble.h -- what goes wrong around a server, on demand: slow reads, failed writes, a dead disk.
 *
 * The linker puts these functions between the chat layer, the journal, the store and RocksDB
 * (--wrap in CMakeLists.txt). At rest they change nothing. A test may ask that
 *
 *   - what is in memory is said not to be (ERR_AGAIN), so that it is asked of a reader;
 *   - a reading comes home late, while its shard goes on;
 *   - commits fail, before or after they have reached the disk; opening again fails as well;
 *   - readings fail;
 *   - the disk is short;
 *   - the next commit is held, before or after its write, as if the process ended there.
 *
 * One test in one process: the state is one for all. Everything but what the committer and the
 * readers do belongs to the test's thread.
 */
#pragma once

#include "base/prng.h"
#include "shard/mailbox.h"

#include <stdbool.h>
#include <stdint.h>

enum trouble_hold {
    TROUBLE_HOLD_NONE = 0,
    TROUBLE_HOLD_BEFORE, /* nothing of the commit is on the disk */
    TROUBLE_HOLD_AFTER,  /* all of it is, and nobody has been told */
};

/* At rest; `seed` decides what is said not to be in memory, and what comes late. */
void trouble_begin(uint64_t seed);
void trouble_end(void);

/* Of a hundred questions so many are answered with ERR_AGAIN, and so many readings come late. */
void trouble_slow_reads(uint32_t misses_percent, uint32_t late_percent);

/* The next `count` commits fail. With `is_written` they are on the disk all the same. */
void trouble_fail_commits(uint32_t count, bool is_written);

/* The next `count` attempts to open a database fail. */
void trouble_fail_opens(uint32_t count);

/* Of a hundred readings of pool threads so many fail. */
void trouble_fail_reads(uint32_t percent);

/* From now on the disk is short, or is not any more. */
void trouble_short_disk(bool is_short);

/* Everything that was asked for is forgotten, but not what is held. */
void trouble_rest(void);

/* How many commits have failed since trouble_begin. */
uint32_t trouble_commits_failed(void);

/* Holds the next commit. */
void trouble_hold_commit(enum trouble_hold hold, const char *path);

/* Is one held now? */
bool trouble_is_held(void);

/* Where the log ended before and after the held write; the name is empty when it was not looked
 * at. */
struct trouble_tail {
    char file[64];
    uint64_t begin;
    uint64_t end;
};
struct trouble_tail trouble_tail(void);

/* Lets it go on, and holds no other. */
void trouble_release(void);

/* Readings that are late: how many, and a mailbox that wakes when one has been done. */
uint32_t trouble_late_count(void);
struct mailbox *trouble_late_mailbox(void);

/* Sends some of those home that have been done, or all. Returns how many. */
uint32_t trouble_send_late(struct prng *prng, bool is_all);
