/*
 * exposition.h -- the text that Prometheus reads (exposition format 0.0.4).
 *
 * A family is opened once, by its name, type and help; then its samples follow,
 * each with up to a few labels. Label values are escaped; names are literals of
 * ours and are not. Whoever has figures that are not in metric_names.h (the memory
 * ledger, say) writes them with these words. A full writer remembers it.
 */
#pragma once

#include "base/bytes.h"

#include <stdint.h>

#define EXPOSITION_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct exposition_label {
    const char *name; /* a literal */
    struct bytes value;
};

/* `type` is "counter", "gauge" or "histogram". */
void exposition_family(struct writer *writer, const char *name, const char *type, const char *help);

/* One line. `labels` may be NULL when there are none. */
void exposition_sample_u64(struct writer *writer, const char *name,
                           const struct exposition_label *labels, size_t labels_count,
                           uint64_t value);
void exposition_sample_i64(struct writer *writer, const char *name,
                           const struct exposition_label *labels, size_t labels_count,
                           int64_t value);

/* Nanoseconds, written as seconds. */
void exposition_sample_seconds(struct writer *writer, const char *name,
                               const struct exposition_label *labels, size_t labels_count,
                               uint64_t value_ns);

/* The number alone: 1500000 ns is 0.0015. */
void exposition_seconds(struct writer *writer, uint64_t value_ns);
