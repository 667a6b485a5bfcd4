package Test::Stand;

# Where callbacks are counted by the hundred thousand: nginx with the module before a gateway that answers at
# once, and wrk as whoever calls. For `make bench` and `make soak`.
#
#   my $s = stand(workers => 2);
#   my $got = Test::Stand::round($s, 10, Test::Stand::CONSENT, 'token');    # 10 s of consent notifications
#   Test::Stand::stop($s);

use strict;
use warnings;
use feature qw(signatures state);
use utf8;

use Cpanel::JSON::XS ();
use Exporter qw(import);
use IO::Socket::IP;
use POSIX qw(sysconf _SC_CLK_TCK);
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(sleep time);

use Sim::Clock qw(iso new_uuid);
use Sim::Keys;
use Test::ABDM;

our @EXPORT_OK = qw(connection cpu_of end_children memory_of notice on_core stand status_of);

my $JSON = Cpanel::JSON::XS->new->utf8->canonical;
my $LUA  = Test::ABDM->root . '/t/bench/post.lua';
my %CHILD;    # processes of ours beside those of the harness

sub HIP     { return 'IN0990001234_1' }
sub STORED  { return '/abdm/api/v3/bench/notify' }    # nobody's event: kept for the operator
sub CONSENT { return '/abdm/api/v3/consent/request/hip/notify' }
sub DAY     { return 86_400 }

sub is_pinned { state $many = qx(nproc) > 1; return $many }

# ---- processes ----------------------------------------------------------------------------------

sub on_core ($core, @command) { return is_pinned() ? ('taskset', '-c', $core, @command) : @command }

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

# ---- the stand --------------------------------------------------------------------------------

# nginx with the module before a gateway that answers at once: another nginx, for the simulator would be
# slower than what is measured.
sub stand (%option) {
    my $t      = Test::ABDM->new(simulator => 0, hmis => 0, lines => ['poll off;'], %option);
    my $port   = Test::ABDM::free_port();
    my $issuer = $t->sim_url . '/auth/realms/central-registry';
    my $keys   = Sim::Keys->new(issuer => $issuer, client_id => 'SBXID_000001');
    my $s      = { t => $t, port => $port, keys => $keys, connections => 64, runs => 0 };
    start_gateway($s);
    $t->write_conf(
        log_level => 'crit',    # refusals are not what is measured
        main      => is_pinned() && ($option{workers} // 1) == 1 ? ['worker_cpu_affinity 01;'] : [],
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
    my $core  = is_pinned() ? 'worker_cpu_affinity 10;' : '';
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
    $s->{gateway} = spawn(gateway => "$dir/gateway.out", 'nginx', '-p', $dir, '-e', "$dir/gateway.log", '-c', "$dir/gateway.conf",
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
        careContexts => \@places, hip => { id => HIP, name => 'Demo Hospital', type => 'HIP' },
        hiu => { id => 'IN0880005678_1', name => 'Simulated HIU' }, consentManager => { id => 'sbx' },
        purpose    => { text => 'Care Management', code => 'CAREMGT' },
        requester  => { name => 'Dr. Simulated', identifier => { type => 'REGNO', value => 'XX0001' } },
        hiTypes    => [qw(OPConsultation Prescription DiagnosticReport)],
        permission => {
            accessMode => 'VIEW', dataEraseAt => iso($now + DAY),
            dateRange => { from => iso($now - DAY), to => iso($now) },
            frequency => { unit => 'HOUR', value => 1, repeats => 0 },
        },
    };
    return $JSON->encode({ notification => {
        status => 'GRANTED', consentId => '%ID%', consentDetail => $detail, signature => 'c2ln' x 86,
        grantAcknowledgement => Cpanel::JSON::XS::false,
    } });
}

# ---- calls ------------------------------------------------------------------------------------

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
    return join "\r\n", 'POST ' . CONSENT . ' HTTP/1.1', 'Host: localhost', 'Content-Type: application/json',
        "Content-Length: $length", 'X-HIP-ID: ' . HIP, "REQUEST-ID: $id", 'TIMESTAMP: ' . iso(),
        "Authorization: Bearer $token", '', $body;
}

sub status_of ($s) {
    my (undef, undef, $answer) = connection($s)->("GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n");
    return $JSON->decode(substr $answer, 4 + index $answer, "\r\n\r\n");
}

# One round, with the worker's processor time in microseconds for a request. Another call may be made
# beside it, which gives a latency, and one after it, which gives a rate.
sub round ($s, $seconds, $path, $tokens, %call) {
    my $dir = $s->{t}->dir;
    my $log = "$dir/wrk.out";
    unlink $log;
    $s->{runs}++;
    my @before = cpu_of($s->{worker});
    my $start  = time;
    my $pid    = spawn(wrk => $log, on_core(1, 'wrk', '-t1', "-c$s->{connections}", "-d${seconds}s", qw(--timeout 10s),
        '-s', "$LUA", "http://127.0.0.1:$s->{port}", '--', $path, "$dir/$tokens", "$dir/notice",
        time % 1e6 * 1000 + $s->{runs}));
    my $beside = $call{beside} ? $call{beside}->() : 0;
    waitpid $pid, 0;
    delete $CHILD{wrk};
    my @after = cpu_of($s->{worker});
    my ($requests, $us, $refused, $errors, $p50, $p99)
        = $s->{t}->read_file('wrk.out') =~ /^figures (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)/m
        or die 'wrk: ' . $s->{t}->read_file('wrk.out');
    die "wrk: $errors connections failed\n" if $errors;
    return {
        requests => $requests, rate => $requests / $us * 1e6, refused => $refused / $requests, p50 => $p50 / 1000, p99 => $p99 / 1000,
        cpu  => ($after[0] - $before[0]) / $requests * 1e6, loop => ($after[1] - $before[1]) / $requests * 1e6,
        beside => $beside, after => $call{after} ? $call{after}->($requests, $start) : 0,
    };
}

1;
