#include <stdio.h>
#include "libipvs.h"

int ipvs_describe(const struct ip_vs_service_kern *service, char *text, unsigned size)
{
	return snprintf(text, size, "%08x:%u", service->addr, service->port);
}
