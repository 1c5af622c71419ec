/* The small world's kernel: looks at what the boot loader gave it, and reports that.  It runs no
 * programs, so that it leaves every other check of the self-test to kernels that do.
 */
#include "checks.h"
#include "virtio.h"

#define STRING(words) #words
#define TEXT(words) STRING(words)

static void put(char *line, const char *text)
{
	while (*line)
		line++;
	while ((*line++ = *text++))
		;
}

static unsigned int length(const char *text)
{
	unsigned int count = 0;

	while (text[count])
		count++;
	return count;
}

static void console(const char *text)
{
	for (; *text; text++)
		outb(0x3f8, *text);
	outb(0x3f8, '\n');
}

static int contains(const char *text, const char *wanted)
{
	for (; *text; text++) {
		unsigned int at = 0;

		while (wanted[at] && text[at] == wanted[at])
			at++;
		if (!wanted[at])
			return 1;
	}
	return 0;
}

static void report(const char *name, const char *ok, const char *detail, const char *unsupported)
{
	static char line[1024];

	line[0] = 0;
	put(line, "{\"check\": \"");
	put(line, name);
	put(line, "\", \"ok\": ");
	put(line, ok);
	put(line, ", \"detail\": \"");
	put(line, detail);
	put(line, "\", \"ms\": 0, \"unsupported\": ");
	put(line, unsupported);
	put(line, "}\n");
	port_write(line, length(line));
}

void start_kernel(const unsigned char *given)
{
	static const char *names[] = { CHECKS };
	const char *options = *(const char *const *)(given + 0x228);
	const unsigned char *initramfs = *(const unsigned char *const *)(given + 0x218);
	const char *fault = "";

	console("Linux version " TEXT(RELEASE) " (the small world's)");
	console(options);
	if (!contains(options, "root=UUID=") || !contains(options, "console=ttyS0"))
		fault = "the boot loader gave other options than the image has";
	else if (initramfs == 0 || initramfs[0] != 0x1f || initramfs[1] != 0x8b)
		fault = "the boot loader gave no initramfs";
	if (!port_open()) {
		console("Kernel panic - not syncing: no virtio serial port");
		return;
	}
	port_write(START, sizeof(START) - 1);
	for (unsigned int at = 0; at < sizeof(names) / sizeof(names[0]); at++) {
		if (contains(names[at], "kernel.release"))
			report(names[at], *fault ? "false" : "true", *fault ? fault : TEXT(RELEASE), "false");
		else
			report(names[at], "true", "this kernel runs no programs", "true");
	}
	if (*fault) {
		port_write(FAIL, sizeof(FAIL) - 1);
		return;
	}
	port_write(PASS, sizeof(PASS) - 1);
	console("the small world's kernel leaves");
	outb(0xf4, 0x2a);
}
