#include "shard/readers.h"

#include "base/assert.h"
#include "memory/heap.h"

#include <stdatomic.h>
#include <stdio.h>

#define LOOK_MS 1000 /* how often one without work looks whether it is to rest */

static struct reading *readers_take(struct readers *readers)
{
    monitor_enter(&readers->monitor);
    while (readers->first == NULL && !readers->is_stopping) {
        monitor_wait_ms(&readers->monitor, LOOK_MS);
        if (readers->first == NULL && heap_thread_is_to_rest()) {
            heap_thread_flush();
        }
    }
    struct letter *letter = readers->first;
    if (letter != NULL) {
        readers->first = letter->next;
        readers->waiting_count--;
    }
    monitor_leave(&readers->monitor);
    return letter != NULL ? CONTAINER_OF(letter, struct reading, letter) : NULL;
}

static void readers_run(void *context)
{
    struct readers *readers = context;
    thread_step_back(); /* long lists are read here, while messages are on their way */
    for (;;) {
        struct reading *reading = readers_take(readers);
        if (reading == NULL) {
            return;
        }
        reading->run(reading);
        mailbox_post(reading->home, &reading->letter);
    }
}

enum err readers_start(struct readers *readers, uint32_t threads_count)
{
    ASSERT(threads_count > 0);
    ASSERT(threads_count <= READERS_MAX);
    *readers = (struct readers){.first = NULL};
    monitor_init(&readers->monitor);
    for (uint32_t i = 0; i < threads_count; i++) {
        char name[24];
        snprintf(name, sizeof(name), "reader-%u", i);
        if (thread_start(&readers->threads[i], name, readers_run, readers) != ERR_OK) {
            readers_stop(readers);
            return ERR_IO;
        }
        readers->threads_count++;
    }
    return ERR_OK;
}

void readers_stop(struct readers *readers)
{
    monitor_enter(&readers->monitor);
    readers->is_stopping = true;
    monitor_signal_all(&readers->monitor);
    monitor_leave(&readers->monitor);
    for (uint32_t i = 0; i < readers->threads_count; i++) {
        thread_join(&readers->threads[i]);
    }
    monitor_deinit(&readers->monitor);
}

void readers_ask(struct readers *readers, struct reading *reading)
{
    ASSERT(reading->run != NULL);
    ASSERT(reading->home != NULL);
    monitor_enter(&readers->monitor);
    reading->letter.next = NULL;
    if (readers->first == NULL) {
        readers->first = &reading->letter;
    } else {
        readers->last->next = &reading->letter;
    }
    readers->last = &reading->letter;
    readers->waiting_count++;
    atomic_fetch_add_explicit(&readers->asked_count, 1, memory_order_relaxed);
    monitor_signal(&readers->monitor);
    monitor_leave(&readers->monitor);
}

uint32_t readers_waiting(const struct readers *readers)
{
    return atomic_load_explicit(&readers->waiting_count, memory_order_relaxed);
}

uint64_t readers_asked(const struct readers *readers)
{
    return atomic_load_explicit(&readers->asked_count, memory_order_relaxed);
}
