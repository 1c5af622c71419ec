/*
 * Counts a director's instructions from a driver's receive to a driver's transmit.
 *
 *     packet-cost SAMPLES ADDRESS WAY [FILL [FLOOD]]
 *
 * Two TUN devices, "clients" and "servers", stand for its network cards: what is written to one
 * is received, translated and put into the other's queue before write(2) returns.  With QEMU's
 * -icount every instruction moves the time stamp counter by the same amount, so that its difference
 * around write(2) counts them exactly, those of the system call and of TUN included.
 *
 * ADDRESS: the VIP (10.0.0.1), port 80.  WAY: "routed" if ADDRESS is the server itself, "translated"
 * if servers are somewhere behind it, "proxied" if the director completes the client's handshake
 * itself and then makes one of its own with the server.
 * FILL: that many connections are opened before, and for each sample one is opened and reset.
 * FLOOD: that many SYNs come before, which nobody answers, and each sample is one more of them.
 *
 * Says a line for each kind, in ticks of the counter: NAME SAMPLES QUARTILE LEAST MOST.
 * The lower quartile: interrupts, and what the kernel does beside, add to some of the packets.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <x86intrin.h>

#define HEAD 40
#define JOINED 65160	/* what GRO makes of 45 segments of 1448 bytes */
#define SEGMENT 1448
#define WINDOW 65535
#define ROOM 70000
#define SETTLED 5	/* seconds in which the kernel comes to rest with new devices */
#define FIRST 1000	/* the sequence number of both ends' SYN */
#define LATER 5000	/* a sequence number of data that is not the first */
#define KEPT 40		/* connections whose packets are measured */
#define CLOSED 11	/* seconds after which a reset connection has gone (ip_vs_proto_tcp.c) */

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };
enum way { ROUTED, TRANSLATED, PROXIED };

struct frame {
	struct virtio_net_hdr virtio;
	uint8_t ip[ROOM];
} __attribute__((packed));

/* One connection, as its two ends see it. */
struct connection {
	uint32_t client, service, near, server;
	uint16_t client_port, service_port, near_port, server_port;
	uint32_t accepted;	/* what the client acknowledges of its server */
};

static int clients, servers;
static uint32_t service;
static struct frame out, in;
static long samples, *counts;

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static int tun(const char *name)
{
	struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR };
	int fd = open("/dev/net/tun", O_RDWR);

	strcpy(request.ifr_name, name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) ||
	    ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4))
		die(name);
	return fd;
}

static uint32_t add(const void *data, int length, uint32_t sum)
{
	const uint8_t *at = data;

	for (; length > 1; length -= 2, at += 2)
		sum += at[0] << 8 | at[1];
	if (length)
		sum += at[0] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void put16(uint8_t *at, uint32_t n) { at[0] = n >> 8; at[1] = n; }
static void put32(uint8_t *at, uint32_t n) { put16(at, n >> 16); put16(at + 2, n); }
static uint32_t get16(const uint8_t *at) { return at[0] << 8 | at[1]; }
static uint32_t get32(const uint8_t *at) { return get16(at) << 16 | get16(at + 2); }

static int build(uint32_t from, uint16_t from_port, uint32_t to, uint16_t to_port, int flags,
		 uint32_t seq, uint32_t accepted, int body)
{
	int options = flags & SYN ? 4 : 0, length = HEAD + options + body;
	uint8_t *ip = out.ip, *tcp = ip + 20;

	memset(&out, 0, sizeof(out.virtio) + HEAD + options);
	ip[0] = 0x45;
	put16(ip + 2, length);
	put16(ip + 6, 0x4000);
	ip[8] = 64;
	ip[9] = 6;
	put32(ip + 12, from);
	put32(ip + 16, to);
	put16(ip + 10, ~add(ip, 20, 0));
	put16(tcp, from_port);
	put16(tcp + 2, to_port);
	put32(tcp + 4, seq);
	put32(tcp + 8, flags & ACK ? accepted : 0);
	tcp[12] = (20 + options) / 4 << 4;
	tcp[13] = flags;
	put16(tcp + 14, WINDOW);
	if (options) {
		tcp[20] = 2;
		tcp[21] = 4;
		put16(tcp + 22, 1460);
	}
	if (body > 1460) {	/* joined by GRO: the sum is left to the card */
		out.virtio.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		out.virtio.gso_size = SEGMENT;
		out.virtio.hdr_len = HEAD;
		out.virtio.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		out.virtio.csum_start = 20;
		out.virtio.csum_offset = 16;
		put16(tcp + 16, add(ip + 12, 8, 6 + length - 20));
	} else {
		out.virtio.flags = VIRTIO_NET_HDR_F_DATA_VALID;
		put16(tcp + 16, ~add(tcp, length - 20, add(ip + 12, 8, 6 + length - 20)));
	}
	return length;
}

/* What it costs the director to pass on what was built; 0 if nothing comes out. */
static uint64_t pass(int from, int to, int length)
{
	struct pollfd wait = { .fd = to, .events = POLLIN };
	uint64_t before, after;

	length += sizeof(out.virtio);
	before = __rdtsc();
	if (write(from, &out, length) != length)
		die("write");
	after = __rdtsc();
	if (poll(&wait, 1, 0) != 1)
		return 0;
	if (read(to, &in, sizeof(in)) < HEAD)
		die("read");
	return after - before;
}

static void passed(const char *what, uint64_t cost, int i)
{
	if (!cost) {
		fprintf(stderr, "packet-cost: %s %d does not come through\n", what, i);
		exit(3);
	}
}

/* Takes what else came out; the last packet is kept. */
static void drain(int fd)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };

	while (poll(&wait, 1, 0) == 1)
		if (read(fd, &in, sizeof(in)) < HEAD)
			die("read");
}

/* What it costs to pass on what was built, when other packets may come out before it. */
static uint64_t pass_last(int from, int to, int length)
{
	uint64_t cost = pass(from, to, length);

	if (cost)
		drain(to);
	return cost;
}

static int from_client(const struct connection *c, int flags, uint32_t seq, int body)
{
	return build(c->client, c->client_port, c->service, c->service_port, flags, seq,
		     c->accepted, body);
}

static int from_server(const struct connection *c, int flags, uint32_t seq, int body)
{
	return build(c->server, c->server_port, c->near, c->near_port, flags, seq, FIRST + 1, body);
}

/* The two ends that the server sees, of the packet that came to it. */
static void note_ends(struct connection *c)
{
	c->near = get32(in.ip + 12);
	c->server = get32(in.ip + 16);
	c->near_port = get16(in.ip + 20);
	c->server_port = get16(in.ip + 22);
}

/* The director's own answers come out where the packet went in. */
static uint64_t open_proxied(struct connection *c, int i, uint64_t *all)
{
	uint64_t syn, other;

	syn = pass(clients, clients, from_client(c, SYN, FIRST, 0));
	passed("SYN", syn, i);
	c->accepted = get32(in.ip + 24) + 1;
	other = pass(clients, servers, from_client(c, ACK, FIRST + 1, 0));
	passed("ACK", other, i);
	if (!(in.ip[33] & SYN))
		die("the server's first packet is no SYN");
	*all = syn + other;
	note_ends(c);
	other = pass(servers, servers, from_server(c, SYN | ACK, FIRST, 0));
	passed("SYN+ACK", other, i);
	*all += other;
	drain(clients);	/* the client is told the server's window */
	drain(servers);
	return syn;
}

/* A SYN of a client that is not there. */
static uint64_t spoofed(int i)
{
	uint64_t cost = pass_last(clients, servers, build(0x0a080000 + i / 50000, 10000 + i % 50000,
							  service, 80, SYN, FIRST, 0, 0));

	passed("spoofed SYN", cost, i);
	if (!(in.ip[33] & SYN))
		die("the last packet is no SYN");
	return cost;
}

static uint64_t open_connection(struct connection *c, int i, enum way way, uint64_t *all)
{
	uint64_t syn, other;

	c->client = 0x0a080000 + i / 50000;	/* 10.8.0.0/16 */
	c->client_port = 10000 + i % 50000;
	c->service = service;
	c->service_port = 80;
	c->accepted = FIRST + 1;
	if (way == PROXIED)
		return open_proxied(c, i, all);
	syn = pass(clients, servers, from_client(c, SYN, FIRST, 0));
	passed("SYN", syn, i);
	note_ends(c);
	if (way == TRANSLATED && c->server == c->service)
		die("not translated");
	other = pass(servers, clients, from_server(c, SYN | ACK, FIRST, 0));
	passed("SYN+ACK", other, i);
	*all = syn + other;
	other = pass(clients, servers, from_client(c, ACK, FIRST + 1, 0));
	passed("ACK", other, i);
	*all += other;
	return syn;
}

static int by_size(const void *a, const void *b)
{
	long x = *(const long *)a, y = *(const long *)b;

	return (x > y) - (x < y);
}

static void tell(const char *name, long n)
{
	qsort(counts, n, sizeof(*counts), by_size);
	printf("%s %ld %ld %ld %ld\n", name, n, counts[n / 4], counts[0], counts[n - 1]);
	fflush(stdout);
}

/*
 * Of connections in turn: each has its place in the chains of the tables.  They are not the first
 * data, which carries TOA again, and in the window, for conntrack.
 */
static void equal_packets(const char *name, const struct connection *all, int back, int body,
			  long n)
{
	uint32_t last = FIRST + 1 + WINDOW - body, later = last < LATER ? last : LATER;

	for (long i = 0; i < n; i++) {
		const struct connection *c = all + i % KEPT;
		int length = back ? from_server(c, ACK, later, body) :
				    from_client(c, ACK, later, body);

		counts[i] = back ? pass(servers, clients, length) : pass(clients, servers, length);
		passed(name, counts[i], i);
	}
	tell(name, n);
}

static int is_way(const char *word, enum way *way)
{
	static const char *const words[] = { "routed", "translated", "proxied" };

	for (*way = ROUTED; *way <= PROXIED; ++*way)
		if (!strcmp(word, words[*way]))
			return 1;
	return 0;
}

int main(int argc, char **argv)
{
	int fill = argc > 4 ? atoi(argv[4]) : 0, flood = argc > 5 ? atoi(argv[5]) : 0;
	struct in_addr address;
	struct connection kept[KEPT], c;
	long *whole;
	uint64_t all;
	enum way way;

	if (argc < 4 || !inet_aton(argv[2], &address) || !is_way(argv[3], &way))
		return 2;
	samples = atol(argv[1]);
	service = ntohl(address.s_addr);
	counts = calloc(samples, sizeof(*counts));
	whole = calloc(samples, sizeof(*whole));
	clients = tun("clients");
	servers = tun("servers");
	if (system("sh -c 'for card in clients servers; do ip link set $card up; done;"
		   "ip addr add 10.0.0.1/24 dev clients; ip addr add 10.1.0.1/24 dev servers;"
		   "ip route add 10.8.0.0/16 dev clients'"))
		return 2;
	sleep(SETTLED);

	if (flood) {
		for (int i = 0; i < flood; i++)
			spoofed(i);
		for (long i = 0; i < samples; i++)
			counts[i] = spoofed(flood + i);
		tell("syn", samples);
		return 0;
	}
	for (int i = 0; i < fill; i++)
		open_connection(&c, i, way, &all);
	for (long i = 0; i < samples; i++) {
		counts[i] = open_connection(&c, fill + i, way, &all);
		whole[i] = all;
		kept[i % KEPT] = c;
		if (fill && i + 1 < samples) {
			pass(clients, servers, from_client(&c, RST | ACK, FIRST + 1, 0));
			sleep(CLOSED);
		}
	}
	tell("syn", samples);
	memcpy(counts, whole, samples * sizeof(*counts));
	tell("connection", samples);
	if (fill || samples < KEPT)
		return 0;
	equal_packets("request-64", kept, 0, 64 - HEAD, samples);
	equal_packets("request-1400", kept, 0, 1400 - HEAD, samples);
	equal_packets("answer-64", kept, 1, 64 - HEAD, samples);
	equal_packets("answer-1400", kept, 1, 1400 - HEAD, samples);
	equal_packets("joined", kept, 1, JOINED, samples / 10);
	return 0;
}
