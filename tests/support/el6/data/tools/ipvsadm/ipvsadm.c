/* Keeps its table in a file that the next boot does not have; each line is the command that adds it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "libipvs.h"

#define TABLE "/run/ip_vs"
#define LINES 64

static char table[LINES][256];
static int lines;

static void load(void)
{
	FILE *file = fopen(TABLE, "r");

	while (file && lines < LINES && fgets(table[lines], sizeof(table[0]), file))
		table[lines][strcspn(table[lines], "\n")] = '\0', lines++;
	if (file)
		fclose(file);
}

static int store(void)
{
	FILE *file = fopen(TABLE, "w");
	int i;

	for (i = 0; file && i < lines; i++)
		fprintf(file, "%s\n", table[i]);
	return file ? fclose(file) : 1;
}

/* How many words of a line tell what it is about: its command, its service, its server. */
static int same(const char *a, const char *b, int words)
{
	size_t length = 0;

	for (; words > 0; words--) {
		length += strspn(a + length, " ");
		length += strcspn(a + length, " ");
	}
	return !strncmp(a, b, length) && (b[length] == ' ' || b[length] == '\0');
}

static int find(const char *line, int words)
{
	int i;

	for (i = 0; i < lines; i++)
		if (same(line, table[i], words))
			return i;
	return -1;
}

static void put_out(int at)
{
	memmove(table[at], table[at + 1], (LINES - at - 1) * sizeof(table[0]));
	lines--;
}

/* 2: not understood; 1: refused. */
static int change(const char *line)
{
	char known[256];
	int at, i;

	if (!strcmp(line, "-C")) {
		lines = 0;
		return 0;
	}
	if (strlen(line) < 6 || !strchr("AaePQdD", line[1]) || lines == LINES)
		return 2;
	snprintf(known, sizeof(known), "%s", line);
	known[1] = strchr("Qd", line[1]) ? "Pa"[line[1] == 'd'] : line[1] == 'e' ? 'a' : line[1];
	if (line[1] == 'D') {
		for (i = lines - 1; i >= 0; i--)
			if (same(known + 3, table[i] + 3, 2))
				put_out(i);
		return 0;
	}
	at = find(known, line[1] == 'A' ? 3 : 5);
	if (strchr("AaP", line[1]) ? at >= 0 : at < 0)
		return 1;
	if (strchr("Qd", line[1]))
		put_out(at);
	else
		snprintf(table[at < 0 ? lines++ : at], sizeof(table[0]), "%s%s", known,
			 known[1] == 'a' && !strstr(known, " -w ") ? " -w 1" : "");
	return 0;
}

static int restore(const char *name, int check, int replace)
{
	FILE *file = name ? fopen(name, "r") : stdin;
	char line[256];
	int status = file ? 0 : 2;

	if (check || replace)
		lines = 0;
	while (!status && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "#\n")] = '\0';
		if (line[0])
			status = change(line);
	}
	return status ? status : check ? 0 : store();
}

static int show(const char *kinds, const char *words[])
{
	int i;

	for (i = 0; i < lines; i++)
		if (strchr(kinds, table[i][1]))
			printf("%s%s\n", words[table[i][1] == 'a'], table[i] + 3);
	return 0;
}

int main(int argc, char **argv)
{
	const char *listed[] = {"", "  -> "};
	char line[256] = "";
	int i, status;

	if (argc < 2 || !strcmp(argv[1], "-b")) {
		struct ip_vs_service_kern service;

		memset(&service, 0, sizeof(service));
		service.flags = argc > 1 ? IP_VS_CONN_F_FULLNAT : 0;
		ipvs_describe(&service, line, sizeof(line));
		return puts(line) < 0;
	}
	load();
	if (!strcmp(argv[1], "-S")) {
		for (i = 0; i < lines; i++)
			puts(table[i]);
		return 0;
	}
	if (!strcmp(argv[1], "-L") || !strcmp(argv[1], "-G"))
		return show(argv[1][1] == 'L' ? "Aa" : "P", listed);
	if (!strcmp(argv[1], "-R")) {
		int check = argc > 2 && !strcmp(argv[2], "--check");
		int replace = argc > 2 && !strcmp(argv[2], "--replace");

		return restore(argv[2 + (check || replace)], check, replace);
	}
	for (i = 1; i < argc; i++)
		snprintf(line + strlen(line), sizeof(line) - strlen(line), "%s%s", i > 1 ? " " : "", argv[i]);
	status = change(line);
	return status ? status : store();
}
