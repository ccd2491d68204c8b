#include "cli/bench_scenario.h"
#include "cli/bench_traffic.h"
#include "system/clock.h"

#define NS_PER_S      1000000000ULL
#define NS_PER_MS     1000000ULL
#define LISTENERS_MAX 10u
#define ROUND_MS_MAX  10000u /* a round that takes longer has failed */
#define START_MS      200u
#define SETTLE_MS     500u

/*
 * A round: a user connects, logs in, writes one message to a listener, has its SENDACK and goes.
 * Rounds begin at their times, open loop; the users take turns, and one that is still busy is
 * skipped by taking turns among those that are free.
 */
struct churn {
    struct bench_run *run;
    struct bench_traffic traffic;
    uint32_t *free_users; /* a ring of users that are not connected */
    uint64_t *round_ns;   /* by user: when its round was meant to begin */
    uint64_t taken_count; /* from the ring */
    uint64_t given_count; /* to the ring */
    uint64_t done_count;
    uint64_t failed_count;
    uint64_t late_count; /* rounds that had to wait for a free user */
    bool is_marked;
    struct histogram logins; /* from the intended time to the CONNACK */
    struct histogram rounds; /* from the intended time to the SENDACK */
};

static uint32_t listeners_count(const struct bench_options *options)
{
    return options->users_count < LISTENERS_MAX ? options->users_count : LISTENERS_MAX;
}

uint32_t bench_churn_clients_count(const struct bench_options *options)
{
    return listeners_count(options) + options->users_count;
}

/* User n, which is the client behind the listeners, writes in channel n to listener n modulo their
 * number. */
static void set_up(struct churn *churn)
{
    struct bench_traffic *traffic = &churn->traffic;
    const struct bench_engine *engine = &churn->run->engine;
    const uint32_t users = churn->run->options.users_count;
    const uint32_t listeners = listeners_count(&churn->run->options);
    for (uint32_t user = 0; user < users; user++) {
        (void)bench_traffic_add_channel(traffic, PACKET_CHANNEL_PERSON);
    }
    for (uint32_t listener = 0; listener < listeners; listener++) {
        for (uint32_t user = listener; user < users; user += listeners) {
            bench_traffic_join(traffic, user, listener);
        }
    }
    for (uint32_t user = 0; user < users; user++) {
        bench_traffic_join(traffic, user, listeners + user);
        bench_traffic_add_sender(traffic, user, listeners + user,
                                 engine->clients[user % listeners].uid);
        churn->free_users[churn->given_count++ % users] = user;
    }
}

static bool is_listener(const struct churn *churn, const struct bench_client *client)
{
    return client->index < listeners_count(&churn->run->options);
}

static void give_back(struct churn *churn, const struct bench_client *client)
{
    const uint32_t user = client->index - listeners_count(&churn->run->options);
    churn->free_users[churn->given_count++ % churn->run->options.users_count] = user;
}

static void took(struct churn *churn, const struct bench_client *client,
                 struct histogram *histogram)
{
    const uint64_t round_ns =
        churn->round_ns[client->index - listeners_count(&churn->run->options)];
    if (bench_traffic_is_measured(&churn->traffic, round_ns)) {
        histogram_add(histogram, churn->run->engine.now_ns - round_ns);
    }
}

/* ---- The handler. ---- */

static void on_online(struct bench_engine *engine, struct bench_client *client)
{
    struct churn *churn = engine->scenario;
    if (is_listener(churn, client)) {
        return;
    }
    took(churn, client, &churn->logins);
    bench_traffic_send(&churn->traffic, churn->traffic.members[client->index].sender,
                       engine->now_ns);
}

static void on_sendack(struct bench_engine *engine, struct bench_client *client,
                       const struct packet_sendack *sendack)
{
    struct churn *churn = engine->scenario;
    if (bench_traffic_on_sendack(&churn->traffic, client, sendack) == NULL) {
        return;
    }
    took(churn, client, &churn->rounds);
    churn->done_count++;
    bench_client_close(engine, client);
    give_back(churn, client);
}

static void on_recv(struct bench_engine *engine, struct bench_client *client,
                    const struct packet_recv *recv)
{
    struct churn *churn = engine->scenario;
    bench_traffic_on_recv(&churn->traffic, client, recv);
}

static void fail(struct churn *churn, const struct bench_client *client)
{
    churn->failed_count++;
    give_back(churn, client);
}

static void on_end(struct bench_engine *engine, struct bench_client *client, enum bench_end end)
{
    (void)end; /* the engine counts them */
    struct churn *churn = engine->scenario;
    if (!is_listener(churn, client)) {
        fail(churn, client);
    }
}

static void on_tick(struct bench_engine *engine)
{
    struct churn *churn = engine->scenario;
    const uint64_t now_ns = clock_now_ns();
    for (uint32_t i = listeners_count(&churn->run->options); i < engine->clients_count; i++) {
        struct bench_client *client = &engine->clients[i];
        if (client->state != BENCH_CLIENT_FREE &&
            now_ns - client->began_ns > ROUND_MS_MAX * NS_PER_MS) {
            bench_client_close(engine, client);
            fail(churn, client);
        }
    }
    (void)bench_watch_sample(&churn->run->watch);
    if (bench_watch_wants_progress(&churn->run->watch)) {
        bench_watch_progress(&churn->run->watch, "rounds done %llu  failed %llu  login p99 %.1f ms",
                             (unsigned long long)churn->done_count,
                             (unsigned long long)churn->failed_count,
                             (double)histogram_percentile_ns(&churn->logins, 990000) / 1e6);
    }
}

static const struct bench_handler handler = {
    .on_online = on_online,
    .on_sendack = on_sendack,
    .on_recv = on_recv,
    .on_end = on_end,
    .on_tick = on_tick,
};

/* ---- The run. ---- */

/* Begins the rounds whose time has come, as far as users are free, and returns the next time. */
static uint64_t begin_due(struct churn *churn)
{
    struct bench_traffic *traffic = &churn->traffic;
    const uint32_t users = churn->run->options.users_count;
    while (traffic->next < traffic->schedule.count) {
        const uint64_t round_ns = bench_schedule_time_ns(&traffic->schedule, traffic->next);
        const uint64_t now_ns = clock_now_ns();
        if (round_ns > now_ns) {
            return round_ns;
        }
        if (churn->taken_count == churn->given_count) {
            churn->late_count++;
            return BENCH_NO_TIME; /* until one of them is done */
        }
        traffic->next++;
        const uint32_t user = churn->free_users[churn->taken_count++ % users];
        struct bench_client *client =
            &churn->run->engine.clients[listeners_count(&churn->run->options) + user];
        churn->round_ns[user] = round_ns;
        if (bench_client_open(&churn->run->engine, client) != ERR_OK) {
            fail(churn, client);
        }
        if (bench_traffic_is_measured(traffic, round_ns)) {
            histogram_add(&traffic->lags, now_ns - round_ns);
        }
    }
    return BENCH_NO_TIME;
}

static void run_rounds(struct churn *churn)
{
    struct bench_engine *engine = &churn->run->engine;
    struct bench_traffic *traffic = &churn->traffic;
    const uint64_t end_ns = traffic->end_ns + churn->run->options.drain_s * NS_PER_S;
    uint64_t now_ns = 0;
    while ((now_ns = clock_now_ns()) < end_ns && traffic->failure == ERR_OK &&
           (traffic->next < traffic->schedule.count || traffic->open_count > 0 ||
            churn->given_count - churn->taken_count < churn->run->options.users_count)) {
        if (!churn->is_marked && now_ns >= traffic->measure_ns) {
            bench_engine_reset_figures(engine);
            bench_watch_mark_begin(&churn->run->watch);
            churn->is_marked = true;
        }
        const uint64_t wake_ns = begin_due(churn);
        bench_engine_turn(engine, wake_ns < end_ns ? wake_ns : end_ns);
    }
}

static void report(struct churn *churn)
{
    struct bench_report *out = &churn->run->report;
    bench_report_begin(out, "churn", "rounds of login, one message and goodbye");
    bench_report_count(out, "begun", "begun", churn->taken_count);
    bench_report_count(out, "done", "done", churn->done_count);
    bench_report_count(out, "failed", "failed, or longer than 10 s", churn->failed_count);
    bench_report_count(out, "late", "times that no user was free", churn->late_count);
    bench_report_latency_columns(out, "from the intended time");
    bench_report_latency(out, "login", "to CONNACK", &churn->logins);
    bench_report_latency(out, "round", "to SENDACK", &churn->rounds);
    bench_report_end(out);
    if (churn->failed_count > 0) {
        bench_report_fault(out, "%llu rounds failed", (unsigned long long)churn->failed_count);
    }
    if (churn->traffic.next < churn->traffic.schedule.count) {
        bench_report_fault(
            out, "%llu rounds were not begun",
            (unsigned long long)(churn->traffic.schedule.count - churn->traffic.next));
    }
    bench_traffic_report(&churn->traffic, out);
}

static enum err run(struct churn *churn)
{
    struct bench_engine *engine = &churn->run->engine;
    set_up(churn);
    engine->scenario = churn;
    engine->handler = &handler;
    const enum err err = bench_run_login(churn->run, 0, listeners_count(&churn->run->options));
    if (err != ERR_OK) {
        return err;
    }
    bench_engine_run_until(engine, clock_now_ns() + START_MS * NS_PER_MS);
    bench_traffic_begin(&churn->traffic, clock_now_ns() + NS_PER_MS);
    run_rounds(churn);
    bench_watch_mark_end(&churn->run->watch);
    bench_engine_run_until(engine, clock_now_ns() + SETTLE_MS * NS_PER_MS);
    bench_watch_progress_end(&churn->run->watch);
    bench_traffic_finish(&churn->traffic);
    if (churn->traffic.failure == ERR_OK) {
        report(churn);
    }
    return churn->traffic.failure;
}

enum err bench_churn_run(struct bench_run *bench)
{
    struct budget *budget = &bench->engine.budget;
    const uint32_t users = bench->options.users_count;
    const struct bench_traffic_size size = {
        .channels_count = users,
        .inboxes_count = 2 * users,
        .senders_count = users,
    };
    struct churn churn = {
        .run = bench,
        .free_users = memory_acquire(budget, MEMORY_RANK_READ, users * sizeof(uint32_t)),
        .round_ns = memory_acquire_zeroed(budget, MEMORY_RANK_READ, users * sizeof(uint64_t)),
    };
    enum err err = churn.free_users != NULL && churn.round_ns != NULL ? ERR_OK : ERR_BUDGET;
    if (err == ERR_OK) {
        err = bench_traffic_open(&churn.traffic, &bench->engine, &bench->watch, &size);
    }
    if (err == ERR_OK) {
        err = run(&churn);
        bench_traffic_close(&churn.traffic);
    }
    memory_release(budget, churn.free_users, users * sizeof(uint32_t));
    memory_release(budget, churn.round_ns, users * sizeof(uint64_t));
    return err;
}
