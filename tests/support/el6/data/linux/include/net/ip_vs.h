/* IPVS inside the kernel. */
#ifndef _NET_IP_VS_H
#define _NET_IP_VS_H

#include <linux/ip_vs.h>

#define IP_VS_CONN_TAB_SIZE (1 << TAB_BITS)

struct ip_vs_conn {
	__be32 caddr;
	__be32 vaddr;
	__be32 daddr;
	__be16 cport;
	__be16 vport;
	__be16 dport;
};

struct ip_vs_scheduler {
	const char *name;
};

int register_ip_vs_scheduler(struct ip_vs_scheduler *scheduler);
int ip_vs_conn_hash(const struct ip_vs_conn *conn);

#endif
