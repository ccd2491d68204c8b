#include "edge/http.h"

#include "base/assert.h"
#include "edge/http_reading.h"
#include "edge/http_request.h"
#include "memory/heap.h"
#include "system/clock.h"
#include "system/crypto.h"
#include "system/socket.h"

#include <microhttpd.h>
#include <stdatomic.h>

/* A connection's headers, and a piece of its body, have to fit in here. */
#define CONNECTION_MEMORY_BYTES 16384u
/* With what libmicrohttpd keeps beside it. */
#define CONNECTION_COST_BYTES (CONNECTION_MEMORY_BYTES + 1536u)
#define WATCH_MS              20 /* how often to look for what nothing tells of */
#define COOKIE_MAILBOX        1u
#define COOKIE_DAEMON         2u
#define COOKIE_DOORS          16u /* of the doors' lobbies and places, one behind the other */
#define COOKIES_OF_DOOR       65536u
#define WAITED_FOR_MS         10 /* how often to look whose place is free for those who wait */
#define ENDED_AT_ONCE_MAX     16u
/* This part of the memory remembers who sent the stream messages of the last minutes. */
#define ANCHORS_SHARE 32

/* ---- Limits. ---- */

static uint64_t or_default(uint64_t value, uint64_t default_value)
{
    return value != 0 ? value : default_value;
}

static struct http_limits complete_limits(const struct http_limits *limits)
{
    return (struct http_limits){
        .connections_max = (uint32_t)or_default(limits->connections_max, HTTP_CONNECTIONS_DEFAULT),
        .connection_timeout_s =
            (uint32_t)or_default(limits->connection_timeout_s, HTTP_TIMEOUT_S_DEFAULT),
        .body_bytes_max = or_default(limits->body_bytes_max, HTTP_BODY_BYTES_DEFAULT),
        .answer_bytes_max = or_default(limits->answer_bytes_max, HTTP_ANSWER_BYTES_DEFAULT),
        .conversations_max =
            (uint32_t)or_default(limits->conversations_max, HTTP_CONVERSATIONS_DEFAULT),
        .readings_max = (uint32_t)or_default(limits->readings_max, HTTP_READINGS_DEFAULT),
        .stop_ms = (uint32_t)or_default(limits->stop_ms, HTTP_STOP_MS_DEFAULT),
    };
}

static uint64_t connections_bytes(const struct http_limits *limits)
{
    const uint64_t count = (uint64_t)limits->connections_max + HTTP_MANAGER_CONNECTIONS_MAX +
                           2ull * HTTP_MONITOR_PLACES;
    return count * CONNECTION_COST_BYTES;
}

uint64_t http_memory_min(const struct http_limits *limits)
{
    const struct http_limits complete = complete_limits(limits);
    uint64_t sum = 0;
    sum += connections_bytes(&complete);
    sum += 3 * complete.body_bytes_max; /* half of it holds a body while it grows */
    sum += 2ull * 1024 * 1024;          /* requests, small answers, who waits */
    return sum / 56 * 64 + 64;          /* new requests may fill a root to 56/64 (budget.h) */
}

static enum err init_budgets(struct http *http)
{
    const uint64_t total = http->options.memory_bytes;
    const uint64_t connections = connections_bytes(&http->options.limits);
    budget_init(&http->budget, "http", NULL, total);
    budget_init(&http->connections_budget, "http_connections", &http->budget, connections);
    budget_init(&http->bodies_budget, "http_bodies", &http->budget, total / 2);
    budget_init(&http->requests_budget, "http_requests", &http->budget, total / 2);
    budget_init(&http->answers_budget, "http_answers", &http->budget, total / 2);
    anchors_init(&http->anchors, &http->budget, total / ANCHORS_SHARE, http->options.slot);
    budget_init(&http->syncs_budget, "http_command_syncs", &http->budget, total / 16);
    command_syncs_init(&http->command_syncs, &http->syncs_budget);
    const uint64_t answer = http->answers_budget.limit_bytes / 4 * 3; /* leaves room to shrink it */
    if (http->options.limits.answer_bytes_max > answer) {
        http->options.limits.answer_bytes_max = answer;
    }
    /* libmicrohttpd takes it piece by piece and cannot be refused, so it is set aside. */
    return budget_charge(&http->connections_budget, MEMORY_RANK_DRAIN, connections);
}

/* ---- What libmicrohttpd calls, in MHD_run. ---- */

/* There is no room even for a request: says so and reads no further. */
static enum MHD_Result refuse(struct http *http, struct MHD_Connection *connection)
{
    static char text[] = "{\"msg\":\"the server is busy, try again later\",\"status\":400}";
    metric_add(http->options.slot, METRIC_HTTP_TOO_MANY, 1);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(sizeof(text) - 1, text, MHD_RESPMEM_PERSISTENT);
    if (response == NULL) {
        return MHD_NO;
    }
    enum MHD_Result result =
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, HTTP_JSON_TYPE);
    if (result == MHD_YES) {
        result = MHD_queue_response(connection, MHD_HTTP_BAD_REQUEST, response);
    }
    MHD_destroy_response(response);
    return result;
}

/* `line` is the first one of the request. */
static enum MHD_Result on_first_line(struct http_door *door, struct MHD_Connection *connection,
                                     const struct http_line *line, void **state)
{
    struct http_request *request = http_request_acquire(door->http, connection);
    if (request == NULL) {
        return refuse(door->http, connection);
    }
    request->door = door;
    request->port = door->port;
    *state = request;
    if (http_request_begin(request, line)) {
        return MHD_YES;
    }
    http_request_work(request);
    return http_request_queue(request) ? MHD_YES : MHD_NO;
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are libmicrohttpd's */
static enum MHD_Result on_access(void *context, struct MHD_Connection *connection, const char *path,
                                 const char *method, const char *version, const char *upload,
                                 size_t *upload_size, void **state)
{
    struct http_door *door = context;
    struct http_request *request = *state;
    if (request == NULL) {
        const struct http_line line = {.method = method, .path = path, .version = version};
        return on_first_line(door, connection, &line, state);
    }
    if (*upload_size > 0) {
        const struct bytes piece = {.data = (const uint8_t *)upload, .size = *upload_size};
        *upload_size = 0;
        return http_request_take(request, piece) ? MHD_YES : MHD_NO;
    }
    if (request->stage == HTTP_READING) {
        http_request_work(request);
    }
    if (request->stage == HTTP_ANSWERED) {
        return http_request_queue(request) ? MHD_YES : MHD_NO;
    }
    http_request_suspend(request);
    return MHD_YES;
}

static void on_completed(void *context, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code)
{
    const struct http *http = ((struct http_door *)context)->http;
    struct http_request *request = *state;
    (void)connection;
    (void)code;
    if (request != NULL) {
        http_peer_does(request->peer, HTTP_IDLE, http->now_ns);
    }
    http_request_release(request);
    *state = NULL;
}

static void on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http_door *door = context;
    struct http *http = door->http;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        *socket_context =
            info != NULL ? http_peers_add(&door->peers, info->connect_fd, &door->seat, http->now_ns)
                         : NULL;
        metric_add(http->options.slot, METRIC_HTTP_CONNECTIONS, 1);
    } else {
        http_peers_remove(&door->peers, *socket_context);
        *socket_context = NULL;
        metric_subtract(http->options.slot, METRIC_HTTP_CONNECTIONS, 1);
        http->has_closed = true;
    }
}

/* ---- Who gets a place. ---- */

/* Those who may see how the server is (http_is_trusted says it again, of the request). */
static bool is_trusted(void *context, const struct http_glance *glance,
                       const struct address *address)
{
    const struct http_door *door = context;
    const struct api_access *access = &door->http->options.access;
    if (access->has_token || door->port == API_PORT_MANAGER) {
        return api_access_is_token(access, glance->token);
    }
    return address_is_loopback(address);
}

static void seat(struct http_door *door, const struct http_guest *guest, bool is_extra)
{
    struct sockaddr_storage storage;
    const struct http_guest taken = http_lobby_take(&door->lobby, guest);
    const uint32_t size = address_to_kernel(&taken.address, &storage);
    door->seat = (struct http_seat){.share = taken.share, .is_extra = is_extra};
    /* closes the descriptor when it fails */
    if (MHD_add_connection(door->daemon, taken.fd, (const struct sockaddr *)&storage, size) !=
        MHD_YES) {
        metric_add(door->http->options.slot, METRIC_HTTP_TOO_MANY, 1);
    }
}

/* False: there is no place for those who wait, or nobody waits. */
static bool seat_one(struct http_door *door)
{
    const struct http_guest *monitor = http_lobby_monitor(&door->lobby);
    if (monitor != NULL && http_peers_have_extra_room(&door->peers)) {
        seat(door, monitor, true);
        return true;
    }
    const struct http_guest *guest =
        http_peers_have_room(&door->peers) ? http_lobby_next(&door->lobby) : NULL;
    if (guest != NULL) {
        seat(door, guest, false);
    }
    return guest != NULL;
}

/* Seats who waits, and makes room for those for whom there is none. */
static void serve_lobby(struct http_door *door)
{
    struct http_lobby *lobby = &door->lobby;
    struct http_peers *peers = &door->peers;
    const uint64_t now_ns = door->http->now_ns;
    http_lobby_let_in(lobby, now_ns);
    while (seat_one(door)) {
    }
    const uint32_t waiting = http_lobby_waiting(lobby);
    http_peers_wait(peers, waiting);
    for (uint32_t i = 0; i < ENDED_AT_ONCE_MAX && waiting > peers->ending_count; i++) {
        if (!http_peers_make_room(peers, http_lobby_next(lobby)->share, now_ns)) {
            return;
        }
    }
}

/* Somebody has no memory, that others hold who neither send nor take: one of them gives it up. */
static void end_the_still(struct http *http)
{
    const bool is_roomless = !list_is_empty(&http->readings_roomless);
    if ((!is_roomless && !http->is_body_refused) || http->now_ns < http->still_ns) {
        return;
    }
    http->still_ns = http->now_ns + HTTP_PEERS_REVIEW_MS * 1000000u;
    bool is_done = false;
    for (uint32_t i = 0; i < http->doors_count && !is_done; i++) {
        struct http_peers *peers = &http->doors[i].peers;
        is_done =
            (is_roomless && http_peers_end_the_still(peers, HTTP_GOING, http->now_ns)) ||
            (http->is_body_refused && http_peers_end_the_still(peers, HTTP_COMING, http->now_ns));
    }
    http->is_body_refused = false;
}

/* ---- The thread. ---- */

/* Of two times to wait; a negative one is for ever. */
static int sooner(int a_ms, int b_ms)
{
    if (a_ms < 0 || b_ms < 0) {
        return a_ms < 0 ? b_ms : a_ms;
    }
    return a_ms < b_ms ? a_ms : b_ms;
}

static int door_wait_ms(const struct http_door *door)
{
    int wait_ms = door->lobby.wait_ms;
    if (door->peers.count > 0) {
        wait_ms = sooner(wait_ms, (int)HTTP_PEERS_REVIEW_MS);
    }
    return http_lobby_waiting(&door->lobby) > 0 ? sooner(wait_ms, WAITED_FOR_MS) : wait_ms;
}

static int turn_wait_ms(struct http *http)
{
    int timeout_ms = -1;
    for (uint32_t i = 0; i < http->doors_count; i++) {
        MHD_UNSIGNED_LONG_LONG wait_ms = 0;
        if (MHD_get_timeout(http->doors[i].daemon, &wait_ms) == MHD_YES &&
            (timeout_ms < 0 || wait_ms < (unsigned)timeout_ms)) {
            timeout_ms = wait_ms < INT32_MAX ? (int)wait_ms : INT32_MAX;
        }
        timeout_ms = sooner(timeout_ms, door_wait_ms(&http->doors[i]));
    }
    const bool is_watching = http->is_draining || !list_is_empty(&http->readings_roomless);
    timeout_ms = sooner(timeout_ms, is_watching ? WATCH_MS : -1);
    if (http->has_closed) { /* its place is for somebody */
        http->has_closed = false;
        timeout_ms = 0;
    }
    return mailbox_may_sleep(&http->mailbox) ? timeout_ms : 0;
}

static void begin_draining(struct http *http)
{
    http->is_draining = true;
    http->drained_by_ns = http->now_ns + (uint64_t)http->options.limits.stop_ms * 1000000u;
    for (uint32_t i = 0; i < http->doors_count; i++) {
        http_lobby_stop(&http->doors[i].lobby);
        socket_close(http->doors[i].listener);
    }
}

static void on_event(struct http *http, const struct loop_event *event)
{
    if (event->cookie == COOKIE_MAILBOX) {
        wakeup_clear(&http->mailbox.wakeup);
        return;
    }
    for (uint32_t i = 0; i < http->doors_count; i++) {
        struct http_door *door = &http->doors[i];
        if (http_lobby_has_cookie(&door->lobby, event->cookie)) {
            http_lobby_on_event(&door->lobby, event);
        } else if (http_peers_have_cookie(&door->peers, event->cookie)) {
            http_peers_on_event(&door->peers, event->cookie);
        }
    }
}

static void turn(struct http *http)
{
    loop_poll(&http->loop, turn_wait_ms(http)); /* the only place where this thread sleeps */
    mailbox_awake(&http->mailbox);
    http->now_ns = clock_now_ns();
    for (uint32_t i = 0; i < http->loop.events_count; i++) {
        on_event(http, &http->loop.events[i]);
    }
    if (!http->is_draining && atomic_load(&http->is_stopping)) {
        begin_draining(http);
    }
    mailbox_drain(&http->mailbox); /* answers come home, connections are resumed */
    for (uint32_t i = 0; i < http->doors_count; i++) {
        serve_lobby(&http->doors[i]);
        MHD_run(http->doors[i].daemon); /* and read and written */
        http_peers_review(&http->doors[i].peers, http->now_ns);
    }
    end_the_still(http);
    http_readings_review(http);
    mailer_flush(&http->mailer); /* one wake-up for each whom letters were posted to */
    if (heap_thread_is_to_rest()) {
        heap_thread_flush();
    }
}

static bool somebody_waits(const struct http *http)
{
    uint32_t waiting = 0;
    for (uint32_t i = 0; i < http->doors_count; i++) {
        waiting += http_lobby_waiting(&http->doors[i].lobby);
    }
    return waiting > 0;
}

/* Nobody else has a request of ours, and clients have had their time. */
static bool is_done(const struct http *http)
{
    return http->is_draining && http->suspended_count == 0 &&
           !forerunner_is_away(&http->forerunner) &&
           ((http->requests_count == 0 && !somebody_waits(http)) ||
            http->now_ns >= http->drained_by_ns);
}

static void run(void *context)
{
    struct http *http = context;
    while (!is_done(http)) {
        turn(http);
    }
    for (uint32_t i = 0; i < http->doors_count; i++) {
        MHD_stop_daemon(http->doors[i].daemon);
    }
    ASSERT(http->requests_count == 0);
}

/* ---- Life cycle. ---- */

struct door_plan {
    enum api_port port;
    int listener;
    uint32_t places;
    uint32_t guests_max;
};

/* Those who have come, and those who have a place. */
static enum err open_halls(struct http_door *door, const struct door_plan *plan)
{
    struct http *http = door->http;
    const uint32_t silence_s = http->options.limits.connection_timeout_s;
    const uint64_t cookie_base = COOKIE_DOORS + (uint64_t)http->doors_count * COOKIES_OF_DOOR;
    ASSERT(plan->guests_max < COOKIES_OF_DOOR / 2);
    door->peers = (struct http_peers){.loop = &http->loop,
                                      .slot = http->options.slot,
                                      .cookie_base = cookie_base + COOKIES_OF_DOOR / 2};
    const enum err err = http_peers_open(&door->peers, &http->requests_budget, plan->places,
                                         HTTP_MONITOR_PLACES, silence_s);
    if (err != ERR_OK) {
        return err;
    }
    const struct http_lobby_options options = {.budget = &http->requests_budget,
                                               .loop = &http->loop,
                                               .slot = http->options.slot,
                                               .cookie_base = cookie_base,
                                               .listener = plan->listener,
                                               .capacity = plan->guests_max,
                                               .silence_ns = silence_s * 1000000000ull,
                                               .key = &http->key,
                                               .seated = &door->peers.shares,
                                               .is_trusted = is_trusted,
                                               .context = door};
    const enum err lobby_err = http_lobby_open(&door->lobby, &options);
    if (lobby_err != ERR_OK) {
        http_peers_close(&door->peers);
    }
    return lobby_err;
}

static void close_halls(struct http_door *door)
{
    http_lobby_close(&door->lobby);
    http_peers_close(&door->peers);
}

static struct MHD_Daemon *start_daemon(struct http_door *door, uint32_t places)
{
    const unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET;
    const unsigned silence_s = door->http->options.limits.connection_timeout_s;
    return MHD_start_daemon(flags, 0, NULL, NULL, on_access, door,                               //
                            MHD_OPTION_CONNECTION_LIMIT, (unsigned)places,                       //
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_BYTES, //
                            MHD_OPTION_CONNECTION_TIMEOUT, silence_s,                            //
                            MHD_OPTION_NOTIFY_COMPLETED, on_completed, door,                     //
                            MHD_OPTION_NOTIFY_CONNECTION, on_connection, door, MHD_OPTION_END);
}

/* Opens one more door and watches it. */
static enum err open_door(struct http *http, const struct door_plan *plan)
{
    ASSERT(http->doors_count < HTTP_DOORS_MAX);
    struct http_door *door = &http->doors[http->doors_count];
    *door = (struct http_door){.http = http, .port = plan->port, .listener = plan->listener};
    const enum err err = open_halls(door, plan);
    if (err != ERR_OK) {
        return err;
    }
    door->daemon = start_daemon(door, plan->places + HTTP_MONITOR_PLACES);
    if (door->daemon == NULL) {
        close_halls(door);
        return ERR_IO;
    }
    http->doors_count++;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(door->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    return info == NULL ? ERR_IO
                        : loop_watch_readable(&http->loop, info->epoll_fd, COOKIE_DAEMON, false);
}

static enum err open_doors(struct http *http)
{
    const struct http_options *options = &http->options;
    enum err err = open_door(http, &(struct door_plan){.port = API_PORT_BACK_END,
                                                       .listener = options->listener,
                                                       .places = options->limits.connections_max,
                                                       .guests_max = HTTP_GUESTS_MAX});
    if (err == ERR_OK && options->is_manager_on) {
        err = open_door(http, &(struct door_plan){.port = API_PORT_MANAGER,
                                                  .listener = options->manager_listener,
                                                  .places = HTTP_MANAGER_CONNECTIONS_MAX,
                                                  .guests_max = HTTP_MANAGER_GUESTS_MAX});
    }
    return err;
}

/* Leaves the listeners, which are not ours yet, open. */
static void abandon_doors(struct http *http)
{
    for (uint32_t i = 0; i < http->doors_count; i++) {
        MHD_stop_daemon(http->doors[i].daemon);
        close_halls(&http->doors[i]);
    }
    http->doors_count = 0;
}

enum err http_start(struct http *http, const struct http_options *options)
{
    *http = (struct http){.options = *options};
    http->options.limits = complete_limits(&options->limits);
    list_init(&http->readings_waiting);
    list_init(&http->readings_roomless);
    if (options->memory_bytes < http_memory_min(&options->limits) || init_budgets(http) != ERR_OK) {
        return ERR_LIMIT;
    }
    enum err err = loop_open(&http->loop);
    if (err != ERR_OK) {
        return err;
    }
    err = mailbox_open(&http->mailbox, http);
    if (err != ERR_OK) {
        goto fail_loop;
    }
    err = loop_watch_readable(&http->loop, http->mailbox.wakeup.fd, COOKIE_MAILBOX, false);
    if (err != ERR_OK) {
        goto fail_mailbox;
    }
    forerunner_init(&http->forerunner, options->store, options->readers, &http->mailbox,
                    http->options.limits.conversations_max);
    crypto_random((uint8_t *)&http->key, sizeof(http->key));
    err = open_doors(http);
    if (err == ERR_OK) {
        err = thread_start(&http->thread, "http", run, http);
    }
    if (err != ERR_OK) {
        goto fail_doors;
    }
    return ERR_OK;

fail_doors:
    abandon_doors(http);
fail_mailbox:
    mailbox_close(&http->mailbox);
fail_loop:
    loop_close(&http->loop);
    return err;
}

void http_stop(struct http *http)
{
    atomic_store(&http->is_stopping, true);
    wakeup_raise(&http->mailbox.wakeup);
    thread_join(&http->thread);
    for (uint32_t i = 0; i < http->doors_count; i++) {
        close_halls(&http->doors[i]);
    }
    anchors_deinit(&http->anchors);
    command_syncs_deinit(&http->command_syncs);
    mailbox_close(&http->mailbox);
    loop_close(&http->loop);
    budget_refund(&http->connections_budget, connections_bytes(&http->options.limits));
    ASSERT(budget_used(&http->budget) == 0);
}
