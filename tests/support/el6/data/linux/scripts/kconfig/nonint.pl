# Reads all Kconfig files and a .config: prints the bare name of each symbol that has no value, or
# one out of its range, and fails if there is any.
use strict;
use warnings;
use File::Find;

my (%known, $symbol, @files);
find(sub { push @files, $File::Find::name if /^Kconfig/ }, '.');
for my $name (sort @files) {
    open(my $file, '<', $name) or die "$name: $!";
    while (my $line = <$file>) {
        if ($line =~ /^config (\w+)/) { $symbol = "CONFIG_$1"; $known{$symbol} = []; }
        elsif ($line =~ /^\s+range (\d+) (\d+)/) { $known{$symbol} = [$1, $2]; }
    }
}
my %value;
open(my $config, '<', $ARGV[0]) or die "$ARGV[0]: $!";
while (my $line = <$config>) {
    if ($line =~ /^(CONFIG_\w+)=(.*)/) { $value{$1} = $2; }
    elsif ($line =~ /^# (CONFIG_\w+) is not set/) { $value{$1} = 'n'; }
}
my @unset;
for my $name (sort keys %known) {
    my ($low, $high) = @{ $known{$name} };
    my $have = $value{$name};
    my $fits = defined $have && (!defined $low || $have =~ /^\d+$/ && $low <= $have && $have <= $high);
    push @unset, $name unless $fits;
}
open(my $kept, '>', $ARGV[0]) or die "$ARGV[0]: $!";
for my $name (sort keys %known) {
    next unless defined $value{$name};
    print $kept $value{$name} eq 'n' ? "# $name is not set\n" : "$name=$value{$name}\n";
}
close($kept);
print STDERR "$_\n" for @unset;
exit(@unset ? 1 : 0);
