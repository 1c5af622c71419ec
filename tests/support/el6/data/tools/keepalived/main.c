/* With "-f FILE" a daemon that sets FILE's virtual addresses while it runs: it is alone, and so master. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "libipvs.h"

#define PIDFILE "/var/run/keepalived.pid"

static void addresses(const char *name, const char *what)
{
	FILE *file = fopen(name, "r");
	char line[256], command[300], address[64], device[32];
	int inside = 0;

	while (file && fgets(line, sizeof(line), file)) {
		if (strstr(line, "virtual_ipaddress"))
			inside = 1;
		else if (strchr(line, '}'))
			inside = 0;
		else if (inside && sscanf(line, " %63s dev %31s", address, device) == 2) {
			snprintf(command, sizeof(command), "ip address %s %s dev %s", what, address, device);
			if (system(command))
				perror(command);
		}
	}
	if (file)
		fclose(file);
}

static int serve(const char *name)
{
	sigset_t ended;
	FILE *file;
	int told;

	if (access(name, R_OK) || daemon(0, 0))
		return 1;
	sigemptyset(&ended);
	sigaddset(&ended, SIGTERM);
	sigprocmask(SIG_BLOCK, &ended, NULL);
	file = fopen(PIDFILE, "w");
	if (!file || fprintf(file, "%d\n", getpid()) < 0 || fclose(file))
		return 1;
	addresses(name, "add");
	sigwait(&ended, &told);
	addresses(name, "del");
	return unlink(PIDFILE);
}

int main(int argc, char **argv)
{
	struct ip_vs_service_kern service;
	char text[32];

	if (argc > 2 && !strcmp(argv[1], "-f"))
		return serve(argv[2]);
	memset(&service, 0, sizeof(service));
	ipvs_describe(&service, text, sizeof(text));
	return puts(text) < 0 || puts(VERSION_DATE) < 0;
}
