#include "http_fixture.h"

#include "store/store.h"
#include "system/futex.h"

#include <arpa/inet.h>
#include <ftw.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* ---- The port: what the domain tells a session. ---- */

static struct test_session *test_session_of(struct session *session)
{
    return CONTAINER_OF(session, struct test_session, session);
}

static void port_on_login(struct chat *chat, struct session *session, enum chat_reason reason)
{
    (void)chat;
    CHECK_EQ(reason, CHAT_REASON_SUCCESS);
    wakeup_raise(&test_session_of(session)->done);
}

static bool port_push(struct chat *chat, struct session *session, const struct push *push)
{
    (void)chat;
    (void)push;
    atomic_fetch_add(&test_session_of(session)->pushes, 1);
    futex_wake(&test_session_of(session)->pushes);
    return true;
}

static bool port_has_room(struct chat *chat, struct session *session)
{
    (void)chat;
    (void)session;
    return true;
}

static void port_kick(struct chat *chat, struct session *session, const struct kick *kick)
{
    (void)chat;
    struct test_session *kicked = test_session_of(session);
    atomic_store(&kicked->kick_delay_ms, kick->delay_ms);
    atomic_fetch_add(&kicked->kicks_spoken, kick->is_spoken ? 1 : 0);
}

static void port_drop(struct chat *chat, struct session *session, const char *cause)
{
    (void)chat;
    (void)session;
    (void)cause;
}

static struct http_fixture *fixture_of(struct chat *chat)
{
    struct test_core *core = CONTAINER_OF(chat->shard, struct test_core, shard);
    return CONTAINER_OF(core - core->shard.index, struct http_fixture, cores);
}

static struct session *port_find(struct chat *chat, struct session_id id)
{
    struct http_fixture *fixture = fixture_of(chat);
    return &fixture->sessions[id.index].session;
}

static bool port_push_event(struct chat *chat, struct session *session,
                            const struct session_event *event)
{
    (void)chat;
    (void)event;
    atomic_fetch_add(&CONTAINER_OF(session, struct test_session, session)->events, 1);
    return true;
}

static const struct session_port test_port = {
    .on_login = port_on_login,
    .push = port_push,
    .push_event = port_push_event,
    .has_room = port_has_room,
    .kick = port_kick,
    .drop = port_drop,
    .find = port_find,
};

static void login_arrives(struct letter *letter, void *receiver)
{
    struct test_session *session = CONTAINER_OF(letter, struct test_session, letter);
    const struct login_request request = {
        .uid = session->uid,
        .device_id = BYTES_OF("device"),
        .device_flag = session->session.device_flag,
    };
    CHECK_OK(session_login(chat_of(receiver), &session->session, &request));
}

static void close_arrives(struct letter *letter, void *receiver)
{
    struct test_session *session = CONTAINER_OF(letter, struct test_session, letter);
    session_close(chat_of(receiver), &session->session);
    wakeup_raise(&session->done);
}

static void ask_session(struct test_session *session, letter_fn *receive)
{
    struct http_fixture *fixture = session->fixture;
    const uint32_t shard =
        routing_shard_of_slot(slot_of_user(session->uid), fixture->options.shards_count);
    session->letter.receive = receive;
    mailbox_post(&fixture->shards[shard]->mailbox, &session->letter);
    wakeup_wait(&session->done, -1);
}

struct test_session *http_fixture_login(struct http_fixture *fixture, const char *uid,
                                        uint8_t device_flag)
{
    const uint32_t index = fixture->sessions_count++;
    CHECK(index < FIXTURE_SESSIONS_MAX);
    struct test_session *session = &fixture->sessions[index];
    session->fixture = fixture;
    session->uid = bytes_of_string(uid);
    session->session.device_flag = device_flag; /* until the login sets it */
    session->session.id = (struct session_id){.index = index, .generation = 1};
    CHECK_OK(wakeup_open(&session->done));
    ask_session(session, login_arrives);
    return session;
}

/* ---- The shards. ---- */

static void core_turn(struct test_core *core)
{
    struct shard *shard = &core->shard;
    loop_poll(&shard->loop, mailbox_may_sleep(&shard->mailbox) ? 20 : 0);
    mailbox_awake(&shard->mailbox);
    shard_tick(shard);
    wakeup_clear(&shard->mailbox.wakeup);
    (void)mailbox_drain(&shard->mailbox);
    (void)intake_run(&shard->intake, shard, UINT64_MAX);
    (void)deliveries_run(&core->chat);
    shard->asked_ms = shard->now_ms;
    timers_run(&shard->timers, shard->asked_ms);
    chat_turn_end(&core->chat);
    mailer_flush(&shard->mailer);
}

static void core_run(void *context)
{
    struct test_core *core = context;
    shard_enter(&core->shard);
    while (!atomic_load(&core->is_stopping) || !chat_is_idle(&core->chat)) {
        core_turn(core);
    }
    core_turn(core);
}

static void start_core(struct http_fixture *fixture, uint32_t index)
{
    struct test_core *core = &fixture->cores[index];
    memset(core, 0, sizeof(*core));
    fixture->shards[index] = &core->shard;
    CHECK_OK(shard_open(&core->shard, index, fixture->shards, FIXTURE_SHARDS, 64 * 1024 * 1024));
    core->shard.metrics = metrics_slot(&fixture->metrics, index);
    const struct chat_options options = {
        .shard = &core->shard,
        .store = fixture->store,
        .journal = &fixture->journal,
        .readers = &fixture->readers,
        .settings = &fixture->chat_settings,
        .port = &test_port,
    };
    CHECK_OK(chat_init(&core->chat, &options));
    CHECK_OK(loop_watch_readable(&core->shard.loop, core->shard.mailbox.wakeup.fd, 0, false));
}

/* ---- The store and what is around it. ---- */

static void start_store(struct http_fixture *fixture)
{
    static char data[96];
    snprintf(data, sizeof(data), "%s/data", fixture->path);
    struct store_fault fault = {.text = ""};
    const struct store_options options = {
        .budget = &fixture->budget,
        .path = data,
        .cache_bytes = 4 * 1024 * 1024,
        .memtables_bytes = 4 * 1024 * 1024,
        .filters_bytes = 1024 * 1024,
        .files_open_max = 64,
        .threads_count = 2,
        .is_new_allowed = true,
    };
    if (store_open(&options, &fixture->store, &fault) != ERR_OK) {
        print_error("%s\n", fault.text);
        fail();
    }
    CHECK_OK(readers_start(&fixture->readers, 2));
    const struct journal_options journal = {
        .store = fixture->store,
        .path = fixture->path,
        .batch_bytes = JOURNAL_BATCH_BYTES,
        .batch_messages = JOURNAL_BATCH_MESSAGES,
        .budget = &fixture->committer_budget,
        .metrics = metrics_slot(&fixture->metrics, FIXTURE_SHARDS),
    };
    CHECK_OK(journal_start(&fixture->journal, &journal));
}

void http_fixture_init(struct http_fixture *fixture)
{
    memset(fixture, 0, sizeof(*fixture));
    budget_init(&fixture->budget, "test", NULL, BUDGET_UNLIMITED);
    budget_init(&fixture->committer_budget, "committer", NULL, BUDGET_UNLIMITED);
    snprintf(fixture->path, sizeof(fixture->path), "/tmp/jingu-http-XXXXXX");
    CHECK(mkdtemp(fixture->path) != NULL);
    fixture->chat_settings = (struct chat_settings){
        .is_person_allow_list_off = true,
        .manager_uid = BYTES_OF("____manager"),
        .visitor_suffix = BYTES_OF("___vstr"),
        .retry_interval_ms = 60000,
        .retry_scan_ms = 30000,
        .retry_count_max = 5,
        .streams_bytes = FIXTURE_STREAMS_BYTES,
        .stream_bytes_max = FIXTURE_STREAM_BYTES_MAX,
        .hash_key = {.k0 = 1, .k1 = 2},
    };
    fixture->options = (struct http_options){
        .shards = fixture->shards,
        .shards_count = FIXTURE_SHARDS,
        .readers = &fixture->readers,
        .journal = &fixture->journal,
        .metrics = &fixture->metrics,
        .addresses = {.tcp = BYTES_OF("203.0.113.7:5100"),
                      .ws = BYTES_OF("ws://203.0.113.7:5200"),
                      .intranet_tcp = BYTES_OF("10.0.0.7:5100")},
        .identity = {.version = "0"},
        .online_channel = BYTES_OF("systemcmdonline"),
        .memory_bytes = 64 * 1024 * 1024,
    };
}

void http_fixture_start(struct http_fixture *fixture)
{
    CHECK_OK(metrics_open(&fixture->metrics, &fixture->budget, FIXTURE_SHARDS + 2));
    start_store(fixture);
    struct chat *chats[FIXTURE_SHARDS];
    for (uint32_t i = 0; i < FIXTURE_SHARDS; i++) {
        start_core(fixture, i);
        chats[i] = &fixture->cores[i].chat;
    }
    CHECK_OK(system_accounts_load(fixture->store, chats, FIXTURE_SHARDS));
    for (uint32_t i = 0; i < FIXTURE_SHARDS; i++) {
        CHECK_OK(thread_start(&fixture->cores[i].thread, "core", core_run, &fixture->cores[i]));
    }
    struct address address;
    CHECK_OK(address_resolve("127.0.0.1", 0, &address));
    CHECK_OK(socket_listen(&address, &fixture->options.listener));
    fixture->port = socket_port(fixture->options.listener);
    fixture->options.store = fixture->store;
    fixture->options.slot = metrics_slot(&fixture->metrics, FIXTURE_SHARDS + 1);
    CHECK_OK(http_start(&fixture->http, &fixture->options));
}

void http_fixture_stop(struct http_fixture *fixture)
{
    http_stop(&fixture->http);
    for (uint32_t i = 0; i < fixture->sessions_count; i++) {
        ask_session(&fixture->sessions[i], close_arrives);
        wakeup_close(&fixture->sessions[i].done);
    }
    memset(fixture->sessions, 0, sizeof(fixture->sessions));
    fixture->sessions_count = 0;
    for (uint32_t i = 0; i < FIXTURE_SHARDS; i++) {
        atomic_store(&fixture->cores[i].is_stopping, true);
        thread_join(&fixture->cores[i].thread);
    }
    journal_stop(&fixture->journal);
    readers_stop(&fixture->readers);
    for (uint32_t i = 0; i < FIXTURE_SHARDS; i++) {
        chat_deinit(&fixture->cores[i].chat);
        CHECK_EQ(budget_used(&fixture->cores[i].shard.budget), 0);
        shard_close(&fixture->cores[i].shard);
    }
    store_close(fixture->store);
    metrics_close(&fixture->metrics);
    CHECK_EQ(budget_used(&fixture->budget), 0);
    CHECK_EQ(budget_used(&fixture->committer_budget), 0);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

void http_fixture_deinit(struct http_fixture *fixture)
{
    CHECK_EQ(nftw(fixture->path, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* ---- A client. ---- */

int http_fixture_connect(const struct http_fixture *fixture)
{
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0);
    const struct timeval patience = {.tv_sec = 20};
    CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons(fixture->port),
                                        .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    CHECK_EQ(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

void http_fixture_write(int fd, const void *data, size_t size)
{
    const uint8_t *at = data;
    while (size > 0) {
        const ssize_t written = send(fd, at, size, MSG_NOSIGNAL);
        CHECK(written > 0);
        at += written;
        size -= (size_t)written;
    }
}

static size_t content_length(const char *head)
{
    const char *line = strcasestr(head, "\r\ncontent-length:");
    return line != NULL ? strtoul(line + 17, NULL, 10) : 0;
}

int http_fixture_read(struct http_fixture *fixture, int fd)
{
    fixture->answer_size = 0;
    for (;;) {
        fixture->answer[fixture->answer_size] = '\0';
        const char *body = strstr(fixture->answer, "\r\n\r\n");
        if (body != NULL) {
            const size_t head_size = (size_t)(body - fixture->answer) + 4;
            if (fixture->answer_size >= head_size + content_length(fixture->answer)) {
                return (int)strtol(fixture->answer + strlen("HTTP/1.1 "), NULL, 10);
            }
        }
        const size_t room = FIXTURE_ANSWER_BYTES - 1 - fixture->answer_size;
        const ssize_t got = recv(fd, fixture->answer + fixture->answer_size, room, 0);
        if (got <= 0) {
            return 0;
        }
        fixture->answer_size += (size_t)got;
    }
}

int http_fixture_call(struct http_fixture *fixture, const char *method, const char *path,
                      const char *body)
{
    const int fd = http_fixture_connect(fixture);
    char head[1024];
    const int size = snprintf(head, sizeof(head),
                              "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n",
                              method, path, body != NULL ? strlen(body) : 0);
    http_fixture_write(fd, head, (size_t)size);
    if (body != NULL) {
        http_fixture_write(fd, body, strlen(body));
    }
    const int status = http_fixture_read(fixture, fd);
    close(fd);
    return status;
}

const char *http_fixture_body(const struct http_fixture *fixture)
{
    const char *end = strstr(fixture->answer, "\r\n\r\n");
    return end != NULL ? end + 4 : "";
}

bool http_fixture_has_header(const struct http_fixture *fixture, const char *line)
{
    const char *end = strstr(fixture->answer, "\r\n\r\n");
    const char *found = strcasestr(fixture->answer, line);
    return found != NULL && end != NULL && found < end;
}
