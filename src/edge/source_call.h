/*
 * source_call.h -- one question to the data source, and what became of it.
 *
 * A call is used again and again, for one question at a time. It posts the body of
 * webhook 7.1, keeps the answer in room that grows up to the limit, and says in one
 * word how it went; what does not answer, or answers what is no answer, is counted and
 * logged here.
 */
#pragma once

#include "base/hash.h"
#include "chat/names.h"
#include "edge/courier.h"
#include "edge/source_answer.h"
#include "store/slot.h"

struct source;

enum source_command {
    SOURCE_SYSTEM_UIDS = 0,
    SOURCE_CHANNEL_INFO,
    SOURCE_SUBSCRIBERS,
    SOURCE_BLACKLIST,
    SOURCE_WHITELIST,
};

/* The frame around an escaped channel id. */
#define SOURCE_BODY_BYTES (COURIER_HEADROOM + 96u + 6u * NAME_BYTES_MAX)

struct source_call;
typedef void source_call_done_fn(struct source_call *call);

struct source_call {
    source_call_done_fn *done; /* the call is over: see source_call_uids and source_call_flags */

    /* Private to source_call.c. */
    struct source *source;
    struct courier_call courier;
    enum source_command command;
    uint32_t addr_turn; /* of the address that it asks at */
    uint8_t *body;      /* SOURCE_BODY_BYTES */
    uint8_t *text;      /* of the answer, in room for `capacity` bytes; NULL: none */
    size_t capacity;
    bool is_too_large; /* the answer */
    uint64_t asked_ns;
};

/* ERR_BUDGET: no room. ERR_DENIED: the address is no URL. */
MUST_USE enum err source_call_open(struct source_call *call, struct source *source);
/* One that was never opened is allowed. */
void source_call_close(struct source_call *call);

/* Asks; `done` is called later, never from within. `channel` is ignored where the command has none.
 * ERR_BUDGET: no room; nothing was begun. */
MUST_USE enum err source_call_ask(struct source_call *call, enum source_command command,
                                  struct channel_name channel, uint32_t timeout_ms);

/* Ends a question without a word. */
void source_call_cancel(struct source_call *call);

/* In `done`: the answer, which is borrowed from the call until source_call_forget. ERR_CLOSED:
 * there was none. ERR_DENIED: another status than 200. ERR_LIMIT: too large. ERR_PROTOCOL: it
 * cannot be read. ERR_BUDGET: no room. */
MUST_USE enum err source_call_uids(struct source_call *call, struct source_uids *uids);
MUST_USE enum err source_call_flags(struct source_call *call, uint32_t *out_flags);

/* A hash of the answer's text as it came; to be asked before it is read. */
uint64_t source_call_hash(const struct source_call *call, const struct hash_key *key);

/* Gives the room of the answer back. */
void source_call_forget(struct source_call *call);
