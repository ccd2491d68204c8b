/*
 * turn.h -- one turn of a shard: what happens before what.
 *
 * The server layer is where all layers meet: configuration, capacities, wiring,
 * the turn, start and stop. The order of the turn concerns all of them, so it is
 * one function here.
 */
#pragma once

struct core;

/* Polls, works, writes; sleeps at most until the next timer. */
void turn_run(struct core *core);
