#include "server/config_cgroup.h"

#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* A small /proc and /sys below a directory of its own. */
static void put(const char *root, const char *path, const char *text)
{
    char whole[512];
    snprintf(whole, sizeof(whole), "%s%s", root, path);
    for (char *slash = strchr(whole + strlen(root) + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(whole, 0700);
        *slash = '/';
    }
    FILE *file = fopen(whole, "w");
    CHECK(file != NULL);
    fputs(text, file);
    fclose(file);
}

static const char *new_root(char *area)
{
    strcpy(area, "/tmp/test_cgroup_XXXXXX");
    CHECK(mkdtemp(area) != NULL);
    return area;
}

static void remove_root(const char *root)
{
    char command[256];
    snprintf(command, sizeof(command), "rm -r '%s'", root);
    CHECK_EQ(system(command), 0);
}

TEST(without_a_control_group_there_is_no_limit)
{
    char area[64];
    const char *root = new_root(area);
    CHECK_EQ(config_cgroup_limit(root), 0);
    put(root, "/proc/self/cgroup", "0::/none\nnonsense\n\n::\n");
    CHECK_EQ(config_cgroup_limit(root), 0);
    remove_root(root);
}

TEST(the_smallest_limit_on_the_way_up_counts)
{
    char area[64];
    const char *root = new_root(area);
    put(root, "/proc/self/cgroup", "0::/a/b\n");
    put(root, "/sys/fs/cgroup/a/b/memory.max", "max\n");
    put(root, "/sys/fs/cgroup/a/memory.max", "536870912\n");
    put(root, "/sys/fs/cgroup/memory.max", "1073741824\n");
    CHECK_EQ(config_cgroup_limit(root), 536870912);
    remove_root(root);
}

TEST(a_container_that_sees_its_group_as_the_root_is_understood)
{
    char area[64];
    const char *root = new_root(area);
    put(root, "/proc/self/cgroup", "0::/\n");
    put(root, "/sys/fs/cgroup/memory.max", "268435456\n");
    CHECK_EQ(config_cgroup_limit(root), 268435456);
    remove_root(root);
}

TEST(version_one_is_read_and_its_way_of_saying_none)
{
    char area[64];
    const char *root = new_root(area);
    put(root, "/proc/self/cgroup", "5:cpu:/x\n4:memory:/docker/1f\n1:name=systemd:/y\n");
    put(root, "/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    CHECK_EQ(config_cgroup_limit(root), 0);
    put(root, "/sys/fs/cgroup/memory/memory.limit_in_bytes", "134217728\n");
    CHECK_EQ(config_cgroup_limit(root), 134217728);
    remove_root(root);
}
