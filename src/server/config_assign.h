/*
 * config_assign.h -- one value on its way from text to its field, or to a fault.
 *
 * The readers of file and environment find keys and values; here the row of the
 * table decides what becomes of them. A key that leads nowhere is checked too, but
 * a wrong value of it is only a warning: WuKongIM starts with it.
 */
#pragma once

#include "server/config_table.h"

/* What stands in the place of a value: one text, or the items of a list. Borrowed. */
struct config_value {
    struct bytes items[CONFIG_LIST_MAX];
    uint32_t count;
    bool is_list;
    struct config_place place;
};

/* Puts the value into its field. Nothing happens when it is empty: the key counts as not set, and
 * `out_is_set` is false. A fault is added to the report. */
void config_assign(struct config *config, const struct config_key *key,
                   const struct config_value *value, struct config_report *report,
                   bool *out_is_set);
