#include "cli/commands.h"

#include "store/store.h"
#include "wire/packet.h"

#include <stdio.h>

int command_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    printf("jingu %s (data format %u, protocol versions up to %u)\n", JINGU_VERSION,
           STORE_FORMAT_VERSION, PACKET_VERSION_MAX);
    return 0;
}
