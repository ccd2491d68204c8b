#include "model/script.h"

#include "memory/allocator.h"
#include "model/trouble.h"
#include "system/clock.h"

#include "support/test.h"

#include <stdio.h>

#define WALL_BEGIN_MS      1767225600000ull /* 2026-01-01 */
#define ROUND_COMMANDS_MAX 14u
#define RECOVER_MS_MAX     30000u
#define LOGINS_COUNT       24u
#define SHARD_BYTES        (24u * 1024u * 1024u)

static uint32_t below(struct script *script, uint32_t bound)
{
    return (uint32_t)prng_below(&script->prng, bound);
}

static bool chance(struct script *script, uint32_t percent)
{
    return below(script, 100) < percent;
}

/* ---- The server comes and goes. ---- */

static void open_world(struct script *script, uint32_t shards_count)
{
    const struct world_options options = {
        .path = script->path,
        .shards_count = shards_count,
        .shard_bytes = SHARD_BYTES,
        .settings =
            {
                .is_token_required = chance(script, 50),
                .is_visitor_free = chance(script, 50),
                .is_person_allow_list_off = chance(script, 60),
                .manager_uid = name_of_uid(UID_MANAGER),
                .visitor_suffix = BYTES_OF("___vstr"),
                .retry_interval_ms = RETRY_MS,
                .retry_scan_ms = RETRY_SCAN_MS,
                .retry_count_max = RETRY_COUNT_MAX,
                .hash_key = {.k0 = prng_next(&script->prng), .k1 = prng_next(&script->prng)},
            },
        .on_push = deliveries_on_push,
        .on_login = deliveries_on_login,
        .context = script,
    };
    script->model.is_person_allow_list_off = options.settings.is_person_allow_list_off;
    world_open(&script->world, &options);
    script->store = script->world.store;
    script->openings++;
}

static uint32_t pick_shards_count(struct script *script)
{
    static const uint32_t counts[] = {1, 2, 3, 4};
    return script->is_shards_count_fixed ? script->world.options.shards_count
                                         : counts[below(script, COUNT_OF(counts))];
}

/* ---- A round. ---- */

static void for_live(struct script *script, void (*visit)(struct connection *connection))
{
    for (uint32_t shard = 0; shard < script->world.options.shards_count; shard++) {
        for (uint32_t i = 0; i < CONNECTIONS_MAX; i++) {
            struct connection *connection = &script->world.sides[shard].connections[i];
            if (connection_is_live(connection)) {
                visit(connection);
            }
        }
    }
}

static void begin_connection(struct connection *connection)
{
    connection->had_room_all_round = connection->is_reading && connection->room_max == UINT32_MAX;
}

static void note_wall(struct script *script)
{
    const uint64_t wall_ms = script->world.wall_ms;
    script->wall_min_ms = wall_ms < script->wall_min_ms ? wall_ms : script->wall_min_ms;
    script->wall_max_ms = wall_ms > script->wall_max_ms ? wall_ms : script->wall_max_ms;
}

static void begin_round(struct script *script)
{
    script->round++;
    script->tasks_count = 0;
    script->home_count = 0;
    script->is_troubled = false;
    script->wall_min_ms = UINT64_MAX;
    script->wall_max_ms = 0;
    note_wall(script);
    /* One step for what was true before, so that nothing of this round seems to be as old. */
    script->world.step++;
    for_live(script, begin_connection);
    trouble_slow_reads(chance(script, 50) ? below(script, 100) : 0,
                       chance(script, 50) ? below(script, 70) : 0);
}

static void end_round(struct script *script)
{
    trouble_rest();
    resolve_round(script);
    deliveries_check(script);
}

static void ask_some(struct script *script, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        command_any(script);
        note_wall(script);
        if (chance(script, 60)) {
            world_turns(&script->world, below(script, 8));
        }
    }
}

static uint32_t pick_count(struct script *script)
{
    return 1 + below(script, ROUND_COMMANDS_MAX);
}

static void round_of_commands(struct script *script)
{
    begin_round(script);
    ask_some(script, pick_count(script));
    world_settle(&script->world);
    end_round(script);
}

/* Time passes, and nobody asks for anything. */
static void round_of_time(struct script *script)
{
    begin_round(script);
    const uint32_t passed_ms = RETRY_MS + 2 * RETRY_SCAN_MS + below(script, 20000);
    const uint64_t end_ms = script->world.now_ms + passed_ms;
    while (script->world.now_ms < end_ms) {
        const uint32_t step_ms = 1 + below(script, RETRY_SCAN_MS / 4);
        script->world.now_ms += step_ms;
        script->world.wall_ms += step_ms;
        note_wall(script);
        world_turns(&script->world, 4);
        world_settle(&script->world);
    }
    deliveries_check_resends(script);
    end_round(script);
}

static void explain_no_recovery(const struct script *script)
{
    struct store_fault fault;
    store_last_fault(script->world.store, &fault);
    print_error("round %u: the server did not recover: reason %d, the journal %s, fault: %s\n",
                script->round, (int)script->tasks[script->tasks_count].reason,
                journal_is_failing(&script->world.journal) ? "refuses" : "commits", fault.text);
}

/* Until a message is stored again, whatever was wrong. What takes time is the opening of the
 * database, which is other threads' work: as long as the machine may give them. */
static void recover(struct script *script)
{
    trouble_rest();
    const uint64_t began_ns = clock_now_ns();
    uint64_t took_ms = 0;
    for (;;) {
        command_probe(script);
        world_settle(&script->world);
        took_ms = (clock_now_ns() - began_ns) / 1000000u;
        if (script->tasks[script->tasks_count - 1].reason == CHAT_REASON_SUCCESS) {
            break;
        }
        /* It was refused, and stored nothing: what is not open refuses. */
        script->tasks_count--;
        script->model.asked_count--;
        if (took_ms > RECOVER_MS_MAX) {
            explain_no_recovery(script);
            fail();
        }
        world_nudge(&script->world);
    }
    if (took_ms > script->counts.recovery_ms_max) {
        script->counts.recovery_ms_max = took_ms;
    }
}

static bool is_restart_wanted(const struct script *script)
{
    for (uint32_t i = 0; i < script->tasks_count; i++) {
        const struct task *task = &script->tasks[i];
        const bool is_of_memory = task->kind == TASK_SYSTEM ||
                                  (task->kind == TASK_CHANGE && task->change_kind == CHANGE_PUT &&
                                   script->model.channels[task->channel].type == CHANNEL_PERSON);
        if (is_of_memory && task->result != ERR_OK) {
            return true;
        }
    }
    return false;
}

static void restart(struct script *script);

/* The disk fails, or is short, or cannot be read, in the middle of it all. */
static void round_of_trouble(struct script *script)
{
    begin_round(script);
    ask_some(script, below(script, 6));
    script->is_troubled = true;
    const uint32_t dice = below(script, 100);
    if (dice < 65) {
        trouble_fail_commits(1 + below(script, 3), chance(script, 50));
        trouble_fail_opens(chance(script, 50) ? 1 + below(script, 2) : 0);
        for (uint32_t i = chance(script, 50) ? 1 + below(script, 2) : 0; i > 0; i--) {
            command_change(script); /* of which a part is stored, perhaps */
        }
    } else if (dice < 80) {
        trouble_short_disk(true);
    } else {
        trouble_fail_reads(20 + below(script, 60));
    }
    ask_some(script, pick_count(script));
    if (chance(script, 50)) {
        world_settle(&script->world);
        ask_some(script, pick_count(script));
    }
    world_settle(&script->world);
    recover(script);
    const bool is_restarted = is_restart_wanted(script);
    end_round(script);
    script->counts.failures++;
    if (is_restarted) {
        restart(script);
    }
}

/* ---- The end of a process, and the next one. ---- */

static void restart(struct script *script)
{
    begin_round(script);
    command_close_all(script);
    world_settle(&script->world);
    end_round(script);
    const uint32_t shards_count = pick_shards_count(script);
    world_close(&script->world, chance(script, 50));
    open_world(script, shards_count);
    resolve_check_all(script);
    script->counts.restarts++;
}

/* Cuts the log in the middle of what was being written, as a machine may that ends then. */
static void cut_log(struct script *script, const char *path)
{
    const struct trouble_tail tail = trouble_tail();
    if (tail.file[0] != '\0' && tail.end > tail.begin && chance(script, 60)) {
        snapshot_cut(path, tail.file,
                     tail.begin + prng_below(&script->prng, tail.end - tail.begin));
    }
}

/* What the copy holds decides what has happened; then it becomes the server's directory. */
static void take_over(struct script *script, const char *path)
{
    struct budget budget;
    budget_init(&budget, "copy", NULL, BUDGET_UNLIMITED);
    script->store = world_open_store(path, &budget);
    resolve_round(script);
    deliveries_check(script);
    store_close(script->store);
    CHECK_EQ(budget_used(&budget), 0);
    const uint32_t shards_count = pick_shards_count(script);
    world_close(&script->world, false);
    directory_remove(script->path);
    snprintf(script->path, sizeof(script->path), "%s", path);
    script->is_cut_off = false;
    open_world(script, shards_count);
    resolve_check_all(script);
}

/* The process ends at some moment of this round; what it has answered by then is true. */
static void crash(struct script *script)
{
    begin_round(script);
    ask_some(script, below(script, 10));
    static const enum trouble_hold holds[] = {TROUBLE_HOLD_BEFORE, TROUBLE_HOLD_BEFORE,
                                              TROUBLE_HOLD_AFTER, TROUBLE_HOLD_AFTER,
                                              TROUBLE_HOLD_NONE};
    trouble_hold_commit(holds[below(script, COUNT_OF(holds))], script->path);
    ask_some(script, pick_count(script));
    if (chance(script, 80)) {
        world_settle_or_hold(&script->world);
    }
    char path[SNAPSHOT_PATH_MAX];
    directory_join(path, script->parent, script->openings);
    snapshot_take(script->path, path);
    cut_log(script, path);
    script->is_cut_off = true;
    trouble_release();
    world_settle(&script->world);
    command_close_all(script);
    world_settle(&script->world);
    trouble_rest();
    take_over(script, path);
    script->counts.crashes++;
}

/* Some come, so that there is somebody to talk to. */
static void round_of_logins(struct script *script)
{
    begin_round(script);
    for (uint32_t i = 0; i < LOGINS_COUNT; i++) {
        command_login(script);
        world_turns(&script->world, below(script, 3));
    }
    world_settle(&script->world);
    end_round(script);
}

/* A quiet time has come: what can be made again is given back, and made again as it is needed. */
static void rest(struct script *script)
{
    struct store_rest given_back;
    for (uint32_t i = 0; i < 2; i++) {
        store_rest(script->store, &given_back);
    }
}

static void round_any(struct script *script)
{
    const uint32_t dice = below(script, 1000);
    if (chance(script, 3)) {
        rest(script);
    }
    if (dice < 20) {
        crash(script);
    } else if (dice < 30) {
        restart(script);
    } else if (dice < 60) {
        round_of_trouble(script);
    } else if (dice < 90) {
        round_of_time(script);
    } else {
        round_of_commands(script);
    }
}

/* ---- The whole. ---- */

static void prepare(struct script *script)
{
    begin_round(script);
    command_crowd(script);
    for (uint8_t uid = 0; uid < UID_MANAGER; uid++) {
        command_tokens(script, uid);
    }
    world_settle(&script->world);
    end_round(script);
}

static void print_counts(const struct script *script)
{
    printf("  %u commands, %u rounds: %llu stored, %llu repeated, %llu passed, %llu received, "
           "%llu resent, %llu caught up\n",
           script->commands, script->round, (unsigned long long)script->counts.stored,
           (unsigned long long)script->counts.repeated, (unsigned long long)script->counts.passed,
           (unsigned long long)script->counts.receipts, (unsigned long long)script->counts.resends,
           (unsigned long long)script->counts.caught_up);
    printf("  %llu logins, %llu kicks, %llu drops, %llu crashes, %llu restarts, %llu failures, "
           "in flight %llu lost and %llu kept; refused",
           (unsigned long long)script->counts.logins, (unsigned long long)script->counts.kicks,
           (unsigned long long)script->counts.drops, (unsigned long long)script->counts.crashes,
           (unsigned long long)script->counts.restarts, (unsigned long long)script->counts.failures,
           (unsigned long long)script->counts.lost_in_flight,
           (unsigned long long)script->counts.kept_in_flight);
    for (uint32_t i = 0; i < COUNT_OF(script->counts.refused); i++) {
        if (script->counts.refused[i] > 0) {
            printf(" %u:%llu", i, (unsigned long long)script->counts.refused[i]);
        }
    }
    printf("; recovered within %llu ms\n", (unsigned long long)script->counts.recovery_ms_max);
}

void script_run(struct script *script, uint64_t seed, uint32_t shards_count, uint32_t commands)
{
    prng_init(&script->prng, seed);
    prng_init(&script->world.prng, prng_next(&script->prng));
    trouble_begin(prng_next(&script->prng));
    model_begin(&script->model);
    directory_make(script->parent);
    directory_join(script->path, script->parent, 0);
    script->is_shards_count_fixed = shards_count > 0;
    script->world.wall_ms = WALL_BEGIN_MS;
    open_world(script, shards_count > 0 ? shards_count : 1);
    prepare(script);
    uint32_t openings = 0;
    while (script->commands < commands) {
        if (openings < script->openings) {
            openings = script->openings;
            round_of_logins(script);
        }
        round_any(script);
    }
    restart(script);
    world_close(&script->world, true);
    directory_remove(script->parent);
    model_end(&script->model);
    trouble_end();
    print_counts(script);
}
