/* Asks IPVS for FULLNAT connections by generic netlink (GET_CONN).
 *
 *	find-connections client ADDRESS[:PORT] [TIMES]	of a client, [IPv6] in brackets
 *	find-connections local ADDRESS:PORT [TIMES]	of a local address and port
 *
 * A line for each: protocol, client, virtual, local, real address, state, seconds to expiry; the error
 * as the exit code.  With TIMES it asks as often and tells the shortest answer in ticks of the
 * processor: "N connections, N ticks".  On a busy machine most answers take longer, and never all;
 * the guest's own clock goes in steps of 10 ms.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <linux/genetlink.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <x86intrin.h>

enum { GET_CONN = 21, CONN = 8, AF = 1, PROTOCOL, CADDR, CPORT, VADDR, VPORT, LADDR, LPORT, DADDR,
	DPORT, STATE, EXPIRES };

struct message {
	union {
		struct nlmsghdr head;
		char room[65536];
	};
};

static int quiet;

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static void put(struct message *m, int type, const void *data, int length)
{
	struct nlattr *a = (void *)(m->room + NLMSG_ALIGN(m->head.nlmsg_len));

	a->nla_type = type;
	a->nla_len = NLA_HDRLEN + length;
	memcpy((char *)a + NLA_HDRLEN, data, length);
	m->head.nlmsg_len = NLMSG_ALIGN(m->head.nlmsg_len) + NLA_ALIGN(a->nla_len);
}

static void begin(struct message *m, int family, int command, int flags)
{
	struct genlmsghdr *g = NLMSG_DATA(&m->head);

	memset(m, 0, 256);
	m->head.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN);
	m->head.nlmsg_type = family;
	m->head.nlmsg_flags = NLM_F_REQUEST | flags;
	g->cmd = command;
	g->version = 1;
}

/* The attributes from `at` on, by type. */
static void parse(char *at, char *end, char *found[16])
{
	memset(found, 0, 16 * sizeof(*found));
	while (at + NLA_HDRLEN <= end) {
		struct nlattr *a = (void *)at;
		int type = a->nla_type & NLA_TYPE_MASK;

		if (a->nla_len < NLA_HDRLEN || at + a->nla_len > end)
			break;
		if (type < 16)
			found[type] = at;
		at += NLA_ALIGN(a->nla_len);
	}
}

static void *value(char *attribute) { return attribute + NLA_HDRLEN; }

static void end_of(char *found[16], int address)
{
	int af = *(uint16_t *)value(found[AF]);
	char text[INET6_ADDRSTRLEN];

	inet_ntop(af, value(found[address]), text, sizeof(text));
	printf(af == AF_INET6 ? " [%s]:%d" : " %s:%d", text,
	       ntohs(*(uint16_t *)value(found[address + 1])));
}

static void say(struct nlmsghdr *h)
{
	char *found[16], *end = (char *)h + h->nlmsg_len;
	struct nlattr *nest;

	parse((char *)NLMSG_DATA(h) + GENL_HDRLEN, end, found);
	if (!found[CONN])
		die("an answer without connection");
	nest = (void *)found[CONN];
	parse(value(found[CONN]), found[CONN] + nest->nla_len, found);
	for (int i = AF; i <= EXPIRES; i++)
		if (!found[i])
			die("an answer without all attributes");
	printf("%s", *(uint16_t *)value(found[PROTOCOL]) == 6 ? "TCP" : "UDP");
	end_of(found, CADDR);
	end_of(found, VADDR);
	end_of(found, LADDR);
	end_of(found, DADDR);
	printf(" %s %u\n", (char *)value(found[STATE]),
	       *(uint32_t *)value(found[EXPIRES]) / 1000);
}

static int family_of(int fd, const char *name)
{
	static struct message m;
	char *found[16];
	int got;

	begin(&m, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0);
	put(&m, CTRL_ATTR_FAMILY_NAME, name, strlen(name) + 1);
	if (send(fd, &m, m.head.nlmsg_len, 0) < 0 || (got = recv(fd, &m, sizeof(m), 0)) < 0)
		die("netlink");
	parse((char *)NLMSG_DATA(&m.head) + GENL_HDRLEN, m.room + got, found);
	if (m.head.nlmsg_type != GENL_ID_CTRL || !found[CTRL_ATTR_FAMILY_ID])
		die(name);
	return *(uint16_t *)value(found[CTRL_ATTR_FAMILY_ID]);
}

static long ask(int fd, const struct message *question)
{
	static struct message m;
	long number = 0;

	if (send(fd, question, question->head.nlmsg_len, 0) < 0)
		die("send");
	for (;;) {
		struct nlmsghdr *h = &m.head;
		int got = recv(fd, &m, sizeof(m), 0);

		if (got < 0)
			die("recv");
		for (; NLMSG_OK(h, (unsigned int)got); h = NLMSG_NEXT(h, got)) {
			if (h->nlmsg_type == NLMSG_DONE)
				return number;
			if (h->nlmsg_type == NLMSG_ERROR) {
				errno = -((struct nlmsgerr *)NLMSG_DATA(h))->error;
				perror("GET_CONN");
				exit(errno);
			}
			number++;
			if (!quiet)
				say(h);
		}
	}
}

static void fill(struct message *m, const char *kind, char *end)
{
	char *colon = strrchr(end, ':'), *closing = strchr(end, ']'), *host = end;
	unsigned char address[16] = { 0 };
	uint16_t af = AF_INET, port = 0;
	int local = !strcmp(kind, "local");
	struct nlattr *nest = (void *)(m->room + m->head.nlmsg_len);
	int at = m->head.nlmsg_len;

	if (colon && colon > (closing ? closing : end)) {
		port = htons(atoi(colon + 1));
		*colon = 0;
	}
	if (*end == '[') {
		af = AF_INET6;
		*closing = 0;
		host = end + 1;
	}
	if (inet_pton(af, host, address) != 1)
		die(host);
	put(m, CONN | NLA_F_NESTED, "", 0);
	put(m, AF, &af, 2);
	put(m, local ? LADDR : CADDR, address, 16);
	if (port)
		put(m, local ? LPORT : CPORT, &port, 2);
	nest->nla_len = m->head.nlmsg_len - at;
}

int main(int argc, char **argv)
{
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);
	unsigned long long shortest = ULLONG_MAX;
	static struct message m;
	long number = 0;

	if (argc < 3 || fd < 0)
		return 2;
	begin(&m, family_of(fd, "IPVS"), GET_CONN, NLM_F_DUMP);
	fill(&m, argv[1], argv[2]);
	if (argc == 3) {
		ask(fd, &m);
		return 0;
	}
	quiet = 1;
	for (int times = atoi(argv[3]); times > 0; times--) {
		unsigned long long took = __rdtsc();

		number = ask(fd, &m);
		took = __rdtsc() - took;
		if (took < shortest)
			shortest = took;
	}
	printf("%ld connections, %llu ticks\n", number, shortest);
	return 0;
}
