/* A program with restore.c in it.  Its "kernel" is a list of names in the file "table":
 *
 *   -A NAME [-w NUMBER]   adds one that is not there     -D NAME   takes one out     -C   clears
 *
 * Some names do what real ones do: see below.  A file "full" in the same folder lets it refuse each addition.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "restore.h"

#define TABLE "table"

static void fail(const char *message)
{
	fprintf(stderr, "%s\n", message);
	exit(2);
}

static int has(const char *name)
{
	FILE *table = fopen(TABLE, "r");
	char line[256];
	int found = 0;

	while (table && fgets(line, sizeof(line), table)) {
		line[strcspn(line, "\n")] = '\0';
		found |= !strcmp(line, name);
	}
	if (table)
		fclose(table);
	return found;
}

static int add(const char *name)
{
	FILE *table;

	if (!strcmp(name, "refused") || has(name) || !access("full", F_OK))
		return -1;
	table = fopen(TABLE, "a");
	return fprintf(table, "%s\n", name) < 0 || fclose(table);
}

static int clear(void)
{
	return !access("stuck", F_OK) || truncate(TABLE, 0);
}

static int take_out(const char *name)
{
	char *names = NULL;
	char line[256];
	size_t size;
	FILE *table, *others;

	if (!has(name))
		return -1;
	table = fopen(TABLE, "r");
	others = open_memstream(&names, &size);
	while (fgets(line, sizeof(line), table))
		if (strncmp(line, name, strlen(name)) || line[strlen(name)] != '\n')
			fputs(line, others);
	fclose(table);
	fclose(others);
	table = fopen(TABLE, "w");
	fputs(names, table);
	free(names);
	return fclose(table);
}

static int command(int argc, char **argv)
{
	const char *name = argc > 2 ? argv[2] : "";
	int i, result;

	if (!strcmp(name, "crash"))
		abort();
	if (!strcmp(name, "help"))
		exit(0);
	/* Known when the file is checked, and not when it is loaded. */
	if (!strcmp(name, "forgotten") && !restore_checks())
		fail("unknown name");
	for (i = 3; i < argc; i++) {
		restore_word('w', i + 1 < argc ? argv[i + 1] : NULL);
		if (strcmp(argv[i], "-w"))
			fail("unknown option");
		if (++i == argc)
			fail("missing argument");
		if (strspn(argv[i], "0123456789") != strlen(argv[i]))
			fail("illegal weight");
		restore_option(4);
	}
	restore_blame(0);
	if (strcmp(argv[1], "-C") && !*name)
		fail("a name is needed");
	restore_blame(4);
	if (argc > 4 && atoi(argv[4]) > 100)
		fail("too heavy");
	if (restore_checks())
		return 0;
	if (!strcmp(name, "signal"))
		raise(SIGTERM);
	result = argv[1][1] == 'A' ? add(name) : argv[1][1] == 'D' ? take_out(name) : clear();
	if (result) {
		restore_refused();
		fprintf(stderr, "refused\n");
	}
	return result;
}

static void open_kernel(void)
{
	if (access(TABLE, R_OK))
		fail("no kernel");
}

static void save(void)
{
	FILE *table = fopen(TABLE, "r");
	char line[256];

	while (fgets(line, sizeof(line), table))
		printf("-A %s", line);
	fclose(table);
}

int main(int argc, char **argv)
{
	const struct restore_program program = { command, open_kernel, save, clear };
	int check = argc > 1 && !strcmp(argv[1], "--check");
	int replace = argc > 1 && !strcmp(argv[1], "--replace");
	int at = 1 + (check || replace);

	return restore_file(&program, argc > at ? argv[at] : NULL, check, replace);
}
