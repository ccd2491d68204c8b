/*
 * courier.h -- POSTs to the back end, several at once, on one thread.
 *
 * libcurl's multi interface stands behind this door: connections are kept alive and
 * shared by all calls. A call is a handle that is used again and again, for one
 * request at a time.
 *
 * Memory: libcurl allocates by itself; each call is charged with COURIER_CALL_BYTES,
 * which is what its buffers and its part of the connections take, measured and
 * rounded up. An answer is read into the caller's area and no further; the caller may
 * make it larger meanwhile. Where no answer is wanted its status is enough: a body that
 * is long, slow or cut off changes nothing (webhook 2.1). A short one is read, so that
 * the connection can be used again; after 64 KiB or a second it is closed instead.
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "memory/budget.h"
#include "system/wakeup.h"

#define COURIER_CALL_BYTES 65536u

#define COURIER_CONNECT_MS 5000u /* webhook 2.1 */
#define COURIER_TOTAL_MS   30000u
#define COURIER_UNREAD_MS  1000u /* for a body that is not wanted; looked at once a second */

struct courier {
    void *multi;
    struct budget *budget;
};

struct courier_call;
typedef void courier_done_fn(struct courier_call *call);

/* Makes `area` hold `size` bytes and keeps what is in it. False: that is not to be had. */
typedef bool courier_room_fn(struct courier_call *call, size_t size);

/* Private to courier.c, but for what courier_call_open's caller fills in and `status` to `answer`.
 */
struct courier_call {
    courier_done_fn *done; /* the request is over */
    void *context;
    uint8_t *area; /* where the answer goes; NULL: it is not wanted */
    size_t area_size;
    courier_room_fn *room; /* NULL: the area stays as it is */
    uint32_t timeout_ms;   /* of the whole request; 0: COURIER_TOTAL_MS */

    uint32_t status;     /* HTTP; 0: there was no answer */
    bool is_cut;         /* the answer was larger than its area, or the room for it */
    struct bytes answer; /* in `area` */
    const char *fault;   /* why there was no answer; a literal */

    struct courier *courier;
    void *easy;
    void *headers;
    bool is_under_way;
    long head_status; /* of the last head that is whole; 0: none is */
    uint64_t head_ns; /* when it was */
    size_t unread;    /* bytes of an answer that is not wanted */
};

/* Once in the process, before there are other threads. */
MUST_USE enum err courier_global_init(void);
void courier_global_deinit(void);

MUST_USE enum err courier_open(struct courier *courier, struct budget *budget);
/* All calls are closed. */
void courier_close(struct courier *courier);

/* Is it a URL at all? */
bool courier_url_is_good(const char *url);

/* `url` is copied. ERR_BUDGET: no room. ERR_DENIED: that is no URL. */
MUST_USE enum err courier_call_open(struct courier_call *call, struct courier *courier,
                                    const char *url);
/* Its next requests go there; none is under way. `url` is good, and copied. ERR_BUDGET: no room,
 * and they go where they went. */
MUST_USE enum err courier_call_readdress(struct courier_call *call, const char *url);

/* Ends what is under way without a word. A call that was never opened is allowed. */
void courier_call_close(struct courier_call *call);

/* A body lies behind so many bytes of the same buffer, in which its signature is prepared. */
#define COURIER_HEADROOM 24u

/* Posts the `size` bytes behind the headroom of `buffer`, which stays in place until `done`. With a
 * secret the request is signed (courier_sign). ERR_BUDGET: no room; nothing was begun. */
MUST_USE enum err courier_post(struct courier_call *call, uint8_t *buffer, size_t size,
                               struct bytes secret, uint64_t time_s);

/* Ends what is under way, if anything is, without a word; the call can be used again. */
void courier_cancel(struct courier_call *call);

/* The signature of a request: the HMAC-SHA256 of its time in decimal digits, a dot and the body, in
 * hexadecimal digits. */
#define COURIER_SIGNATURE_CHARS 64
void courier_sign(uint8_t *buffer, size_t size, struct bytes secret, uint64_t time_s,
                  char out_text[COURIER_SIGNATURE_CHARS + 1]);

/* Sleeps until something can be done, one of the wakeups is raised, or the time is over. The second
 * one may be NULL. */
void courier_wait(struct courier *courier, const struct wakeup *const wakeups[2], int timeout_ms);

/* Reads and writes what can be, and calls `done` for what is over. */
void courier_run(struct courier *courier);
