/*
 * Linked into static programs of base debian12, whose glibc asks more of a kernel than 2.6.32
 * has.  In libc.a each of these functions is an object file of its own; as all symbols of such
 * a file are defined here, glibc's own calls (opendir, daemon, glob ...) come here too.
 *
 * fstat: glibc 2.33 to 2.38 asks newfstatat with AT_EMPTY_PATH, which came with 2.6.39; before,
 * it is EINVAL, and opendir() and daemon() fail.
 * getrlimit, setrlimit: prlimit64 came with 2.6.36.
 * getentropy: getrandom came with 3.17.  OpenSSL asks this function first; without it, it waits
 * for /dev/random, which on a quiet virtual machine has nothing to give for hours.  /dev/urandom
 * is what EL6's own OpenSSL reads; EL6 seeds it at boot from what the last run has left.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

struct stat;
struct rlimit;

/* Another name of a function that is defined here. */
#define ALSO(name, of) extern __typeof__(of) name __attribute__((alias(#of)))

int __fstat64(int fd, struct stat *status)
{
	return syscall(SYS_fstat, fd, status);
}

ALSO(__fstat, __fstat64);
ALSO(fstat64, __fstat64);
ALSO(fstat, __fstat64);

int __getrlimit64(int resource, struct rlimit *limit)
{
	return syscall(SYS_getrlimit, resource, limit);
}

ALSO(__getrlimit, __getrlimit64);
ALSO(__GI___getrlimit, __getrlimit64);
ALSO(__GI_getrlimit, __getrlimit64);
ALSO(getrlimit64, __getrlimit64);
ALSO(getrlimit, __getrlimit64);

int __setrlimit64(int resource, const struct rlimit *limit)
{
	return syscall(SYS_setrlimit, resource, limit);
}

ALSO(__setrlimit, __setrlimit64);
ALSO(setrlimit64, __setrlimit64);
ALSO(setrlimit, __setrlimit64);

static int read_urandom(char *buffer, size_t length)
{
	int fd = open("/dev/urandom", O_RDONLY);
	ssize_t got;

	if (fd < 0)
		return -1;
	while (length > 0) {
		got = read(fd, buffer, length);
		if (got > 0) {
			buffer += got;
			length -= got;
		} else if (got == 0 || errno != EINTR) {
			break;
		}
	}
	close(fd);
	if (length == 0)
		return 0;
	errno = EIO;
	return -1;
}

int getentropy(void *buffer, size_t length)
{
	if (length > 256) {
		errno = EIO;
		return -1;
	}
	if (syscall(SYS_getrandom, buffer, length, 0) == (long)length)
		return 0;
	return read_urandom(buffer, length);
}
