# Boot sector of the accelerator's probe; builder/vm/probe.py has its bytes.
#   as --32 -o probe.o probe.S && objcopy -O binary -j .text probe.o probe.bin
#
# Goes to 32-bit protected mode, saves and restores extended processor state where the
# processor has it (what a kernel does at every task switch, and what a half-working KVM
# fails at), and leaves through isa-debug-exit with the agreed number.
	.code16
	.globl	_start
_start:
	cli
	xorw	%ax, %ax
	movw	%ax, %ds
	lgdtl	gdtr - _start + 0x7c00
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	ljmpl	$8, $(protected - _start + 0x7c00)
	.code32
protected:
	movw	$16, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movl	$0x7c00, %esp
	movl	$1, %eax
	cpuid
	btl	$26, %ecx		# XSAVE
	jnc	leave
	movl	%cr4, %eax
	orl	$0x40600, %eax		# OSXSAVE, OSXMMEXCPT, OSFXSR
	movl	%eax, %cr4
	xorl	%ecx, %ecx
	xgetbv
	orl	$3, %eax		# x87 and SSE state
	xsetbv
	movl	$3, %eax
	xorl	%edx, %edx
	xsave	0x8000
	movl	$3, %eax
	xorl	%edx, %edx
	xrstor	0x8000
leave:
	movl	$0xf4, %edx
	movb	$0x2a, %al
	outb	%al, %dx
1:	hlt
	jmp	1b
	.balign	8
gdt:	.quad	0
	.quad	0x00cf9a000000ffff	# code
	.quad	0x00cf92000000ffff	# data
gdtr:	.word	gdtr - gdt - 1
	.long	gdt - _start + 0x7c00
	.org	510
	.word	0xaa55
