#include "server/pace.h"

void pace_count(struct pace *pace, uint64_t now_ns, uint32_t events)
{
    if (now_ns - pace->window_began_ns >= PACE_WINDOW_NS) {
        const uint64_t windows = (now_ns - pace->window_began_ns) / PACE_WINDOW_NS;
        pace->is_resting = windows == 1 && pace->events >= PACE_EVENTS_MIN;
        pace->window_began_ns = now_ns;
        pace->events = 0;
    }
    pace->events += events;
    pace->looked_ns = now_ns;
}

uint64_t pace_left_ns(const struct pace *pace, uint64_t now_ns)
{
    const uint64_t since_ns = now_ns - pace->looked_ns;
    return since_ns < PACE_REST_NS ? PACE_REST_NS - since_ns : 0;
}

uint64_t pace_rest_ns(const struct pace *pace, uint64_t now_ns)
{
    return pace->is_resting ? pace_left_ns(pace, now_ns) : 0;
}
