/*
 * pages.h -- what the HTTP thread shows of the server itself: the ledger and the profiles.
 *
 *   /ledger                 JSON: who has the memory
 *   /ledger/page            the same, drawn, with the last hour, day and week
 *   /ledger/history         JSON: the points that the page draws
 *   /debug/pprof/           how to use the following
 *   /debug/pprof/heap       who allocated what is allocated now; ?base=mark, ?base=last
 *   /debug/pprof/profile    who uses the CPU; ?seconds=
 *   /debug/pprof/threads    what each thread does now
 *   /debug/pprof/symbol     names for addresses, for tools
 *
 * A base is a heap profile that is kept, in memory that is no part of the process: one.
 */
#pragma once

#include "edge/http.h"
#include "server/alarms.h"
#include "server/ledger.h"

/* Private to pages.c. */
struct pages {
    struct ledger *ledger;
    const struct alarms *alarms;
    struct monitor monitor; /* guards the base */
    int base_fd;            /* -1: none */
};

void pages_init(struct pages *pages, struct ledger *ledger, const struct alarms *alarms);
void pages_deinit(struct pages *pages);

/* For http_options, with the pages as its context. */
const struct http_page *pages_list(uint32_t *out_count);
void pages_expose(void *context, struct writer *writer);
