#include "base/assert.h"
#include "base/prng.h"
#include "cli/bench_answer.h"
#include "cli/bench_http.h"
#include "cli/bench_scenario.h"
#include "cli/bench_schedule.h"
#include "system/clock.h"
#include "wire/json_text.h"

#include <stdio.h>

#define NS_PER_S     1000000000ULL
#define WRITERS_MAX  10u
#define HEADS_MAX    500u /* channels whose newest page is asked for twice */
#define QUESTION_MAX 512u
#define SETTLE_MS    500u  /* after the filling */
#define FIRSTS_STEP  7919u /* a prime: the channels that are looked at lie apart */

/*
 * What a back end asks a server that has a past, one request after the other: the newest page of
 * channels that nobody asked for since the start, the same pages again, pages at random places, all
 * conversations of a user, and those that have changed since.
 */

enum part {
    PART_FIRST = 0,
    PART_AGAIN,
    PART_RANDOM,
    PART_ALL,
    PART_CHANGED,
    PARTS_COUNT,
};

struct part_words {
    const char *key;
    const char *words;
};

static const struct part_words part_words[PARTS_COUNT] = {
    [PART_FIRST] = {"page_first", "newest page of a channel, first time"},
    [PART_AGAIN] = {"page_again", "newest page of those channels, again"},
    [PART_RANDOM] = {"page_random", "page at a random place of a random channel"},
    [PART_ALL] = {"conversations_all", "conversations of a user, all"},
    [PART_CHANGED] = {"conversations_changed", "conversations of a user, those changed"},
};

struct part_figures {
    struct histogram times;
    uint64_t count;
    uint64_t bytes;
    uint64_t cpu_us; /* of the server */
};

struct sync {
    struct bench_run *run;
    struct bench_fill fill;
    struct bench_http http;
    struct bench_answers answers;
    struct prng prng;
    uint8_t *seen;
    uint64_t filled_count;
    struct part_figures figures[PARTS_COUNT];
};

uint32_t bench_sync_clients_count(const struct bench_options *options)
{
    const uint32_t users = bench_fill_users_count(options);
    const uint32_t of_first = (options->channels_count + users - 1) / users;
    return users + (of_first < WRITERS_MAX ? of_first : WRITERS_MAX);
}

/* ---- Asking. ---- */

/* Asks and takes the time. False: there was no answer to look at. */
static bool ask(struct sync *sync, enum part part, const char *path, struct bytes question,
                uint64_t intended_ns)
{
    struct part_figures *figures = &sync->figures[part];
    uint32_t status = 0;
    const uint64_t begun_ns = clock_now_ns();
    const enum err err = bench_http_post(&sync->http, path, question, &status);
    if (err != ERR_OK || status != 200) {
        sync->answers.counts[BENCH_ANSWER_FAILED]++;
        return false;
    }
    const uint64_t late_ns = begun_ns > intended_ns ? begun_ns - intended_ns : 0;
    histogram_add(&figures->times, bench_http_took_ns(&sync->http) + late_ns);
    figures->count++;
    figures->bytes += bench_http_answer(&sync->http).size;
    return true;
}

static void ask_page(struct sync *sync, enum part part, const struct bench_page *page,
                     uint64_t intended_ns)
{
    uint8_t area[QUESTION_MAX];
    char peer[BENCH_UID_CHARS_MAX];
    struct writer writer = writer_of(area, sizeof(area));
    struct json_text json = json_text_of(&writer);
    const uint32_t user = page->channel % sync->fill.users_count;
    bench_fill_peer_name(&sync->fill, page->channel, peer);
    json_text_object_begin(&json);
    json_text_key(&json, "login_uid");
    json_text_string(&json, bytes_of_string(sync->run->engine.clients[user].uid));
    json_text_key(&json, "channel_id");
    json_text_string(&json, bytes_of_string(peer));
    json_text_key(&json, "channel_type");
    json_text_unsigned(&json, PACKET_CHANNEL_PERSON);
    json_text_key(&json, "start_message_seq");
    json_text_unsigned(&json, page->start_seq);
    json_text_key(&json, "end_message_seq");
    json_text_unsigned(&json, 0);
    json_text_key(&json, "limit");
    json_text_unsigned(&json, page->limit);
    json_text_key(&json, "pull_mode");
    json_text_unsigned(&json, 0);
    json_text_object_end(&json);
    if (ask(sync, part, "/channel/messagesync", writer_bytes(&writer), intended_ns)) {
        bench_answer_page(&sync->answers, &sync->fill, page, bench_http_answer(&sync->http));
    }
}

static void ask_conversations(struct sync *sync, enum part part, uint32_t user,
                              uint64_t intended_ns)
{
    uint8_t area[QUESTION_MAX];
    struct writer writer = writer_of(area, sizeof(area));
    struct json_text json = json_text_of(&writer);
    json_text_object_begin(&json);
    json_text_key(&json, "uid");
    json_text_string(&json, bytes_of_string(sync->run->engine.clients[user].uid));
    json_text_key(&json, "version");
    json_text_unsigned(&json, part == PART_CHANGED ? 1 : 0);
    json_text_key(&json, "last_msg_seqs");
    json_text_string(&json, BYTES_EMPTY);
    json_text_key(&json, "msg_count");
    json_text_unsigned(&json, 1);
    json_text_object_end(&json);
    if (ask(sync, part, "/conversation/sync", writer_bytes(&writer), intended_ns)) {
        const struct bench_list list = {.user = user, .is_changed = part == PART_CHANGED};
        bench_answer_conversations(&sync->answers, &sync->fill, &list,
                                   bench_http_answer(&sync->http), sync->seen);
    }
}

/* User 0 has read everything: what is unread from then on is what the writers write. */
static enum err read_all(struct sync *sync)
{
    for (uint32_t place = 0; place < bench_fill_user_channels(&sync->fill, 0); place++) {
        uint8_t area[QUESTION_MAX];
        char peer[BENCH_UID_CHARS_MAX];
        struct writer writer = writer_of(area, sizeof(area));
        struct json_text json = json_text_of(&writer);
        bench_fill_peer_name(&sync->fill, place * sync->fill.users_count, peer);
        json_text_object_begin(&json);
        json_text_key(&json, "uid");
        json_text_string(&json, bytes_of_string(sync->run->engine.clients[0].uid));
        json_text_key(&json, "channel_id");
        json_text_string(&json, bytes_of_string(peer));
        json_text_key(&json, "channel_type");
        json_text_unsigned(&json, PACKET_CHANNEL_PERSON);
        json_text_object_end(&json);
        uint32_t status = 0;
        const enum err err = bench_http_post(&sync->http, "/conversations/clearUnread",
                                             writer_bytes(&writer), &status);
        if (err != ERR_OK || status != 200) {
            sync->answers.counts[BENCH_ANSWER_FAILED]++;
        }
        bench_engine_turn(&sync->run->engine, 0);
    }
    return sync->fill.failure;
}

/* ---- The parts. ---- */

static uint32_t heads_count(const struct sync *sync)
{
    ASSERT(sync->fill.channels_count > 0);
    return sync->fill.channels_count < HEADS_MAX ? sync->fill.channels_count : HEADS_MAX;
}

/* The n-th of the channels whose newest page is asked for. */
static uint32_t head_channel(const struct sync *sync, uint64_t n)
{
    return (uint32_t)(n % heads_count(sync) * FIRSTS_STEP % sync->fill.channels_count);
}

static void ask_random_page(struct sync *sync, uint64_t intended_ns)
{
    const uint32_t channel = head_channel(sync, prng_next(&sync->prng));
    const uint64_t last_seq = sync->fill.seqs[channel];
    const struct bench_page page = {
        .channel = channel,
        .limit = sync->run->options.limit,
        .start_seq = last_seq > 0 ? 1 + prng_below(&sync->prng, last_seq) : 0,
    };
    ask_page(sync, PART_RANDOM, &page, intended_ns);
}

static enum err ask_once(struct sync *sync, enum part part, uint64_t n, uint64_t intended_ns)
{
    struct bench_page page = {.limit = sync->run->options.limit};
    switch (part) {
    case PART_FIRST:
    case PART_AGAIN:
        page.channel = head_channel(sync, n);
        ask_page(sync, part, &page, intended_ns);
        return ERR_OK;
    case PART_RANDOM:
        ask_random_page(sync, intended_ns);
        return ERR_OK;
    case PART_ALL:
        ask_conversations(sync, part, (uint32_t)prng_below(&sync->prng, sync->fill.users_count),
                          intended_ns);
        return ERR_OK;
    case PART_CHANGED: {
        const enum err err = bench_fill_change(&sync->fill);
        /* What is written meanwhile is no part of the request: it counts from here. */
        ask_conversations(sync, part, 0, err == ERR_OK ? clock_now_ns() : intended_ns);
        return err;
    }
    case PARTS_COUNT:
        return ERR_OK;
    }
    return ERR_OK;
}

/* How many requests a part has at most; a channel is looked at for the first time only once. */
static uint64_t count_max(const struct sync *sync, enum part part)
{
    const uint64_t asked_for = sync->run->options.requests_max;
    const uint64_t count = asked_for > 0 ? asked_for : UINT64_MAX;
    return part == PART_FIRST && count > heads_count(sync) ? heads_count(sync) : count;
}

static enum err run_part(struct sync *sync, enum part part)
{
    const struct bench_options *options = &sync->run->options;
    enum err err = part == PART_CHANGED ? read_all(sync) : ERR_OK;
    const uint64_t start_ns = clock_now_ns();
    const uint64_t end_ns = start_ns + options->measure_s * NS_PER_S;
    const struct bench_schedule schedule = {.start_ns = start_ns, .rate = options->rate};
    const uint64_t cpu_us = bench_watch_server_cpu_us(&sync->run->watch);
    for (uint64_t n = 0; err == ERR_OK && n < count_max(sync, part) && clock_now_ns() < end_ns;
         n++) {
        uint64_t intended_ns = clock_now_ns();
        if (options->rate > 0) {
            intended_ns = bench_schedule_time_ns(&schedule, n);
            if (intended_ns >= end_ns) {
                break;
            }
            bench_engine_run_until(&sync->run->engine, intended_ns);
        }
        err = ask_once(sync, part, n, intended_ns);
        bench_engine_turn(&sync->run->engine, 0); /* RECVs are acknowledged, samples taken */
    }
    sync->figures[part].cpu_us = bench_watch_server_cpu_us(&sync->run->watch) - cpu_us;
    return err;
}

/* ---- The report. ---- */

static void report_fill(struct sync *sync)
{
    struct bench_report *out = &sync->run->report;
    const struct bench_fill *fill = &sync->fill;
    const uint64_t us = fill->took_ns / 1000 + 1;
    bench_report_begin(out, "filling", "filling");
    bench_report_count(out, "channels", "channels", fill->channels_count);
    bench_report_count(out, "users", "users that have them", fill->users_count);
    bench_report_count(out, "acked", "messages written now", sync->filled_count);
    bench_report_time(out, "took_us", "that took", fill->took_ns / 1000);
    bench_report_count(out, "acked_per_s", "acknowledged a second",
                       (uint64_t)((double)sync->filled_count * 1e6 / (double)us));
    bench_report_count(out, "refused", "refused", fill->refused_count);
    bench_report_end(out);
    if (fill->refused_count > 0) {
        bench_report_fault(out, "%llu messages were refused",
                           (unsigned long long)fill->refused_count);
    }
}

static void report_part(struct sync *sync, enum part part)
{
    struct bench_report *out = &sync->run->report;
    const struct part_figures *figures = &sync->figures[part];
    const uint64_t count = figures->count > 0 ? figures->count : 1;
    bench_report_begin(out, part_words[part].key, part_words[part].words);
    bench_report_latency_columns(out, "");
    bench_report_latency(out, "answer", "request to answer", &figures->times);
    bench_report_count(out, "answers", "answers", figures->count);
    bench_report_count(out, "bytes_mean", "bytes of an answer, mean", figures->bytes / count);
    if (sync->run->watch.has_server) {
        bench_report_count(out, "cpu_us_mean", "CPU of the server for each, microseconds",
                           figures->cpu_us / count);
    }
    bench_report_end(out);
}

static void report_answers(struct sync *sync)
{
    static const struct part_words rows[BENCH_ANSWERS_COUNT] = {
#define ANSWER(id, key, words) [BENCH_ANSWER_##id] = {key, words},
        BENCH_ANSWER_LIST(ANSWER)
#undef ANSWER
    };
    struct bench_report *out = &sync->run->report;
    bench_report_begin(out, "answers", "what was wrong with the answers");
    for (uint32_t i = 0; i < BENCH_ANSWERS_COUNT; i++) {
        const uint64_t count = sync->answers.counts[i];
        bench_report_count(out, rows[i].key, rows[i].words, count);
        if (count > 0) {
            bench_report_fault(out, "%llu %s", (unsigned long long)count, rows[i].words);
        }
    }
    bench_report_end(out);
}

static void report(struct sync *sync)
{
    uint64_t answers_count = 0;
    report_fill(sync);
    for (uint32_t part = 0; part < PARTS_COUNT; part++) {
        report_part(sync, (enum part)part);
        answers_count += sync->figures[part].count;
    }
    report_answers(sync);
    const struct bench_work work = {.count = answers_count, .words = "answers", .key = "answers"};
    bench_watch_report_server(&sync->run->watch, &sync->run->report, &work, 1);
}

/* ---- The run. ---- */

static enum err run(struct sync *sync)
{
    struct bench_run *bench = sync->run;
    struct bench_engine *engine = &bench->engine;
    engine->scenario = &sync->fill;
    engine->handler = &bench_fill_handler;
    enum err err = bench_run_login(bench, 0, engine->clients_count);
    if (err == ERR_OK) {
        err = bench_fill_run(&sync->fill);
    }
    if (err != ERR_OK) {
        return err;
    }
    sync->filled_count = sync->fill.acked_count;
    bench_engine_run_until(engine, clock_now_ns() + SETTLE_MS * 1000000ULL);
    bench_engine_reset_figures(engine);
    bench_watch_mark_begin(&bench->watch);
    for (uint32_t part = 0; part < PARTS_COUNT && err == ERR_OK; part++) {
        err = run_part(sync, (enum part)part);
    }
    bench_watch_mark_end(&bench->watch);
    bench_watch_progress_end(&bench->watch);
    if (err == ERR_OK) {
        report(sync);
    }
    return err;
}

enum err bench_sync_run(struct bench_run *bench)
{
    struct budget *budget = &bench->engine.budget;
    const struct bench_options *options = &bench->options;
    const uint32_t seen_bytes = options->conversations_count + 1;
    struct sync *sync = memory_acquire_zeroed(budget, MEMORY_RANK_READ, sizeof(*sync));
    if (sync == NULL) {
        return ERR_BUDGET;
    }
    sync->run = bench;
    sync->seen = memory_acquire_zeroed(budget, MEMORY_RANK_READ, seen_bytes);
    prng_init(&sync->prng, bench->engine.run);
    enum err err = sync->seen != NULL ? ERR_OK : ERR_BUDGET;
    if (err == ERR_OK) {
        err = bench_http_open(&sync->http, &options->http_address, options->api_token, budget);
    }
    if (err == ERR_OK) {
        err = bench_fill_open(&sync->fill, &bench->engine, &bench->watch);
        if (err == ERR_OK) {
            err = run(sync);
            bench_fill_close(&sync->fill);
        }
        bench_http_close(&sync->http);
    }
    memory_release(budget, sync->seen, seen_bytes);
    memory_release(budget, sync, sizeof(*sync));
    return err;
}
