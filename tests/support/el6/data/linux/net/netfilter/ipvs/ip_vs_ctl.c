#include <net/ip_vs.h>

static struct ip_vs_scheduler *first;

int register_ip_vs_scheduler(struct ip_vs_scheduler *scheduler)
{
	if (!scheduler->name)
		return -1;
	first = scheduler;
	return first ? 0 : -1;
}
