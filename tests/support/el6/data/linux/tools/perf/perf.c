#include <stdio.h>

int main(void)
{
	puts("perf");
	return 0;
}
