/*
 * bench_group.h -- groups of a run: who is in them, and how they are made through the API.
 *
 * The connected members of a group are clients that stand together, those of the groups one behind
 * the other; in each the first ones send. Shared by the scenarios that have groups.
 */
#pragma once

#include "cli/bench_scenario.h"
#include "cli/bench_traffic.h"

/* A group, or the first channel that is one; and a client in it, or the first client of all. */
struct bench_group_place {
    uint32_t group;
    uint32_t client;
};

/* How many members of a group are connected. */
uint32_t bench_group_online_count(const struct bench_options *options);

/* Adds the groups' channels and lets their members join; `first_client` is the first group's
 * first. */
void bench_group_join(const struct bench_run *run, struct bench_traffic *traffic,
                      uint32_t first_client);

/* Client `place.client` of group `place.group` sends there; `first` says where groups and their
 * clients begin. */
void bench_group_add_sender(const struct bench_run *run, struct bench_traffic *traffic,
                            const struct bench_group_place *first, struct bench_group_place place);

/* Makes them through the API, their first channel and client being `first`. ERR_CLOSED: it was
 * printed why not. */
MUST_USE enum err bench_group_make(struct bench_run *run, const struct bench_traffic *traffic,
                                   struct bench_group_place first);
