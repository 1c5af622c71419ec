#include <stdio.h>
#include <string.h>
#include "libipvs.h"

int main(int argc, char **argv)
{
	struct ip_vs_service_kern service;
	char text[32];

	memset(&service, 0, sizeof(service));
	service.flags = argc > 1 && !strcmp(argv[1], "-b") ? IP_VS_CONN_F_FULLNAT : 0;
	ipvs_describe(&service, text, sizeof(text));
	return puts(text) < 0;
}
