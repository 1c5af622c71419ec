"""Static programs do without the system calls that 2.6.32 does not have.

A seccomp filter stands for the kernel: it answers as 2.6.32 does.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[3] / "specs" / "el6" / "_old-kernel.c"
# What base debian12 links statically: opendir and glob need fstat, OpenSSL getentropy.
PROGRAM = r"""
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IS(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)
#define ANSWER(number) BPF_STMT(BPF_RET | BPF_K, number)

static struct sock_filter rules[] = {
	LOAD(nr),
	IS(SYS_prlimit64, 4, 0),
	IS(SYS_getrandom, 3, 0),
	IS(SYS_newfstatat, 0, 3),
	LOAD(args[3]),
	IS(AT_EMPTY_PATH, 2, 1),
	ANSWER(SECCOMP_RET_ERRNO | ENOSYS),
	ANSWER(SECCOMP_RET_ALLOW),
	ANSWER(SECCOMP_RET_ERRNO | EINVAL),
};

int main(void)
{
	struct sock_fprog program = { sizeof(rules) / sizeof(*rules), rules };
	char seen[2][32] = { "", "" };
	struct rlimit limit;
	int ended = 0;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return 77;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		return 77;
	if (!opendir("/"))
		ended |= 1;
	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur < 2)
		ended |= 2;
	limit.rlim_cur--;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		ended |= 4;
	if (getentropy(seen[0], sizeof(*seen)) || !memcmp(seen[0], seen[1], sizeof(*seen)))
		ended |= 8;
	return ended;
}
"""

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")


def test_a_static_program_needs_no_system_call_of_a_later_kernel(tmp_path: Path) -> None:
    (tmp_path / "program.c").write_text(PROGRAM)
    known = tmp_path / "old-kernel.o"
    compiling = ["gcc", "-O2", "-std=gnu89", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([*compiling, "-c", SOURCE, "-o", known], check=True)
    linking = ["gcc", "-O2", "-static", str(tmp_path / "program.c"), "-o"]
    subprocess.run([*linking, str(tmp_path / "without")], check=True)
    subprocess.run([*linking, str(tmp_path / "with"), f"-Wl,{known}"], check=True)
    bare = subprocess.run([tmp_path / "without"], check=False).returncode
    if bare == 77:
        pytest.skip("no seccomp filter is allowed here")
    # getentropy at the least; what else fails depends on this host's glibc.
    assert bare & 8
    assert subprocess.run([tmp_path / "with"], check=False).returncode == 0
