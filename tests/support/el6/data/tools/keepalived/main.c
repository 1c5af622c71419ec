#include <stdio.h>
#include <string.h>
#include "libipvs.h"

int main(void)
{
	struct ip_vs_service_kern service;
	char text[32];

	memset(&service, 0, sizeof(service));
	ipvs_describe(&service, text, sizeof(text));
	return puts(text) < 0 || puts(VERSION_DATE) < 0;
}
