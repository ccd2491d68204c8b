#include "edge/api_backup.h"

#include "edge/api_checks.h"
#include "edge/api_manager.h"
#include "edge/http_reading.h"
#include "store/backup.h"
#include "telemetry/logger.h"

/* Each byte of the path may be written as \u00xx. */
#define ANSWER_BYTES (HOME_PATH_BYTES_MAX * 6)

struct backup_input {
    struct bytes name;
};

static const struct json_field backup_fields[] = {
    JSON_FIELD(struct backup_input, name, JSON_STRING),
};
const struct json_shape api_shape_backup = JSON_SHAPE_OF(struct backup_input, backup_fields);

/* On a thread of its own: what is in memory is written to files first. */
static enum err make_backup(struct http_request *request)
{
    const struct backup_input *input = request->input;
    struct store *store = request->http->options.store;
    char path[HOME_PATH_BYTES_MAX];
    backup_path(store, input->name, path);
    const enum err err = store_backup(store, input->name);
    if (err != ERR_OK) {
        LOG_ERROR("backup_failed", F_STR("path", path));
        return err;
    }
    LOG_INFO("backup_made", F_STR("path", path));
    struct json_text *json = &request->json;
    json_text_object_begin(json);
    json_text_key(json, "data");
    json_text_object_begin(json);
    json_text_member_string(json, "path", bytes_of_string(path));
    json_text_object_end(json);
    json_text_member_unsigned(json, "status", 200);
    json_text_object_end(json);
    return ERR_OK;
}

void api_backup(struct http_request *request)
{
    const struct backup_input *input = request->input;
    if (request->port == API_PORT_MANAGER && !api_check_right(request, "backup")) {
        return; /* who may only look may not fill the disk */
    }
    if (!api_check(request, backup_name_is_good(input->name),
                   "give a name: at most 64 letters, digits, '-', '_' and '.'")) {
        return;
    }
    char path[HOME_PATH_BYTES_MAX];
    backup_path(request->http->options.store, input->name, path);
    if (api_check(request, !backup_is_there(path), "there is a backup of that name")) {
        http_read_slowly(request, make_backup, ANSWER_BYTES, "the backup cannot be made");
    }
}
