#include "base/assert.h"
#include "cli/soak_scenarios.h"
#include "cli/soak_swarm.h"
#include "cli/soak_words.h"
#include "system/clock.h"

#include <stdio.h>
#include <sys/socket.h>

#define FRAME_BYTES_HUGE   (1ULL << 30)
#define PACKET_BYTES_HUGE  ((256u << 20) - 1) /* the most that four length bytes say */
#define PACKET_BYTES_LARGE 1000000u           /* what a server may have to accept, once logged in */
#define BODY_BYTES_HUGE    (1ULL << 32)
#define STREAMERS_COUNT    8u
#define DRIPPERS_COUNT     50u
#define LOGIN_STEPS        2u /* pieces before what follows a login */
#define LOGIN_STEP_MS      100u

/* What a plan's `kind` says of what comes first. */
enum prelude {
    PRELUDE_NONE = 0,
    PRELUDE_UPGRADE, /* then one huge frame */
    PRELUDE_LOGIN,   /* CONNECT, over TCP */
    PRELUDE_WS_LOGIN,
};

static size_t fill(uint8_t *area, size_t size)
{
    memset(area, 0, size);
    return size;
}

/* Writes what comes before the attack proper, a piece a step. Returns 0 when there is nothing more
 * of it. */
static size_t write_prelude(struct soak_attack *attack, const struct soak_raw *raw, uint8_t *area)
{
    struct writer writer = writer_of(area, SOAK_PIECE_BYTES);
    char uid[40];
    const bool is_ws = raw->plan->kind == PRELUDE_UPGRADE || raw->plan->kind == PRELUDE_WS_LOGIN;
    const bool is_login = raw->plan->kind == PRELUDE_LOGIN || raw->plan->kind == PRELUDE_WS_LOGIN;
    snprintf(uid, sizeof(uid), "raw-%08x-%u", attack->run, raw->index);
    if (is_ws && raw->step == 0) {
        soak_words_upgrade(&writer);
    } else if (is_ws && raw->step == 1) {
        soak_words_frame(&writer, FRAME_BYTES_HUGE);
    }
    if (is_login && raw->step == 1) {
        soak_words_connect(&writer, uid);
    }
    ASSERT(!writer.is_full);
    return writer_size(&writer);
}

/* ---- Handshakes that stop, frames that do not end. ---- */

/* A header line a byte at a time, and never the empty line. */
static size_t drip_head(struct soak_attack *attack, struct soak_raw *raw, uint8_t *area)
{
    (void)attack;
    struct writer writer = writer_of(area, SOAK_PIECE_BYTES);
    if (raw->step == 0) {
        writer_bytes_add(&writer, BYTES_OF("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "));
    } else {
        writer_u8(&writer, 'a');
    }
    return writer_size(&writer);
}

/* After the prelude: a packet that is as long as may be, a byte at a time or all it takes. */
static size_t write_large_packet(struct soak_attack *attack, struct soak_raw *raw, uint8_t *area)
{
    const size_t size = write_prelude(attack, raw, area);
    if (size > 0 || raw->step == 0) {
        return size;
    }
    if (raw->step == LOGIN_STEPS) {
        struct writer writer = writer_of(area, SOAK_PIECE_BYTES);
        soak_words_packet(&writer, 0x30, PACKET_BYTES_LARGE);
        return writer_size(&writer);
    }
    return fill(area, 1);
}

static size_t stream_zeros(struct soak_attack *attack, struct soak_raw *raw, uint8_t *area)
{
    const size_t size = raw->step <= LOGIN_STEPS ? write_prelude(attack, raw, area) : 0;
    return size > 0 ? size : fill(area, SOAK_PIECE_BYTES);
}

static size_t half_hello(struct soak_attack *attack, struct soak_raw *raw, uint8_t *area)
{
    (void)attack;
    struct writer writer = writer_of(area, SOAK_PIECE_BYTES);
    if (raw->step == 0) {
        soak_words_client_hello(&writer);
    }
    return writer_size(&writer);
}

/* The server does its part of the work, and waits. */
static size_t whole_hello(struct soak_attack *attack, struct soak_raw *raw, uint8_t *area)
{
    (void)attack;
    struct writer writer = writer_of(area, SOAK_PIECE_BYTES);
    if (raw->step == 0) {
        soak_words_client_hello_whole(&writer);
    }
    return writer_size(&writer);
}

enum err soak_play_handshakes(struct soak_attack *attack)
{
    const struct address *ws = &attack->options->ws_address;
    const struct soak_plan plans[] = {
        {.address = ws, .count = DRIPPERS_COUNT, .step_ms = 500, .next = drip_head},
        {.address = ws, .count = STREAMERS_COUNT, .kind = PRELUDE_UPGRADE, .next = stream_zeros},
        {.address = ws,
         .count = DRIPPERS_COUNT,
         .step_ms = LOGIN_STEP_MS,
         .kind = PRELUDE_WS_LOGIN,
         .next = write_large_packet},
        {.address = &attack->options->tcp_address,
         .count = DRIPPERS_COUNT,
         .step_ms = LOGIN_STEP_MS,
         .kind = PRELUDE_LOGIN,
         .next = write_large_packet},
        {.address = &attack->options->tls_address,
         .count = DRIPPERS_COUNT,
         .step_ms = 500,
         .next = half_hello},
        {.address = &attack->options->tls_address,
         .count = DRIPPERS_COUNT,
         .life_ms = 2000,
         .step_ms = 500,
         .next = whole_hello},
    };
    const uint32_t plans_count = COUNT_OF(plans) - (attack->options->tls == NULL ? 2 : 0);
    return soak_swarm_run(attack, plans, plans_count);
}

/* ---- Silence before the login. ---- */

/* NOLINTNEXTLINE(readability-non-const-parameter): it is one of many that fill the area */
static size_t say_nothing(struct soak_attack *attack, struct soak_raw *raw, uint8_t *area)
{
    (void)attack;
    (void)raw;
    (void)area;
    return 0;
}

static size_t stream_connect(struct soak_attack *attack, struct soak_raw *raw, uint8_t *area)
{
    (void)attack;
    if (raw->step > 0) {
        return fill(area, SOAK_PIECE_BYTES);
    }
    struct writer writer = writer_of(area, SOAK_PIECE_BYTES);
    soak_words_packet(&writer, 0x10, PACKET_BYTES_HUGE);
    return writer_size(&writer);
}

/* A true CONNECT, a byte at a time. */
static size_t drip_connect(struct soak_attack *attack, struct soak_raw *raw, uint8_t *area)
{
    char uid[40];
    snprintf(uid, sizeof(uid), "drip-%08x-%u", attack->run, raw->index);
    struct writer writer = writer_of(area, SOAK_PIECE_BYTES);
    soak_words_connect(&writer, uid);
    if (raw->step >= writer_size(&writer)) {
        return 0;
    }
    area[0] = area[raw->step];
    return 1;
}

enum err soak_play_silent(struct soak_attack *attack)
{
    const struct address *tcp = &attack->options->tcp_address;
    const struct soak_plan plans[] = {
        {.address = tcp, .count = 500, .step_ms = 1000, .next = say_nothing},
        {.address = tcp, .count = STREAMERS_COUNT, .next = stream_connect},
        {.address = tcp, .count = DRIPPERS_COUNT, .step_ms = 500, .next = drip_connect},
    };
    return soak_swarm_run(attack, plans, COUNT_OF(plans));
}

/* ---- Probes. ---- */

#define PROBES_PER_TURN 64u

static void probe(struct soak_attack *attack, const struct address *address, bool is_reset)
{
    int fd = -1;
    if (socket_connect(address, &fd) != ERR_OK) {
        return; /* no port is free: a moment later one is */
    }
    if (is_reset) {
        const struct linger none = {.l_onoff = 1, .l_linger = 0};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    }
    socket_close(fd);
    soak_count(attack, SOAK_COUNT_CONNECTIONS, 1);
}

enum err soak_play_probes(struct soak_attack *attack)
{
    const bool has_ws = attack->options->ws != NULL;
    while (!soak_attack_is_over(attack)) {
        for (uint32_t i = 0; i < PROBES_PER_TURN; i++) {
            const bool is_ws = has_ws && prng_below(&attack->prng, 4) == 0;
            const bool is_reset = prng_below(&attack->prng, 2) == 0;
            probe(attack, is_ws ? &attack->options->ws_address : &attack->options->tcp_address,
                  is_reset);
        }
    }
    return ERR_OK;
}

/* ---- Garbage. ---- */

static void add_random(struct soak_attack *attack, struct writer *writer, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        writer_u8(writer, (uint8_t)prng_next(&attack->prng));
    }
}

/* A packet of a random kind whose strings declare more than there is, or hold no UTF-8. */
static void add_bad_packet(struct soak_attack *attack, struct writer *writer)
{
    static const uint8_t types[] = {0x00, 0x10, 0x11, 0x20, 0x30, 0x3f, 0x60, 0x90, 0xa0, 0xf0};
    const uint8_t type = types[prng_below(&attack->prng, COUNT_OF(types))];
    const uint32_t size = (uint32_t)prng_below(&attack->prng, 600);
    switch (prng_below(&attack->prng, 4)) {
    case 0: /* a length of five bytes */
        writer_u8(writer, type);
        writer_u32(writer, UINT32_MAX);
        return;
    case 1: /* more than is allowed */
        soak_words_packet(writer, type, PACKET_BYTES_HUGE);
        break;
    case 2: /* a string of "-1" bytes */
        soak_words_packet(writer, type, size + 2);
        writer_u16(writer, UINT16_MAX);
        break;
    default:
        soak_words_packet(writer, type, size);
        break;
    }
    add_random(attack, writer, size);
}

static size_t write_garbage(struct soak_attack *attack, struct soak_raw *raw, uint8_t *area)
{
    const size_t size = raw->step <= LOGIN_STEPS ? write_prelude(attack, raw, area) : 0;
    if (size > 0) {
        return size;
    }
    struct writer writer = writer_of(area, SOAK_PIECE_BYTES);
    switch (prng_below(&attack->prng, 3)) {
    case 0:
        add_random(attack, &writer, prng_below(&attack->prng, 2000) + 1);
        break;
    case 1: /* JSON that is none */
        writer_bytes_add(&writer, BYTES_OF("{\"jsonrpc\":\"2.0\",\"method\":\"connect\","));
        add_random(attack, &writer, prng_below(&attack->prng, 200));
        break;
    default:
        add_bad_packet(attack, &writer);
        break;
    }
    return writer_size(&writer);
}

enum err soak_play_garbage(struct soak_attack *attack)
{
    const struct soak_options *options = attack->options;
    const struct {
        const char *is_there;
        const struct address *address;
        uint32_t kind;
    } ports[] = {
        {"", &options->tcp_address, PRELUDE_NONE},
        {"", &options->tcp_address, PRELUDE_LOGIN},
        {options->ws, &options->ws_address, PRELUDE_NONE},
        {options->ws, &options->ws_address, PRELUDE_UPGRADE},
        {options->ws, &options->ws_address, PRELUDE_WS_LOGIN},
        {options->http, &options->http_address, PRELUDE_NONE},
        {options->tls, &options->tls_address, PRELUDE_NONE},
    };
    struct soak_plan plans[COUNT_OF(ports)];
    uint32_t plans_count = 0;
    for (size_t i = 0; i < COUNT_OF(ports); i++) {
        if (ports[i].is_there != NULL) {
            plans[plans_count++] = (struct soak_plan){
                .address = ports[i].address,
                .count = 20,
                .life_ms = 1000,
                .step_ms = 10,
                .is_reset = i % 2 == 1,
                .kind = ports[i].kind,
                .next = write_garbage,
            };
        }
    }
    return soak_swarm_run(attack, plans, plans_count);
}

/* ---- HTTP. ---- */

static size_t ask_and_idle(struct soak_attack *attack, struct soak_raw *raw, uint8_t *area)
{
    if (raw->step % 10 != 0) {
        return 0;
    }
    struct writer writer = writer_of(area, SOAK_PIECE_BYTES);
    writer_bytes_add(&writer, BYTES_OF("GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"));
    soak_count(attack, SOAK_COUNT_REQUESTS, 1);
    return writer_size(&writer);
}

static size_t drip_body(struct soak_attack *attack, struct soak_raw *raw, uint8_t *area)
{
    (void)attack;
    struct writer writer = writer_of(area, SOAK_PIECE_BYTES);
    if (raw->step == 0) {
        soak_words_post(&writer, "/message/send", 100000);
    } else {
        writer_u8(&writer, raw->step == 1 ? '{' : ' ');
    }
    return writer_size(&writer);
}

static size_t stream_body(struct soak_attack *attack, struct soak_raw *raw, uint8_t *area)
{
    (void)attack;
    if (raw->step > 0) {
        memset(area, ' ', SOAK_PIECE_BYTES);
        return SOAK_PIECE_BYTES;
    }
    struct writer writer = writer_of(area, SOAK_PIECE_BYTES);
    soak_words_post(&writer, "/message/send", BODY_BYTES_HUGE);
    return writer_size(&writer);
}

enum err soak_play_http(struct soak_attack *attack)
{
    const struct address *http = &attack->options->http_address;
    const struct soak_plan plans[] = {
        {.address = http, .count = 1000, .step_ms = 1000, .next = ask_and_idle},
        {.address = http, .count = 2 * DRIPPERS_COUNT, .step_ms = 500, .next = drip_head},
        {.address = http, .count = 2 * DRIPPERS_COUNT, .step_ms = 200, .next = drip_body},
        {.address = http, .count = STREAMERS_COUNT, .next = stream_body},
    };
    return soak_swarm_run(attack, plans, COUNT_OF(plans));
}
