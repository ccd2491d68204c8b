/*
 * browse_page.h -- the newest names of a walk, a page of them (http-api 16.1).
 *
 * Rows come in the order of their keys; operators want them by the time they were created. A page
 * keeps the few it will show and nothing of the others. Pages go on from the time of the last row
 * shown, or back from the first; times are made different by the names, so that what was created
 * together is not lost between two pages.
 *
 * One reader thread.
 */
#pragma once

#include "base/bytes.h"
#include "store/row.h"

#define BROWSE_LIMIT_DEFAULT 20u
#define BROWSE_LIMIT_MAX     200u

struct browse_row {
    uint64_t created_ns;
    uint64_t created_ms;
    uint64_t updated_ms;
    uint32_t flags;  /* the visitor's own */
    uint32_t number; /* likewise */
    uint16_t size;
    uint8_t tag; /* likewise: a type, a device flag */
    uint8_t name[STORE_CHANNEL_ID_BYTES_MAX];
};

struct browse_page {
    uint32_t limit;
    uint64_t offset_ns; /* of the row that the page begins behind; 0: at the newest */
    bool is_back;       /* the page before that row */
    bool has_more;
    uint32_t count;
    uint16_t order[BROWSE_LIMIT_MAX]; /* indices of `rows`, newest first */
    struct browse_row *rows;          /* `limit`; borrowed */
};

/* Shows the row to the page, which keeps it if it belongs there. */
void browse_page_offer(struct browse_page *page, const struct browse_row *row, struct bytes name);

/* The rows kept, newest first. */
static inline const struct browse_row *browse_page_row(const struct browse_page *page,
                                                       uint32_t index)
{
    return &page->rows[page->order[index]];
}

static inline struct bytes browse_row_name(const struct browse_row *row)
{
    return (struct bytes){.data = row->name, .size = row->size};
}
