#include <net/ip_vs.h>

static int buckets[IP_VS_CONN_TAB_SIZE];

/* Where a connection is found again when its answer comes. */
int ip_vs_conn_hash(const struct ip_vs_conn *conn)
{
	unsigned key = conn->caddr ^ conn->cport;

	key &= IP_VS_CONN_TAB_SIZE - 1;
	return ++buckets[key];
}
