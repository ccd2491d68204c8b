#include "system/machine.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* 10/8, 172.16/12, 192.168/16. */
static bool is_private(uint32_t ip)
{
    return ip >> 24 == 10 || ip >> 20 == 0xac1 || ip >> 16 == 0xc0a8;
}

static void find_private_ip(char *out_text)
{
    struct ifaddrs *all = NULL;
    if (getifaddrs(&all) != 0) {
        return;
    }
    for (const struct ifaddrs *one = all; one != NULL; one = one->ifa_next) {
        if (one->ifa_addr == NULL || one->ifa_addr->sa_family != AF_INET) {
            continue;
        }
        struct sockaddr_in address;
        memcpy(&address, one->ifa_addr, sizeof(address));
        if (is_private(ntohl(address.sin_addr.s_addr)) &&
            inet_ntop(AF_INET, &address.sin_addr, out_text, MACHINE_TEXT_MAX) != NULL) {
            break;
        }
    }
    freeifaddrs(all);
}

void machine_facts(struct machine_facts *out_facts)
{
    *out_facts = (struct machine_facts){.cores_count = 1};
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): asked before there is a second thread. */
    const char *home = getenv("HOME");
    if (home != NULL && strlen(home) < MACHINE_TEXT_MAX) {
        memcpy(out_facts->home, home, strlen(home) + 1);
    }
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    out_facts->cores_count = cores > 0 ? (uint32_t)cores : 1;
    find_private_ip(out_facts->private_ip);
}
