/* Traffic for the cases of the gate, in one network namespace.
 *
 *	traffic syn ADDRESS:PORT COUNT RATE		SYNs from forged addresses
 *	traffic half ADDRESS:PORT COUNT RATE		the same, and behind each an ACK of a wrong number
 *	traffic datagrams ADDRESS:PORT COUNT RATE	from forged addresses
 *	traffic honest ADDRESS:PORT COUNT RATE MS	connections, each asks and is answered within MS
 *	traffic hold ADDRESS:PORT COUNT SECONDS		connections that are kept
 *	traffic serve ADDRESS:PORT			echo of TCP
 *	traffic echo ADDRESS:PORT			echo of UDP
 *	traffic ask ADDRESS:PORT COUNT RATE MS		datagrams, each from a socket of its own
 *	traffic late ADDRESS:PORT COUNT SECONDS		echo of UDP, and COUNT times again after SECONDS
 *	traffic own ADDRESS:PORT COUNT SECONDS		a datagram from each of COUNT sockets, and what comes
 *	traffic again ADDRESS:PORT COUNT SECONDS	a datagram of one letter each SECONDS; tells what comes back
 *	traffic bind ADDRESS:FIRST COUNT SECONDS	TCP and UDP sockets on COUNT ports from FIRST on
 *
 * COUNT connections are told as "served N of COUNT"; of `own`, "answers N strangers N": sockets that
 * got their own datagram back, and datagrams of others.  IPv4, and [IPv6] where nothing is forged.
 * Clients are bound to the address FROM of the environment (IPv4), if there is one.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct sockaddr_storage peer;
static socklen_t peer_size;

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static void parse(const char *text)
{
	char host[64];
	const char *colon = strrchr(text, ':');
	struct sockaddr_in *in = (void *)&peer;
	struct sockaddr_in6 *in6 = (void *)&peer;

	if (!colon || colon - text >= (long)sizeof(host))
		die(text);
	snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
	if (host[0] == '[') {
		host[strlen(host) - 1] = 0;
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(atoi(colon + 1));
		peer_size = sizeof(*in6);
		if (inet_pton(AF_INET6, host + 1, &in6->sin6_addr) != 1)
			die(text);
		return;
	}
	in->sin_family = AF_INET;
	in->sin_port = htons(atoi(colon + 1));
	peer_size = sizeof(*in);
	if (inet_pton(AF_INET, host, &in->sin_addr) != 1)
		die(text);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void until(double when)
{
	double left = when - now();
	struct timespec t;

	if (left <= 0)
		return;
	t.tv_sec = (time_t)left;
	t.tv_nsec = (long)((left - (double)t.tv_sec) * 1e9);
	nanosleep(&t, NULL);
}

static uint16_t sum(const void *data, size_t size, uint32_t start)
{
	const uint8_t *byte = data;

	for (; size > 1; size -= 2, byte += 2)
		start += (uint32_t)byte[0] << 8 | byte[1];
	if (size)
		start += (uint32_t)byte[0] << 8;
	while (start >> 16)
		start = (start & 0xffff) + (start >> 16);
	return htons(~start & 0xffff);
}

/* Source number N: 11.0.0.0/8 */
static void forged(int raw, uint8_t protocol, unsigned int n, const void *segment, size_t size)
{
	struct sockaddr_in *to = (void *)&peer;
	uint8_t packet[128] = { 0 };
	struct iphdr *ip = (void *)packet;
	uint8_t pseudo[128] = { 0 };
	size_t at = protocol == IPPROTO_TCP ? 16 : 6;
	uint16_t check;

	ip->version = 4;
	ip->ihl = 5;
	ip->ttl = 64;
	ip->protocol = protocol;
	ip->saddr = htonl(11u << 24 | (n & 0xffffff));
	ip->daddr = to->sin_addr.s_addr;
	memcpy(packet + 20, segment, size);
	memcpy(pseudo, &ip->saddr, 8);
	pseudo[9] = protocol;
	pseudo[11] = (uint8_t)size;
	memcpy(pseudo + 12, segment, size);
	check = sum(pseudo, 12 + size, 0);
	memcpy(packet + 20 + at, &check, 2);
	if (sendto(raw, packet, 20 + size, 0, (void *)&peer, peer_size) < 0 && errno != ENOBUFS)
		die("sendto");
}

static void flood(const char *kind, int count, double rate)
{
	int raw = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	struct sockaddr_in *to = (void *)&peer;
	double start = now();
	int i;

	if (raw < 0)
		die("socket");
	for (i = 0; i < count; i++) {
		uint16_t from = htons((uint16_t)(1024 + i % 60000));
		struct tcphdr th = { .source = from, .dest = to->sin_port, .doff = 5 };
		struct udphdr uh = { .source = from, .dest = to->sin_port, .len = htons(12) };
		uint8_t datagram[12] = { 0 };

		if (kind[0] == 'd') {
			memcpy(datagram, &uh, sizeof(uh));
			memcpy(datagram + 8, "ping", 4);
			forged(raw, IPPROTO_UDP, (unsigned int)i, datagram, sizeof(datagram));
		} else {
			th.seq = htonl((uint32_t)i * 2654435761u);
			th.syn = 1;
			th.window = htons(8192);
			forged(raw, IPPROTO_TCP, (unsigned int)i, &th, sizeof(th));
			if (kind[0] == 'h') {
				th.syn = 0;
				th.ack = 1;
				th.seq = htonl(ntohl(th.seq) + 1);
				th.ack_seq = htonl((uint32_t)i * 40503u + 12345);
				forged(raw, IPPROTO_TCP, (unsigned int)i, &th, sizeof(th));
			}
		}
		until(start + (i + 1) / rate);
	}
}

static int opened(int type)
{
	int one = socket(peer.ss_family, type | SOCK_NONBLOCK, 0);

	if (one < 0)
		die("socket");
	if (getenv("FROM")) {
		struct sockaddr_in from = { .sin_family = AF_INET };

		if (inet_pton(AF_INET, getenv("FROM"), &from.sin_addr) != 1 ||
		    bind(one, (void *)&from, sizeof(from)))
			die("bind");
	}
	if (connect(one, (void *)&peer, peer_size) < 0 && errno != EINPROGRESS)
		return close(one), -1;
	return one;
}

struct asked {
	int fd;
	int sent;
	double from;
};

/* Connections or datagrams at a rate; an answer counts within ms */
static void honest(int type, int count, double rate, double ms)
{
	struct asked *all = calloc((size_t)count, sizeof(*all));
	int poller = epoll_create1(0);
	double start = now();
	int served = 0, next = 0, i;
	double last = start + count / rate + ms / 1000;

	while (now() < last) {
		struct epoll_event events[64];
		int wait = 5, n;

		while (next < count && now() >= start + next / rate) {
			struct epoll_event want = { .events = EPOLLOUT, .data.u32 = (uint32_t)next };

			all[next].from = now();
			all[next].fd = opened(type);
			if (all[next].fd >= 0)
				epoll_ctl(poller, EPOLL_CTL_ADD, all[next].fd, &want);
			next++;
		}
		n = epoll_wait(poller, events, 64, wait);
		for (i = 0; i < n; i++) {
			struct asked *one = &all[events[i].data.u32];
			char answer[16];
			ssize_t got;

			if (one->fd < 0)
				continue;
			if (!one->sent && events[i].events & EPOLLOUT &&
			    send(one->fd, "ping", 4, MSG_NOSIGNAL) == 4) {
				struct epoll_event want = { .events = EPOLLIN, .data = events[i].data };

				one->sent = 1;
				epoll_ctl(poller, EPOLL_CTL_MOD, one->fd, &want);
				continue;
			}
			got = recv(one->fd, answer, sizeof(answer), 0);
			if (got < 0 && errno == EAGAIN)
				continue;
			if (got == 4 && !memcmp(answer, "ping", 4) && now() - one->from <= ms / 1000)
				served++;
			close(one->fd);
			one->fd = -1;
		}
		if (next == count) {
			for (i = 0; i < count && all[i].fd < 0; i++)
				;
			if (i == count)
				break;
		}
	}
	printf("served %d of %d\n", served, count);
}

static void hold(int count, double seconds)
{
	int *all = calloc((size_t)count, sizeof(*all));
	int served = 0, i, last;

	for (i = 0; i < count; i = last) {
		last = i + 200 < count ? i + 200 : count;
		for (int n = i; n < last; n++)
			all[n] = opened(SOCK_STREAM);
		for (int n = i; n < last; n++) {
			struct pollfd one = { .fd = all[n], .events = POLLOUT };

			if (one.fd < 0 || poll(&one, 1, 3000) != 1 || send(one.fd, "ping", 4, MSG_NOSIGNAL) != 4)
				continue;
			one.events = POLLIN;
			served += poll(&one, 1, 3000) == 1;
		}
	}
	printf("served %d of %d\n", served, count);
	fflush(stdout);
	until(now() + seconds);
	/* still there? */
	for (served = 0, i = 0; i < count; i++) {
		struct pollfd one = { .fd = all[i], .events = POLLIN };
		char answer[16];

		while (all[i] >= 0 && recv(all[i], answer, sizeof(answer), MSG_DONTWAIT) > 0)
			;
		if (all[i] >= 0 && send(all[i], "pong", 4, MSG_NOSIGNAL) == 4 && poll(&one, 1, 1500) == 1)
			served += recv(all[i], answer, sizeof(answer), MSG_DONTWAIT) == 4;
	}
	printf("kept %d of %d\n", served, count);
}

static void serve(void)
{
	int listener = socket(peer.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
	int poller = epoll_create1(0);
	struct epoll_event want = { .events = EPOLLIN, .data.fd = listener };

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (void *)&peer, peer_size) || listen(listener, 4096))
		die("listen");
	epoll_ctl(poller, EPOLL_CTL_ADD, listener, &want);
	for (;;) {
		struct epoll_event events[64];
		int n = epoll_wait(poller, events, 64, -1), i;

		for (i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			char bytes[4096];
			ssize_t got;

			if (fd == listener) {
				while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
					want.data.fd = fd;
					epoll_ctl(poller, EPOLL_CTL_ADD, fd, &want);
				}
				continue;
			}
			got = recv(fd, bytes, sizeof(bytes), 0);
			if (got > 0)
				send(fd, bytes, (size_t)got, MSG_NOSIGNAL);
			else if (!got || errno != EAGAIN)
				close(fd);
		}
	}
}

static void echo(void)
{
	int one = socket(peer.ss_family, SOCK_DGRAM, 0);

	if (bind(one, (void *)&peer, peer_size))
		die("bind");
	for (;;) {
		struct sockaddr_storage from;
		socklen_t size = sizeof(from);
		char bytes[2048];
		ssize_t got = recvfrom(one, bytes, sizeof(bytes), 0, (void *)&from, &size);

		if (got >= 0)
			sendto(one, bytes, (size_t)got, 0, (void *)&from, size);
	}
}

/* What each client has sent comes back, and once more for everyone after the time */
static void late(int count, double seconds)
{
	int one = socket(peer.ss_family, SOCK_DGRAM, 0);

	if (bind(one, (void *)&peer, peer_size))
		die("bind");
	for (;;) {
		struct sockaddr_storage from;
		socklen_t size = sizeof(from);
		char bytes[2048];
		ssize_t got = recvfrom(one, bytes, sizeof(bytes), 0, (void *)&from, &size);

		if (got < 0)
			continue;
		sendto(one, bytes, (size_t)got, 0, (void *)&from, size);
		if (fork())
			continue;
		for (int n = 0; n < count; n++) {
			until(now() + seconds);
			sendto(one, bytes, (size_t)got, 0, (void *)&from, size);
		}
		_exit(0);
	}
}

static void own(int count, double seconds)
{
	struct pollfd *all = calloc((size_t)count, sizeof(*all));
	int *answered = calloc((size_t)count, sizeof(*answered));
	double last = now() + seconds;
	int answers = 0, strangers = 0, i;

	for (i = 0; i < count; i++) {
		char tag[32];
		int size = snprintf(tag, sizeof(tag), "%d:%d", getpid(), i);

		all[i] = (struct pollfd){ .fd = opened(SOCK_DGRAM), .events = POLLIN };
		send(all[i].fd, tag, (size_t)size, 0);
	}
	while (now() < last) {
		poll(all, (nfds_t)count, (int)((last - now()) * 1000) + 1);
		for (i = 0; i < count; i++) {
			char tag[32], got[32] = "";

			if (!all[i].revents || recv(all[i].fd, got, sizeof(got) - 1, MSG_DONTWAIT) <= 0)
				continue;
			snprintf(tag, sizeof(tag), "%d:%d", getpid(), i);
			if (strcmp(tag, got))
				strangers++;
			else
				answered[i] = 1;
		}
	}
	for (i = 0; i < count; i++)
		answers += answered[i];
	printf("answers %d strangers %d\n", answers, strangers);
}

static void again(int count, double seconds)
{
	struct pollfd one = { .fd = opened(SOCK_DGRAM), .events = POLLIN };

	for (int i = 0; i < count; i++) {
		double last = now() + seconds;
		char letter = (char)('a' + i);

		send(one.fd, &letter, 1, 0);
		while (now() < last)
			if (poll(&one, 1, (int)((last - now()) * 1000) + 1) == 1 &&
			    recv(one.fd, &letter, 1, MSG_DONTWAIT) == 1)
				putchar(letter);
	}
	putchar('\n');
}

static void bind_all(int count, double seconds)
{
	struct sockaddr_in *in = (void *)&peer;
	int first = ntohs(in->sin_port), i, type;

	for (i = 0; i < count; i++) {
		in->sin_port = htons((uint16_t)(first + i));
		for (type = SOCK_STREAM; type <= SOCK_DGRAM; type += SOCK_DGRAM - SOCK_STREAM)
			if (bind(socket(peer.ss_family, type, 0), (void *)&peer, peer_size))
				die("bind");
	}
	printf("bound\n");
	fflush(stdout);
	until(now() + seconds);
}

int main(int argc, char **argv)
{
	struct rlimit many = { 300000, 300000 };
	const char *what = argc > 2 ? argv[1] : "";
	int count = argc > 3 ? atoi(argv[3]) : 0;
	double rate = argc > 4 ? atof(argv[4]) : 0, ms = argc > 5 ? atof(argv[5]) : 0;

	signal(SIGPIPE, SIG_IGN);
	setrlimit(RLIMIT_NOFILE, &many);
	if (argc > 2)
		parse(argv[2]);
	if (!strcmp(what, "serve"))
		serve();
	else if (!strcmp(what, "echo"))
		echo();
	else if (!strcmp(what, "hold") && rate > 0)
		hold(count, rate);
	else if (!strcmp(what, "late") && rate > 0)
		signal(SIGCHLD, SIG_IGN), late(count, rate);
	else if (!strcmp(what, "again") && rate > 0)
		again(count, rate);
	else if (!strcmp(what, "own") && rate > 0)
		own(count, rate);
	else if (!strcmp(what, "bind") && rate > 0)
		bind_all(count, rate);
	else if (!strcmp(what, "honest") && ms > 0)
		honest(SOCK_STREAM, count, rate, ms);
	else if (!strcmp(what, "ask") && ms > 0)
		honest(SOCK_DGRAM, count, rate, ms);
	else if ((!strcmp(what, "syn") || !strcmp(what, "half") || !strcmp(what, "datagrams")) && rate > 0)
		flood(what, count, rate);
	else
		return fputs("usage: see traffic.c\n", stderr), 2;
	return 0;
}
