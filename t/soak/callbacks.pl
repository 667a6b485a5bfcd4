#!/usr/bin/env perl

# Memory and disk over very many callbacks through real nginx: consent notifications, each of them kept,
# decided and acknowledged to the gateway, in turn with callbacks that are only kept. After a warm-up no
# process of nginx may grow; and once what was kept has had its time, the store may not grow either.
#
#     SOAK=1000000 ABDM_BUILD=build/test perl -It/lib -It/sim/lib t/soak/callbacks.pl
#
# Figures go to stdout as comments. Needs wrk and sqlite3, and a build with fault points, whose clock moves.

use strict;
use warnings;
use feature 'signatures';

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use List::Util qw(max);
use Test::More;
use sigtrap qw(die INT TERM);    # what was started is ended

use lib map { abs_path(dirname(__FILE__) . "/../$_") } qw(lib sim/lib);

use Test::ABDM;
use Test::Stand qw(connection memory_of notice stand);

my $COUNT    = $ENV{SOAK} // 1_000_000;
my $WARM     = $COUNT / 5;     # until then memory may grow
my $SECONDS  = $ENV{SOAK_ROUND} // 10;    # of one round
my $WORKERS  = 2;
my $GROWTH   = 8;              # MB that a process may have more than at the end of the warm-up
my $LOG_MAX  = 256;            # MB of SQLite's log of writes
my $KEPT     = 49 * 3_600_000;    # ms: that a callback came is known for 48 hours
my @TABLES   = qw(inbox job sent consent consent_key audit);

plan skip_all => 'wrk and sqlite3 are needed: make soak' if system('command -v wrk sqlite3 >/dev/null') != 0;

sub processes ($s) { return ($s->{t}{pids}{nginx}, $s->{t}->workers) }

sub megabytes ($path) { return (-s $path // 0) / 1048576 }

sub query ($s, $sql) {
    open my $pipe, '-|', 'sqlite3', '-readonly', '-cmd', '.timeout 10000', $s->{t}->dir . '/abdm.db', $sql or die "sqlite3: $!\n";
    my @lines = <$pipe>;
    close $pipe or die "sqlite3 failed: $sql\n";
    chomp @lines;
    return wantarray ? @lines : $lines[0];
}

sub open_rows ($s) { return query($s, 'SELECT (SELECT count(*) FROM inbox WHERE done_at IS NULL) + (SELECT count(*) FROM job)') }

sub rows ($s) { return map { $_ => query($s, "SELECT count(*) FROM $_") } @TABLES }

# A round of load; all of it was taken.
sub load ($s, $path) {
    my $got = Test::Stand::round($s, $SECONDS, $path, 'token');
    die sprintf "%.1f %% of the callbacks were refused\n", 100 * $got->{refused} if $got->{refused} > 0;
    return $got;
}

subtest "resident memory over $COUNT callbacks" => sub {
    my $s = stand(workers => $WORKERS);
    my ($sent, $log, %warm, %last, %most) = (0, 0);
    my @pids  = processes($s);
    my @paths = (Test::Stand::CONSENT, Test::Stand::STORED);
    for (my $n = 0; $sent < $COUNT; $n++) {
        my $got = load($s, $paths[$n % @paths]);
        $sent += $got->{requests};
        my %now = map { $_ => memory_of($_, 'VmRSS') } @pids;
        if ($sent <= $WARM || $n < 3 * @paths) { $warm{$_} = max($warm{$_} // 0, $now{$_}) for @pids }
        $most{$_} = max($most{$_} // 0, $now{$_}) for @pids;
        %last = %now;
        $log  = max($log, megabytes($s->{t}->dir . '/abdm.db-wal'));
        note sprintf '%9d callbacks, %5d/s, resident %s MB, log of writes %.1f MB', $sent, $got->{rate},
            join(' + ', map { sprintf '%.1f', $now{$_} } @pids), megabytes($s->{t}->dir . '/abdm.db-wal');
    }
    is_deeply [processes($s)], \@pids, 'the processes are those of the beginning';
    for my $i (0 .. $#pids) {
        my ($pid, $name) = ($pids[$i], $i ? "worker $i" : 'the master');
        cmp_ok $most{$pid} - $warm{$pid}, '<', $GROWTH, sprintf '%s: %.1f MB after the warm-up, %.1f at most, %.1f at the end', $name, $warm{$pid}, $most{$pid}, $last{$pid};
    }
    ok $s->{t}->wait_until(sub { open_rows($s) == 0 }, 120), 'all work is done, and nothing waits';
    cmp_ok $log, '<', $LOG_MAX, sprintf 'SQLite\'s log of writes has %.1f MB at most', $log;
    my %rows = rows($s);
    note sprintf '%d callbacks; store %.0f MB; rows: %s', $sent, megabytes($s->{t}->dir . '/abdm.db'), join ', ', map { "$_ $rows{$_}" } @TABLES;
    Test::Stand::stop($s);
};

subtest 'what has had its time leaves the store, and its room is used again' => sub {
    plan skip_all => 'the clock of this build does not move' if system('grep', '-q', 'ABDM_CLOCK_FILE', Test::ABDM::build_dir() . '/libabdm.so') != 0;
    my $s = stand(clock => 1);
    my ($t, @pages) = $s->{t};
    for my $round (1 .. 3) {
        my $now = int $t->now;
        $t->write_file('token', $s->{keys}->callback_token({ claims => { iat => $now, exp => $now + 1200 } }) . "\n");
        $t->wait_until(sub { (connection($s)->(notice($s)))[0] == 202 }, 10) or die "no callback is taken\n";
        load($s, Test::Stand::STORED);
        my $came = query($s, 'SELECT count(*) FROM inbox');
        push @pages, query($s, 'PRAGMA page_count');
        $t->advance($KEPT);
        ok $t->wait_until(sub { query($s, 'SELECT count(*) FROM inbox') == 0 }, 180), "round $round: $came rows go after 48 hours";
        note "pages of the store: $pages[-1]";
    }
    cmp_ok $pages[2] / max(@pages[0, 1]), '<', 1.3, 'and new ones take their place';
    Test::Stand::stop($s);
};

done_testing();
