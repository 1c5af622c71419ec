#ifndef _LIBIPVS_H
#define _LIBIPVS_H
#include "ip_vs.h"
int ipvs_describe(const struct ip_vs_service_kern *service, char *text, unsigned size);
#endif
