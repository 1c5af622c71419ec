/*
 * Sends mutated packets to a director, from the side of its clients or of its servers.
 *
 *     fuzz-packets SEED COUNT INTERFACE DIRECTOR-MAC client|server
 *
 * The addresses are those of lib.sh.  A packet begins as one that IPVS would translate: TCP with
 * any flags and options (TOA among them), UDP, ICMP with and without a packet in it, SCTP, ESP;
 * in IPv4 or IPv6.  Then it is changed in some of these ways: bad sums, bytes flipped, cut,
 * lengths that contradict each other, IP options, extension headers, fragments that overlap.
 * Ports are few, so that packets also hit connections that exist.
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LONGEST 1500
#define ROOM 4000

enum { TCP = 6, UDP = 17, ICMP = 1, ICMP6 = 58, SCTP = 132, ESP = 50 };
enum { HOPS = 0, ROUTE = 43, FRAGMENT = 44, AUTH = 51, NONE = 59, OPTIONS = 60 };

struct packet {
	uint8_t bytes[ROOM];
	int length, l4;		/* l4: where the transport header begins */
	int v6, protocol;
};

static uint64_t state;
static int from_server;

static int draw(int below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return below > 0 ? (int)((state >> 33) % below) : 0;
}

static void put16(uint8_t *at, uint32_t n) { at[0] = n >> 8; at[1] = n; }
static void put32(uint8_t *at, uint32_t n) { put16(at, n >> 16); put16(at + 2, n); }

static uint32_t add(const uint8_t *at, int length, uint32_t sum)
{
	for (; length > 1; length -= 2, at += 2)
		sum += at[0] << 8 | at[1];
	if (length)
		sum += at[0] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* Addresses: 10.NET.0.HOST or fdNET::HOST. */
static void address(uint8_t *at, int v6, int net, int host)
{
	memset(at, 0, v6 ? 16 : 4);
	at[0] = v6 ? 0xfd : 10;
	at[1] = net;
	at[v6 ? 15 : 3] = host;
}

static int ip(uint8_t *at, int v6, int protocol, int payload, int back)
{
	/* Towards the director's VIP, or towards a local address; `back`: as it was answered. */
	int net = from_server, host = draw(12) ? 2 : 3 + draw(5), to = draw(40) ? 1 : draw(256);

	memset(at, 0, v6 ? 40 : 20);
	if (v6) {
		at[0] = 0x60;
		put16(at + 4, payload);
		at[6] = protocol;
		at[7] = draw(30) ? 64 : draw(3);
		address(at + (back ? 24 : 8), 1, net, host);
		address(at + (back ? 8 : 24), 1, net, to);
		return 40;
	}
	at[0] = 0x45;
	put16(at + 2, 20 + payload);
	put16(at + 4, draw(65536));
	put16(at + 6, draw(3) ? 0x4000 : 0);
	at[8] = draw(30) ? 64 : draw(3);
	at[9] = protocol;
	address(at + (back ? 16 : 12), 0, net, host);
	address(at + (back ? 12 : 16), 0, net, to);
	put16(at + 10, ~add(at, 20, 0));
	return 20;
}

static void ports(uint8_t *at, int back)
{
	uint32_t client = from_server ? 8080 : 40000 + draw(600);
	uint32_t service = from_server ? 20000 + draw(2000) : draw(9) ? 80 : 81 + draw(4);

	put16(at + (back ? 2 : 0), client);
	put16(at + (back ? 0 : 2), service);
}

static int tcp_options(uint8_t *at)
{
	int n = 0;

	while (n < 28 && draw(3)) {
		switch (draw(8)) {
		case 0: at[n++] = 1; break;
		case 1: at[n++] = 2; at[n++] = 4; put16(at + n, 536 + draw(2000)); n += 2; break;
		case 2: at[n++] = 8; at[n++] = 10; put32(at + n, draw(1 << 30)); n += 8; break;
		case 3:			/* a forged TOA for IPv4 */
			at[n++] = 254; at[n++] = 8; put16(at + n, draw(65536));
			put32(at + n + 2, draw(1 << 30)); n += 6; break;
		case 4: at[n++] = 253; at[n++] = draw(2) ? 20 : draw(40); break;
		case 5: at[n++] = draw(256); at[n++] = draw(8); break;
		case 6: at[n++] = 3; at[n++] = 3; at[n++] = draw(15); break;
		default: at[n++] = 4; at[n++] = 2;
		}
	}
	if (!draw(12)) {		/* a header that is full */
		while (n + 8 <= 40) {
			at[n++] = 254; at[n++] = 8;
			put32(at + n, draw(1 << 30)); put16(at + n + 4, draw(65536)); n += 6;
		}
	}
	while (n % 4)
		at[n++] = draw(4) ? 1 : 0;
	return n;
}

static int transport(uint8_t *at, int protocol, int v6, int depth)
{
	static const uint8_t flags[] = { 0x02, 0x02, 0x02, 0x10, 0x18, 0x18, 0x11, 0x14, 0x04, 0x12 };
	int body = draw(4) ? draw(60) : draw(1200), inner, n;

	memset(at, 0, 64);
	switch (protocol) {
	case TCP:
		ports(at, depth);
		put32(at + 4, draw(8) ? 1000 + draw(3) : draw(1 << 30));
		put32(at + 8, draw(8) ? 1 + draw(3) : draw(1 << 30));
		n = 20 + tcp_options(at + 20);
		at[12] = n / 4 << 4;
		at[13] = draw(15) ? flags[draw(sizeof(flags))] : draw(256);
		put16(at + 14, 65535);
		return n + (at[13] & 2 ? 0 : body);
	case UDP:
		ports(at, depth);
		put16(at + 4, 8 + body);
		return 8 + body;
	case SCTP:
	case ESP:
		ports(at, depth);
		at[12] = 1 + draw(10);
		put16(at + 14, 4 + body);
		return 16 + body;
	}
	at[0] = draw(3) ? (v6 ? 1 + draw(4) : (int[]){ 3, 3, 11, 4, 12, 5 }[draw(6)]) : v6 ? 128 : 8;
	at[1] = draw(3) ? 4 : draw(16);
	put16(at + 6, v6 ? 0 : 576);
	if (depth || at[0] == 8 || at[0] == 128)
		return 8 + body;
	n = (int[]){ TCP, TCP, UDP, UDP, v6 ? ICMP6 : ICMP, SCTP }[draw(6)];
	inner = transport(at + 8 + (v6 ? 40 : 20), n, v6, 1);
	inner = draw(3) || inner < 8 ? inner : 8;
	return 8 + ip(at + 8, v6, n, inner, 1) + inner;
}

static void sums(struct packet *p)
{
	static const int places[256] = { [TCP] = 16, [UDP] = 6, [ICMP] = 2, [ICMP6] = 2 };
	int place = places[p->protocol], length = p->length - p->l4, head = p->v6 ? 40 : 20;
	uint8_t *at = p->bytes + p->l4;
	uint32_t sum = 0;

	if (place) {
		if (p->protocol != ICMP)
			sum = add(p->bytes + (p->v6 ? 8 : 12), p->v6 ? 32 : 8, p->protocol + length);
		put16(at + place, 0);
		put16(at + place, ~add(at, length, sum));
	}
	if (!p->v6) {
		put16(p->bytes + 10, 0);
		put16(p->bytes + 10, ~add(p->bytes, head, 0));
	}
}

/* Put `size` bytes between the headers of network and transport. */
static uint8_t *widen(struct packet *p, int size)
{
	uint8_t *at = p->bytes + (p->v6 ? 40 : 20);

	memmove(at + size, at, p->length - (p->v6 ? 40 : 20));
	memset(at, 0, size);
	p->length += size;
	p->l4 += size;
	put16(p->bytes + (p->v6 ? 4 : 2), p->length - (p->v6 ? 40 : 0));
	return at;
}

static void extend(struct packet *p)
{
	static const uint8_t kinds[] = { HOPS, ROUTE, FRAGMENT, AUTH, OPTIONS, OPTIONS, NONE };
	int size = 8 * (1 + draw(draw(6) ? 3 : 20)), kind = kinds[draw(sizeof(kinds))];
	uint8_t *at;

	if (p->length + size > LONGEST || p->length < p->l4)
		return;
	if (!p->v6) {
		size = size > 40 ? 40 : size;
		if ((p->bytes[0] & 15) * 4 + size > 60)
			return;
		at = widen(p, size);
		for (int i = 0; i < size; i++)
			at[i] = draw(3) ? 1 : draw(256);
		p->bytes[0] += size / 4;
		return;
	}
	at = widen(p, kind == FRAGMENT ? 8 : size);
	at[0] = p->bytes[6];
	p->bytes[6] = kind;
	at[1] = kind == FRAGMENT ? 0 : draw(10) ? size / 8 - 1 : draw(256);
	if (kind == AUTH)
		at[1] = size / 4 - 2;
	at[2] = kind == FRAGMENT ? 0 : 1;
	at[3] = kind == FRAGMENT ? draw(2) : size - 4;
	if (kind == ROUTE || !draw(8))
		for (int i = 2; i < 8; i++)
			at[i] = draw(256);
}

static void mutate(struct packet *p)
{
	switch (draw(9)) {
	case 0:			/* bad sums */
		p->bytes[draw(2) ? p->l4 + draw(18) : draw(p->v6 ? 40 : 20)] ^= 1 << draw(8);
		break;
	case 1:			/* bytes flipped behind the addresses' families */
		for (int i = draw(6); i >= 0; i--)
			p->bytes[1 + draw(p->length - 1)] = draw(256);
		break;
	case 2:			/* cut, with the length that it had */
		p->length = 1 + draw(p->length);
		break;
	case 3:			/* cut, and it says so */
		p->length = p->l4 + draw(p->length - p->l4 + 1);
		put16(p->bytes + (p->v6 ? 4 : 2), p->length - (p->v6 ? 40 : 0));
		sums(p);
		break;
	case 4:			/* lengths that are none */
		put16(p->bytes + (p->v6 ? 4 : 2), draw(2) ? draw(65536) : draw(p->length + 40));
		break;
	case 5:
		if (p->v6)
			p->bytes[6] = draw(256);
		else
			p->bytes[0] = 0x40 | draw(16);
		break;
	case 6:
		if (p->protocol == TCP)
			p->bytes[p->l4 + 12] = draw(256);
		else if (p->protocol == UDP)
			put16(p->bytes + p->l4 + 4, draw(65536));
		break;
	default:
		extend(p);
		if (draw(2))
			extend(p);
	}
	if (!p->v6 && p->length >= 20 && draw(3)) {	/* else nothing gets past ip_rcv() */
		int head = (p->bytes[0] & 15) * 4;

		put16(p->bytes + 10, 0);
		if (head <= p->length)
			put16(p->bytes + 10, ~add(p->bytes, head, 0));
	}
}

static void make(struct packet *p)
{
	static const uint8_t often[] = { TCP, TCP, TCP, TCP, UDP, UDP, ICMP, SCTP, ESP };
	int head;

	memset(p, 0, sizeof(*p));
	p->v6 = !draw(3);
	p->protocol = often[draw(sizeof(often))];
	if (p->protocol == ICMP && p->v6)
		p->protocol = ICMP6;
	head = p->v6 ? 40 : 20;
	p->l4 = head;
	p->length = head + transport(p->bytes + head, p->protocol, p->v6, 0);
	if (p->length > LONGEST)
		p->length = LONGEST;
	ip(p->bytes, p->v6, p->protocol, p->length - head, 0);
	sums(p);
	if (draw(4))
		for (int i = draw(3); i >= 0; i--)
			mutate(p);
}

static int out, interface;
static uint8_t mac[8];
static long errors;

static void emit(const uint8_t *bytes, int length, int v6)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = interface, .sll_halen = 6,
		.sll_protocol = htons(v6 ? ETH_P_IPV6 : ETH_P_IP) };

	memcpy(to.sll_addr, mac, 6);
	if (sendto(out, bytes, length, 0, (void *)&to, sizeof(to)) < 0)
		errors++;
}

/* Two or three pieces that overlap, lack one, or come in the wrong order. */
static void emit_pieces(const struct packet *p)
{
	int head = p->v6 ? 40 : 20, step = 8 * (1 + draw(6)), count = 2 + draw(2);
	int swap = draw(2), skip = draw(6);
	static uint32_t id;

	id++;
	for (int n = 0; n < count; n++) {
		int i = swap ? count - 1 - n : n, at = i * step - (draw(8) ? 0 : 8);
		int last = i == count - 1, size;
		struct packet q = *p;

		if (i == skip || at < 0 || at >= p->length - head)
			continue;
		size = last ? p->length - head - at : step;
		if (at + size > p->length - head)
			size = p->length - head - at;
		if (p->v6) {
			memmove(q.bytes + 48, p->bytes + 40 + at, size);
			q.bytes[40] = q.bytes[6];
			q.bytes[41] = 0;
			q.bytes[6] = FRAGMENT;
			put16(q.bytes + 42, at | !last);
			put32(q.bytes + 44, id);
			put16(q.bytes + 4, size + 8);
			emit(q.bytes, 48 + size, 1);
		} else {
			memmove(q.bytes + 20, p->bytes + 20 + at, size);
			put16(q.bytes + 2, 20 + size);
			put16(q.bytes + 4, id);
			put16(q.bytes + 6, at / 8 | (last ? 0 : 0x2000));
			put16(q.bytes + 10, 0);
			put16(q.bytes + 10, ~add(q.bytes, 20, 0));
			emit(q.bytes, 20 + size, 0);
		}
	}
}

int main(int argc, char **argv)
{
	static struct packet p;
	unsigned int octets[6];
	long count;

	if (argc != 6 || sscanf(argv[4], "%x:%x:%x:%x:%x:%x", octets, octets + 1, octets + 2,
				octets + 3, octets + 4, octets + 5) != 6)
		return 2;
	for (int i = 0; i < 6; i++)
		mac[i] = octets[i];
	state = strtoull(argv[1], NULL, 0) * 0x9E3779B97F4A7C15ULL + 1;
	count = strtol(argv[2], NULL, 0);
	interface = if_nametoindex(argv[3]);
	from_server = !strcmp(argv[5], "server");
	out = socket(AF_PACKET, SOCK_DGRAM, 0);
	if (out < 0 || !interface) {
		perror(argv[3]);
		return 2;
	}
	for (long i = 0; i < count; i++) {
		make(&p);
		if (!draw(8) && p.length > (p.v6 ? 56 : 36))
			emit_pieces(&p);
		else
			emit(p.bytes, p.length, p.v6);
	}
	printf("fuzz-packets: %ld packets made from the %s side, %ld not sent\n", count, argv[5],
	       errors);
	return 0;
}
