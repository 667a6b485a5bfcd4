#!/usr/bin/env perl

# The figures of `make bench`: one line each, tab-separated: name, value, unit, reference, ratio (value
# to reference). A reference is what stands beside it and its value: the same nginx with `return 202`, bare
# OpenSSL, or the goal where there is nothing to compare with. All are of one run on one machine. Progress
# goes to stderr.
#
# One worker runs on the first core, those who call it on the second when there is one. Rates are those of
# wrk, with 64 connections; lines that end in `_cpu` are the worker's own processor time per request, which
# neighbours disturb least. What wrk measures is the best of three rounds. Everything is on loopback, ends
# by itself, and takes about two minutes.
#
#     perl -It/lib t/bench/run.pl [door|records|crypto ...]        (default: all; needs make, and wrk)

use strict;
use warnings;
use feature 'signatures';
use utf8;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use IO::Handle;
use List::Util qw(max min sum);
use Time::HiRes qw(sleep time);

my $ROOT;

BEGIN {
    $ROOT = abs_path(dirname(__FILE__) . '/../..');
    $ENV{ABDM_BUILD} //= 'build';
}

use lib "$ROOT/t/lib", "$ROOT/t/sim/lib";

use Cpanel::JSON::XS ();
use Sim::Clock qw(new_uuid);
use Test::ABDM;
use Test::Stand qw(connection cpu_of end_children memory_of notice on_core stand status_of);

my $JSON        = Cpanel::JSON::XS->new->utf8->canonical;
my $SECONDS     = $ENV{BENCH_SECONDS} // 3;    # of one round
my $ROUNDS      = 3;
my $TOKENS      = 3000;                       # more than the cache of verified tokens holds
my $STORED      = Test::Stand::STORED;
my $CONSENT     = Test::Stand::CONSENT;

# Goals, and the machine that they are meant for.
my $GOAL_GCM    = 4500;    # MB/s
my $GOAL_X25519 = 31;      # us

my %SECTION = (crypto => \&crypto, door => \&door, records => \&records);

STDOUT->autoflush(1);
binmode STDOUT, ':encoding(UTF-8)' or die "stdout: $!\n";

for my $section (@ARGV ? @ARGV : qw(crypto door records)) {
    ($SECTION{$section} // die "no such section: $section\n")->();
}
end_children();

# ---- figures ------------------------------------------------------------------------------------

sub say_progress ($text) { print {*STDERR} "bench: $text\n"; return }

sub figure ($name, $value, $unit, $label, $reference) {
    my $ratio = $reference ? sprintf '%.3f', $value / $reference : '-';
    print join("\t", $name, _short($value), $unit, $label . ' ' . _short($reference), $ratio), "\n";
    return;
}

sub _short ($number) { return sprintf $number >= 1000 ? '%.0f' : $number >= 10 ? '%.1f' : '%.3f', $number }

sub percentile ($list, $percent) {
    my @sorted = sort { $a <=> $b } @$list;
    return $sorted[int($#sorted * $percent / 100)];
}

# ---- processes ----------------------------------------------------------------------------------

# What a command prints. It runs on the callers' core.
sub output_of (@command) {
    open my $pipe, '-|', on_core(1, @command) or die "$command[0]: $!\n";
    my @lines = <$pipe>;
    close $pipe or die "$command[0] failed\n";
    return @lines;
}

# ---- calls --------------------------------------------------------------------------------------

sub one_round ($s, @what) { return Test::Stand::round($s, $SECONDS, @what) }

# Rounds of wrk; gives the best of each figure.
sub load (@what) { return best(map { one_round(@what) } 1 .. $ROUNDS) }

sub best (@rounds) {
    my %best = map { my $name = $_; ($name => min(map { $_->{$name} } @rounds)) } qw(p50 p99 cpu loop beside);
    for my $name (qw(rate after)) { $best{$name} = max(map { $_->{$name} } @rounds) }
    $best{refused} = sum(map { $_->{refused} } @rounds) / @rounds;
    return \%best;
}

# The p99 in ms of an unrelated location, asked 200 times a second. The one who asks goes before the load
# generator, with which it shares a processor: the server is measured, not how the two of them take turns.
sub visit_static ($s) {
    my $get      = connection($s);
    my $niceness = getpriority 0, 0;
    setpriority 0, 0, -10 if $> == 0;
    my ($start, @took) = (time);
    for my $i (1 .. 200 * ($SECONDS - 1)) {
        my ($status, $seconds) = $get->("GET /static HTTP/1.1\r\nHost: localhost\r\n\r\n");
        die "unrelated location: $status\n" if $status != 200;
        push @took, $seconds * 1000;
        my $pause = $start + $i / 200 - time;
        sleep $pause if $pause > 0;
    }
    setpriority 0, 0, $niceness if $> == 0;
    return percentile(\@took, 99);
}

# ---- the front door -----------------------------------------------------------------------------

sub door {
    say_progress('the front door');
    my $plain = door_alone();
    durable($plain);
    return;
}

# The door alone: each callback is judged by all that its headers tell, its token among them, and then turned
# away with 503 before its body is read, because the queue (of one) waits for a store that is locked here.
# A 400 would not do: nginx closes the connection after it.
sub door_alone {
    my $s = stand(abdm => ['abdm_queue 1;']);

    say_progress("$TOKENS tokens are signed");
    $s->{t}->write_file('tokens',
        join '', map { $s->{keys}->callback_token({ claims => { jti => new_uuid() } }) . "\n" } 1 .. $TOKENS);
    open my $store, '|-', 'sqlite3', $s->{t}->dir . '/abdm.db' or die "sqlite3: $!\n";
    $store->autoflush(1);
    print {$store} ".timeout 5000\nBEGIN IMMEDIATE;\n";
    sleep 0.3;

    say_progress('`return 202`, verified callbacks, and verified ones with one token');
    my (@plain, @verified, @cached);
    for (1 .. $ROUNDS) {    # in turn, since they are compared
        push @plain,    one_round($s, '/plain', 'token');
        push @verified, one_round($s, $STORED,  'tokens');
        push @cached,   one_round($s, $STORED,  'token');
    }
    print {$store} "ROLLBACK;\n";
    close $store or die "sqlite3 failed\n";
    Test::Stand::stop($s);

    my ($plain, $verified, $cached) = (best(@plain), best(@verified), best(@cached));
    for my $got ($verified, $cached) { die "door: not all were turned away\n" if $got->{refused} < 0.99 }
    figure('return_202',                   $plain->{rate},    '1/s', 'return_202',     $plain->{rate});
    figure('return_202_cpu',               $plain->{loop},     'us',  'return_202_cpu', $plain->{loop});
    figure('callback_verified',            $verified->{rate}, '1/s', 'return_202',     $plain->{rate});
    figure('callback_verified_cpu',        $verified->{loop}, 'us',  'return_202_cpu', $plain->{loop});
    figure('callback_verified_cached',     $cached->{rate},   '1/s', 'return_202',     $plain->{rate});
    figure('callback_verified_cached_cpu', $cached->{loop},   'us',  'return_202_cpu', $plain->{loop});
    return $plain;
}

sub durable ($plain) {
    my $s    = stand();
    my $idle = memory_of($s->{worker}, 'VmRSS');

    say_progress('durable callbacks, and an unrelated location beside them');
    my $calm = min(map { visit_static($s) } 1 .. $ROUNDS);
    my $got  = load($s, $STORED, 'token', beside => sub { visit_static($s) });
    die "durable: some were refused\n" if $got->{refused} > 0;
    figure('callback_durable',     $got->{rate},   '1/s', 'return_202',     $plain->{rate});
    figure('callback_durable_cpu', $got->{cpu},    'us',  'return_202_cpu', $plain->{loop});
    figure('callback_durable_p50', $got->{p50},    'ms',  'return_202',     $plain->{p50});
    figure('callback_durable_p99', $got->{p99},    'ms',  'goal',           20);
    figure('unrelated_p99',        $got->{beside}, 'ms',  'goal',           2);
    figure('unrelated_p99_calm',   $calm,          'ms',  'goal',           2);

    say_progress('consent notifications, each acknowledged to the gateway');
    my $calls = status_of($s)->{work}{calls};
    $got = load($s, $CONSENT, 'token', after => sub ($requests, $start) {
        $calls += $requests;
        $s->{t}->wait_until(sub { status_of($s)->{work}{calls} >= $calls }, 30)
            or die "consents: not all were acknowledged\n";
        return $requests / (time - $start);
    });
    figure('consent_durable',      $got->{rate},  '1/s', 'return_202', $plain->{rate});
    figure('consent_durable_p50',  $got->{p50},   'ms',  'return_202', $plain->{p50});
    figure('consent_durable_p99',  $got->{p99},   'ms',  'goal',       20);
    figure('consent_acknowledged', $got->{after}, '1/s', 'return_202', $plain->{rate});
    figure('memory_idle',   $idle,                            'MB', 'nginx without the module', plain_memory($s));
    figure('memory_loaded', memory_of($s->{worker}, 'VmHWM'), 'MB', 'memory_idle', $idle);
    first_calls($s);
    Test::Stand::stop($s);
    return;
}

sub plain_memory ($s) {
    open my $file, '<', "/proc/$s->{gateway}/task/$s->{gateway}/children" or die "gateway: $!\n";
    my ($worker) = split ' ', scalar <$file>;
    close $file or die "gateway: $!\n";
    return memory_of($worker, 'VmRSS');
}

# From 202 to the acknowledgement's arrival at the gateway, one callback at a time.
sub first_calls ($s) {
    say_progress('one consent notification after the other');
    my $send = connection($s);
    my $log  = $s->{t}->dir . '/gateway.access';
    open my $calls, '<', $log or die "$log: $!\n";
    seek $calls, 0, 2;
    my @took;
    for (1 .. 200) {
        my $sent = time;
        my ($status) = $send->(notice($s));
        my $accepted = time;
        die "idle: $status\n" if $status != 202;
        my $at;
        for my $try (1 .. 2000) {
            # The log's times are cut off to milliseconds. Older lines are of the runs before.
            ($at) = (<$calls> // '') =~ m{\A([\d.]+) .*/on-notify};
            last if $at && ($at += 0.001) > $sent;
            undef $at;
            seek $calls, 0, 1;
            sleep 0.001;
        }
        die "idle: no acknowledgement came\n" if !$at;
        push @took, max(0, ($at - $accepted) * 1000);
        sleep 0.005;
    }
    close $calls or die "$log: $!\n";
    figure('first_call_p50', percentile(\@took, 50), 'ms', 'goal', 20);
    figure('first_call_p99', percentile(\@took, 99), 'ms', 'goal', 20);
    return;
}

# ---- whole transfers ----------------------------------------------------------------------------

sub records {
    say_progress('whole transfers');
    my $t = Test::ABDM->new(plugin => 1, log_level => 'warn', main => Test::Stand::is_pinned() ? ['worker_cpu_affinity 01;'] : []);
    $t->start;
    my ($worker) = $t->workers;
    my $idle = memory_of($worker, 'VmRSS');
    $t->sim('/config', { cheap_keys => 1, open_every => 20 });
    $t->storm(n => 20, concurrency => 1);    # connections, keys

    my $calm = $t->storm(n => 100, concurrency => 1, first => 100);
    my @before = map { (cpu_of($_))[0] } $worker, @{ $t->{pids} }{qw(sim hmis)};
    my $storm  = $t->storm(n => 600, concurrency => 50, first => 1000);
    my @cpu    = map { (cpu_of($_))[0] - shift @before } $worker, @{ $t->{pids} }{qw(sim hmis)};
    for my $run ($calm, $storm) {
        die 'transfers: ' . $JSON->encode($run->{outcome}) . "\n" if ($run->{outcome}{TRANSFERRED} // 0) != $run->{n};
    }
    my $seconds = $storm->{seconds};
    figure('transfers',        $storm->{per_second},     '1/s',   'worker alone', $storm->{n} / max($cpu[0], 0.01));
    figure('transfer_p50',     $storm->{ms}{total}{p50}, 'ms',    'one at a time', $calm->{ms}{total}{p50});
    figure('transfer_p99',     $storm->{ms}{total}{p99}, 'ms',    'one at a time', $calm->{ms}{total}{p99});
    figure('transfer_cpu',     $cpu[0] / $storm->{n} * 1000,  'ms',    'all parts', sum(@cpu) / $storm->{n} * 1000);
    figure('simulator_share',  $cpu[1] / $seconds,       'cores', 'cores', 1);
    figure('demo_hmis_share',  $cpu[2] / $seconds,       'cores', 'cores', 1);
    figure('transfer_memory',  memory_of($worker, 'VmHWM'), 'MB', 'idle', $idle);
    $t->stop;
    return;
}

# ---- encryption ---------------------------------------------------------------------------------

# Lines of t/bench/*.c as they are, and the same against `openssl speed` of this run.
sub crypto {
    my $build = Test::ABDM::build_dir();
    say_progress('openssl speed');
    my $gcm16 = speed_gcm(16_384);
    my $gcm1m = speed_gcm(1_048_576);
    my $x25519 = speed_x25519();
    figure('openssl_aes_256_gcm_16KB', $gcm16,  'MB/s', 'goals are for', $GOAL_GCM);
    figure('openssl_aes_256_gcm_1MB',  $gcm1m,  'MB/s', 'goals are for', $GOAL_GCM);
    figure('openssl_x25519',           $x25519, 'us',   'goals are for', $GOAL_X25519);
    say_progress('encryption, tokens and documents');
    my @lines = map { output_of("$build/bench/$_") } qw(fidelius token fhir);
    print @lines;
    my %us = map { /\Afidelius_encrypt_(\w+)\t([\d.]+)\tus/ ? ($1 => $2) : () } @lines;
    figure('encrypt_10KB', $us{'10KB'}, 'us', 'goal for this machine', 60 * $x25519 / $GOAL_X25519);
    figure('encrypt_1MB',  $us{'1MB'},  'us', 'goal for this machine', 600 * $GOAL_GCM / $gcm1m);
    return;
}

sub speed_gcm ($bytes) {
    my ($line) = grep { /\AAES-256-GCM\s/ } speed('-bytes', $bytes, '-evp', 'aes-256-gcm');
    my ($k) = $line =~ /([\d.]+)k\s*\z/ or die "openssl speed: $line\n";
    return $k / 1000;
}

sub speed_x25519 {
    my ($line) = grep { /X25519/ } speed('ecdhx25519');
    my ($rate) = $line =~ /([\d.]+)\s*\z/ or die "openssl speed: $line\n";
    return 1e6 / $rate;
}

sub speed (@what) { return output_of(qw(sh -c), 'exec openssl speed -seconds 1 "$@" 2>/dev/null', 'speed', @what) }
