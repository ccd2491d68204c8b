#include "edge/http_lobby.h"

#include "base/assert.h"

#define NS_PER_MS         1000000ull
#define LOOK_AGAIN_MS     20 /* whether somebody may go, or a descriptor is free */
#define SILENCE_REVIEW_MS 500

/* ---- Life cycle. ---- */

uint64_t http_lobby_bytes(uint32_t capacity)
{
    return memory_cost(capacity * sizeof(struct http_guest)) + memory_cost(HTTP_PEEK_BYTES);
}

enum err http_lobby_open(struct http_lobby *lobby, const struct http_lobby_options *options)
{
    struct budget *budget = options->budget;
    const size_t size = options->capacity * sizeof(struct http_guest);
    *lobby = (struct http_lobby){.options = *options, .may_be_others = true};
    lobby->guests = memory_acquire_zeroed(budget, MEMORY_RANK_DRAIN, size);
    lobby->peeked = memory_acquire(budget, MEMORY_RANK_DRAIN, HTTP_PEEK_BYTES);
    enum err err = lobby->guests != NULL && lobby->peeked != NULL ? ERR_OK : ERR_BUDGET;
    if (err == ERR_OK) {
        err = loop_watch_socket(options->loop, options->listener, options->cookie_base);
    }
    if (err != ERR_OK) {
        memory_release(budget, lobby->guests, size);
        memory_release(budget, lobby->peeked, HTTP_PEEK_BYTES);
        return err;
    }
    list_init(&lobby->free);
    list_init(&lobby->silent);
    for (uint32_t i = 0; i < HTTP_LINES_COUNT; i++) {
        list_init(&lobby->lines[i]);
    }
    for (uint32_t i = 0; i < options->capacity; i++) {
        list_push_back(&lobby->free, &lobby->guests[i].link);
    }
    return ERR_OK;
}

/* Out of where he stands; his descriptor is the caller's. */
static int take_out(struct http_lobby *lobby, struct http_guest *guest)
{
    if (guest->is_watched) {
        loop_forget(lobby->options.loop, guest->fd);
    }
    if (!guest->is_silent) {
        lobby->waiting[guest->line]--;
    }
    list_remove(&guest->link);
    list_push_front(&lobby->free, &guest->link);
    http_share_give(&lobby->shares, guest->share);
    lobby->count--;
    metric_subtract(lobby->options.slot, METRIC_HTTP_LOBBY, 1);
    const int fd = guest->fd;
    guest->fd = -1;
    return fd;
}

static void end(struct http_lobby *lobby, struct http_guest *guest)
{
    socket_close(take_out(lobby, guest));
}

static void end_all(struct http_lobby *lobby, struct list *guests)
{
    while (!list_is_empty(guests)) {
        end(lobby, CONTAINER_OF(guests->next, struct http_guest, link));
    }
}

void http_lobby_stop(struct http_lobby *lobby)
{
    if (!lobby->is_closed) {
        lobby->is_closed = true;
        loop_forget(lobby->options.loop, lobby->options.listener);
        end_all(lobby, &lobby->silent);
    }
}

void http_lobby_close(struct http_lobby *lobby)
{
    http_lobby_stop(lobby);
    for (uint32_t i = 0; i < HTTP_LINES_COUNT; i++) {
        end_all(lobby, &lobby->lines[i]);
    }
    ASSERT(lobby->count == 0);
    struct budget *budget = lobby->options.budget;
    memory_release(budget, lobby->guests, lobby->options.capacity * sizeof(struct http_guest));
    memory_release(budget, lobby->peeked, HTTP_PEEK_BYTES);
    lobby->guests = NULL;
    lobby->peeked = NULL;
}

/* ---- Looking at what they say. ---- */

static enum http_lobby_line line_of(const struct http_lobby *lobby, const struct http_guest *guest,
                                    const struct http_glance *glance)
{
    const struct http_lobby_options *options = &lobby->options;
    if (glance->kind != HTTP_GLANCE_WHOLE) {
        return HTTP_LINE_BODY;
    }
    return glance->is_monitor && options->is_trusted(options->context, glance, &guest->address)
               ? HTTP_LINE_MONITOR
               : HTTP_LINE_WHOLE;
}

static void stand_in_line(struct http_lobby *lobby, struct http_guest *guest,
                          enum http_lobby_line line)
{
    if (!guest->is_silent) {
        if (guest->line == line) {
            return;
        }
        lobby->waiting[guest->line]--;
    }
    guest->is_silent = false;
    guest->line = line;
    list_remove(&guest->link);
    list_push_back(&lobby->lines[line], &guest->link);
    lobby->waiting[line]++;
}

/* False: he has gone. */
static bool look(struct http_lobby *lobby, struct http_guest *guest, bool is_hung_up)
{
    size_t size = 0;
    const enum err err = socket_peek(guest->fd, lobby->peeked, HTTP_PEEK_BYTES, &size);
    if (err != ERR_OK) {
        return err == ERR_AGAIN && !is_hung_up;
    }
    struct http_glance glance = http_glance((struct bytes){.data = lobby->peeked, .size = size});
    if (glance.kind == HTTP_GLANCE_HEAD && size < HTTP_PEEK_BYTES) {
        return !is_hung_up; /* the rest of the head will not come */
    }
    guest->blocks = (uint8_t)(size / HTTP_BLOCK_BYTES);
    stand_in_line(lobby, guest, line_of(lobby, guest, &glance));
    return true;
}

void http_lobby_on_event(struct http_lobby *lobby, const struct loop_event *event)
{
    ASSERT(http_lobby_has_cookie(lobby, event->cookie));
    if (event->cookie == lobby->options.cookie_base) {
        lobby->may_be_others = true;
        return;
    }
    struct http_guest *guest = &lobby->guests[event->cookie - lobby->options.cookie_base - 1];
    const bool is_here = guest->is_watched && guest->fd >= 0;
    if (!is_here || (!guest->is_silent && guest->line != HTTP_LINE_BODY)) {
        return;
    }
    if (!look(lobby, guest, event->is_hung_up)) {
        end(lobby, guest);
    }
}

/* ---- Letting in. ---- */

/* Is he to go rather than `other`, who came before him? */
static bool goes_first(const struct http_lobby *lobby, const struct http_guest *guest,
                       const struct http_guest *other)
{
    const uint32_t *held = lobby->shares.held;
    return held[guest->share] != held[other->share] ? held[guest->share] > held[other->share]
                                                    : guest->blocks < other->blocks;
}

/* Of those in `guests` who came more than `patience_ms` ago; or NULL. */
static struct http_guest *find_one_to_go(struct http_lobby *lobby, struct list *guests,
                                         uint32_t patience_ms, uint64_t now_ns)
{
    struct http_guest *found = NULL;
    LIST_FOR_EACH (item, guests) {
        struct http_guest *guest = CONTAINER_OF(item, struct http_guest, link);
        if (now_ns - guest->came_ns > patience_ms * NS_PER_MS &&
            (found == NULL || goes_first(lobby, guest, found))) {
            found = guest;
        }
    }
    return found;
}

/* False: nobody goes, now. */
static bool make_room(struct http_lobby *lobby, uint64_t now_ns)
{
    struct http_guest *guest = find_one_to_go(lobby, &lobby->silent, HTTP_SILENT_MS, now_ns);
    if (guest == NULL) {
        guest = find_one_to_go(lobby, &lobby->lines[HTTP_LINE_BODY], HTTP_BODY_WAIT_MS, now_ns);
    }
    if (guest == NULL) {
        return false;
    }
    metric_add(lobby->options.slot,
               guest->is_silent ? METRIC_HTTP_ENDED_SILENT : METRIC_HTTP_ENDED_WAITING, 1);
    end(lobby, guest);
    return true;
}

static void add(struct http_lobby *lobby, int fd, const struct address *address, uint64_t now_ns)
{
    const struct http_lobby_options *options = &lobby->options;
    struct http_guest *guest = CONTAINER_OF(list_pop_front(&lobby->free), struct http_guest, link);
    *guest = (struct http_guest){.fd = fd,
                                 .is_silent = true,
                                 .share = http_share_of(options->key, address),
                                 .address = *address,
                                 .came_ns = now_ns};
    list_push_back(&lobby->silent, &guest->link);
    http_share_take(&lobby->shares, guest->share);
    lobby->count++;
    metric_add(options->slot, METRIC_HTTP_LOBBY, 1);
    bool is_here = look(lobby, guest, false);
    if (is_here && (guest->is_silent || guest->line == HTTP_LINE_BODY)) {
        const uint64_t index = (uint64_t)(guest - lobby->guests);
        guest->is_watched =
            loop_watch_socket(options->loop, fd, options->cookie_base + 1 + index) == ERR_OK;
        is_here = guest->is_watched;
    }
    if (!is_here) {
        end(lobby, guest);
    }
}

static void end_the_silent(struct http_lobby *lobby, uint64_t now_ns)
{
    while (!list_is_empty(&lobby->silent)) {
        struct http_guest *guest = CONTAINER_OF(lobby->silent.next, struct http_guest, link);
        if (now_ns - guest->came_ns <= lobby->options.silence_ns) {
            return;
        }
        metric_add(lobby->options.slot, METRIC_HTTP_LATE, 1);
        end(lobby, guest);
    }
}

void http_lobby_let_in(struct http_lobby *lobby, uint64_t now_ns)
{
    end_the_silent(lobby, now_ns);
    lobby->wait_ms = lobby->count > 0 ? SILENCE_REVIEW_MS : -1;
    for (uint32_t i = 0; lobby->may_be_others && !lobby->is_closed; i++) {
        if (i == HTTP_LET_IN_MAX) { /* those who have come are served between */
            lobby->wait_ms = 0;
            return;
        }
        if (list_is_empty(&lobby->free) && !make_room(lobby, now_ns)) {
            lobby->wait_ms = LOOK_AGAIN_MS;
            return;
        }
        int fd = -1;
        struct address address;
        const enum err err = socket_accept(lobby->options.listener, &fd, &address);
        if (err == ERR_OK) {
            add(lobby, fd, &address, now_ns);
        } else if (err != ERR_CLOSED) {
            lobby->may_be_others = err == ERR_FULL; /* of descriptors; some will be closed */
            lobby->wait_ms = lobby->may_be_others ? LOOK_AGAIN_MS : lobby->wait_ms;
            return;
        }
    }
}

/* ---- Whose turn it is. ---- */

/* Whom a place is for that is free. */
static const enum http_lobby_line lines_in_turn[] = {
    HTTP_LINE_WHOLE, HTTP_LINE_BODY, HTTP_LINE_WHOLE, HTTP_LINE_MONITOR,
    HTTP_LINE_WHOLE, HTTP_LINE_BODY, HTTP_LINE_WHOLE, HTTP_LINE_WHOLE,
};

/* Is it his turn before that of `other`, who came before him? */
static bool is_before(const struct http_lobby *lobby, const struct http_guest *guest,
                      const struct http_guest *other)
{
    const struct http_shares *seated = lobby->options.seated;
    if (seated->held[guest->share] != seated->held[other->share]) {
        return seated->held[guest->share] < seated->held[other->share];
    }
    if (guest->line == HTTP_LINE_BODY && guest->blocks != other->blocks) {
        return guest->blocks > other->blocks;
    }
    return lobby->turn / COUNT_OF(lines_in_turn) % 2 != lobby->turn % 2;
}

static const struct http_guest *first_of(const struct http_lobby *lobby, enum http_lobby_line line)
{
    const struct http_guest *found = NULL;
    LIST_FOR_EACH (item, &lobby->lines[line]) {
        const struct http_guest *guest = CONTAINER_OF(item, struct http_guest, link);
        if (found == NULL || is_before(lobby, guest, found)) {
            found = guest;
        }
    }
    return found;
}

const struct http_guest *http_lobby_monitor(const struct http_lobby *lobby)
{
    return first_of(lobby, HTTP_LINE_MONITOR);
}

const struct http_guest *http_lobby_next(const struct http_lobby *lobby)
{
    static const enum http_lobby_line others[] = {HTTP_LINE_WHOLE, HTTP_LINE_BODY,
                                                  HTTP_LINE_MONITOR};
    const struct http_guest *guest =
        first_of(lobby, lines_in_turn[lobby->turn % COUNT_OF(lines_in_turn)]);
    for (uint32_t i = 0; i < COUNT_OF(others) && guest == NULL; i++) {
        guest = first_of(lobby, others[i]);
    }
    return guest;
}

struct http_guest http_lobby_take(struct http_lobby *lobby, const struct http_guest *guest)
{
    const struct http_guest taken = *guest;
    lobby->turn++;
    (void)take_out(lobby, &lobby->guests[guest - lobby->guests]);
    return taken;
}
