#include "loading.h"

#include "server/config_table.h"

TEST(without_a_file_every_key_has_its_default)
{
    struct loaded loaded = load(NULL);
    const struct config *config = loaded.config;
    CHECK_OK(loaded.err);
    CHECK_EQ(loaded.report->warnings_count, 0);
    CHECK_EQ(config->mode, CONFIG_MODE_RELEASE);
    CHECK_STRING(config->tcp_addr.host, "0.0.0.0");
    CHECK_EQ(config->tcp_addr.port, 5100);
    CHECK_EQ(config->ws_addr.port, 5200);
    CHECK(!config->wss_addr.is_set);
    CHECK(!config->is_token_required);
    CHECK_STRING(config->manager_token, "");
    CHECK_STRING(config->manager_uid, "____manager");
    CHECK(config->is_person_allow_list_off);
    CHECK_EQ(config->idle_ms, 180000);
    CHECK_EQ(config->retry_interval_ms, 60000);
    CHECK_EQ(config->retry_scan_ms, 30000);
    CHECK_EQ(config->retry_count_max, 5);
    CHECK_EQ(config->conversation_count_max, 1000);
    CHECK_STRING(config->online_command_channel_id, "systemcmdonline");
    CHECK_STRING(config->visitor_suffix, "___vstr");
    CHECK_EQ(config->node_id, 1001);
    CHECK_EQ(config->durability, CONFIG_DURABILITY_SYNCED);
    CHECK_EQ(config->disk_reserve_bytes, 64u << 20);
    CHECK_EQ(config->jwt_expire_ms, 720ull * 3600 * 1000);
    unload(&loaded);
}

TEST(a_file_of_wukongim_v2_is_read_unchanged)
{
    struct loaded loaded = load_well("# a node of ours\n"
                                     "mode: \"release\"\n"
                                     "rootDir: \"./imdata\"\n"
                                     "tokenAuthOn: true\n"
                                     "managerToken: \"change-me\"\n"
                                     "userMsgQueueMaxSize: 0\n"
                                     "external: # what clients see\n"
                                     " ip: \"203.0.113.7\"\n"
                                     " wsAddr: \"wss://im.example.com/ws\"\n"
                                     "webhook:\n"
                                     "  httpAddr: \"http://10.0.0.5:8090/im/hook\"\n"
                                     "  msgNotifyEventPushInterval: 500ms\n"
                                     "  focusEvents:\n"
                                     "    - \"msg.offline\"\n"
                                     "    - \"user.onlinestatus\"\n"
                                     "conversation:\n"
                                     "  on: true\n"
                                     "  cacheExpire: 1d\n"
                                     "  syncInterval: 5m\n"
                                     "  userMaxCount: 500\n"
                                     "auth:\n"
                                     "  kind: 'jwt'\n"
                                     "  users:\n"
                                     "    - \"admin:pwd:*\"\n"
                                     "    - \"guest:guest:[*:r]\"\n"
                                     "jwt:\n"
                                     "  expire: 30d\n"
                                     "demo:\n"
                                     "  on: true\n"
                                     "  addr: \"0.0.0.0:5172\"\n"
                                     "cluster:\n"
                                     "  nodeId: 1001\n"
                                     "  initNodes:\n"
                                     "    - \"\"\n"
                                     "  seed:\n"
                                     "    - \"\"\n"
                                     "reactor: {user: {tickInterval: 200ms}}\n");
    const struct config *config = loaded.config;
    CHECK_STRING(config->root_dir, "./imdata");
    CHECK(config->is_token_required);
    CHECK_STRING(config->manager_token, "change-me");
    CHECK_STRING(config->external_ws_addr, "wss://im.example.com/ws");
    CHECK_EQ(config->webhook_events.count, 2);
    CHECK_STRING(config->webhook_events.items[1], "user.onlinestatus");
    CHECK_EQ(config->conversation_count_max, 500);
    CHECK_EQ(config->manager_users.count, 2);
    CHECK_EQ(config->jwt_expire_ms, 30ull * 24 * 3600 * 1000);
    CHECK_EQ(loaded.report->warnings_count, 0);
    unload(&loaded);
}

static bool is_ignored(const struct loaded *loaded, const char *name)
{
    const uint32_t row = config_key_find(bytes_of_string(name));
    CHECK(row < config_keys_count());
    return loaded->report->is_ignored[row];
}

TEST(a_key_without_effect_is_remembered_when_it_was_given)
{
    struct loaded loaded = load_well("stress: true\nmode: test\nginMode: \"\"\n");
    CHECK(is_ignored(&loaded, "stress"));
    CHECK(!is_ignored(&loaded, "mode"));
    CHECK(!is_ignored(&loaded, "ginMode")); /* empty: not given */
    CHECK(!is_ignored(&loaded, "pprofOn"));
    unload(&loaded);
}

TEST(empty_means_the_default_and_so_does_zero_for_a_number_of_wukongims)
{
    struct loaded loaded = load_well("connIdleTime: \"\"\n"
                                     "managerUID: ''\n"
                                     "messageRetry: {interval: 0s, maxCount: 0, scanInterval: 0}\n"
                                     "cluster: {nodeId: 0}\n"
                                     "maxConnections: 0\n"
                                     "disk: {reserve: 0}\n");
    CHECK_EQ(loaded.config->idle_ms, 180000);
    CHECK_STRING(loaded.config->manager_uid, "____manager");
    CHECK_EQ(loaded.config->retry_interval_ms, 60000);
    CHECK_EQ(loaded.config->retry_scan_ms, 30000);
    CHECK_EQ(loaded.config->retry_count_max, 5);
    CHECK_EQ(loaded.config->node_id, 1001);
    CHECK_EQ(loaded.config->connections_max, 0);
    CHECK_EQ(loaded.config->disk_reserve_bytes, 0); /* ours: 0 is 0 */
    unload(&loaded);
}

TEST(what_does_not_fit_a_key_is_refused_with_what_does)
{
    static const struct {
        const char *text;
        uint32_t column;
        const char *part;
    } rows[] = {
        {"connIdleTime: 180\n", 15, "a duration from 1s to 7d, not \"180\": it has no unit"},
        {"connIdleTime: 500ms\n", 15, "a duration from 1s to 7d, not \"500ms\""},
        {"connIdleTime: 30w\n", 15, "its unit is unknown"},
        {"tokenAuthOn: yes\n", 14, "tokenAuthOn must be true or false, not \"yes\""},
        {"cluster.nodeId: 1024\n", 17, "a whole number from 1 to 1023, not \"1024\""},
        {"cluster.nodeId: -1\n", 17, "a whole number from 1 to 1023"},
        {"shards: 65\n", 9, "a whole number from 0 to 64"},
        {"shards: two\n", 9, "a whole number from 0 to 64, not \"two\""},
        {"mode: fast\n", 7, "one of debug|release|bench|test, not \"fast\""},
        {"durability: maybe\n", 13, "one of synced|written"},
        {"memory: much\n", 9, "it is not a size"},
        {"addr: udp://0.0.0.0:1\n", 7, "an address like tcp://0.0.0.0:5100"},
        {"httpAddr: 0.0.0.0\n", 11, "an address like 0.0.0.0:5100"},
        {"managerToken: [a]\n", 15, "managerToken must be a text"},
        {"managerToken: \"a\\0b\"\n", 15, "contains a zero byte"},
        {"logger: {level: 5}\n", 17, "from 0 to 4"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check_refused(rows[i].text, 1, rows[i].column, rows[i].part);
    }
}

TEST(a_secret_is_not_repeated_in_a_fault)
{
    static const char text[] = "auth.users: {a: hunter2}\njwt.secret: [hunter2]\n";
    struct loaded loaded = load(text);
    CHECK_EQ(loaded.err, ERR_PROTOCOL);
    for (uint32_t i = 0; i < loaded.report->faults_count; i++) {
        CHECK(strstr(loaded.report->faults[i].text, "hunter2") == NULL);
    }
    unload(&loaded);
}

TEST(a_wrong_value_of_a_key_without_effect_is_a_warning)
{
    struct loaded loaded = load_well("timingWheelTick: 10\nstress: maybe\n");
    CHECK_EQ(loaded.report->warnings_count, 2);
    CHECK_EQ(loaded.report->warnings[0].place.line, 1);
    unload(&loaded);
}

TEST(a_renamed_key_sets_the_one_it_stands_for)
{
    struct loaded loaded = load_well("max_connections: 5000\nlog: {format: json}\n");
    CHECK_EQ(loaded.config->connections_max, 5000);
    CHECK_EQ(loaded.config->log_format, LOG_FORMAT_JSON);
    unload(&loaded);
}

TEST(a_value_has_a_largest_length_and_so_have_all_together)
{
    static char text[CONFIG_VALUE_BYTES_MAX + 64];
    snprintf(text, sizeof(text), "rootDir: %0*d\n", (int)CONFIG_VALUE_BYTES_MAX + 1, 0);
    check_refused(text, 1, 10, "longer than 1024 bytes");

    static char list[CONFIG_LIST_MAX * 1000 + 64] = "webhook.focusEvents:\n";
    size_t used = strlen(list);
    for (uint32_t i = 0; i < 50; i++) {
        used += (size_t)snprintf(list + used, sizeof(list) - used, "- %0*d\n", 990, 0);
    }
    check_refused(list, 2, 1, "longer than 32768 bytes together");
}

TEST(a_list_has_a_largest_length)
{
    static char text[CONFIG_LIST_MAX * 8 + 64] = "webhook.focusEvents: [a";
    for (uint32_t i = 0; i < CONFIG_LIST_MAX; i++) {
        strcat(text, ", a");
    }
    strcat(text, "]\n");
    check_refused(text, 1, 215, "the list is too long");
}

TEST(a_list_may_be_written_as_words)
{
    struct loaded loaded = load_well("webhook:\n  focusEvents: msg.offline  msg.notify\n");
    CHECK_EQ(loaded.config->webhook_events.count, 2);
    CHECK_STRING(loaded.config->webhook_events.items[0], "msg.offline");
    CHECK_STRING(loaded.config->webhook_events.items[1], "msg.notify");
    unload(&loaded);
}

TEST(the_environment_wins_over_the_file_and_the_file_over_the_default)
{
    const char *const environment[] = {"PATH=/bin",
                                       "WK_MODE=bench",
                                       "WK_EXTERNAL_IP=198.51.100.1",
                                       "WK_WEBHOOK_FOCUSEVENTS=msg.offline msg.notify",
                                       "WK_CONNIDLETIME=",
                                       "WK_WSSCONFIG_CERTFILE=/c.pem",
                                       NULL};
    struct loaded loaded = load_with("mode: test\nconnIdleTime: 5m\nexternal.ip: a\n", environment);
    CHECK_OK(loaded.err);
    CHECK_EQ(loaded.config->mode, CONFIG_MODE_BENCH);
    CHECK_STRING(loaded.config->external_ip, "198.51.100.1");
    CHECK_EQ(loaded.config->webhook_events.count, 2);
    CHECK_EQ(loaded.config->idle_ms, 300000); /* an empty variable counts as not set */
    CHECK_STRING(loaded.config->wss_cert_file, "/c.pem");
    unload(&loaded);
}

TEST(a_variable_that_names_no_key_is_a_warning)
{
    const char *const environment[] = {"WK_SERVICE_HOST=10.0.0.1", "WK_MODEL=x", "WK_NOTHING",
                                       NULL};
    struct loaded loaded = load_with(NULL, environment);
    CHECK_OK(loaded.err);
    CHECK_EQ(loaded.report->warnings_count, 2);
    CHECK_STRING(loaded.report->warnings[0].text,
                 "variable WK_SERVICE_HOST names no key and is not used");
    unload(&loaded);
}

TEST(a_variable_with_a_wrong_value_is_refused)
{
    const char *const environment[] = {"WK_CLUSTER_NODEID=0x1", NULL};
    struct loaded loaded = load_with("mode: test\n", environment);
    CHECK_EQ(loaded.err, ERR_PROTOCOL);
    CHECK_STRING(loaded.report->faults[0].text,
                 "cluster.nodeId must be a whole number from 1 to 1023, not \"0x1\"");
    char text[200] = "";
    FILE *out = fmemopen(text, sizeof(text), "w");
    config_report_print(loaded.report, out);
    fclose(out);
    CHECK_STRING(text, "WK_CLUSTER_NODEID: cluster.nodeId must be a whole number from 1 to 1023, "
                       "not \"0x1\"\n");
    unload(&loaded);
}

TEST(the_mode_of_the_command_line_is_only_a_default)
{
    struct config *config = calloc(1, sizeof(*config));
    struct config_report *report = calloc(1, sizeof(*report));
    struct config_source source = {.mode = "bench"};
    CHECK_OK(config_load(config, &source, report));
    CHECK_EQ(config->mode, CONFIG_MODE_BENCH);
    source.name = "f";
    source.text = BYTES_OF("mode: test");
    CHECK_OK(config_load(config, &source, report));
    CHECK_EQ(config->mode, CONFIG_MODE_TEST);
    source.mode = "quick";
    CHECK_EQ(config_load(config, &source, report), ERR_PROTOCOL);
    free(config);
    free(report);
}

TEST(the_level_of_the_log_follows_the_mode_unless_it_is_given)
{
    static const struct {
        const char *text;
        enum log_level level;
    } rows[] = {{"mode: debug", LOG_LEVEL_DEBUG},
                {"mode: release", LOG_LEVEL_INFO},
                {"{mode: debug, logger.level: 2}", LOG_LEVEL_INFO},
                {"logger.level: 1", LOG_LEVEL_DEBUG},
                {"logger.level: 3", LOG_LEVEL_WARN},
                {"logger.level: 4", LOG_LEVEL_ERROR}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct loaded loaded = load_well(rows[i].text);
        CHECK_EQ(config_log_level(loaded.config), rows[i].level);
        unload(&loaded);
    }
}

TEST(every_row_of_the_table_can_be_found_and_says_what_it_must)
{
    for (uint32_t row = 0; row < config_keys_count(); row++) {
        const struct config_key *key = config_key(row);
        CHECK_EQ(config_key_find(bytes_of_string(key->name)), row);
        CHECK(key->mark != CONFIG_WORKS || key->help != NULL);
        CHECK(key->mark != CONFIG_WORKS || key->offset != CONFIG_NOWHERE);
        CHECK(key->mark == CONFIG_WORKS || key->why != NULL);
        CHECK(key->mark != CONFIG_RENAMED ||
              config_key_find(bytes_of_string(key->why)) < config_keys_count());
        char variable[CONFIG_VARIABLE_BYTES_MAX];
        config_key_variable(key, variable);
        for (uint32_t other = 0; other < row; other++) {
            char taken[CONFIG_VARIABLE_BYTES_MAX];
            config_key_variable(config_key(other), taken);
            CHECK(strcmp(variable, taken) != 0);
        }
    }
}

TEST(what_a_missing_file_is_and_what_a_large_one_is)
{
    static uint8_t area[CONFIG_FILE_BYTES_MAX + 1];
    struct bytes text;
    CHECK_EQ(config_read_file("/nonexistent/jingu.yaml", area, &text), ERR_ABSENT);
    CHECK_EQ(config_read_file("/dev/zero", area, &text), ERR_LIMIT);
    CHECK_EQ(config_read_file("/", area, &text), ERR_IO);
    CHECK_OK(config_read_file("/dev/null", area, &text));
    CHECK_EQ(text.size, 0);
}
