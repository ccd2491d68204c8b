#include "server/config_environment.h"

static const char *value_of(const char *variable, const char *name)
{
    const size_t size = strlen(name);
    return strncmp(variable, name, size) == 0 && variable[size] == '=' ? variable + size + 1 : NULL;
}

static void read_variable(const char *variable, config_environment_fn *found, void *context,
                          struct config_report *report)
{
    for (uint32_t row = 0; row < config_keys_count(); row++) {
        char name[CONFIG_VARIABLE_BYTES_MAX];
        config_key_variable(config_key(row), name);
        const char *text = value_of(variable, name);
        if (text != NULL) {
            const struct config_value value = {
                .items = {bytes_of_string(text)}, .count = 1, .place = {.variable = variable}};
            found(context, row, &value);
            return;
        }
    }
    config_warning(report, (struct config_place){0}, "variable %.*s names no key and is not used",
                   (int)strcspn(variable, "="), variable);
}

void config_environment_read(const char *const *environment, config_environment_fn *found,
                             void *context, struct config_report *report)
{
    for (const char *const *variable = environment; variable != NULL && *variable != NULL;
         variable++) {
        const char *value = strchr(*variable, '=');
        if (strncmp(*variable, "WK_", 3) == 0 && value != NULL && value[1] != 0) {
            read_variable(*variable, found, context, report);
        }
    }
}
