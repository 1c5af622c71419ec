#ifndef _LINUX_TYPES_H
#define _LINUX_TYPES_H
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned short __be16;
typedef unsigned int __be32;
#endif
