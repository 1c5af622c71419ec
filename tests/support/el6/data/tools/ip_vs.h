/* What the kernel and its tools pass to each other. */
#ifndef _IP_VS_H
#define _IP_VS_H

#include <linux/types.h>

#define IP_VS_CONN_F_FWD_MASK 0x0007
#define IP_VS_CONN_F_MASQ 0x0000
#define IP_VS_CONN_F_DROUTE 0x0003
#define IP_VS_CONN_F_FULLNAT 0x0005

#define IP_VS_SCHEDNAME_MAXLEN 16
#define IP_VS_IFNAME_MAXLEN 16

struct ip_vs_service_kern {
	__u16 protocol;
	__be32 addr;
	__be16 port;
	__u32 fwmark;
	char sched_name[IP_VS_SCHEDNAME_MAXLEN];
	unsigned flags;
	unsigned timeout;
	__be32 netmask;
};

struct ip_vs_dest_kern {
	__be32 addr;
	__be16 port;
	unsigned conn_flags;
	int weight;
	__u32 u_threshold;
	__u32 l_threshold;
};

struct ip_vs_laddr_kern {
	__be32 addr;
	__u64 port_conflict;
	__u32 conn_counts;
};

struct ip_vs_timeout_user {
	int tcp_timeout;
	int tcp_fin_timeout;
	int udp_timeout;
};

struct ip_vs_daemon_user {
	int state;
	char mcast_ifn[IP_VS_IFNAME_MAXLEN];
	int syncid;
};

#define IP_VS_BASE_CTL 1088
#define IP_VS_SO_GET_INFO (IP_VS_BASE_CTL + 1)

struct ip_vs_getinfo {
	unsigned version;
	unsigned size;
	unsigned num_services;
};

struct ip_vs_service_entry_kern {
	__u16 protocol;
	__be32 addr;
	__be16 port;
	unsigned num_dests;
};

struct ip_vs_get_services_kern {
	unsigned num_services;
	struct ip_vs_service_entry_kern entrytable[0];
};

#endif
