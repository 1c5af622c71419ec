# shellcheck shell=sh disable=SC2154  # work and here are set by run, which reads this file
# What kernel-devel and perf bring are programs, and made elsewhere: they must do their work on
# this kernel.

modules=/lib/modules/$(uname -r)

# A module is built with kernel-devel: as a whole where this system has a compiler; else by what
# of it is kernel-devel's own, on a module that the kernel package brings.
module_built() {
	devel=$modules/build
	[ -e "$devel/Makefile" ] || unsupported 'kernel-devel is not in this image'
	mkdir -p "$work/trivial"
	cd "$work/trivial" || exit 1
	if command -v gcc >/dev/null && command -v make >/dev/null; then
		module_compiled
	else
		module_by_parts
	fi
}

module_compiled() {
	cat >trivial.c <<-'END'
		#include <linux/module.h>
		static int __init trivial_init(void) { printk(KERN_INFO "trivial: loaded\n"); return 0; }
		static void __exit trivial_exit(void) { }
		module_init(trivial_init);
		module_exit(trivial_exit);
		MODULE_LICENSE("GPL");
	END
	echo 'obj-m := trivial.o' >Makefile
	make -C "$devel" "M=$work/trivial" modules || fail 'make modules'
	insmod trivial.ko || fail 'the module is not taken'
	rmmod trivial
	dmesg | grep -q 'trivial: loaded' || fail 'the module did not run'
	echo 'a module was compiled, loaded and removed'
}

# fixdep reads what a source includes, genksyms signs what it exports, modpost reads objects and
# writes what they need: as Makefile.build and Makefile.modpost call them.
module_by_parts() {
	echo "trivial.o: $devel/include/linux/module.h" >trivial.d
	"$devel/scripts/basic/fixdep" trivial.d trivial.o 'cc trivial.c' >trivial.cmd || fail "fixdep: status $?"
	grep -q '^deps_trivial.o := ' trivial.cmd || fail "fixdep: $(cat trivial.cmd)"
	grep -q 'include/config/modversions.h' trivial.cmd || fail "fixdep sees no option: $(cat trivial.cmd)"
	echo 'int trivial(int a); EXPORT_SYMBOL(trivial);' |
		"$devel/scripts/genksyms/genksyms" -a x86_64 >trivial.crc || fail "genksyms: status $?"
	grep -q '^__crc_trivial = 0x' trivial.crc || fail "genksyms: $(cat trivial.crc)"
	origin=$(find "$modules" -name ip_vs_rr.ko | head -n 1)
	cp "$origin" trivial.o
	"$devel/scripts/mod/modpost" -m -i "$devel/Module.symvers" trivial.o || fail "modpost: status $?"
	for want in '__versions' '"module_layout"' 'depends='; do
		grep -qF "$want" trivial.mod.c || fail "modpost writes no $want: $(cat trivial.mod.c)"
	done
	echo 'no compiler here: fixdep, genksyms and modpost did their part of a module'
}

perf_reports() {
	command -v perf >/dev/null || unsupported 'perf is not in this image'
	cd "$work" || exit 1
	perf record -e cpu-clock -o perf.data -- dd if=/dev/zero of=/dev/null bs=64 count=200000 ||
		fail "perf record: status $?"
	perf report -i perf.data >reported || fail "perf report: status $?: $(cat reported)"
	seen=$(grep -c '^ *[0-9][0-9.]*%' reported) || fail "perf report lists nothing: $(cat reported)"
	echo "recorded and reported: $seen lines"
}
