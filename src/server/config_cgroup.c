#include "server/config_cgroup.h"

#include "server/config_value.h"

#include <stdio.h>
#include <string.h>

#define PATH_BYTES 1024
#define ABSURD     (1ull << 60) /* version 1 says "no limit" with a number near 2^63 */

/* The number in a file, or 0: "max", absent, or no number. */
static uint64_t read_limit(const char *root, const char *directory, const char *path,
                           const char *name)
{
    char file_path[3 * PATH_BYTES];
    snprintf(file_path, sizeof(file_path), "%s%s%s/%s", root, directory, path, name);
    FILE *file = fopen(file_path, "re");
    uint64_t limit = 0;
    if (file == NULL) {
        return 0;
    }
    char text[32] = "";
    if (fgets(text, sizeof(text), file) != NULL) {
        const struct bytes digits = {.data = (const uint8_t *)text, .size = strcspn(text, "\n")};
        if (config_read_count(digits, &limit) != ERR_OK || limit >= ABSURD) {
            limit = 0;
        }
    }
    fclose(file);
    return limit;
}

static uint64_t smaller_limit(uint64_t a, uint64_t b)
{
    return b != 0 && (a == 0 || b < a) ? b : a;
}

/* The limits of a group and of those above it; `path` is used up. A container may see its own group
 * as the root although it is told the path of the host: then only the last one exists. */
static uint64_t limit_upwards(const char *root, const char *directory, char *path, const char *name)
{
    uint64_t limit = 0;
    for (;;) {
        limit = smaller_limit(limit, read_limit(root, directory, path, name));
        char *slash = strrchr(path, '/');
        if (slash == NULL) {
            return limit;
        }
        *slash = 0;
    }
}

/* One line of /proc/self/cgroup, "0::/path" or "4:memory:/path", without its newline. */
static uint64_t limit_of_line(const char *root, char *line)
{
    char *controllers = strchr(line, ':');
    char *path = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
    if (path == NULL) {
        return 0;
    }
    *path++ = 0;
    if (strcmp(controllers, ":") == 0) {
        return limit_upwards(root, "/sys/fs/cgroup", path, "memory.max");
    }
    if (strcmp(controllers, ":memory") == 0) {
        return limit_upwards(root, "/sys/fs/cgroup/memory", path, "memory.limit_in_bytes");
    }
    return 0;
}

uint64_t config_cgroup_limit(const char *root)
{
    char path[PATH_BYTES];
    char line[PATH_BYTES];
    uint64_t limit = 0;
    snprintf(path, sizeof(path), "%s/proc/self/cgroup", root);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return 0;
    }
    while (fgets(line, sizeof(line), file) != NULL) {
        line[strcspn(line, "\n")] = 0;
        limit = smaller_limit(limit, limit_of_line(root, line));
    }
    fclose(file);
    return limit;
}
