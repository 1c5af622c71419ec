#include <linux/compile.h>

const char linux_banner[] = UTS_VERSION LINUX_COMPILE_BY "@" LINUX_COMPILE_HOST;

int start_kernel(void)
{
	return 0;
}
