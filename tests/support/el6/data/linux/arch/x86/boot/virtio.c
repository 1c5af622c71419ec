/* Writes on the first named port of the first virtio serial device, by its legacy registers. */
#include "virtio.h"

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

enum { FEATURES = 4, QUEUE_ADDRESS = 8, QUEUE_SIZE = 12, QUEUE_SELECT = 14, QUEUE_NOTIFY = 16, STATUS = 18 };
enum { ACKNOWLEDGE = 1, DRIVER = 2, DRIVER_OK = 4 };
enum { MULTIPORT = 1 << 1 };
enum { CONTROL_SEND = 3, PORT_SEND = 5 };
enum { DEVICE_READY = 0, PORT_READY = 3, PORT_OPEN = 6 };
enum { LARGEST = 256, PAGE = 4096 };

struct descriptor { u64 address; u32 length; u16 flags; u16 next; };
struct control { u32 id; u16 event; u16 value; };

struct queue {
	u8 memory[3 * PAGE] __attribute__((aligned(PAGE)));
	u16 number, size, sent;
};

static struct queue control, port;
static u16 base;

static void out16(u16 at, u16 value) { __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(at)); }
static void out32(u16 at, u32 value) { __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(at)); }
static u16 in16(u16 at) { u16 value; __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(at)); return value; }
static u32 in32(u16 at) { u32 value; __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(at)); return value; }

void outb(u16 at, u8 value) { __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(at)); }

static u32 pci_read(u32 device, u32 offset)
{
	out32(0xcf8, 0x80000000u | device << 11 | offset);
	return in32(0xcfc);
}

static int find_device(void)
{
	for (u32 device = 0; device < 32; device++) {
		if (pci_read(device, 0) != 0x10031af4)
			continue;
		base = pci_read(device, 0x10) & ~3u;
		u32 command = pci_read(device, 4);
		out32(0xcfc, command | 5);	/* ports, and memory of ours */
		return base != 0;
	}
	return 0;
}

static int queue_up(struct queue *queue, u16 number)
{
	out16(base + QUEUE_SELECT, number);
	queue->number = number;
	queue->size = in16(base + QUEUE_SIZE);
	if (queue->size == 0 || queue->size > LARGEST)
		return 0;
	out32(base + QUEUE_ADDRESS, (u32)queue->memory / PAGE);
	return 1;
}

/* One buffer at a time: it is taken before this returns. */
static void send(struct queue *queue, const void *data, u32 length)
{
	struct descriptor *entry = (void *)queue->memory;
	volatile u16 *available = (void *)(queue->memory + sizeof(*entry) * queue->size);
	u32 offset = sizeof(*entry) * queue->size + 2 * (3 + queue->size);
	volatile u16 *used = (void *)(queue->memory + (offset + PAGE - 1) / PAGE * PAGE);

	entry->address = (u32)data;
	entry->length = length;
	available[2 + queue->sent % queue->size] = 0;
	__asm__ volatile("" : : : "memory");
	available[1] = ++queue->sent;
	out16(base + QUEUE_NOTIFY, queue->number);
	while (used[1] != queue->sent)
		__asm__ volatile("pause" : : : "memory");
}

static void tell(u32 id, u16 event)
{
	static struct control message;

	message.id = id;
	message.event = event;
	message.value = 1;
	send(&control, &message, sizeof(message));
}

int port_open(void)
{
	if (!find_device())
		return 0;
	outb(base + STATUS, 0);
	outb(base + STATUS, ACKNOWLEDGE | DRIVER);
	out32(base + FEATURES, MULTIPORT);
	if (!queue_up(&control, CONTROL_SEND) || !queue_up(&port, PORT_SEND))
		return 0;
	outb(base + STATUS, ACKNOWLEDGE | DRIVER | DRIVER_OK);
	tell(0, DEVICE_READY);
	tell(1, PORT_READY);
	tell(1, PORT_OPEN);
	return 1;
}

void port_write(const char *text, u32 length)
{
	send(&port, text, length);
}
