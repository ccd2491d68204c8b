#include "shard/mailbox.h"
#include "system/thread.h"

#include "support/test.h"

#define LETTERS_COUNT 20000
#define SENDERS_COUNT 3

struct note {
    struct letter letter;
    uint32_t sender;
    uint32_t number;
};

struct desk {
    struct mailbox mailbox;
    uint32_t next[SENDERS_COUNT]; /* the number expected next from each sender */
    uint32_t total;
};

struct sender {
    struct thread thread;
    struct desk *desk;
    uint32_t index;
    struct note notes[LETTERS_COUNT];
};

static void note_receive(struct letter *letter, void *receiver)
{
    struct desk *desk = receiver;
    const struct note *note = CONTAINER_OF(letter, struct note, letter);
    CHECK_EQ(note->number, desk->next[note->sender]);
    desk->next[note->sender]++;
    desk->total++;
}

static void sender_run(void *context)
{
    struct sender *sender = context;
    for (uint32_t i = 0; i < LETTERS_COUNT; i++) {
        sender->notes[i] = (struct note){
            .letter = {.receive = note_receive}, .sender = sender->index, .number = i};
        mailbox_post(&sender->desk->mailbox, &sender->notes[i].letter);
    }
}

TEST(letters_of_one_sender_come_in_order_and_wake_a_sleeper)
{
    static struct desk desk;
    static struct sender senders[SENDERS_COUNT];
    CHECK_OK(mailbox_open(&desk.mailbox, &desk));
    for (uint32_t i = 0; i < SENDERS_COUNT; i++) {
        senders[i].desk = &desk;
        senders[i].index = i;
        CHECK_OK(thread_start(&senders[i].thread, "sender", sender_run, &senders[i]));
    }
    while (desk.total < SENDERS_COUNT * LETTERS_COUNT) {
        if (mailbox_drain(&desk.mailbox) == 0 && mailbox_may_sleep(&desk.mailbox)) {
            wakeup_wait(&desk.mailbox.wakeup, -1); /* a lost wake-up would hang here */
            mailbox_awake(&desk.mailbox);
        }
    }
    for (uint32_t i = 0; i < SENDERS_COUNT; i++) {
        thread_join(&senders[i].thread);
    }
    mailbox_close(&desk.mailbox);
}

TEST(a_turn_wakes_each_mailbox_once_at_its_end)
{
    static struct desk desk;
    struct mailer mailer = {.wakes_count = 0};
    struct note notes[3];
    CHECK_OK(mailbox_open(&desk.mailbox, &desk));
    CHECK(mailbox_may_sleep(&desk.mailbox));
    for (uint32_t i = 0; i < COUNT_OF(notes); i++) {
        notes[i] = (struct note){.letter = {.receive = note_receive}, .number = i};
        mailer_post(&mailer, &desk.mailbox, &notes[i].letter);
    }
    CHECK_EQ(mailer.wakes_count, 1);
    mailer_flush(&mailer);
    CHECK_EQ(mailer.wakes_count, 0);
    CHECK(!mailbox_may_sleep(&desk.mailbox));
    CHECK_EQ(mailbox_drain(&desk.mailbox), 3);
    mailbox_close(&desk.mailbox);
}
