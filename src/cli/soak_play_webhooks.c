#include "cli/soak_scenarios.h"
#include "system/clock.h"

#include <poll.h>
#include <stdlib.h>
#include <strings.h>

#define NS_PER_MS    1000000ULL
#define MOOD_MS      1500u /* then it behaves in another way */
#define GUESTS_MAX   64u   /* connections of the server to us; more are not taken */
#define HEAD_BYTES   4096u
#define POLL_MS      20
#define SLOW_STEP_MS 200u /* a byte of an answer each */

/* How the target of webhooks behaves, one after the other. */
enum mood {
    MOOD_GOOD = 0,
    MOOD_HOLE,  /* takes connections and requests, and never answers */
    MOOD_SLOW,  /* answers in drips */
    MOOD_DEAD,  /* nobody listens */
    MOOD_ANGRY, /* 500 */
    MOODS_COUNT,
};

struct guest {
    int fd; /* -1: free */
    char head[HEAD_BYTES];
    size_t head_size;
    size_t body_left;
    bool has_head;
    bool is_to_answer;
    size_t answered;
    uint64_t answer_ns;
};

struct target {
    struct soak_attack *attack;
    int listener; /* -1: nobody listens */
    enum mood mood;
    struct guest guests[GUESTS_MAX];
};

static void part_with(struct guest *guest)
{
    if (guest->fd >= 0) {
        socket_close(guest->fd);
    }
    *guest = (struct guest){.fd = -1};
}

/* Takes what has come of a request, and knows when it is whole. */
static void take(struct guest *guest, const uint8_t *bytes, size_t size)
{
    while (size > 0 && !guest->has_head) {
        if (guest->head_size + 1 >= HEAD_BYTES) {
            part_with(guest);
            return;
        }
        guest->head[guest->head_size++] = (char)*bytes++;
        size--;
        guest->head[guest->head_size] = '\0';
        if (guest->head_size >= 4 && strcmp(guest->head + guest->head_size - 4, "\r\n\r\n") == 0) {
            const char *length = strcasestr(guest->head, "\r\nContent-Length:");
            guest->has_head = true;
            guest->body_left = length != NULL ? strtoul(length + 17, NULL, 10) : 0;
        }
    }
    guest->body_left -= size < guest->body_left ? size : guest->body_left;
    guest->is_to_answer = guest->has_head && guest->body_left == 0;
}

static void listen_to(struct target *target, struct guest *guest)
{
    uint8_t area[HEAD_BYTES];
    size_t size = 0;
    enum err err = ERR_OK;
    while (err == ERR_OK && guest->fd >= 0) {
        err = socket_read(guest->fd, area, sizeof(area), &size);
        if (err == ERR_OK) {
            take(guest, area, size);
        }
    }
    if (err != ERR_AGAIN) {
        part_with(guest);
    } else if (guest->is_to_answer && guest->answered == 0) {
        soak_count(target->attack, SOAK_COUNT_REQUESTS, 1);
    }
}

static void answer(const struct target *target, struct guest *guest, uint64_t now_ns)
{
    static const char good[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    static const char bad[] = "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n";
    if (!guest->is_to_answer || target->mood == MOOD_HOLE || now_ns < guest->answer_ns) {
        return;
    }
    const char *text = target->mood == MOOD_ANGRY ? bad : good;
    const size_t whole = sizeof(good) - 1;
    size_t written = 0;
    const struct bytes piece = {
        .data = (const uint8_t *)text + guest->answered,
        .size = target->mood == MOOD_SLOW ? 1 : whole - guest->answered,
    };
    const enum err err = socket_write(guest->fd, &piece, 1, &written);
    guest->answered += written;
    guest->answer_ns = now_ns + SLOW_STEP_MS * NS_PER_MS;
    if (err != ERR_OK && err != ERR_AGAIN) {
        part_with(guest);
    } else if (guest->answered == whole) {
        *guest = (struct guest){.fd = guest->fd};
    }
}

static void welcome(struct target *target)
{
    for (uint32_t i = 0; i < GUESTS_MAX; i++) {
        struct address peer;
        int fd = -1;
        if (target->guests[i].fd >= 0) {
            continue;
        }
        if (socket_accept(target->listener, &fd, &peer) != ERR_OK) {
            return;
        }
        soak_count(target->attack, SOAK_COUNT_CONNECTIONS, 1);
        target->guests[i] = (struct guest){.fd = fd};
    }
}

static void change_mood(struct target *target, enum mood mood)
{
    target->mood = mood;
    if (mood == MOOD_DEAD && target->listener >= 0) {
        socket_close(target->listener);
        target->listener = -1;
        for (uint32_t i = 0; i < GUESTS_MAX; i++) {
            part_with(&target->guests[i]);
        }
    } else if (mood != MOOD_DEAD && target->listener < 0) {
        ERR_IGNORE(socket_listen(&target->attack->options->hook_address, &target->listener),
                   "it stays dead for another while");
    }
}

/* Sleeps until something has come, and looks after each guest. */
static void turn(struct target *target)
{
    struct pollfd fds[GUESTS_MAX + 1];
    for (uint32_t i = 0; i < GUESTS_MAX; i++) {
        fds[i] = (struct pollfd){.fd = target->guests[i].fd, .events = POLLIN};
    }
    fds[GUESTS_MAX] = (struct pollfd){.fd = target->listener, .events = POLLIN};
    poll(fds, GUESTS_MAX + 1, POLL_MS);
    const uint64_t now_ns = clock_now_ns();
    for (uint32_t i = 0; i < GUESTS_MAX; i++) {
        struct guest *guest = &target->guests[i];
        if (guest->fd >= 0 && fds[i].revents != 0) {
            listen_to(target, guest);
        }
        if (guest->fd >= 0) {
            answer(target, guest, now_ns);
        }
    }
    if (target->listener >= 0) {
        welcome(target);
    }
}

static enum err be_target(struct soak_attack *attack)
{
    static struct target target;
    target = (struct target){.attack = attack, .listener = -1, .mood = MOOD_DEAD};
    for (uint32_t i = 0; i < GUESTS_MAX; i++) {
        target.guests[i].fd = -1;
    }
    const uint64_t began_ns = clock_now_ns();
    while (!soak_attack_is_over(attack)) {
        const enum mood mood =
            (enum mood)((clock_now_ns() - began_ns) / (MOOD_MS * NS_PER_MS) % MOODS_COUNT);
        if (mood != target.mood) {
            change_mood(&target, mood);
        }
        turn(&target);
    }
    return ERR_OK;
}

/* One is the target; the others give the server something to tell: who comes, who goes, and what
 * was written to those who are not there. */
enum err soak_play_webhooks(struct soak_attack *attack)
{
    soak_attack_fork(attack, 3);
    switch (attack->hand) {
    case 0:
        return be_target(attack);
    case 1:
        return soak_play_churn(attack);
    default:
        return soak_play_deaf(attack);
    }
}
