/*
 * webhook_muster.h -- who of a message's recipients is offline: marks become events.
 *
 * Each mark (OUTBOX_PENDING) is turned into the events of msg.offline that it means, and
 * leaves the outbox in the same commit (webhook 4.1):
 *
 *   IDLE ──▶ recipients of some marks on a page ──▶ the shards are asked who has a master
 *    ▲       session (roll_call.h) ──▶ one event a message and page, of those who have not ─┐
 *    └───────────────────────── committed ◀───────────────────────────────────────────────────┘
 *
 * A page has at most MUSTER_UIDS_MAX uids and NOTICES_PART_BYTES_MAX bytes of them,
 * whatever the size of a group: a group that does not fit a page of its own becomes
 * several events. Which of them are done is not kept: after a crash between two pages the
 * first comes again.
 *
 * The thread of the webhooks only.
 */
#pragma once

#include "chat/notices.h"
#include "chat/roll_call.h"
#include "edge/outbox_writer.h"

struct webhook;

#define MUSTER_UIDS_MAX  NOTICES_PART_UIDS_MAX
#define MUSTER_MARKS_MAX 256u

enum muster_stage {
    MUSTER_IDLE = 0,
    MUSTER_CALLING,
    MUSTER_WRITING,
};

/* A message on the page. */
struct muster_mark {
    struct outbox_key key;
    uint32_t cost;
    struct outbox_row row; /* `message` is a copy, charged; `data` is not used */
    uint32_t uids_first;   /* on the page */
    uint32_t uids_count;
    uint16_t part;    /* of the events that it becomes */
    bool is_complete; /* the last of its recipients are on this page */
};

/* Private to webhook_muster.c, but for `stage`. */
struct webhook_muster {
    struct webhook *webhook;
    enum muster_stage stage;
    struct outbox_key cursor;
    bool has_more;
    uint64_t rung_least; /* of what has come since the page was filled */
    uint64_t due_ns;
    struct roll_call *call;
    struct outbox_writer writer;
    enum err read_result;

    uint32_t marks_count;
    uint32_t uids_count;
    size_t area_used;
    bool is_page_full;

    /* A large group that goes on on the next page. */
    bool is_resuming;
    struct outbox_key resume_key;
    uint16_t resume_part;
    uint16_t resume_size;
    uint8_t resume_after[STORE_UID_BYTES_MAX];

    /* Of the mark that is being read. */
    struct bytes sender; /* in `sender_area` */
    bool is_resumed;     /* it goes on behind resume_after */
    uint16_t last_size;
    uint8_t last[STORE_UID_BYTES_MAX]; /* the last member that fits the page */
    uint8_t sender_area[STORE_UID_BYTES_MAX];

    struct muster_mark marks[MUSTER_MARKS_MAX];
    struct bytes uids[MUSTER_UIDS_MAX];
    bool is_online[MUSTER_UIDS_MAX];
    uint8_t area[NOTICES_PART_BYTES_MAX];
    uint8_t data[NOTICES_PART_BYTES_MAX + 2 * MUSTER_UIDS_MAX]; /* of an event that is written */
};

MUST_USE enum err webhook_muster_open(struct webhook_muster *muster, struct webhook *webhook);
void webhook_muster_close(struct webhook_muster *muster);

/* Marks of these ids or later have come. */
void webhook_muster_ring(struct webhook_muster *muster, uint64_t id_least);

/* Marks below this are being worked on: not to be dropped by others. */
struct outbox_key webhook_muster_taken_below(const struct webhook_muster *muster);

/* Does what is due; gives when to look again, or UINT64_MAX. */
uint64_t webhook_muster_run(struct webhook_muster *muster);
