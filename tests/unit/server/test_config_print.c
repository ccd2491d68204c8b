#include "loading.h"

#include "server/config_print.h"
#include "server/config_show.h"
#include "server/config_table.h"

#define REFERENCE_PATH "docs/configuration.md"

/* What a printing function prints, as a string to be freed. */
static char *printed(void (*print)(FILE *out))
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    print(out);
    fclose(out);
    return text;
}

TEST(the_printed_example_loads_and_changes_nothing)
{
    char *text = printed(config_print_example);
    struct loaded example = load_well(text);
    struct loaded defaults = load(NULL);
    CHECK_EQ(example.report->warnings_count, 0);
    for (uint32_t row = 0; row < config_keys_count(); row++) {
        const struct config_key *key = config_key(row);
        CHECK(!example.report->is_ignored[row]);
        if (key->offset != CONFIG_NOWHERE) {
            char a[CONFIG_SHOWN_BYTES_MAX];
            char b[CONFIG_SHOWN_BYTES_MAX];
            config_show(example.config, key, a);
            config_show(defaults.config, key, b);
            CHECK_STRING(a, b);
        }
    }
    unload(&example);
    unload(&defaults);
    free(text);
}

/* To write the file after a change of the table: WRITE_REFERENCE=1 ctest -R config_print. */
TEST(the_reference_in_the_documents_is_the_one_that_is_printed)
{
    char *text = printed(config_print_reference);
    if (getenv("WRITE_REFERENCE") != NULL) {
        FILE *file = fopen(REFERENCE_PATH, "w");
        CHECK(file != NULL);
        fputs(text, file);
        fclose(file);
    }
    static char kept[CONFIG_FILE_BYTES_MAX];
    FILE *file = fopen(REFERENCE_PATH, "r");
    CHECK(file != NULL);
    kept[fread(kept, 1, sizeof(kept) - 1, file)] = 0;
    fclose(file);
    CHECK_STRING(kept, text);
    free(text);
}

static const struct {
    const char *name;
    enum err err;
    const char *part;
} explained[] = {
    {"conNIdleTime", ERR_OK, "  value    5m, from line 1 of the file\n  default  `3m`\n"},
    {"external.ip", ERR_OK, "  value    198.51.100.1, from the variable WK_EXTERNAL_IP\n"},
    {"managerToken", ERR_OK, "  value    (secret), from line 2 of the file\n"},
    {"jwt.secret", ERR_OK, "  value    (empty), from the default\n"},
    {"wsAddr", ERR_OK, "  value    ws://0.0.0.0:5200, from the default\n"},
    {"max_connections", ERR_OK, "maxConnections\n"},
    {"stress", ERR_OK, "  has no effect here: there is no load-test mode"},
    {"shards", ERR_OK, "  allowed  a whole number from 0 to 64\n"},
    {"Customerservice", ERR_OK,
     "\n  customerService.visitorsOn\n  customerService.visitorsSuffix\n"},
    {"shrads", ERR_ABSENT, "there is no key \"shrads\"; the nearest is shards\n"},
};

TEST(a_key_can_be_explained_as_it_stands)
{
    const char *const environment[] = {"WK_EXTERNAL_IP=198.51.100.1", NULL};
    struct loaded loaded = load_with("connIdleTime: 5m\nmanagerToken: hunter2\n", environment);
    CHECK_OK(loaded.err);
    for (size_t i = 0; i < COUNT_OF(explained); i++) {
        char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);
        CHECK_EQ(config_explain(loaded.config, bytes_of_string(explained[i].name), out),
                 explained[i].err);
        fclose(out);
        CHECK(strstr(text, explained[i].part) != NULL);
        CHECK(strstr(text, "hunter2") == NULL);
        free(text);
    }
    unload(&loaded);
}
