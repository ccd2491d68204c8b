#include "loading.h"

#include "server/config_table.h"
#include "telemetry/logger.h"

static const struct config_machine machine = {
    .home = "/home/im", .private_ip = "10.0.0.7", .memory_limit_bytes = 0, .cores_count = 2};

static struct loaded derive_on(const char *text, const struct config_machine *on)
{
    struct loaded loaded = load_well(text);
    loaded.err = config_derive(loaded.config, on, loaded.report);
    return loaded;
}

static struct loaded derive(const char *text)
{
    return derive_on(text, &machine);
}

static bool warns(const struct loaded *loaded, const char *part)
{
    for (uint32_t i = 0; i < loaded->report->warnings_count; i++) {
        if (strstr(loaded->report->warnings[i].text, part) != NULL) {
            return true;
        }
    }
    return false;
}

TEST(without_a_token_the_api_opens_to_this_machine_only_unless_told_otherwise)
{
    static const struct {
        const char *text;
        const char *host;
        bool is_warned;
    } rows[] = {
        {"", "127.0.0.1", false},
        {"managerToken: secret", "0.0.0.0", false},
        {"httpAddr: 0.0.0.0:5001", "0.0.0.0", true},
        {"httpAddr: localhost:5001", "localhost", false},
        {"httpAddr: '[::1]:5001'", "::1", false},
        {"{httpAddr: '0.0.0.0:5001', managerToken: secret}", "0.0.0.0", false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct loaded loaded = derive(rows[i].text);
        CHECK_OK(loaded.err);
        CHECK(loaded.config->http_addr.is_set);
        CHECK_STRING(loaded.config->http_addr.host, rows[i].host);
        CHECK_EQ(loaded.config->http_addr.port, 5001);
        CHECK_EQ(warns(&loaded, "managerToken is not set"), rows[i].is_warned);
        unload(&loaded);
    }
}

TEST(the_manager_port_follows_the_same_rule_and_can_be_off)
{
    struct loaded loaded = derive("");
    CHECK_STRING(loaded.config->manager_addr.host, "127.0.0.1");
    CHECK_EQ(loaded.config->manager_addr.port, 5300);
    CHECK(loaded.config->manager_addr.is_set);
    unload(&loaded);
    loaded = derive("manager.on: false");
    CHECK(!loaded.config->manager_addr.is_set);
    unload(&loaded);
}

TEST(anybody_may_log_in_is_a_warning_where_others_can_reach_the_port)
{
    static const struct {
        const char *text;
        bool is_warned;
    } rows[] = {{"", true}, {"tokenAuthOn: true", false}, {"addr: 127.0.0.1:5100", false}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct loaded loaded = derive(rows[i].text);
        CHECK_EQ(warns(&loaded, "anybody may log in"), rows[i].is_warned);
        unload(&loaded);
    }
}

TEST(an_event_that_does_not_exist_is_a_warning)
{
    struct loaded loaded =
        derive("webhook.focusEvents: [msg.notify, msg.offlin, user.onlinestatus]");
    CHECK_OK(loaded.err);
    CHECK(warns(&loaded, "there is no event \"msg.offlin\""));
    CHECK(!warns(&loaded, "there is no event \"msg.notify\""));
    unload(&loaded);
    loaded = derive("webhook.focusEvents: msg.offline msg.notify");
    CHECK(!warns(&loaded, "there is no event"));
    unload(&loaded);
}

TEST(an_address_that_nothing_can_be_posted_to_is_a_warning)
{
    static const struct {
        const char *text;
        bool is_warned;
    } rows[] = {
        {"webhook.httpAddr: 'http://10.0.0.5:8090/hook?a=http://b'", false},
        {"webhook.httpAddr: 'HTTPS://hook.example.com'", false},
        {"webhook.httpAddr: 'hook.example.com/path'", false},
        {"webhook.httpAddr: 'http://[::1]:8090'", false},
        {"webhook.httpAddr: ''", false},
        {"webhook.httpAddr: 'http://'", true},
        {"webhook.httpAddr: 'http:///hook'", true},
        {"webhook.httpAddr: '/hook'", true},
        {"webhook.httpAddr: 'ftp://hook.example.com'", true},
        {"webhook.httpAddr: 'http://hook.example.com/a b'", true},
        {"agent.webhook.httpAddr: 'http://:80'", true},
        {"datasource.addr: 'tcp://10.0.0.5:80'", true},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct loaded loaded = derive(rows[i].text);
        CHECK_OK(loaded.err);
        CHECK_EQ(warns(&loaded, "is no address of the form"), rows[i].is_warned);
        unload(&loaded);
    }
}

TEST(a_fault_that_is_found_late_names_the_place_of_its_key)
{
    struct loaded loaded = derive("mode: test\nauth:\n  users: [\"a:b:*\", \"c\"]\nmemory: 1M\n");
    CHECK_EQ(loaded.err, ERR_PROTOCOL);
    CHECK_EQ(loaded.report->faults_count, 2);
    CHECK_EQ(loaded.report->faults[0].place.line, 3);
    CHECK_EQ(loaded.report->faults[1].place.line, 4);
    unload(&loaded);
}

TEST(directories_stand_under_home_unless_they_are_given)
{
    static const struct {
        const char *text;
        const char *root_dir;
        const char *data_dir;
    } rows[] = {{"", "/home/im/jingu", "/home/im/jingu/data"},
                {"rootDir: ./im", "./im", "./im/data"},
                {"dataDir: /srv/d", "/home/im/jingu", "/srv/d"}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct loaded loaded = derive(rows[i].text);
        CHECK_STRING(loaded.config->root_dir, rows[i].root_dir);
        CHECK_STRING(loaded.config->data_dir, rows[i].data_dir);
        unload(&loaded);
    }
}

TEST(what_route_answers_is_made_of_the_ip_and_the_ports)
{
    struct loaded loaded = derive("{addr: ':6100', wsAddr: ':6200'}");
    CHECK_STRING(loaded.config->external_ip, "10.0.0.7");
    CHECK_STRING(loaded.config->external_tcp_addr, "10.0.0.7:6100");
    CHECK_STRING(loaded.config->external_ws_addr, "ws://10.0.0.7:6200");
    CHECK_STRING(loaded.config->external_wss_addr, "");
    CHECK_STRING(loaded.config->external_api_url, "http://10.0.0.7:5001");
    CHECK_STRING(loaded.config->external_manager_addr, "10.0.0.7:5300");
    unload(&loaded);

    loaded = derive("{external: {ip: '2001:db8::1', wssAddr: 'wss://im.example.com'}}");
    CHECK_STRING(loaded.config->external_tcp_addr, "[2001:db8::1]:5100");
    CHECK_STRING(loaded.config->external_wss_addr, "wss://im.example.com");
    unload(&loaded);

    loaded = derive("{wssAddr: ':5210', wssConfig: {certFile: c, keyFile: k}}");
    CHECK_STRING(loaded.config->external_wss_addr, "wss://10.0.0.7:5210");
    unload(&loaded);

    const struct config_machine unknown = {.cores_count = 1};
    loaded = derive_on("", &unknown);
    CHECK_STRING(loaded.config->external_tcp_addr, ":5100"); /* as WuKongIM has it */
    CHECK_STRING(loaded.config->root_dir, "./jingu");
    unload(&loaded);
}

TEST(certificate_and_key_belong_together)
{
    struct loaded loaded = derive("{wssAddr: ':5210', wssConfig: {certFile: c}}");
    CHECK_EQ(loaded.err, ERR_PROTOCOL);
    CHECK(strstr(loaded.report->faults[0].text, "belong together") != NULL);
    unload(&loaded);
}

TEST(wss_without_a_certificate_is_not_opened_and_said_so)
{
    struct loaded loaded = derive("wssAddr: wss://0.0.0.0:5210");
    CHECK_OK(loaded.err);
    CHECK(!loaded.config->wss_addr.is_set);
    CHECK(warns(&loaded, "wssAddr is not opened"));
    unload(&loaded);
}

TEST(tls_on_tcp_takes_the_certificate_of_wss_or_its_own_or_is_refused)
{
    struct loaded loaded = derive("{tlsAddr: ':5110', wssConfig: {certFile: c, keyFile: k}}");
    CHECK_OK(loaded.err);
    CHECK_STRING(loaded.config->tls_cert_file, "c");
    unload(&loaded);

    loaded = derive("{tlsAddr: 'tls://0.0.0.0:5110', tlsConfig: {certFile: d, keyFile: l}}");
    CHECK_OK(loaded.err);
    CHECK_STRING(loaded.config->tls_key_file, "l");
    unload(&loaded);

    loaded = derive("tlsAddr: tls://0.0.0.0:5110");
    CHECK_EQ(loaded.err, ERR_PROTOCOL);
    unload(&loaded);
}

TEST(memory_is_256M_or_half_of_the_container_and_never_more_than_it)
{
    static const struct {
        const char *text;
        uint64_t limit_bytes;
        enum err err;
        uint64_t memory_bytes;
    } rows[] = {
        {"", 0, ERR_OK, 256u << 20},
        {"", 1ull << 30, ERR_OK, 256u << 20},
        {"", 200u << 20, ERR_OK, 100u << 20},
        {"", 60u << 20, ERR_PROTOCOL, 30u << 20},
        {"memory: 128M", 200u << 20, ERR_OK, 128u << 20},
        {"memory: 300M", 200u << 20, ERR_PROTOCOL, 300u << 20},
        {"memory: 1M", 0, ERR_PROTOCOL, 1u << 20},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct config_machine container = machine;
        container.memory_limit_bytes = rows[i].limit_bytes;
        struct loaded loaded = derive_on(rows[i].text, &container);
        CHECK_EQ(loaded.err, rows[i].err);
        CHECK_EQ(loaded.config->memory_bytes, rows[i].memory_bytes);
        unload(&loaded);
    }
}

TEST(one_core_is_left_to_the_disk_and_the_rest_are_shards_within_their_limits)
{
    static const struct {
        const char *text;
        uint32_t cores_count;
        uint64_t shards_count;
    } rows[] = {{"", 2, 1},    {"", 0, 1},          {"", 1, 1},
                {"", 200, 64}, {"shards: 4", 2, 4}, {"shards: 0", 3, 2}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct config_machine other = machine;
        other.cores_count = rows[i].cores_count;
        struct loaded loaded = derive_on(rows[i].text, &other);
        CHECK_OK(loaded.err);
        CHECK_EQ(loaded.config->shards_count, rows[i].shards_count);
        unload(&loaded);
    }
}

static uint64_t noon(void)
{
    return 1776859200000;
}

TEST(keys_without_effect_are_logged_by_reason_within_what_the_log_takes)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    logger_start(&(struct logger_options){.out = out, .wall_ms = noon, .level = LOG_LEVEL_INFO});
    struct loaded few = derive("{stress: true, violent: true, pprofOn: true}");
    config_report_log(few.report);
    fflush(out);
    CHECK(strstr(text, " info config_no_effect keys=\"stress violent\" count=2 because=\"there is "
                       "no load-test mode") != NULL);
    CHECK(strstr(text, "keys=pprofOn count=1") != NULL);
    CHECK(strstr(text, " warn config_warning what=\"tokenAuthOn is off") != NULL);

    struct loaded all = load_well("");
    for (uint32_t row = 0; row < config_keys_count(); row++) {
        all.report->is_ignored[row] = config_key(row)->mark == CONFIG_NO_EFFECT;
    }
    const uint64_t suppressed = logger_suppressed();
    config_report_log(all.report);
    CHECK_EQ(logger_suppressed(), suppressed);
    logger_stop();
    fclose(out);
    for (uint32_t row = 0; row < config_keys_count(); row++) {
        CHECK(!all.report->is_ignored[row] || strstr(text, config_key(row)->name) != NULL);
    }
    free(text);
    unload(&few);
    unload(&all);
}
