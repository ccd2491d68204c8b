/*
 * bench_receipt.h -- the books of a bench_traffic: what is counted when something comes back.
 *
 * Private to the bench_traffic files. bench_receipt.c is where the promises of bench_traffic.h are
 * checked.
 */
#pragma once

#include "cli/bench_traffic.h"

/* One more in the tally of that time. */
void bench_receipt_count(struct bench_traffic *traffic, uint64_t intended_ns,
                         enum bench_tally_id id);
