#include <stdio.h>

int main(void)
{
	return puts(NAME) < 0;
}
