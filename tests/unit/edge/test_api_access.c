#include "edge/api_access.h"
#include "edge/jwt.h"

#include "support/test.h"

#include <stdio.h>

/* ---- Users and rights. ---- */

static bool may(const char *entry, const char *resource, char action)
{
    struct api_access access = {.manager_uid = BYTES_OF("boss"), .users_count = 1};
    CHECK_OK(api_user_parse(bytes_of_string(entry), &access.users[0]));
    return api_access_may(&access, access.users[0].name, bytes_of_string(resource),
                          (uint8_t)action);
}

TEST(rights_are_pairs_of_a_resource_and_letters)
{
    CHECK(may("a:p:*", "slotMigrate", 'w'));
    CHECK(may("a:p:[*:rw]", "slotMigrate", 'w'));
    CHECK(may("a:p:[*:*]", "slotMigrate", 'w'));
    CHECK(!may("a:p:[*:r]", "slotMigrate", 'w'));
    CHECK(may("a:p:[slotElection:r,slotMigrate:rw]", "slotMigrate", 'w'));
    CHECK(!may("a:p:[slotElection:rw]", "slotMigrate", 'w'));
    CHECK(!may("a:p:[slotMigrateX:rw]", "slotMigrate", 'w'));
}

TEST(an_entry_that_is_no_user_is_refused)
{
    static const char *const bad[] = {"",         "a",         "a:p",       "a::*",
                                      ":p:*",     "a:p:",      "a:p:[]",    "a:p:[x]",
                                      "a:p:[x:]", "a:p:[:rw]", "a:p:[x:q]", "a:p:x:rw"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct api_user user;
        CHECK_EQ(api_user_parse(bytes_of_string(bad[i]), &user), ERR_PROTOCOL);
    }
}

TEST(a_user_is_found_by_both_words_and_the_manager_may_everything)
{
    struct api_access access = {.manager_uid = BYTES_OF("boss"), .users_count = 2};
    CHECK_OK(api_user_parse(BYTES_OF("a:p:*"), &access.users[0]));
    CHECK_OK(api_user_parse(BYTES_OF("b:q:[*:r]"), &access.users[1]));
    CHECK(api_access_find(&access, BYTES_OF("b"), BYTES_OF("q")) == &access.users[1]);
    CHECK(api_access_find(&access, BYTES_OF("b"), BYTES_OF("p")) == NULL);
    CHECK(api_access_find(&access, BYTES_OF("boss"), BYTES_EMPTY) == NULL);
    CHECK(api_access_may(&access, BYTES_OF("boss"), BYTES_OF("x"), 'w'));
    CHECK(!api_access_may(&access, BYTES_OF("nobody"), BYTES_OF("x"), 'r'));
    CHECK(!api_access_may(&access, BYTES_EMPTY, BYTES_OF("x"), 'r'));
}

TEST(without_a_token_nothing_is_the_token)
{
    struct api_access access = {.has_token = false};
    api_access_set_token(&access, BYTES_EMPTY);
    CHECK(!api_access_is_token(&access, BYTES_EMPTY));
    api_access_set_token(&access, BYTES_OF("t"));
    CHECK(api_access_is_token(&access, BYTES_OF("t")));
    CHECK(!api_access_is_token(&access, BYTES_EMPTY));
    CHECK(!api_access_is_token(&access, BYTES_OF("tt")));
}

/* ---- JSON Web Tokens. ---- */

/* Made with another implementation: header {"alg":"HS256","typ":"JWT"}, key "secret". */
#define FOREIGN                                                                                    \
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."                                                        \
    "eyJ1c2VybmFtZSI6ImFkbWluIiwiZXhwIjoyMDAwMDAwMDAwfQ."

static struct bytes made(uint8_t *area, size_t size, const char *username)
{
    struct writer writer = writer_of(area, size);
    const struct jwt_claims claims = {.issuer = BYTES_OF("wukongim"),
                                      .username = bytes_of_string(username),
                                      .issued_s = 1000,
                                      .expires_s = 2000};
    jwt_write(&writer, &claims, BYTES_OF("key"));
    CHECK(!writer.is_full);
    return writer_bytes(&writer);
}

TEST(what_was_written_is_read_until_it_expires)
{
    uint8_t area[1024];
    const struct bytes token = made(area, sizeof(area), "admin<\"张");
    struct jwt_name name;
    struct jwt_key key = {.secret = BYTES_OF("key"), .now_s = 1999};
    CHECK_OK(jwt_read(token, &key, &name));
    CHECK_BYTES(((struct bytes){.data = name.text, .size = name.size}), BYTES_OF("admin<\"张"));
    key.now_s = 2000;
    CHECK_EQ(jwt_read(token, &key, &name), ERR_CLOSED);
    key = (struct jwt_key){.secret = BYTES_OF("other"), .now_s = 1999};
    CHECK_EQ(jwt_read(token, &key, &name), ERR_DENIED);
}

TEST(no_byte_of_a_token_may_be_changed_or_missing)
{
    uint8_t area[1024];
    const struct bytes token = made(area, sizeof(area), "admin");
    const struct jwt_key key = {.secret = BYTES_OF("key"), .now_s = 1500};
    struct jwt_name name;
    for (size_t i = 0; i < token.size; i++) {
        CHECK(jwt_read((struct bytes){.data = area, .size = i}, &key, &name) != ERR_OK);
        const uint8_t byte = area[i];
        area[i] = byte == 'A' ? 'B' : 'A';
        CHECK(jwt_read(token, &key, &name) != ERR_OK);
        area[i] = byte;
    }
    CHECK_OK(jwt_read(token, &key, &name));
}

TEST(a_token_without_signature_or_of_another_kind_is_refused)
{
    /* {"alg":"none"}, {"alg":"HS512"}, no JSON, no dots, signed by nobody */
    static const char *const bad[] = {"eyJhbGciOiJub25lIn0.eyJ1c2VybmFtZSI6ImEiLCJleHAiOjk5OTl9.",
                                      "eyJhbGciOiJIUzUxMiJ9.eyJ1c2VybmFtZSI6ImEifQ.AAAA",
                                      "AAAA.AAAA.AAAA",
                                      "nonsense",
                                      "..",
                                      "",
                                      FOREIGN,
                                      FOREIGN "AAAA"};
    const struct jwt_key key = {.secret = BYTES_OF("secret"), .now_s = 1};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct jwt_name name;
        CHECK(jwt_read(bytes_of_string(bad[i]), &key, &name) != ERR_OK);
    }
    struct jwt_name name;
    CHECK_OK(
        jwt_read(BYTES_OF(FOREIGN "2jnKKGvU64UTIF-Jq0ECrW3okAl3ddpWZfqVyYqnx58"), &key, &name));
}

TEST(a_token_is_good_for_nothing_before_its_time)
{
    /* {"username":"admin","exp":2000000000,"nbf":1500}, then "nbf":"soon" and null */
#define HEADER "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
    static const char *const tokens[] = {
        HEADER "eyJ1c2VybmFtZSI6ImFkbWluIiwiZXhwIjoyMDAwMDAwMDAwLCJuYmYiOjE1MDB9"
               ".zL2bROkSMrgyYtY0FgHL41PexdzyQl4iZVjMuyF_Who",
        HEADER "eyJ1c2VybmFtZSI6ImFkbWluIiwiZXhwIjoyMDAwMDAwMDAwLCJuYmYiOiJzb29uIn0"
               ".lkjRTjtRWjj9qGvAkwTBCjpsyTnJI3dR8X6rKvG95tE",
        HEADER "eyJ1c2VybmFtZSI6ImFkbWluIiwiZXhwIjoyMDAwMDAwMDAwLCJuYmYiOm51bGx9"
               ".hGPmabvC1CfAIjd4ZIvED3akWoqJO49DuG37OhPDJDk"};
    struct jwt_key key = {.secret = BYTES_OF("secret"), .now_s = 1499};
    struct jwt_name name;
    CHECK_EQ(jwt_read(bytes_of_string(tokens[0]), &key, &name), ERR_DENIED);
    CHECK_EQ(jwt_read(bytes_of_string(tokens[1]), &key, &name), ERR_PROTOCOL);
    CHECK_OK(jwt_read(bytes_of_string(tokens[2]), &key, &name));
    key.now_s = 1500;
    CHECK_OK(jwt_read(bytes_of_string(tokens[0]), &key, &name));
}
