#!/usr/bin/perl
# merge.pl OVERRIDES FILE ARCH: FILE with the lines of OVERRIDES in place of its own.
use strict;
use warnings;

my ($first, $second, $arch) = @ARGV;
my (%value, @order);
sub take {
    my ($name) = @_;
    open(my $file, '<', $name) or die "$name: $!";
    while (my $line = <$file>) {
        next unless $line =~ /^(?:# )?(CONFIG_\w+)(?:=| is not set)/;
        push @order, $1 unless exists $value{$1};
        $value{$1} = $line;
    }
}
take($second);
take($first);
print "# $arch\n" if $arch;
print $value{$_} for @order;
