#!/usr/bin/env perl

# `make load`: two loads in real sizes, against real nginx, the simulator and the demo HMIS (t/lib/Test/Load.pm
# says what each does). Figures go to stdout, one line each, tab-separated: name, value, unit. Exits with 1
# when a claim does not hold: a link is wrong, lost or repeated, a discovery is answered after more than 10 s,
# or a message breaks the protocol. Takes about five minutes; t/e2e/load.t is the same in small.
#
#   perl -It/lib t/load/run.pl [users[=N]] [visits[=N]]        (default: users=1000 visits=10000)
#
# visits moves the clock, which needs the build with fault points (VARIANT=test).

use strict;
use warnings;
use feature 'signatures';
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::Load;

my %LOAD = (
    users  => sub ($n, @say) { Test::Load::users(n => $n // 1000, @say) },
    visits => sub ($n, @say) { Test::Load::visits(n => $n // 10_000, discoveries => 50, @say) },
);

local $| = 1;
my $status = 0;
for my $wish (@ARGV ? @ARGV : qw(users visits)) {
    my ($name, $n) = $wish =~ /\A(\w+)(?:=(\d+))?\z/;
    my $load = $LOAD{ $name // '' } or die "no such load: $wish\n";
    my $run = $load->($n, say => sub ($text) { print {*STDERR} "load: $text\n" });
    $status |= Test::Load::report($name, $run);
}
exit $status;
