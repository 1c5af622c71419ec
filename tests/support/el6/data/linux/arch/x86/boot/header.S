# The image's first two sectors (Documentation/x86/boot.txt, protocol 2.06), which a boot loader
# reads and fills in, and two entries: in 16-bit mode, and in 32-bit mode, which most loaders use.
	.code16
	.section .header, "a"
	.org 0x1f1
	.byte 1				# setup_sects: one behind the first
	.org 0x1f4
	.long image_paragraphs
	.org 0x1fe
	.word 0xaa55
	.org 0x200
	.byte 0xeb, 0x66		# jump over the header
	.ascii "HdrS"
	.word 0x0206			# version
	.org 0x211
	.byte 1				# loadflags: the rest lies at 1 MiB
	.org 0x214
	.long 0x100000			# code32_start
	.org 0x22c
	.long 0x37ffffff		# initrd_addr_max
	.long 0x1000			# kernel_alignment
	.org 0x238
	.long 2047			# cmdline_size
	.org 0x268			# the 16-bit entry; DS is where the first sector lies
	xorl %esi, %esi
	movw %ds, %si
	shll $4, %esi
	leal table(%esi), %eax
	movl %eax, table + 2
	lgdtl table
	movl %cr0, %eax
	orb $1, %al
	movl %eax, %cr0
	ljmpl $0x10, $start
	.balign 8
table:	.word 31, 0, 0, 0		# the descriptor that is never used: length and place
	.word 0, 0, 0, 0
	.word 0xffff, 0, 0x9a00, 0xcf	# 0x10: code
	.word 0xffff, 0, 0x9200, 0xcf	# 0x18: data
	.org 0x400

	.code32
	.section .text.start, "ax"
	.globl start
start:
	cli
	cld
	movw $0x18, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movl $stack_end, %esp
	pushl %esi			# boot_params
	call start_kernel
1:	hlt
	jmp 1b

	.section .note.GNU-stack, "", @progbits
	.bss
	.balign 16
	.skip 8192
stack_end:
