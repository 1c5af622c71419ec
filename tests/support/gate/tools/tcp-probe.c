// Hand-made TCP packets through the gate's director, and what becomes of them on the other side.
//
//     tcp-probe 4|6 PORT STEP...        PORT is the client's
//
// A step is SIDE:FLAGS:SEQ:ACK:OPTIONS:DATA[:SIZE].  SIDE is c (the client sends to the VIP, port
// 80), s (the server answers to where the last packet came from), w (nobody sends for a second, what
// comes to the client is told) or l (the same, what has come to the server is told).
// FLAGS are letters of SAFRP.
// OPTIONS are hexadecimal digits or -, DATA is a number of bytes.  With SIZE it is a packet that
// still has to be cut into segments of that size, as GRO makes them.
//
// After each step a line for every packet that comes out on the other side:
//
//     FLAGS seq=N ack=N opts=HEX data=N gso=SIZE sum=ok
//
// or "nothing".  The n-th byte of a stream is n modulo 251, so that a hole or a repeated byte is
// seen: "data=bad".  Neither end has an address of its own (10.0.0.9, 10.1.0.9; fd00::9, fd01::9),
// so that no kernel answers.  Linux packet(7), RFC 9293.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

struct side {
    int sock;
    unsigned char mac[6], gateway[6];
    unsigned char own[16], peer[16];
    unsigned own_port, peer_port;
};

static struct side client, server;
static int six;

static void enter(const char *host)
{
    char path[64];
    snprintf(path, sizeof(path), "/run/netns/%s", host);
    int fd = open(path, O_RDONLY);
    if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
        err(2, "%s", path);
    close(fd);
}

static void mac_of(int sock, const char *card, unsigned char *mac)
{
    struct ifreq ask = {0};
    strncpy(ask.ifr_name, card, IFNAMSIZ - 1);
    if (ioctl(sock, SIOCGIFHWADDR, &ask) < 0)
        err(2, "%s", card);
    memcpy(mac, ask.ifr_hwaddr.sa_data, 6);
}

static void open_side(struct side *one, const char *host, const char *card)
{
    int yes = 1;
    enter("director");
    int probe = socket(AF_INET, SOCK_DGRAM, 0);
    mac_of(probe, card, one->gateway);
    close(probe);
    enter(host);
    one->sock = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
    struct sockaddr_ll name = {.sll_family = AF_PACKET,
                               .sll_protocol = htons(ETH_P_ALL),
                               .sll_ifindex = if_nametoindex("to-director")};
    if (one->sock < 0 || bind(one->sock, (void *)&name, sizeof(name)) < 0 ||
        setsockopt(one->sock, SOL_PACKET, PACKET_VNET_HDR, &yes, sizeof(yes)) < 0)
        err(2, "packet socket");
    mac_of(one->sock, "to-director", one->mac);
}

static unsigned sum(const unsigned char *data, unsigned length, unsigned start)
{
    for (unsigned n = 0; n < length; n++)
        start += n & 1 ? data[n] : data[n] << 8;
    while (start >> 16)
        start = (start & 0xffff) + (start >> 16);
    return start;
}

static unsigned pseudo(const unsigned char *from, const unsigned char *to, unsigned length)
{
    unsigned size = six ? 16 : 4;
    return sum(to, size, sum(from, size, 6 + length));
}

static void put16(unsigned char *to, unsigned value) { to[0] = value >> 8, to[1] = value; }
static void put32(unsigned char *to, unsigned value) { put16(to, value >> 16), put16(to + 2, value); }
static unsigned get16(const unsigned char *from) { return from[0] << 8 | from[1]; }
static unsigned get32(const unsigned char *from) { return get16(from) << 16 | get16(from + 2); }

static unsigned internet(unsigned char *at, const struct side *from, unsigned length)
{
    if (six) {
        at[0] = 0x60;
        put16(at + 4, length);
        at[6] = 6, at[7] = 64;
        memcpy(at + 8, from->own, 16), memcpy(at + 24, from->peer, 16);
        return 40;
    }
    at[0] = 0x45;
    put16(at + 2, 20 + length);
    at[6] = 0x40, at[8] = 64, at[9] = 6;
    memcpy(at + 12, from->own, 4), memcpy(at + 16, from->peer, 4);
    put16(at + 10, ~sum(at, 20, 0));
    return 20;
}

static unsigned flags_of(const char *letters)
{
    static const char known[] = "FSRPA";
    unsigned flags = 0;
    for (; *letters; letters++)
        flags |= 1 << (strchr(known, *letters) - known);
    return flags;
}

static void send_step(struct side *from, char *step)
{
    static unsigned char frame[70000];
    char *word[7] = {0};
    for (unsigned n = 0; n < 7 && step; n++)
        word[n] = strsep(&step, ":");
    if (!word[5])
        errx(2, "a step lacks words");
    unsigned size = word[6] ? atoi(word[6]) : 0, data = atoi(word[5]), seq = strtoul(word[2], 0, 0);
    unsigned optlen = word[4][0] == '-' ? 0 : strlen(word[4]) / 2;

    memset(frame, 0, sizeof(frame));
    struct virtio_net_hdr *note = (void *)frame;
    unsigned char *ether = frame + sizeof(*note), *ip = ether + 14;
    memcpy(ether, from->gateway, 6), memcpy(ether + 6, from->mac, 6);
    put16(ether + 12, six ? ETH_P_IPV6 : ETH_P_IP);
    unsigned length = 20 + optlen + data;
    unsigned char *tcp = ip + internet(ip, from, length);
    put16(tcp, from->own_port), put16(tcp + 2, from->peer_port);
    put32(tcp + 4, seq), put32(tcp + 8, strtoul(word[3], 0, 0));
    tcp[12] = (20 + optlen) / 4 << 4, tcp[13] = flags_of(word[1]);
    put16(tcp + 14, 8192);
    for (unsigned n = 0; n < optlen; n++) {
        char pair[3] = {word[4][2 * n], word[4][2 * n + 1], 0};
        tcp[20 + n] = strtoul(pair, 0, 16);
    }
    for (unsigned n = 0; n < data; n++)
        tcp[20 + optlen + n] = (seq + n) % 251;
    unsigned start = pseudo(from->own, from->peer, length);
    if (size) {
        note->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
        note->gso_type = six ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
        note->gso_size = size;
        note->csum_start = tcp - ether, note->csum_offset = 16;
        note->hdr_len = note->csum_start + 20 + optlen;
        put16(tcp + 16, start);
    } else {
        put16(tcp + 16, ~sum(tcp, length, start));
    }
    if (send(from->sock, frame, tcp + length - frame, 0) < 0)
        err(2, "send");
}

static void letters_of(unsigned flags)
{
    for (unsigned n = 0; n < 5; n++)
        if (flags >> n & 1)
            putchar("FSRPA"[n]);
}

static const char *judged(const struct virtio_net_hdr *note, const unsigned char *ip,
                          const unsigned char *tcp, unsigned length)
{
    unsigned start = pseudo(ip + (six ? 8 : 12), ip + (six ? 24 : 16), length);
    if (!six && sum(ip, 20, 0) != 0xffff)
        return "bad-ip";
    if (note->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
        return get16(tcp + 16) == start ? "ok" : "bad";
    return sum(tcp, length, start) == 0xffff ? "ok" : "bad";
}

// Whether it was a packet of the connection, which is shown; the other end learns where from.
static int show(struct side *to, const unsigned char *frame, unsigned length)
{
    const struct virtio_net_hdr *note = (const void *)frame;
    const unsigned char *ether = frame + sizeof(*note), *ip = ether + 14;
    unsigned head = six ? 40 : 20, size = six ? 16 : 4;
    if (length < sizeof(*note) + 14 + head + 20 || memcmp(ether, to->mac, 6) ||
        get16(ether + 12) != (six ? ETH_P_IPV6 : ETH_P_IP) || ip[six ? 6 : 9] != 6 ||
        memcmp(ip + (six ? 24 : 16), to->own, size))
        return 0;
    const unsigned char *tcp = ip + head;
    if (get16(tcp + 2) != to->own_port)
        return 0;
    // The director also resets earlier connections, when it forgets them.
    if (to == &server && !(tcp[13] & 2) && get16(tcp) != to->peer_port)
        return 0;
    unsigned total = six ? get16(ip + 4) : get16(ip + 2) - 20u;
    unsigned optlen = (tcp[12] >> 4) * 4 - 20, seq = get32(tcp + 4), bad = 0;
    unsigned data = total - 20 - optlen;
    memcpy(to->peer, ip + (six ? 8 : 12), size);
    to->peer_port = get16(tcp);
    letters_of(tcp[13]);
    printf(" seq=%u ack=%u opts=", seq, get32(tcp + 8));
    for (unsigned n = 0; n < optlen; n++)
        printf("%02x", tcp[20 + n]);
    for (unsigned n = 0; n < data; n++)
        bad |= tcp[20 + optlen + n] != (seq + n) % 251;
    if (bad)
        printf(" data=bad");
    else
        printf(" data=%u", data);
    printf(" gso=%u sum=%s\n", note->gso_type ? note->gso_size : 0, judged(note, ip, tcp, total));
    return 1;
}

static void listen_at(struct side *to)
{
    static unsigned char frame[70000];
    struct pollfd wait = {.fd = to->sock, .events = POLLIN};
    unsigned seen = 0, patience = 10; // tenths of a second
    while (patience) {
        if (poll(&wait, 1, 100) <= 0) {
            patience--;
            continue;
        }
        ssize_t length = recv(to->sock, frame, sizeof(frame), 0);
        if (length > 0 && show(to, frame, length))
            seen++, patience = 2;
    }
    if (!seen)
        puts("nothing");
    fflush(stdout);
}

int main(int count, char **word)
{
    if (count < 4)
        errx(2, "usage: tcp-probe 4|6 PORT STEP...");
    six = word[1][0] == '6';
    int family = six ? AF_INET6 : AF_INET;
    inet_pton(family, six ? "fd00::9" : "10.0.0.9", client.own);
    inet_pton(family, six ? "fd00::1" : "10.0.0.1", client.peer);
    inet_pton(family, six ? "fd01::9" : "10.1.0.9", server.own);
    client.own_port = atoi(word[2]), client.peer_port = server.own_port = 80;
    open_side(&client, "client", "to-client");
    open_side(&server, "server", "to-server");
    for (int n = 3; n < count; n++) {
        int ours = strchr("cl", word[n][0]) != NULL;
        if (!strchr("wl", word[n][0]))
            send_step(ours ? &client : &server, word[n]);
        listen_at(ours ? &server : &client);
    }
    return 0;
}
