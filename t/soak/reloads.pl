#!/usr/bin/env perl

# Reloads of nginx, one after the other, with work between them: the master, which lives through all of
# them, has as much memory, as many files and as many mappings after the last one as after the first few;
# every old worker leaves; and whatever watches memory has nothing to say.
#
#     RELOADS=100 ABDM_BUILD=build/asan perl t/soak/reloads.pl      under the sanitizers, leaks included
#     VALGRIND=1 ABDM_BUILD=build/test perl t/soak/reloads.pl       under memcheck

use strict;
use warnings;
use feature 'signatures';

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use List::Util qw(max min);
use Test::More;
use sigtrap qw(die INT TERM);    # what was started is ended
use Time::HiRes qw(time);

use lib map { abs_path(dirname(__FILE__) . "/../$_") } qw(lib sim/lib);

use Test::ABDM;
use Test::Stand qw(memory_of);

Test::ABDM->need_module;

my $RELOADS  = $ENV{RELOADS} // 100;
my $WARM     = min(10, int $RELOADS / 2);    # until then memory may grow
my $WORKERS  = 2;
my $IS_ASAN  = Test::ABDM::build_dir() =~ /asan/;
my $PATIENCE = $ENV{VALGRIND} ? 180 : 30;    # seconds for a reload, and for a transfer
my $GROWTH   = $IS_ASAN || $ENV{VALGRIND} ? 8 : 1.5;    # MB of the master; who watches memory needs some too

my %option = (workers => $WORKERS, abdm => ['abdm_drain 5s;']);
if ($ENV{VALGRIND}) {
    my $kinds = 'definite,indirect';
    $option{under} = ['valgrind', '--quiet', '--leak-check=full', "--show-leak-kinds=$kinds", "--errors-for-leak-kinds=$kinds",
        '--num-callers=30', '--suppressions=' . Test::ABDM->root . '/t/valgrind/suppressions'];
}
if ($IS_ASAN) {
    # Freed memory is not kept for long, so that resident memory says something.
    $option{env} = { ASAN_OPTIONS => 'detect_leaks=1:abort_on_error=0:quarantine_size_mb=1:allocator_release_to_os_interval_ms=100',
        LSAN_OPTIONS => 'suppressions=' . Test::ABDM->root . '/t/soak/leaks:print_suppressions=0' };
}
my $t = Test::ABDM->new(%option);
$t->start;
my $master = $t->{pids}{nginx};

sub entries ($what) {
    opendir my $dir, "/proc/$master/$what" or die "/proc/$master/$what: $!\n";
    my $n = grep { !/\A[.]/ } readdir $dir;
    closedir $dir or die "/proc/$master/$what: $!\n";
    return $n;
}

# Files that the master has mapped: modules and libraries that were loaded and not unloaded.
sub mapped {
    open my $maps, '<', "/proc/$master/maps" or die "/proc/$master/maps: $!\n";
    my %seen = map { $_ => 1 } grep { m{\.so} } <$maps>;
    close $maps or die "/proc/$master/maps: $!\n";
    return scalar keys %seen;
}

# Until all workers are new ones.
sub reload_once {
    my %old = map { $_ => 1 } $t->workers;
    $t->reload;
    return $t->wait_until(sub { my @now = $t->workers; @now == $WORKERS && !grep { $old{$_} } @now }, $PATIENCE);
}

sub transferred {
    my $consent = $t->grant(contexts => ['OPD-25-3107'], notify => { retry => 1 });
    $t->wait_for(ack => consent => $consent->{consent_id}, timeout_ms => 1000 * $PATIENCE) or return;
    my $id = $t->request($consent, retry => 1);
    my $got = $t->wait_for(notify => transaction => $id, timeout_ms => 1000 * $PATIENCE) or return;
    return ($got->{notify}{statusNotification}{sessionStatus} // '') eq 'TRANSFERRED';
}

ok transferred(), 'a transfer, before';
my (@memory, @files, @mapped);
my ($done, $passed, $begin) = (0, 0, time);
for my $n (1 .. $RELOADS) {
    last if !reload_once();
    $done++;
    push @memory, memory_of($master, 'VmRSS');
    push @files,  entries('fd');
    push @mapped, mapped();
    next if $n % 10 && $n != $RELOADS;
    $passed++ if transferred();
    note sprintf '%3d reloads in %.0f s: master %.1f MB, %d files, %d mappings', $n, time - $begin, $memory[-1], $files[-1], $mapped[-1];
}
is $done, $RELOADS, "$RELOADS reloads, and after each all workers are new ones";
is $passed, int(($RELOADS + 9) / 10), 'each transfer between them completes';
my ($first, $last) = (max(@memory[0 .. $WARM - 1]), max(@memory[-$WARM .. -1]));
cmp_ok $last - $first, '<', $GROWTH, sprintf 'the master does not grow: %.1f MB after %d reloads, %.1f MB at the end', $first, $WARM, $last;
is $files[-1], $files[$WARM - 1], "it has no more files open: $files[-1]";
is $mapped[-1], $mapped[$WARM - 1], "nor more libraries mapped: $mapped[-1]";

$t->stop_nginx('QUIT', 2 * $PATIENCE);
my $said = join "\n", grep { /^==\d+==|Sanitizer|runtime error/ } split /\n/, $t->log_of('nginx') . $t->error_log;
is $said, '', 'who watches memory has nothing to say';
$t->finish;
