/*
 * resolve.h -- from the answers of a round, and what is stored, to what the model knows.
 *
 * Each answer is looked at in the order in which it was asked (changes.c, resolve.c) and leaves a
 * set of states that are possible; at the end of the round one of them is the one that is stored
 * (settle.c).
 */
#pragma once

#include "model/script.h"

/* changes.c: what one task may have changed. */
void resolve_change(struct script *script, const struct task *task);
void resolve_device(struct script *script, const struct task *task);
void resolve_system(struct script *script, const struct task *task);

bool lists_equal(const struct lists *a, const struct lists *b);

/* Was the task under way at some moment of this span? */
bool is_during(const struct task *task, uint32_t begin_step, uint32_t end_step);

/* Was anything sent to the channel in this round? */
bool is_sent_to(const struct script *script, const struct model_channel *channel);

/* settle.c: everything that was uncertain in this round is read. */
void settle_round(struct script *script);
