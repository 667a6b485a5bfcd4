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
use IO::Socket::IP;
use List::Util qw(max min sum);
use POSIX qw(sysconf _SC_CLK_TCK);
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(sleep time);

my ($ROOT, $HERE);

BEGIN {
    $HERE = dirname(abs_path(__FILE__));
    $ROOT = abs_path("$HERE/../..");
    $ENV{ABDM_BUILD} //= 'build';
}

use lib "$ROOT/t/lib", "$ROOT/t/sim/lib";

use Cpanel::JSON::XS ();
use Sim::Clock qw(iso new_uuid);
use Sim::Keys;
use Test::ABDM;

my $JSON        = Cpanel::JSON::XS->new->utf8->canonical;
my $SECONDS     = $ENV{BENCH_SECONDS} // 3;    # of one round
my $ROUNDS      = 3;
my $CONNECTIONS = 64;
my $TOKENS      = 3000;                       # more than the cache of verified tokens holds
my $DAY         = 86_400;
my $HIP         = 'IN0990001234_1';
my $STORED      = '/abdm/api/v3/bench/notify';    # nobody's event: kept for the operator
my $CONSENT     = '/abdm/api/v3/consent/request/hip/notify';

# Goals, and the machine that they are meant for.
my $GOAL_GCM    = 4500;    # MB/s
my $GOAL_X25519 = 31;      # us

my $PINNED = qx(nproc) > 1;
my %SECTION = (crypto => \&crypto, door => \&door, records => \&records);
my %CHILD;    # processes of ours beside those of the harness
my $runs = 0;

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

sub on_core ($core, @command) { return $PINNED ? ('taskset', '-c', $core, @command) : @command }

sub spawn ($name, $log, @command) {
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        %CHILD = ();
        open STDOUT, '>>', $log or POSIX::_exit(126);
        open STDERR, '>&', \*STDOUT or POSIX::_exit(126);
        exec { $command[0] } @command or POSIX::_exit(127);
    }
    $CHILD{$name} = $pid;
    return $pid;
}

sub end_children {
    for my $name (keys %CHILD) {
        my $pid = delete $CHILD{$name};
        kill 'TERM', $pid;
        waitpid $pid, 0;
    }
    return;
}

END {
    my $status = $?;
    end_children();
    $? = $status;
}

# What a command prints. It runs on the callers' core.
sub output_of (@command) {
    open my $pipe, '-|', on_core(1, @command) or die "$command[0]: $!\n";
    my @lines = <$pipe>;
    close $pipe or die "$command[0] failed\n";
    return @lines;
}

# Processor seconds of a process, and of its first thread alone (nginx's own loop).
sub cpu_of ($pid) { return map { _cpu_of($_) } "/proc/$pid/stat", "/proc/$pid/task/$pid/stat" }

sub _cpu_of ($path) {
    open my $file, '<', $path or die "$path: $!\n";
    my $line = <$file>;
    close $file or die "$path: $!\n";
    my @field = split ' ', substr $line, rindex($line, ')') + 2;
    return ($field[11] + $field[12]) / sysconf(_SC_CLK_TCK);
}

# VmRSS or VmHWM, in MB.
sub memory_of ($pid, $what) {
    open my $file, '<', "/proc/$pid/status" or die "/proc/$pid/status: $!\n";
    my ($kb) = map { /\A$what:\s+(\d+) kB/ ? $1 : () } <$file>;
    close $file or die "/proc/$pid/status: $!\n";
    return $kb / 1024;
}

# ---- the stand ----------------------------------------------------------------------------------

# nginx with the module before a gateway that answers at once: another nginx, for the simulator would be
# slower than what is measured.
sub stand (%option) {
    my $t      = Test::ABDM->new(simulator => 0, hmis => 0);
    my $port   = Test::ABDM::free_port();
    my $issuer = $t->sim_url . '/auth/realms/central-registry';
    my $keys   = Sim::Keys->new(issuer => $issuer, client_id => 'SBXID_000001');
    my $s      = { t => $t, port => $port, keys => $keys };
    start_gateway($s);
    $t->write_conf(
        log_level => 'crit',    # refusals are not what is measured
        main      => $PINNED ? ['worker_cpu_affinity 01;'] : [],
        abdm      => $option{abdm} // [],
        http      => [
            'keepalive_requests 100000000;', 'server {', "    listen 127.0.0.1:$port;", '    access_log off;',
            '    location = /plain { return 202; }', '    location = /static { return 200 "static\n"; }',
            '    location /abdm/ { abdm_callback; }', '    location = /status { abdm_status; }', '}',
        ]);
    $t->start_nginx;
    ($s->{worker}) = $t->workers;
    $t->write_file('token',  $keys->callback_token . "\n");
    $t->write_file('notice', consent_notice() . "\n");
    $t->wait_until(sub { (connection($s)->(notice($s)))[0] == 202 }, 10) or die "no callback is taken\n";
    sleep 1;    # for what came of it
    return $s;
}

sub start_gateway ($s) {
    my $t    = $s->{t};
    my $dir  = $t->dir;
    my ($port) = $t->sim_url =~ /:(\d+)\z/;
    my $certs = $t->certs;
    my $user  = $> == 0   ? 'user www-data;'           : '';
    my $core  = $PINNED   ? 'worker_cpu_affinity 10;' : '';
    my $temp  = join ' ', map { "${_}_temp_path $dir/gateway/$_;" } qw(client_body proxy fastcgi uwsgi scgi);
    my $token = $s->{keys}->session_token;
    $t->write_file('gateway/jwks.json', $JSON->encode($s->{keys}->jwks));
    $t->write_file('gateway/session.json',
        $JSON->encode({ accessToken => $token, expiresIn => 1200, tokenType => 'bearer' }));
    $t->write_file('gateway.conf', <<"CONF");
$user $core
worker_processes 1;
pid $dir/gateway.pid;
error_log $dir/gateway.log warn;
events { worker_connections 1024; }
http {
    $temp
    log_format moment '\$msec \$uri';
    access_log $dir/gateway.access moment;
    default_type application/json;
    server {
        listen 127.0.0.1:$port ssl;
        ssl_certificate     $certs/server.pem;
        ssl_certificate_key $certs/server.key;
        keepalive_requests  100000000;
        root $dir/gateway;
        error_page 405 =200 \$uri;
        location = /api/hiecm/gateway/v3/sessions { error_page 405 =200 /session.json; try_files /session.json =404; }
        location = /session.json { }
        location ~ certs\$ { try_files /jwks.json =404; }
        location / { return 202; }
    }
}
CONF
    spawn(gateway => "$dir/gateway.out", 'nginx', '-p', $dir, '-e', "$dir/gateway.log", '-c', "$dir/gateway.conf",
        '-g', 'daemon off;');
    $t->wait_until(sub { IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $port) }, 10)
        or die 'the gateway does not start: ' . $t->read_file('gateway.log');
    return;
}

sub stop ($s) {
    $s->{t}->stop;
    end_children();
    delete $s->{t};
    return;
}

# A consent notification of usual size; %ID% is the consent's id.
sub consent_notice {
    my $now    = time;
    my @places = map { { patientReference => 'UH100231', careContextReference => "OPD-26-077$_" } } 1 .. 2;
    my $detail = {
        schemaVersion => 'v3', consentId => '%ID%', createdAt => iso($now), patient => { id => 'asha.k@sbx' },
        careContexts => \@places, hip => { id => $HIP, name => 'Demo Hospital', type => 'HIP' },
        hiu => { id => 'IN0880005678_1', name => 'Simulated HIU' }, consentManager => { id => 'sbx' },
        purpose    => { text => 'Care Management', code => 'CAREMGT' },
        requester  => { name => 'Dr. Simulated', identifier => { type => 'REGNO', value => 'XX0001' } },
        hiTypes    => [qw(OPConsultation Prescription DiagnosticReport)],
        permission => {
            accessMode => 'VIEW', dataEraseAt => iso($now + $DAY),
            dateRange => { from => iso($now - $DAY), to => iso($now) },
            frequency => { unit => 'HOUR', value => 1, repeats => 0 },
        },
    };
    return $JSON->encode({ notification => {
        status => 'GRANTED', consentId => '%ID%', consentDetail => $detail, signature => 'c2ln' x 86,
        grantAcknowledgement => Cpanel::JSON::XS::false,
    } });
}

# ---- calls --------------------------------------------------------------------------------------

# A connection to the stand that is kept; gives (status, seconds) of each message sent.
sub connection ($s) {
    my $socket = IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $s->{port}) or die "connect: $@\n";
    $socket->setsockopt(IPPROTO_TCP, TCP_NODELAY, 1);
    return sub ($message) {
        my $start = time;
        syswrite $socket, $message or die "write: $!\n";
        my $answer = '';
        while ($answer !~ /\r\n\r\n/) {
            sysread $socket, $answer, 16_384, length $answer or die "nginx closed the connection\n";
        }
        my ($length) = $answer =~ /^Content-Length: (\d+)/mi;
        while (length($answer) - index($answer, "\r\n\r\n") - 4 < ($length // 0)) {
            sysread $socket, $answer, 16_384, length $answer or die "nginx closed the connection\n";
        }
        return ((split ' ', $answer)[1], time - $start, $answer);
    };
}

# One consent notification, as post.lua makes them.
sub notice ($s) {
    my ($id, $body) = (new_uuid(), $s->{t}->read_file('notice'));
    chomp $body;
    chomp(my $token = $s->{t}->read_file('token'));
    $body =~ s/%ID%/$id/g;
    my $length = length $body;
    return join "\r\n", "POST $CONSENT HTTP/1.1", 'Host: localhost', 'Content-Type: application/json',
        "Content-Length: $length", "X-HIP-ID: $HIP", "REQUEST-ID: $id", 'TIMESTAMP: ' . iso(),
        "Authorization: Bearer $token", '', $body;
}

sub status_of ($s) {
    my (undef, undef, $answer) = connection($s)->("GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n");
    return $JSON->decode(substr $answer, 4 + index $answer, "\r\n\r\n");
}

# Rounds of wrk; gives the best of each figure.
sub load (@what) { return best(map { round(@what) } 1 .. $ROUNDS) }

sub best (@rounds) {
    my %best = map { my $name = $_; ($name => min(map { $_->{$name} } @rounds)) } qw(p50 p99 cpu loop beside);
    for my $name (qw(rate after)) { $best{$name} = max(map { $_->{$name} } @rounds) }
    $best{refused} = sum(map { $_->{refused} } @rounds) / @rounds;
    return \%best;
}

# One round, with the worker's processor time in microseconds for a request. Another call may be made
# beside it, which gives a latency, and one after it, which gives a rate.
sub round ($s, $path, $tokens, %call) {
    my $dir = $s->{t}->dir;
    my $log = "$dir/wrk.out";
    unlink $log;
    $runs++;
    my @before = cpu_of($s->{worker});
    my $start  = time;
    my $pid    = spawn(wrk => $log, on_core(1, 'wrk', '-t1', "-c$CONNECTIONS", "-d${SECONDS}s", qw(--timeout 10s),
        '-s', "$HERE/post.lua", "http://127.0.0.1:$s->{port}", '--', $path, "$dir/$tokens", "$dir/notice",
        time % 1e6 * 1000 + $runs));
    my $beside = $call{beside} ? $call{beside}->() : 0;
    waitpid $pid, 0;
    delete $CHILD{wrk};
    my @after = cpu_of($s->{worker});
    my ($requests, $us, $refused, $errors, $p50, $p99)
        = $s->{t}->read_file('wrk.out') =~ /^figures (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)/m
        or die 'wrk: ' . $s->{t}->read_file('wrk.out');
    die "wrk: $errors connections failed\n" if $errors;
    return {
        rate => $requests / $us * 1e6, refused => $refused / $requests, p50 => $p50 / 1000, p99 => $p99 / 1000,
        cpu  => ($after[0] - $before[0]) / $requests * 1e6, loop => ($after[1] - $before[1]) / $requests * 1e6,
        beside => $beside, after => $call{after} ? $call{after}->($requests, $start) : 0,
    };
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
        push @plain,    round($s, '/plain', 'token');
        push @verified, round($s, $STORED,  'tokens');
        push @cached,   round($s, $STORED,  'token');
    }
    print {$store} "ROLLBACK;\n";
    close $store or die "sqlite3 failed\n";
    stop($s);

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
    stop($s);
    return;
}

sub plain_memory ($s) {
    open my $file, '<', "/proc/$CHILD{gateway}/task/$CHILD{gateway}/children" or die "gateway: $!\n";
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
    my $t = Test::ABDM->new(plugin => 1, log_level => 'warn', main => $PINNED ? ['worker_cpu_affinity 01;'] : []);
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
