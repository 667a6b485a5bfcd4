#!/usr/bin/env perl

# nginx replaces its own binary while transfers are under way (nginx.org/en/docs/control.html#upgrade):
# two masters with workers of each share the store, the old ones leave or come back, and nothing is lost
# or sent twice. Threads of the library are in workers alone: a master forks, and may hold none.

use strict;
use warnings;
use feature 'signatures';
use FindBin;
use lib "$FindBin::Bin/../lib";

use IO::Socket::IP;
use Test::ABDM;
use Test::More;

Test::ABDM->need_module;
plan skip_all => 'nginx under a sanitizer does not find its library again' if Test::ABDM->build_dir =~ /asan/;

my $WORKERS = 2;
my $PATIENT = 25;    # abdm_drain in seconds: longer than any call of a busy machine
my $t = Test::ABDM->new(workers => $WORKERS, abdm => ["abdm_drain ${PATIENT}s;"]);
my $test = $$;
my %started;         # masters

END {
    kill KILL => map { (processes_of($_), $_) } grep { runs($_) } keys %started if $$ == $test;
}

sub runs ($pid) {
    open my $stat, '<', "/proc/$pid/stat" or return 0;
    my $line = <$stat> // q{};
    close $stat or return 0;
    return $line =~ /\(nginx\) [^ZX]/;
}

# Workers and whatever else it has forked, a new master apart.
sub processes_of ($master) {
    local $t->{pids}{nginx} = $master;
    return grep { !$started{$_} } $t->workers;
}

sub threads_of ($pid) { my @tasks = glob "/proc/$pid/task/*"; return scalar @tasks }

sub master { my ($pid) = $t->read_file('nginx.pid') =~ /(\d+)/; $started{$pid} = 1 if $pid; return $pid }

sub is_whole ($master, $name) {
    ok $t->wait_until(sub { $WORKERS == grep { threads_of($_) > 1 } processes_of($master) }, 20), "$name: each worker has its threads";
    return is threads_of($master), 1, "$name: the master has none";
}

# Has the master bring up another beside itself; gives that one.
sub replace ($old) {
    kill USR2 => $old;
    my $new = $t->wait_until(sub { my $pid = master(); $pid && $pid != $old && processes_of($pid) == $WORKERS && $pid }, 20);
    ok $new, 'a new master is there' or BAIL_OUT('no new master');
    return $new;
}

sub is_gone ($pid, $name) { return ok $t->wait_until(sub { !runs($pid) }, $PATIENT + 10), $name }

$t->start_simulator->start_hmis;
$t->write_conf;
my ($nginx) = grep { -x } map { "$_/nginx" } split(/:/, $ENV{PATH}), '/usr/sbin';    # it starts itself by this name
system($nginx, '-p', $t->{dir}, '-e', "$t->{dir}/error.log", '-c', "$t->{dir}/nginx.conf") == 0 or die "nginx does not start\n";
$t->wait_until(sub { IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $t->{port}) }, 20) or die "nginx does not listen\n";
my $first = master();
is_whole($first, 'started');
$t->sim('/config', { cheap_keys => 1, redeliver_max => 200 });

my $patients = 0;    # each storm has its own

# Runs what is given while transfers are under way, and looks whether all arrive.
sub under_transfers ($what) {
    my $id    = $t->sim('/storm', { n => 50_000, concurrency => 50, timeout_s => 90, first => $patients })->{id};
    my $storm = sub ($command = '') { $t->sim("/storm/$id$command", $command ? {} : undef) };
    my $before = $t->sim('/metrics')->{counters}{pushed} // 0;
    my $done = sub ($n) { my $have = $storm->()->{done}; ok $t->wait_until(sub { $storm->()->{done} >= $have + $n }, 30), 'transfers are under way' };
    $done->(1);
    my @got = $what->(sub { $done->(20) });
    my $n = $storm->('/stop')->{n};
    $patients += $n;
    $t->wait_until(sub { $storm->()->{finished} }, 100);
    my $told = $t->sim('/metrics')->{counters};
    is_deeply $storm->()->{outcome}, { TRANSFERRED => $n }, "all $n transfers complete";
    is_deeply [grep { /\Acallback_5/ } keys %$told], [], 'no 5xx to the gateway';
    is $told->{pushed} - $before, $n, 'each page was sent once';
    return $got[0];
}

my $second;
subtest 'the new binary takes over' => sub {
    $second = under_transfers(sub ($some_more) {
        my $new = replace($first);
        $some_more->();
        kill WINCH => $first;
        ok $t->wait_until(sub { !processes_of($first) }, $PATIENT + 10), 'the old workers leave';
        kill QUIT => $first;
        is_gone($first, 'and their master');
        $some_more->();
        return $new;
    });
    is_whole($second, 'the new one');
};

subtest 'the new binary is given up, and the old one goes on' => sub {
    under_transfers(sub ($some_more) {
        my $third = replace($second);
        $some_more->();
        kill WINCH => $second;
        ok $t->wait_until(sub { !processes_of($second) }, $PATIENT + 10), 'the old workers leave';
        kill HUP => $second;
        ok $t->wait_until(sub { processes_of($second) == $WORKERS }, 20), 'and are there again';
        kill QUIT => $third;
        is_gone($third, 'the new master leaves');
        $some_more->();
        return;
    });
    is_whole($second, 'the old one');
};

$t->no_violations;
kill QUIT => $second;
is_gone($second, 'the last master leaves');
$t->finish;
