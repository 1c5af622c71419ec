/* What of a virtio serial port the small world's kernel uses (virtio 1.1, 4.1.4.8 and 5.3). */
int port_open(void);
void port_write(const char *text, unsigned int length);
void outb(unsigned short port, unsigned char value);
