/*
 * signals.h -- what an operator tells the process: stop, or read again.
 */
#pragma once

enum signal_order {
    SIGNAL_NONE = 0,
    SIGNAL_STOP,   /* SIGTERM, SIGINT */
    SIGNAL_RELOAD, /* SIGHUP */
};

/* From now on signals wait for signals_wait; before the first thread is started. SIGPIPE is
 * ignored: a peer that has gone is an error of write. */
void signals_block(void);

/* Sleeps until an order comes, at most `timeout_ms`. The main thread only. */
enum signal_order signals_wait(int timeout_ms);
