#include "shard/mailbox.h"

#include "base/assert.h"
#include "system/futex.h"

#include <stdatomic.h>

enum err mailbox_open(struct mailbox *mailbox, void *receiver)
{
    atomic_init(&mailbox->top, NULL);
    atomic_init(&mailbox->sleep, MAILBOX_AWAKE);
    mailbox->receiver = receiver;
    mailbox->own_first = NULL;
    mailbox->own_last = NULL;
    return wakeup_open(&mailbox->wakeup);
}

void mailbox_close(struct mailbox *mailbox)
{
    wakeup_close(&mailbox->wakeup);
}

static void mailbox_push(struct mailbox *mailbox, struct letter *letter)
{
    ASSERT(letter->receive != NULL);
    struct letter *top = atomic_load_explicit(&mailbox->top, memory_order_relaxed);
    do {
        letter->next = top;
    } while (!atomic_compare_exchange_weak_explicit(&mailbox->top, &top, letter,
                                                    memory_order_seq_cst, memory_order_relaxed));
}

/* The receiver says that it sleeps and then looks again; the sender posts and then looks whether
 * it sleeps. Both orders are sequentially consistent, so one of the two sees the other. */
static void mailbox_wake(struct mailbox *mailbox)
{
    if (atomic_load(&mailbox->sleep) == MAILBOX_AWAKE) {
        return;
    }
    const uint32_t sleep = atomic_exchange(&mailbox->sleep, MAILBOX_AWAKE);
    if (sleep == MAILBOX_POLLING) {
        wakeup_raise(&mailbox->wakeup);
    } else if (sleep == MAILBOX_RESTING) {
        futex_wake(&mailbox->sleep);
    }
}

void mailbox_post(struct mailbox *mailbox, struct letter *letter)
{
    mailbox_push(mailbox, letter);
    mailbox_wake(mailbox);
}

static void own_push(struct mailbox *mailbox, struct letter *letter)
{
    ASSERT(letter->receive != NULL);
    letter->next = NULL;
    if (mailbox->own_first == NULL) {
        mailbox->own_first = letter;
    } else {
        mailbox->own_last->next = letter;
    }
    mailbox->own_last = letter;
}

void mailer_post(struct mailer *mailer, struct mailbox *mailbox, struct letter *letter)
{
    /* While something of others waits, it goes behind that: all that is in the list of one's own is
     * older than what is on the stack. */
    const bool is_own = mailbox == mailer->own;
    if (is_own && atomic_load_explicit(&mailbox->top, memory_order_relaxed) == NULL) {
        own_push(mailbox, letter);
        return;
    }
    mailbox_push(mailbox, letter);
    if (is_own) {
        return; /* who posts is awake */
    }
    for (uint32_t i = 0; i < mailer->wakes_count; i++) {
        if (mailer->wakes[i] == mailbox) {
            return;
        }
    }
    if (mailer->wakes_count == MAILER_WAKES_MAX) {
        mailbox_wake(mailbox);
        return;
    }
    mailer->wakes[mailer->wakes_count++] = mailbox;
}

void mailer_flush(struct mailer *mailer)
{
    for (uint32_t i = 0; i < mailer->wakes_count; i++) {
        mailbox_wake(mailer->wakes[i]);
    }
    mailer->wakes_count = 0;
}

/* Of others, oldest first. */
static struct letter *others_take(struct mailbox *mailbox)
{
    if (atomic_load_explicit(&mailbox->top, memory_order_relaxed) == NULL) {
        return NULL;
    }
    struct letter *newest = atomic_exchange_explicit(&mailbox->top, NULL, memory_order_acquire);
    struct letter *oldest = NULL;
    while (newest != NULL) {
        struct letter *letter = newest;
        newest = letter->next;
        letter->next = oldest;
        oldest = letter;
    }
    return oldest;
}

static uint32_t receive_all(const struct mailbox *mailbox, struct letter *oldest)
{
    uint32_t count = 0;
    while (oldest != NULL) {
        struct letter *letter = oldest;
        oldest = letter->next;      /* before receive, which may post or release it */
        __builtin_prefetch(oldest); /* it has been written thousands of letters ago */
        letter->next = NULL;
        letter->receive(letter, mailbox->receiver);
        count++;
    }
    return count;
}

uint32_t mailbox_drain(struct mailbox *mailbox)
{
    struct letter *own = mailbox->own_first; /* before the others; see mailer_post */
    struct letter *others = others_take(mailbox);
    mailbox->own_first = NULL;
    const uint32_t count = receive_all(mailbox, own);
    return count + receive_all(mailbox, others);
}

static bool is_empty(const struct mailbox *mailbox)
{
    return mailbox->own_first == NULL && atomic_load(&mailbox->top) == NULL;
}

bool mailbox_may_sleep(struct mailbox *mailbox)
{
    atomic_store(&mailbox->sleep, MAILBOX_POLLING);
    if (is_empty(mailbox)) {
        return true;
    }
    atomic_store(&mailbox->sleep, MAILBOX_AWAKE);
    return false;
}

void mailbox_awake(struct mailbox *mailbox)
{
    atomic_store(&mailbox->sleep, MAILBOX_AWAKE);
}

bool mailbox_rest(struct mailbox *mailbox, uint64_t rest_ns)
{
    atomic_store(&mailbox->sleep, MAILBOX_RESTING);
    if (is_empty(mailbox)) {
        futex_wait(&mailbox->sleep, MAILBOX_RESTING, rest_ns);
    }
    atomic_store(&mailbox->sleep, MAILBOX_AWAKE);
    return !is_empty(mailbox);
}
