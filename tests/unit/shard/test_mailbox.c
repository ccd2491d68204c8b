#include "shard/mailbox.h"
#include "system/thread.h"

#include "support/test.h"

#define LETTERS_COUNT 20000
#define SENDERS_COUNT 3
#define FOREVER_NS    3600000000000u

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

/* One way to sleep until something is posted. */
typedef void sleep_fn(struct mailbox *mailbox);

static void sleep_in_a_loop(struct mailbox *mailbox)
{
    if (mailbox_may_sleep(mailbox)) {
        wakeup_wait(&mailbox->wakeup, -1);
        mailbox_awake(mailbox);
    }
}

static void sleep_by_itself(struct mailbox *mailbox)
{
    mailbox_rest(mailbox, FOREVER_NS);
}

static void check_letters(sleep_fn *sleep)
{
    static struct desk desk;
    static struct sender senders[SENDERS_COUNT];
    desk = (struct desk){.total = 0};
    CHECK_OK(mailbox_open(&desk.mailbox, &desk));
    for (uint32_t i = 0; i < SENDERS_COUNT; i++) {
        senders[i].desk = &desk;
        senders[i].index = i;
        CHECK_OK(thread_start(&senders[i].thread, "sender", sender_run, &senders[i]));
    }
    while (desk.total < SENDERS_COUNT * LETTERS_COUNT) {
        if (mailbox_drain(&desk.mailbox) == 0) {
            sleep(&desk.mailbox); /* a lost wake-up would hang here */
        }
    }
    for (uint32_t i = 0; i < SENDERS_COUNT; i++) {
        thread_join(&senders[i].thread);
    }
    mailbox_close(&desk.mailbox);
}

TEST(letters_of_one_sender_come_in_order_and_wake_a_sleeper)
{
    check_letters(sleep_in_a_loop);
    check_letters(sleep_by_itself);
}

TEST(a_rest_ends_when_its_time_is_over_and_does_not_begin_with_a_letter_there)
{
    static struct desk desk;
    struct note note = {.letter = {.receive = note_receive}};
    desk = (struct desk){.total = 0};
    CHECK_OK(mailbox_open(&desk.mailbox, &desk));
    CHECK(!mailbox_rest(&desk.mailbox, 1000));
    mailbox_post(&desk.mailbox, &note.letter);
    CHECK(mailbox_rest(&desk.mailbox, FOREVER_NS));
    CHECK_EQ(mailbox_drain(&desk.mailbox), 1);
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

/* Posts the next note when it gets one, up to three. */
static struct mailer own_mailer;
static struct note own_notes[4];

static void own_note_receive(struct letter *letter, void *receiver)
{
    struct desk *desk = receiver;
    note_receive(letter, receiver);
    if (desk->total < 3) {
        struct note *next = &own_notes[desk->total];
        *next = (struct note){.letter = {.receive = own_note_receive}, .number = desk->total};
        mailer_post(&own_mailer, &desk->mailbox, &next->letter);
    }
}

TEST(what_one_posts_to_oneself_needs_no_waking_and_waits_for_the_next_turn)
{
    static struct desk desk;
    desk = (struct desk){.total = 0};
    own_mailer = (struct mailer){.own = &desk.mailbox};
    CHECK_OK(mailbox_open(&desk.mailbox, &desk));
    CHECK(mailbox_may_sleep(&desk.mailbox));
    mailbox_awake(&desk.mailbox);
    own_notes[0] = (struct note){.letter = {.receive = own_note_receive}};
    mailer_post(&own_mailer, &desk.mailbox, &own_notes[0].letter);
    CHECK_EQ(own_mailer.wakes_count, 0);
    CHECK(!mailbox_may_sleep(&desk.mailbox));
    CHECK(mailbox_rest(&desk.mailbox, FOREVER_NS)); /* at once */
    CHECK_EQ(mailbox_drain(&desk.mailbox), 1);
    struct note other = {.letter = {.receive = note_receive}, .sender = 1};
    mailbox_post(&desk.mailbox, &other.letter);
    CHECK_EQ(mailbox_drain(&desk.mailbox), 2); /* the second of one's own, and the other's */
    CHECK_EQ(mailbox_drain(&desk.mailbox), 1); /* what that has posted */
    CHECK_EQ(mailbox_drain(&desk.mailbox), 0);
    CHECK(mailbox_may_sleep(&desk.mailbox));
    mailbox_close(&desk.mailbox);
}

static uint32_t places[4];
static uint32_t places_count;

static void place_receive(struct letter *letter, void *receiver)
{
    (void)receiver;
    places[places_count++] = CONTAINER_OF(letter, struct note, letter)->number;
}

TEST(what_one_posts_to_oneself_overtakes_nobody_and_is_overtaken_by_nobody)
{
    static struct desk desk;
    struct mailer mailer = {.own = &desk.mailbox};
    struct mailer others = {.wakes_count = 0};
    struct note notes[COUNT_OF(places)];
    CHECK_OK(mailbox_open(&desk.mailbox, &desk));
    for (uint32_t round = 0; round < 16; round++) {
        places_count = 0;
        for (uint32_t i = 0; i < COUNT_OF(notes); i++) {
            notes[i] = (struct note){.letter = {.receive = place_receive}, .number = i};
            const bool is_own = (round >> i & 1) != 0;
            mailer_post(is_own ? &mailer : &others, &desk.mailbox, &notes[i].letter);
        }
        mailer_flush(&others);
        CHECK_EQ(mailbox_drain(&desk.mailbox), COUNT_OF(notes));
        for (uint32_t i = 0; i < COUNT_OF(notes); i++) {
            CHECK_EQ(places[i], i);
        }
    }
    mailbox_close(&desk.mailbox);
}
