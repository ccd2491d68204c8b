#include "edge/api_manager.h"

#include "chat/names.h"
#include "edge/api_checks.h"
#include "edge/api_connection.h"
#include "edge/http_reading.h"
#include "edge/jwt.h"
#include "store/read.h"
#include "system/clock.h"

#define LOGIN_BYTES (JWT_BYTES_MAX + 512u)

bool api_check_right(struct http_request *request, const char *resource)
{
    if (http_may(request, bytes_of_string(resource), 'w')) {
        return true;
    }
    http_answer_error_status(request, "没有权限", 403);
    return false;
}

/* ---- /manager/login: http-api 15.1. ---- */

struct login_input {
    struct bytes username;
    struct bytes password;
};

static const struct json_field login_fields[] = {
    JSON_FIELD(struct login_input, username, JSON_STRING),
    JSON_FIELD(struct login_input, password, JSON_STRING),
};
const struct json_shape api_shape_login = JSON_SHAPE_OF(struct login_input, login_fields);

/* A token whose name is longer would not be read again. */
static void write_session(struct http_request *request, const struct api_user *user)
{
    const struct api_access *access = &request->http->options.access;
    struct json_text *json = &request->json;
    const uint64_t now_s = clock_wall_ms() / 1000;
    const struct jwt_claims claims = {
        .issuer = access->jwt_issuer,
        .username = user->name,
        .issued_s = now_s,
        .expires_s = now_s + access->jwt_expire_ms / 1000,
    };
    uint8_t area[JWT_BYTES_MAX];
    struct writer token = writer_of(area, sizeof(area));
    jwt_write(&token, &claims, access->jwt_secret);
    request->out.is_full |= token.is_full || user->name.size > JWT_NAME_BYTES_MAX;
    const bool is_all = bytes_equal(user->rights, BYTES_OF("*"));
    json_text_object_begin(json);
    json_text_key(json, "exp");
    json_text_unsigned(json, claims.expires_s);
    json_text_key(json, "permissions");
    json_text_string(json, is_all ? BYTES_OF("*:*") : user->rights);
    json_text_key(json, "token");
    json_text_string(json, writer_bytes(&token));
    json_text_key(json, "username");
    json_text_string(json, user->name);
    json_text_object_end(json);
}

void api_login(struct http_request *request)
{
    const struct login_input *input = request->input;
    if (!api_check(request, !name_is_blank(input->password), "密码不能为空") ||
        !api_check(request, !name_is_blank(input->username), "用户名不能为空")) {
        return;
    }
    const struct api_user *user =
        api_access_find(&request->http->options.access, input->username, input->password);
    if (user == NULL) {
        http_answer_error(request, "用户名或密码错误");
        return;
    }
    if (!http_out_open(request, LOGIN_BYTES + 6 * (user->name.size + user->rights.size))) {
        return;
    }
    write_session(request, user);
    if (request->out.is_full) {
        http_answer_error(request, "the name is too long for a token");
        return;
    }
    http_answer_out(request, 200, HTTP_JSON_TYPE);
}

/* ---- Tags: recipient caches, which there are none of (http-api 15.2). ---- */

struct tag_input {
    struct bytes tag_key;
    struct bytes channel_id;
    uint64_t channel_type;
    uint64_t node_id;
};

static const struct json_field tag_fields[] = {
    JSON_FIELD(struct tag_input, tag_key, JSON_STRING),
    JSON_FIELD(struct tag_input, channel_id, JSON_STRING),
    JSON_FIELD(struct tag_input, channel_type, JSON_U8),
    JSON_FIELD(struct tag_input, node_id, JSON_U64),
};
const struct json_shape api_shape_tag = JSON_SHAPE_OF(struct tag_input, tag_fields);

void api_tag(struct http_request *request)
{
    http_answer_error(request, "tag not found");
}

void api_tag_remove(struct http_request *request)
{
    const struct tag_input *input = request->input;
    const uint64_t own_id = request->http->options.identity.node_id;
    if (api_check(request, input->node_id == 0 || input->node_id == own_id, "node not found")) {
        http_answer_ok(request);
    }
}

static void answer_empty_list(struct http_request *request)
{
    if (api_check_node(request, "node not found")) {
        http_answer_text(request, 200, HTTP_JSON_TYPE, BYTES_OF("[]"));
    }
}

void api_tags(struct http_request *request)
{
    answer_empty_list(request);
}

/* ---- Plugins: none can be installed (http-api 15.3). ---- */

struct plugin_input {
    struct bytes plugin_no;
    struct bytes uid;
    uint64_t node_id;
};

static const struct json_field plugin_fields[] = {
    JSON_FIELD(struct plugin_input, plugin_no, JSON_STRING),
    JSON_FIELD(struct plugin_input, uid, JSON_STRING),
    JSON_FIELD(struct plugin_input, node_id, JSON_U64),
};
const struct json_shape api_shape_plugin = JSON_SHAPE_OF(struct plugin_input, plugin_fields);

static const struct json_field nothing_fields[] = {
    JSON_FIELD(struct plugin_input, node_id, JSON_U64),
};
const struct json_shape api_shape_nothing = JSON_SHAPE_OF(struct plugin_input, nothing_fields);

static void answer_no_plugin(struct http_request *request)
{
    http_answer_error_status(request, "plugin not found", 404);
}

void api_plugins(struct http_request *request)
{
    answer_empty_list(request);
}

void api_plugin_call(struct http_request *request)
{
    answer_no_plugin(request);
}

void api_plugin_config(struct http_request *request)
{
    if (api_check_right(request, "pluginConfigUpdate")) {
        answer_no_plugin(request);
    }
}

static void bind(struct http_request *request, const char *right)
{
    const struct plugin_input *input = request->input;
    if (api_check_right(request, right) &&
        api_check(request, input->plugin_no.size > 0 && input->uid.size > 0,
                  "plugin_no and uid is required")) {
        answer_no_plugin(request);
    }
}

void api_plugin_bind(struct http_request *request)
{
    bind(request, "pluginUserAdd");
}

void api_plugin_unbind(struct http_request *request)
{
    bind(request, "pluginUserDelete");
}

void api_plugin_bindings(struct http_request *request)
{
    answer_empty_list(request);
}

void api_plugin_uninstall(struct http_request *request)
{
    if (api_check_right(request, "pluginUninstall")) {
        answer_no_plugin(request);
    }
}
