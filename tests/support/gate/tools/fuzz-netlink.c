/*
 * Sends mutated messages of IPVS's generic netlink family.
 *
 *     fuzz-netlink SEED COUNT [UID]
 *
 * Each begins as a sensible command on one of a few services, servers and local addresses, so
 * that many are accepted, and is changed in some of these ways: an attribute is left out, made
 * shorter or longer, doubled with other contents, moved into the wrong nest, given a length that
 * reaches beyond the message; the family contradicts the address; the command is none.  Says how
 * many the kernel took: "fuzz-netlink: N sent, N accepted, N refused, N of them not permitted".
 * UID: a user without rights who sends them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <linux/genetlink.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define COMMANDS 24	/* past the last one that there is */
#define ATTRIBUTES 24
#define ROOM 3000

enum { NEW_SERVICE = 1, SET_SERVICE, DEL_SERVICE, GET_SERVICE, NEW_DEST, SET_DEST, DEL_DEST,
	GET_DEST, NEW_DAEMON, DEL_DAEMON, GET_DAEMON, SET_CONFIG, GET_CONFIG, SET_INFO, GET_INFO,
	ZERO, FLUSH, NEW_LADDR, DEL_LADDR, GET_LADDR, GET_CONN };
enum { SERVICE = 1, DEST, DAEMON, TIMEOUT_TCP, TIMEOUT_FIN, TIMEOUT_UDP, LADDR, CONN };

struct message {
	union {
		struct nlmsghdr head;
		char room[ROOM + 1000];
	};
};

static uint64_t state;

static uint32_t draw(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 32) % below;
}

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static void put(struct message *m, int type, const void *data, int length)
{
	struct nlattr *a = (void *)(m->room + NLMSG_ALIGN(m->head.nlmsg_len));

	if (m->head.nlmsg_len + NLA_HDRLEN + length > ROOM)
		return;
	memset(a, 0, NLA_HDRLEN + NLA_ALIGN(length));
	a->nla_type = type;
	a->nla_len = NLA_HDRLEN + length;
	memcpy((char *)a + NLA_HDRLEN, data, length);
	m->head.nlmsg_len = NLMSG_ALIGN(m->head.nlmsg_len) + NLA_ALIGN(a->nla_len);
}

/* One attribute, changed now and then. */
static void attribute(struct message *m, int type, const void *data, int length)
{
	char wild[96];
	uint32_t i;

	switch (draw(40)) {
	case 0:			/* missing */
		return;
	case 1:			/* short */
		put(m, type, data, draw(length + 1));
		return;
	case 2:			/* of another type */
		put(m, draw(ATTRIBUTES), data, length);
		return;
	case 3:			/* doubled, and contradictory */
	case 4:
		for (i = 0; i < sizeof(wild); i++)
			wild[i] = draw(256);
		put(m, type, data, length);
		put(m, type, wild, draw(2) ? length : (int)draw(sizeof(wild)));
		if (draw(2))
			return;
		break;
	case 5:			/* any contents */
		for (i = 0; i < sizeof(wild); i++)
			wild[i] = draw(256);
		put(m, type, wild, length < 96 ? length : 96);
		return;
	case 6: {		/* with a length that is not the kernel's to believe */
		int at = NLMSG_ALIGN(m->head.nlmsg_len);

		put(m, type, data, length);
		((struct nlattr *)(m->room + at))->nla_len = draw(4) ? draw(64) : draw(65536);
		return;
	}
	}
	put(m, type, data, length);
}

static void number16(struct message *m, int type, uint16_t n) { attribute(m, type, &n, 2); }
static void number32(struct message *m, int type, uint32_t n) { attribute(m, type, &n, 4); }

static uint32_t some(uint32_t usual)
{
	static const uint32_t odd[] = { 0, 1, 2, 127, 128, 0x7fff, 0x8000, 0xffff, 0x10000,
		0x7fffffff, 0x80000000, 0xffffffff };

	return draw(12) ? usual : draw(3) ? odd[draw(12)] : (uint32_t)state;
}

static void address(struct message *m, int type, int v6, int net, int host)
{
	unsigned char a[16] = { 0 };

	if (v6) {
		a[0] = 0xfd;
		a[1] = net;
		a[15] = host;
	} else {
		a[0] = 10;
		a[1] = net;
		a[3] = host;
	}
	attribute(m, type, a, draw(20) ? 16 : v6 ? 4 : 4);
}

static int open_nest(struct message *m, int type)
{
	int at = NLMSG_ALIGN(m->head.nlmsg_len);

	put(m, draw(30) ? type : (int)draw(10), "", 0);
	if (draw(4))
		((struct nlattr *)(m->room + at))->nla_type |= NLA_F_NESTED;
	return at;
}

static void close_nest(struct message *m, int at)
{
	struct nlattr *a = (void *)(m->room + at);

	a->nla_len = draw(60) ? m->head.nlmsg_len - at : draw(400);
}

static void service(struct message *m, int v6)
{
	static const char *schedulers[] = { "rr", "wlc", "sh", "mh", "none", "" };
	const char *name = schedulers[draw(draw(10) ? 4 : 6)];
	uint32_t flags[2] = { some(draw(8) ? 0 : draw(64)), some(0xffffffff) };
	int at = open_nest(m, SERVICE);

	number16(m, 1, draw(25) ? (v6 ? 10 : 2) : some(draw(2) ? 2 : 10));
	if (draw(12)) {
		static const uint16_t protocols[] = { 6, 17, 6, 132, 50 };

		number16(m, 2, some(protocols[draw(5)]));
		address(m, 3, v6, 0, 1);
		number16(m, 4, htobe16(80 + draw(3)));
	} else {
		number32(m, 5, some(1 + draw(3)));
	}
	attribute(m, 6, name, strlen(name) + draw(2));
	attribute(m, 7, flags, 8);
	number32(m, 8, some(draw(3) ? 0 : 30));
	number32(m, 9, some(v6 ? 128 : 0xffffffff));
	if (!draw(20))
		attribute(m, 11, "sip", 4);
	close_nest(m, at);
}

static void server(struct message *m, int v6)
{
	int at = open_nest(m, DEST);

	address(m, 1, v6, 1, 2 + draw(3));
	number16(m, 2, htobe16(draw(4) ? 8080 : some(80)));
	number32(m, 3, draw(6) ? 5 : some(draw(8)));	/* FULLNAT is 5 */
	number32(m, 4, some(1 + draw(3)));
	number32(m, 5, some(0));
	number32(m, 6, some(0));
	if (!draw(4))
		number16(m, 11, draw(4) ? (v6 ? 10 : 2) : some(2));
	if (!draw(8)) {
		uint8_t kind = some(draw(4));

		attribute(m, 13, &kind, 1);
		number16(m, 14, some(htobe16(6080)));
		number16(m, 15, some(0));
	}
	close_nest(m, at);
}

static void local_address(struct message *m, int v6)
{
	int at = open_nest(m, LADDR);

	address(m, 1, v6, 1, draw(5) ? 1 : 10 + draw(20));
	if (!draw(10))
		number32(m, 2 + draw(4), some(0));
	close_nest(m, at);
}

/* Of which connections: a client's, or those of a local port */
static void filter(struct message *m, int v6)
{
	int at = open_nest(m, CONN);

	number16(m, 1, draw(25) ? (v6 ? 10 : 2) : some(2));
	if (!draw(3))
		number16(m, 2, some(draw(2) ? 6 : 17));
	if (draw(2)) {
		address(m, 3, v6, 0, 2);
		if (draw(2))
			number16(m, 4, htobe16(some(5000)));
	} else {
		address(m, 7, v6, 1, 1);
		number16(m, 8, htobe16(some(5000 + draw(1000))));
	}
	close_nest(m, at);
}

static void sync_daemon(struct message *m)
{
	int at = open_nest(m, DAEMON);

	number32(m, 1, some(1 + draw(2)));
	attribute(m, 2, "none0", 6);
	number32(m, 3, some(draw(256)));
	if (!draw(3))
		number16(m, 4, some(1400));
	close_nest(m, at);
}

static void make(struct message *m, int family, int number)
{
	/* Half are additions, so that there is something to change. */
	static const uint8_t often[] = { NEW_SERVICE, NEW_DEST, NEW_LADDR, NEW_LADDR, SET_DEST,
		SET_SERVICE, DEL_LADDR, DEL_DEST, GET_LADDR, GET_CONN, GET_DEST, GET_SERVICE };
	struct genlmsghdr *g = NLMSG_DATA(&m->head);
	int command = draw(5) ? often[draw(sizeof(often))] : draw(COMMANDS);
	int v6 = !draw(3), rare = !draw(12);

	memset(m, 0, sizeof(*m));
	m->head.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN);
	m->head.nlmsg_type = family;
	m->head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	if ((command == GET_SERVICE || command == GET_DEST || command == GET_DAEMON ||
	     command == GET_LADDR || command == GET_CONN) ? draw(5) : !draw(40))
		m->head.nlmsg_flags |= NLM_F_DUMP;
	m->head.nlmsg_seq = number;
	g->cmd = command == FLUSH && draw(20) ? ZERO : command;
	g->version = 1;

	if (command == SET_CONFIG) {
		number32(m, TIMEOUT_TCP, some(900));
		number32(m, TIMEOUT_FIN, some(120));
		number32(m, TIMEOUT_UDP, some(300));
	} else if (command == NEW_DAEMON || command == DEL_DAEMON) {
		sync_daemon(m);
	} else if (command == GET_CONN && draw(20)) {
		filter(m, v6);
	} else if (command != GET_LADDR || draw(4)) {
		service(m, rare ? !v6 : v6);
		if (command >= NEW_DEST && command <= GET_DEST)
			server(m, v6);
		if (command >= NEW_LADDR && command <= GET_LADDR)
			local_address(m, v6);
		while (!draw(15))
			draw(2) ? server(m, v6) : local_address(m, v6);
	}
	if (!draw(30))		/* any byte behind the headers */
		for (int i = draw(6); i >= 0; i--)
			m->room[NLMSG_LENGTH(GENL_HDRLEN) +
				draw(m->head.nlmsg_len - NLMSG_LENGTH(GENL_HDRLEN) + 1)] = draw(256);
	if (!draw(50))		/* a message that ends early */
		m->head.nlmsg_len -= draw(m->head.nlmsg_len - NLMSG_HDRLEN);
}

static int family_of(int fd, const char *name)
{
	struct message m;
	struct genlmsghdr *g = NLMSG_DATA(&m.head);
	struct nlattr *a;
	int got;

	memset(&m, 0, sizeof(m));
	m.head.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN);
	m.head.nlmsg_type = GENL_ID_CTRL;
	m.head.nlmsg_flags = NLM_F_REQUEST;
	g->cmd = CTRL_CMD_GETFAMILY;
	g->version = 1;
	put(&m, CTRL_ATTR_FAMILY_NAME, name, strlen(name) + 1);
	if (send(fd, &m, m.head.nlmsg_len, 0) < 0)
		die("send");
	got = recv(fd, &m, sizeof(m), 0);
	if (got < 0)
		die("recv");
	a = (void *)((char *)NLMSG_DATA(&m.head) + GENL_HDRLEN);
	while (m.head.nlmsg_type == GENL_ID_CTRL && (char *)a + NLA_HDRLEN <= m.room + got) {
		if (a->nla_type == CTRL_ATTR_FAMILY_ID)
			return *(uint16_t *)((char *)a + NLA_HDRLEN);
		a = (void *)((char *)a + NLA_ALIGN(a->nla_len));
	}
	fprintf(stderr, "no netlink family %s\n", name);
	exit(2);
}

int main(int argc, char **argv)
{
	struct timeval patience = { .tv_sec = 1 };
	long count, accepted = 0, refused = 0, forbidden = 0;
	static struct message m;
	static char answer[65536];
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC), family;

	if (argc < 3 || fd < 0)
		return 2;
	if (argc > 3 && (setgroups(0, NULL) || setgid(atoi(argv[3])) || setuid(atoi(argv[3]))))
		die("setuid");
	state = strtoull(argv[1], NULL, 0) * 0x9E3779B97F4A7C15ULL + 1;
	count = strtol(argv[2], NULL, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	family = family_of(fd, "IPVS");
	for (long i = 1; i <= count; i++) {
		make(&m, family, i);
		if (send(fd, &m, m.head.nlmsg_len, 0) < 0) {
			refused++;
			continue;
		}
		for (int ended = 0; !ended; ) {	/* until an answer ends this message */
			int got = recv(fd, answer, sizeof(answer), MSG_DONTWAIT);
			struct nlmsghdr *h = (void *)answer;

			if (got < 0)
				break;
			for (; NLMSG_OK(h, (unsigned int)got); h = NLMSG_NEXT(h, got)) {
				if (h->nlmsg_type == NLMSG_DONE)
					accepted++, ended = 1;
				if (h->nlmsg_type != NLMSG_ERROR)
					continue;
				ended = 1;
				int error = -((struct nlmsgerr *)NLMSG_DATA(h))->error;

				accepted += !error;
				refused += !!error;
				forbidden += error == EPERM;
			}
		}
	}
	printf("fuzz-netlink: %ld sent, %ld accepted, %ld refused, %ld of them not permitted\n",
	       count, accepted, refused, forbidden);
	return 0;
}
