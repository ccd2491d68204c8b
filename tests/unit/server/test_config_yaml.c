#include "loading.h"

TEST(names_may_be_nested_or_dotted_in_any_case)
{
    static const char *const texts[] = {
        "external:\n  ip: 203.0.113.7\n",
        "external.ip: 203.0.113.7\n",
        "EXTERNAL:\n    IP: \"203.0.113.7\"\n",
        "External.Ip: '203.0.113.7'\n",
        "{\"external\": {\"ip\": \"203.0.113.7\"}}",
        "---\nexternal: {ip: 203.0.113.7}\n...\n",
        "external:\n tcpAddr:\n ip: 203.0.113.7 # with a comment\n",
        "\xef\xbb\xbf"
        "external.ip: 203.0.113.7\n",
        "external.ip: 203.0.113.7\r\nmode: release\r\n",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct loaded loaded = load_well(texts[i]);
        CHECK_STRING(loaded.config->external_ip, "203.0.113.7");
        unload(&loaded);
    }
}

TEST(three_levels_and_a_section_in_a_section_are_followed)
{
    struct loaded loaded = load_well("agent:\n"
                                     "  webhook:\n"
                                     "    httpAddr: http://a/\n"
                                     "reactor:\n"
                                     "  channel:\n"
                                     "    subCount: 64\n"
                                     "  checkUserLeaderIntervalTick: 20\n"
                                     "mode: test\n");
    CHECK_STRING(loaded.config->agent_webhook_http_addr, "http://a/");
    CHECK_EQ(loaded.config->mode, CONFIG_MODE_TEST);
    unload(&loaded);
}

TEST(nothing_at_all_is_a_configuration)
{
    static const char *const texts[] = {"",
                                        "\n",
                                        "# only words\n",
                                        "---\n",
                                        "{}",
                                        "external:\n",
                                        "external: ~\nlogger: null\nmode:\n"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct loaded loaded = load_well(texts[i]);
        CHECK_STRING(loaded.config->external_ip, "");
        unload(&loaded);
    }
}

TEST(an_unknown_key_is_refused_where_it_stands_with_the_nearest_that_exists)
{
    static const struct {
        const char *text;
        uint32_t line;
        uint32_t column;
        const char *part;
    } rows[] = {
        {"tokenAuthOm: true\n", 1, 1, "\"tokenAuthOn\""},
        {"mode: release\ntokenAuth: true\n", 2, 1, "\"tokenAuthOn\""},
        {"extrenal:\n  ip: 1.2.3.4\n", 1, 1, "\"external\""},
        {"external:\n  pi: 1.2.3.4\n", 2, 3, "unknown key \"external.pi\""},
        {"external:\n  wsAdr: x\n", 2, 3, "\"external.wsAddr\""},
        {"userMaxCount: 5\n", 1, 1, "\"conversation.userMaxCount\""},
        {"webhook:\n  userMaxCount: 5\n", 2, 3, "\"conversation.userMaxCount\""},
        {"memmory: 256M\n", 1, 1, "\"memory\""},
        {"shard: 2\n", 1, 1, "\"shards\""},
        {"maxconnection: 2\n", 1, 1, "\"maxConnections\""},
        {"zzzzzzzzzzzzzzzzzzzzz: 1\n", 1, 1, "unknown key"},
        {"\"a\\nb\": 1\n", 1, 1, "unknown key \"a?b\""},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check_refused(rows[i].text, rows[i].line, rows[i].column, rows[i].part);
    }
}

TEST(an_unknown_section_is_one_fault_and_what_follows_is_still_read)
{
    struct loaded loaded = load("monitr:\n"
                                "  a: {b: [1, {c: d}]}\n"
                                "  e: f\n"
                                "lists: [1, 2, [3]]\n"
                                "mode: test\n");
    CHECK_EQ(loaded.report->faults_count, 2);
    CHECK_EQ(loaded.config->mode, CONFIG_MODE_TEST);
    unload(&loaded);
}

TEST(an_unknown_key_of_the_cluster_is_named_and_the_file_starts)
{
    struct loaded loaded = load_well("cluster:\n"
                                     "  keepAliveTime: 30s\n"
                                     "  tls: {enable: true, certFile: a}\n"
                                     "  nodeId: 7\n");
    CHECK_EQ(loaded.config->node_id, 7);
    CHECK_EQ(loaded.report->warnings_count, 2);
    CHECK_EQ(loaded.report->warnings[0].place.line, 2);
    CHECK_STRING(loaded.report->warnings[0].text,
                 "unknown key \"cluster.keepAliveTime\" is not used: this server is a single node");
    CHECK(strstr(loaded.report->warnings[1].text, "\"cluster.tls\"") != NULL);
    unload(&loaded);
}

TEST(a_key_may_be_given_once)
{
    check_refused("mode: test\nMODE: release\n", 2, 1, "already given in line 1");
    check_refused("external:\n  ip: a\nexternal.ip: b\n", 3, 1, "already given in line 2");
    check_refused("max_connections: 1\nmaxConnections: 2\n", 2, 1, "already given in line 1");
}

TEST(a_value_where_a_section_is_and_a_section_where_a_value_is_are_refused)
{
    check_refused("external: 1.2.3.4\n", 1, 1, "is a section");
    check_refused("external: [1.2.3.4]\n", 1, 1, "is a section");
    check_refused("mode:\n  a: b\n", 2, 3, "is one value");
    check_refused("connIdleTime: [3m]\n", 1, 15, "must be a duration");
}

TEST(what_only_surprises_is_refused)
{
    check_refused("mode: &a test\n", 1, 7, "anchors, aliases and tags");
    check_refused("mode: *a\n", 1, 7, "anchors, aliases and tags");
    check_refused("mode: !!str test\n", 1, 7, "anchors, aliases and tags");
    check_refused("webhook:\n  focusEvents: [&a x]\n", 2, 17, "plain texts only");
    check_refused("webhook:\n  focusEvents: [[x]]\n", 2, 17, "plain texts only");
    check_refused("? [a]\n: b\n", 1, 3, "a key must be one word");
    check_refused("mode: test\n---\nmode: test\n", 2, 1, "second document");
    check_refused("- mode\n", 1, 1, "must be a map");
    check_refused("just words\n", 1, 1, "must be a map");
}

TEST(what_is_no_yaml_is_refused_where_it_stops_to_be)
{
    check_refused("mode: \"test\n", 2, 1, "not YAML");
    check_refused("mode: test\n\texternal: x\n", 2, 1, "not YAML");
    check_refused("external: {ip: a\n", 2, 1, "not YAML");
    check_refused("[node]\nid = 1\n", 1, 1, "must be a map"); /* TOML, as version 3 has it */
}

TEST(all_faults_are_told_together_up_to_a_limit)
{
    static char text[64 * 40];
    size_t used = 0;
    for (uint32_t i = 0; i < 40; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "unheardOf%u: 1\n", i);
    }
    struct loaded loaded = load(text);
    CHECK_EQ(loaded.report->faults_count, 40);

    char *printed = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&printed, &size);
    config_report_print(loaded.report, out);
    fclose(out);
    CHECK(strncmp(printed, "jingu.yaml:1:1: unknown key \"unheardOf0\"", 40) == 0);
    CHECK(strstr(printed, "jingu.yaml: and 20 more\n") != NULL);
    free(printed);
    unload(&loaded);
}

TEST(depth_and_length_cost_no_more_than_the_file)
{
    const size_t size = CONFIG_FILE_BYTES_MAX;
    char *text = malloc(size + 1);
    for (uint32_t kind = 0; kind < 3; kind++) {
        memset(text, "[{a"[kind], size);
        text[size] = 0;
        if (kind == 2) {
            memcpy(text + size - 4, ": 1\n", 4);
        }
        struct loaded loaded = load(text);
        CHECK_EQ(loaded.err, ERR_PROTOCOL);
        unload(&loaded);
        memcpy(text, "mode: ", 6); /* a value that is skipped */
        loaded = load(text);
        CHECK_EQ(loaded.err, ERR_PROTOCOL);
        unload(&loaded);
    }
    free(text);
}

TEST(damaged_files_are_refused_or_read_but_never_hurt)
{
    static const char original[] = "mode: \"release\"\n"
                                   "external:\n  ip: ''\n  wsAddr: [a, 'b']\n"
                                   "webhook: {focusEvents: [msg.offline, \"msg.notify\"]}\n"
                                   "connIdleTime: 3m\n";
    for (uint32_t round = 0; round < 2000; round++) {
        char text[sizeof(original)];
        memcpy(text, original, sizeof(original));
        for (uint32_t i = 0; i <= prng_below(prng, 4); i++) {
            text[prng_below(prng, sizeof(original) - 1)] = (char)(1 + prng_below(prng, 255));
        }
        struct loaded loaded = load(text);
        CHECK_EQ(loaded.err == ERR_OK, loaded.report->faults_count == 0);
        unload(&loaded);
    }
}
