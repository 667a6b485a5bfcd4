package Test::ABDM;

# The harness of the end-to-end tests: a directory per test, free ports, a real nginx with the
# module, the simulator and the demo HMIS; and the checks that every test makes of the error log.
#
#   my $t = Test::ABDM->new->start;
#   my $consent = $t->grant(contexts => ['OPD-26-0771']);
#   my $id      = $t->request($consent);
#   my $state   = $t->wait_for(notify => transaction => $id);
#   $t->finish;
#
# Environment: ABDM_BUILD (directory of the build, default build/test), KEEP=1 (leave the directory).

use strict;
use warnings;
use feature 'signatures';
use utf8;

use Carp qw(croak);
use Cpanel::JSON::XS ();
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(make_path remove_tree);
use File::Temp qw(tempdir);
use IO::Socket::IP;
use IO::Socket::UNIX;
use Mojo::UserAgent;
use POSIX qw(WNOHANG);
use Test::Canary;
use Test::More ();
use Time::HiRes qw(sleep time);

my $ROOT = abs_path(dirname(__FILE__) . '/../../..');
my $JSON = Cpanel::JSON::XS->new->utf8->canonical;

# What must never be in a log: people, their numbers, secrets, tokens.
my @CANARIES = ('Asha', 'Kumari', 'Farida', '9000000001', 'asha.k@sbx', 'simulator-secret', 'eyJhbGciOi', 'औषध',
    'Haemoglobin', 'Rampur', 'Chest X-ray');

my $PRIVATE = oct '600';
my $DAY     = 86_400;
my $INDIA   = 5.5 * 3600;    # ahead of UTC

my @PORTS   = (10_000, 32_000);
my @reserved;

# Commands that show what is in the store; what others print was given to them.
my %ON_STORE = map { $_ => 1 } qw(transfers doctor register callbacks explain audit);

my %OPEN;    # harnesses whose processes still run

sub root { return $ROOT }

sub build_dir {
    my $dir = $ENV{ABDM_BUILD} // 'build/test';
    return $dir =~ m{\A/} ? $dir : "$ROOT/$dir";
}

sub module_file { return build_dir() . '/ngx_http_abdm_module.so' }

# For the head of a test: without the module there is nothing to test.
sub need_module ($class) {
    Test::More::plan(skip_all => 'the module is not built: make VARIANT=test') if !-e module_file();
    return $class;
}

# Options: hip, workers, gateway {directive => value}, facility [lines], main [lines], server [lines],
# http [lines], env {name => value} of nginx, abdm [lines], push_allow [networks], module (0: nginx without it), hmis_url, mapping, plugin (0: HMIS without faults).
#
# lines [lines of the facility besides its name and HMIS], sms (1: the simulator is the SMS provider), clock (1: see
# advance), others {ID => {name, lines, sms}}: more facilities, each with an HMIS of its own. under [command]: what nginx
# runs under, as valgrind. store: its directory, if not the test's own.
sub new ($class, %option) {
    my $dir  = tempdir('abdm-XXXXXXXX', TMPDIR => 1);
    my $self = bless {
        dir => $dir, pids => {}, canaries => [@CANARIES], option => \%option, owner => $$,
        hip => $option{hip} // 'IN0990001234_1', port => free_port(), sim_port => free_port(), hmis_port => free_port(),
    }, $class;
    $self->{other_port}{$_} = free_port() for keys %{ $option{others} // {} };
    chmod 0755, $dir;
    if ($> == 0) {
        my ($uid, $gid) = (getpwnam 'www-data')[2, 3];
        chown $uid, $gid, $dir if defined $uid;
    }
    $OPEN{$self} = $self;
    return $self;
}

sub dir ($self)        { return $self->{dir} }
sub store ($self)      { return 'sqlite:' . ($self->{option}{store} // $self->{dir}) . '/abdm.db' }
sub url ($self)        { return "https://127.0.0.1:$self->{port}" }
sub sim_url ($self)    { return "https://127.0.0.1:$self->{sim_port}" }

# Of the facility, or of one of the others.
sub hmis_url ($self, $hip = $self->{hip}) {
    return 'http://127.0.0.1:' . ($self->{other_port}{$hip} // $self->{hmis_port});
}

sub canary ($self, @more) { push @{ $self->{canaries} }, @more; return $self }

# Of those that the kernel gives nobody by itself, and reserved against other tests while this one runs: a server
# that starts later would find the port taken.
sub free_port {
    for (1 .. 1000) {
        my $port = $PORTS[0] + int rand($PORTS[1] - $PORTS[0]);
        my $mine = IO::Socket::UNIX->new(Local => "\0ngx_abdm-test-port-$port", Listen => 1) or next;
        IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => $port, Listen => 1) or next;
        push @reserved, $mine;
        return $port;
    }
    croak 'no port is free';
}

sub start ($self) {
    $self->start_simulator if $self->{option}{simulator} // 1;
    if ($self->{option}{hmis} // 1) { $self->start_hmis($_) for $self->{hip}, sort keys %{ $self->{other_port} // {} } }
    return $self->start_nginx;
}

# ---- processes ----------------------------------------------------------------------------------

sub start_simulator ($self) {
    my $certs = $self->certs;
    $self->_spawn(sim => {}, $^X, "$ROOT/t/sim/simulator.pl", '--port', $self->{sim_port}, '--certs', $certs,
        '--bridge', $self->url . '/abdm');
    $self->wait_port(sim => $self->{sim_port});
    my $others = $self->{option}{others} or return $self;
    $self->sim('/config', { hips => { $self->{hip} => 'Demo Hospital', map { $_ => $others->{$_}{name} } keys %$others } });
    return $self;
}

sub start_hmis ($self, $hip = $self->{hip}) {
    my %env = (MOJO_MODE => 'production', MOJO_LOG_LEVEL => 'warn');
    $env{HMIS_PLUGIN} = 'Hmis::Faults' if $self->{option}{plugin} // 1;
    my $name = $hip eq $self->{hip} ? 'hmis' : "hmis-$hip";
    $self->_spawn($name => \%env, $^X, "$ROOT/t/hmis/hmis.pl", 'daemon', '-l', $self->hmis_url($hip));
    return $self->wait_port($name => $self->{other_port}{$hip} // $self->{hmis_port});
}

sub start_nginx ($self) {
    my $dir = $self->{dir};
    $self->write_conf if !-e "$dir/nginx.conf";
    unlink "$dir/hmis.sock";
    $self->_spawn(nginx => { $self->_nginx_env }, @{ $self->{option}{under} // [] }, 'nginx', '-p', $dir, '-e', "$dir/error.log", '-c', "$dir/nginx.conf",
        '-g', 'daemon off;');
    return $self->wait_port(nginx => $self->{port}, $self->{option}{under} ? 120 : 20);
}

sub _nginx_env ($self) {
    my %env = %{ $self->{option}{env} // {} };
    $env{ABDM_CLOCK_FILE} = $self->_clock_file if $self->{option}{clock};
    if (build_dir() =~ /asan/) {
        chomp($env{LD_PRELOAD} = qx(gcc -print-file-name=libasan.so));
        $env{ASAN_OPTIONS}  //= 'detect_leaks=0:abort_on_error=0';
        $env{UBSAN_OPTIONS} //= 'print_stacktrace=1';
    }
    return %env;
}

# `nginx -t` on the present configuration: (true when it passes, what it said).
sub test_conf ($self) {
    my $dir = $self->{dir};
    local %ENV = (%ENV, $self->_nginx_env);
    my $said = qx(nginx -t -p $dir -e $dir/error.log -c $dir/nginx.conf 2>&1);
    return ($? == 0, $said);
}

sub reload ($self) { return $self->signal_nginx('HUP') }

sub signal_nginx ($self, $signal) {
    kill $signal, $self->{pids}{nginx} or croak "nginx does not run\n";
    return $self;
}

sub stop_nginx ($self, $signal = 'QUIT', $seconds = 15) {
    return $self->_end('nginx', $signal, $seconds);
}

sub workers ($self) {
    my $master = $self->{pids}{nginx} or return;
    open my $list, '<', "/proc/$master/task/$master/children" or return;
    my @pids = split ' ', <$list> // '';
    close $list or return;
    return @pids;
}

# As a power failure: no process gets to do anything more.
sub kill_nginx ($self) {
    kill 'STOP', $self->{pids}{nginx} or croak "nginx does not run\n";    # it starts no worker meanwhile
    my @workers = $self->workers;
    my $master  = delete $self->{pids}{nginx};
    kill 'KILL', $master, @workers;
    waitpid $master, 0;
    $self->wait_until(sub { !grep { _runs($_) } @workers }, 5);
    if ($self->{pids}{sim}) {
        $self->sim('/clock');    # by then it has read all that was sent
        $self->sim('/died', {});
    }
    return $self;
}

# A process that has ended and that nobody has waited for does not run; but it has its sockets until
# the last of its threads has ended, whatever is told of the first.
sub _runs ($pid) {
    for my $thread (glob "/proc/$pid/task/*/stat") {
        open my $stat, '<', $thread or next;
        my $line = <$stat> // '';
        return 1 if close $stat and $line =~ /\) [^ZX]/;
    }
    return 0;
}

sub _spawn ($self, $name, $env, @command) {
    my $log = "$self->{dir}/$name.log";
    my $pid = fork // croak "fork: $!";
    if (!$pid) {
        local %ENV = (%ENV, %$env);
        open STDOUT, '>>', $log or POSIX::_exit(126);
        open STDERR, '>&', \*STDOUT or POSIX::_exit(126);
        open STDIN, '<', '/dev/null' or POSIX::_exit(126);
        exec { $command[0] } @command or POSIX::_exit(127);
    }
    $self->{pids}{$name} = $pid;
    return $pid;
}

sub alive ($self, $name) {
    my $pid = $self->{pids}{$name} or return 0;
    return waitpid($pid, WNOHANG) == 0;
}

sub wait_port ($self, $name, $port, $seconds = 20) {
    my $ready = $self->wait_until(sub {
        $self->alive($name) or croak "$name died: " . $self->log_of($name);
        IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $port, Timeout => 1);
    }, $seconds);
    croak "$name does not listen on port $port: " . $self->log_of($name) if !$ready;
    return $self;
}

sub _end ($self, $name, $signal, $seconds) {
    my $pid = delete $self->{pids}{$name} or return $self;
    kill $signal, $pid;
    my $gone = $self->wait_until(sub { waitpid($pid, WNOHANG) != 0 }, $seconds);
    if (!$gone) {
        Test::More::diag("$name did not end on SIG$signal within $seconds s");
        kill 'KILL', $pid;
        waitpid $pid, 0;
    }
    $self->{late}{$name} = 1 if !$gone;
    return $self;
}

# Ends all of it, and looks for what nobody may know (see Test::Canary): what was found is in {leaks}, until somebody
# has seen it there.
sub stop ($self) {
    my $ran   = %{ $self->{pids} };
    my @birds = $ran ? Test::Canary::gather($self) : ();
    my %live  = $ran ? Test::Canary::live($self)   : ();
    $self->_end('nginx', 'QUIT', 15);
    $self->_end($_, 'TERM', 3) for sort keys %{ $self->{pids} };
    push @{ $self->{leaks} }, Test::Canary::leaks($self, \%live, @birds) if $ran;
    return $self;
}

# ---- time ---------------------------------------------------------------------------------------

sub _clock_file ($self) {
    my $path = "$self->{dir}/clock";
    $self->write_file('clock', pack 'q', $self->{ahead} // 0) if !-e $path;
    return $path;
}

# Moves the clock of nginx and of the simulator by so many milliseconds, also back (option clock).
sub advance ($self, $ms) {
    $self->{ahead} = ($self->{ahead} // 0) + $ms;
    if ($self->{option}{simulator} // 1) { $self->sim('/clock', { move => $ms / 1000 }) }    # first: what then becomes due meets the gateway of that time
    return $self->set_clock($self->{ahead});
}

# That of nginx alone: so many milliseconds from the machine's.
sub set_clock ($self, $ms) {
    my $path = $self->_clock_file;
    open my $file, '+<:raw', $path or croak "$path: $!";
    syswrite($file, pack 'q', $ms) == 8 or croak "$path: $!";    # workers have it mapped
    close $file or croak "$path: $!";
    return $self;
}

# The time by that clock, in seconds.
sub now ($self) { return time + ($self->{ahead} // 0) / 1000 }

# Moves it on to the next time that it is "HH:MM" in India.
sub advance_to ($self, $clock) {
    my ($hour, $minute) = split /:/, $clock;
    my $day = ($self->now + $INDIA) / $DAY;
    my $ms  = ((60 * $hour + $minute) * 60 - ($day - int $day) * $DAY) * 1000;
    return $self->advance(int($ms > 0 ? $ms : $ms + $DAY * 1000));
}

# ---- files --------------------------------------------------------------------------------------

sub certs ($self) {
    my $dir = "$self->{dir}/certs";
    system($^X, "$ROOT/t/sim/certs.pl", $dir) == 0 or croak 'no certificates';
    return $dir;
}

sub write_file ($self, $name, $bytes, $mode = 0644) {
    my $path = "$self->{dir}/$name";
    make_path(dirname($path));
    open my $file, '>:raw', $path or croak "$path: $!";
    print {$file} $bytes;
    close $file or croak "$path: $!";
    chmod $mode, $path;
    $self->{written}{$name} = 1;
    return $path;
}

sub read_file ($self, $name) {
    open my $file, '<:raw', "$self->{dir}/$name" or return '';
    my $bytes = do { local $/ = undef; <$file> };
    close $file or croak "$name: $!";
    return $bytes // '';
}

sub log_of ($self, $name) { return $self->read_file("$name.log") }
sub error_log ($self)     { return $self->read_file('error.log') }

# Writes nginx.conf from the options of new, changed by these.
sub write_conf ($self, %change) {
    my %option = %{ $self->{option} } = (%{ $self->{option} }, %change);
    my $dir    = $self->{dir};
    my $certs  = $self->certs;
    make_path("$dir/tmp");
    my $lines = sub ($indent, @lines) { join '', map { (' ' x $indent) . "$_\n" } @lines };
    my $user    = $> == 0 ? 'user www-data;' : '';
    my $workers = $option{workers} // 1;
    my $module  = ($option{module} // 1) ? 'load_module ' . module_file() . ';' : '';
    my $temp    = join "\n", map { "    ${_}_temp_path $dir/tmp/$_;" } qw(client_body proxy fastcgi uwsgi scgi);
    my ($abdm, $places) = ('', '');
    if ($option{module} // 1) {
        $abdm   = $self->_abdm_conf(\%option, $lines);
        $places = $lines->(8, 'location /abdm/ { abdm_callback; }', 'location /abdm/api/v1/ { abdm_api; access_log off; }',
            'location /nha/ { abdm_api nha; access_log off; }', 'location = /abdm/status { abdm_status; }');
    }
    my @clock        = $option{clock} ? 'env ABDM_CLOCK_FILE;' : ();
    my $extra_main   = $lines->(0, @clock, @{ $option{main}   // [] });
    my $extra_http   = $lines->(4, @{ $option{http}   // [] });
    my $extra_server = $lines->(8, @{ $option{server} // [] });
    return $self->write_file('nginx.conf', <<"CONF");
$module
$user
worker_processes $workers;
pid $dir/nginx.pid;
error_log $dir/error.log @{[ $option{log_level} // 'info' ]};
$extra_main
events { worker_connections 1024; }
http {
$temp
    access_log $dir/access.log;
    client_max_body_size 1m;
$abdm$extra_http
    server {
        listen 127.0.0.1:$self->{port} ssl;
        ssl_certificate     $certs/server.pem;
        ssl_certificate_key $certs/server.key;
        keepalive_requests  100000;
$places$extra_server        location /hmis/ { proxy_pass http://127.0.0.1:$self->{hmis_port}/; }
    }
    server {
        listen unix:$dir/hmis.sock;
        access_log off;
        error_log  $dir/error.log emerg;    # addresses name patients
        location / { proxy_pass http://127.0.0.1:$self->{hmis_port}; }
    }
}
CONF
}

sub _abdm_conf ($self, $option, $lines) {
    my $dir = $self->{dir};
    $self->write_file('client_secret', "simulator-secret\n", $PRIVATE) if !-e "$dir/client_secret";
    $self->write_file('secret.key', random_key(), $PRIVATE) if !-e "$dir/secret.key";
    my $sim     = $self->sim_url;
    my $issuer  = "$sim/auth/realms/central-registry";
    my %gateway = (
        client_id => 'SBXID_000001', client_secret => "$dir/client_secret", url => $sim, cm_id => 'sbx',
        issuer => $issuer, jwks_url => "$issuer/protocol/openid-connect/certs", caller => 'gateway',
        trusted_certificate => "$dir/certs/ca.pem", token_leeway => '3600s', %{ $option->{gateway} // {} },
    );
    my @gateway  = map { "$_ $gateway{$_};" } grep { defined $gateway{$_} } sort keys %gateway;
    my $mapping  = $option->{mapping}  // "$ROOT/conf/hmis/demo";
    my $hmis     = $option->{hmis_url} // "http://unix:$dir/hmis.sock:/";
    my @facility = @{ $option->{facility} // ['name "Demo Hospital";', "hmis rest $hmis mapping=$mapping;"] };
    my @abdm     = @{ $option->{abdm} // [] };
    return $lines->(4,
        "abdm_store      @{[ $self->store ]};", "abdm_secret_key $dir/secret.key;",
        (map { "abdm_push_allow $_;" } @{ $option->{push_allow} // ['127.0.0.0/8'] }), @abdm, 'abdm_gateway custom {', (map { "    $_" } @gateway), '}',
        $self->_facility_conf($self->{hip}, $option, @facility), $self->_others_conf($option->{others} // {}, $mapping));
}

sub _facility_conf ($self, $hip, $wish, @lines) {
    push @lines, @{ $wish->{lines} // [] };
    push @lines, $self->_sms_line($hip) if $wish->{sms};
    return ("abdm_facility $hip {", (map { "    $_" } @lines), '}');
}

sub _others_conf ($self, $others, $mapping) {
    return map {
        my $hmis = $self->hmis_url($_);
        $self->_facility_conf($_, $others->{$_}, "name \"$others->{$_}{name}\";", "hmis rest $hmis mapping=$mapping;");
    } sort keys %$others;
}

# The simulator as the facility's SMS provider; calls of each facility have a path of their own.
sub _sms_line ($self, $hip) {
    my %call = (
        path => "/sms/$hip", json => { to => '91{mobile}', message => '{text}', DLT_TE_ID => '{template_id}', PE_ID => '{entity_id}' },
        success  => { member => 'status', equals => 'success' },
        messages => { otp => {
            text => '{otp} is your code to link records of {facility} to your ABHA. Valid {minutes} minutes.',
            vars => { template_id => '1107000000000000001', entity_id => '1101000000000000001' },
        } },
    );
    my $file = $self->write_file("sms-$hip.json", $JSON->encode(\%call));
    return 'sms ' . $self->sim_url . " template=$file;";
}

# 32 random bytes as hexadecimal digits.
sub random_key {
    open my $random, '<:raw', '/dev/urandom' or croak "/dev/urandom: $!";
    read $random, my $bytes, 32;
    close $random or croak "/dev/urandom: $!";
    return unpack('H*', $bytes) . "\n";
}

# ---- talking to the parts -----------------------------------------------------------------------

sub ua ($self) {
    return $self->{ua} //= Mojo::UserAgent->new(ca => "$self->{dir}/certs/ca.pem", inactivity_timeout => 120,
        request_timeout => 300, max_response_size => 0);
}

# A control call of the simulator: GET without a body, else POST. Dies when it is refused.
sub sim ($self, $path, $body = undef) { return $self->_control($self->sim_url . "/_sim$path", $body) }

sub sim_delete ($self, $path) { return $self->ua->delete($self->sim_url . "/_sim$path")->result->json }

# A call of the HMIS: `/_test/fault` with a body, `/api/...` without.
sub hmis ($self, $path, $body = undef, $hip = $self->{hip}) { return $self->_control($self->hmis_url($hip) . $path, $body) }

sub hmis_bytes ($self, $path) { return $self->ua->get($self->hmis_url . $path)->result->body }

sub _control ($self, $url, $body) {
    my $tx  = $body ? $self->ua->post($url => json => $body) : $self->ua->get($url);
    my $res = $tx->result;
    croak "$url: " . $res->code . ' ' . $res->body if !$res->is_success;
    return $JSON->decode($res->body);
}

# A call of the module's API: a path below /abdm/api/v1/, or a whole one. The body may be JSON text as well. Gives
# {status, body}: the body decoded, if it is JSON.
sub api ($self, $method, $path, $body = undef, %headers) {
    my $url = $self->url . ($path =~ m{\A/} ? $path : "/abdm/api/v1/$path");
    my @content;
    if (defined $body) {
        $headers{'Content-Type'} //= 'application/json';
        @content = ref $body ? $JSON->encode($body) : $body;
    }
    my $res = $self->ua->start($self->ua->build_tx($method => $url => \%headers => @content))->result;
    return { status => $res->code, body => eval { $JSON->decode($res->body) } };
}

# A consent, granted at the bridge. Fields are those of the simulator's POST /_sim/consents, and
# notify => {...} goes to its notification. The answer's status is in $consent->{sent}{status}.
sub grant ($self, %wish) {
    my $notify  = delete $wish{notify} // {};
    my $consent = $self->sim('/consents', { hip => $self->{hip}, %wish });
    $consent->{sent} = $self->sim("/consents/$consent->{consent_id}/notify", { status => 'GRANTED', %$notify });
    return $consent;
}

sub announce ($self, $consent, $status, %wish) {
    return $self->sim("/consents/$consent->{consent_id}/notify", { status => $status, %wish });
}

# Asks for the data of a consent; gives the transaction id, and in list context the answer too.
sub request ($self, $consent, %wish) {
    my $sent = $self->sim("/consents/$consent->{consent_id}/request", \%wish);
    return wantarray ? ($sent->{transaction_id}, $sent) : $sent->{transaction_id};
}

# wait_for(notify => transaction => $id), (ack => consent => $id), (pages => transaction => $id, count => 2),
# (call => path => 'on-request$', count => 1): what the simulator then knows, or nothing in time.
sub wait_for ($self, $what, %wish) {
    my $got = $self->sim('/wait', { for => $what, timeout_ms => 10_000, %wish });
    return $got->{happened} ? $got : undef;
}

# Many transfers at once (the simulator's storm); gives its report, finished or not after timeout_s.
sub storm ($self, %wish) {
    my $id = $self->sim('/storm', \%wish)->{id};
    $self->wait_until(sub { $self->sim("/storm/$id")->{finished} }, ($wish{timeout_s} // 60) + 5, 0.5);
    return $self->sim("/storm/$id");
}

sub wait_until ($self, $test, $seconds = 15, $step = 0.02) {
    my $end = time + $seconds;
    while (1) {
        my $got = $test->();
        return $got if $got;
        return if time >= $end;
        sleep $step;
    }
    return;
}

# The `abdm` command: (exit status, what it printed, what it complained).
sub abdm ($self, @arguments) {
    my ($out, $err) = map { "$self->{dir}/abdm.$_" } qw(out err);
    my $pid = fork // croak "fork: $!";
    if (!$pid) {
        open STDOUT, '>', $out or POSIX::_exit(126);
        open STDERR, '>', $err or POSIX::_exit(126);
        my $program = build_dir() . '/abdm';
        exec {$program} $program, @arguments or POSIX::_exit(127);
    }
    waitpid $pid, 0;
    my $status = $? >> 8;
    my @said   = map { $self->read_file($_) } qw(abdm.out abdm.err);
    $self->{said} .= join q{}, @said if grep { $ON_STORE{$_} } @arguments;
    return ($status, @said);
}

# What `abdm --json COMMAND` prints of the store, decoded; nothing when it refuses.
sub report ($self, @command) {
    my ($status, $out) = $self->abdm('--store', $self->store, '--json', @command);
    return $status == 0 ? $JSON->decode($out) : undef;
}

sub explain ($self, $id) { return $self->report(explain => $id) }

# A transfer as `abdm transfers` lists it.
sub listed ($self, $id) {
    my ($row) = grep { $_->{transactionId} eq $id } @{ $self->report(transfers => 100_000)->{transfers} };
    return $row;
}

# The codes that decided something in the history of a transfer or consent, in order.
sub reasons ($self, $id) {
    my $told = $self->explain($id) // { history => [] };
    return map { $_->{reason} // () } @{ $told->{history} };
}

# What still waits for these ids. The end of a transfer's time, for which a job stands by, is no work.
sub open_work ($self, @ids) {
    return map { my $id = $_; map { "$id: $_->{then}" } grep { $_->{then} ne 'transfer.over' } @{ ($self->explain($id) // {})->{waiting} // [] } } @ids;
}

# ---- the end of a test --------------------------------------------------------------------------

# The simulator saw nothing that the protocol forbids.
sub no_violations ($self, $name = 'every message kept to the protocol') {
    my $seen = $self->sim('/violations');
    my $ok   = Test::More::is($seen->{count}, 0, $name);
    if (!$ok) { Test::More::diag("$_->{path}: $_->{rule}: $_->{message}") for @{ $seen->{violations} } }
    return $ok;
}

# Stops all, looks through the log, and ends the test. Options: alerts => qr/allowed/.
sub finish ($self, %option) {
    $self->stop;
    Test::More::ok(!$self->{late}{nginx}, 'nginx ends when it is told to');
    my $log    = $self->error_log;
    my $logs   = join '', $log, $self->read_file('access.log'), $self->log_of('nginx');
    my @alerts = grep { /\[(?:alert|emerg)\]/ } split /\n/, $log;
    @alerts = grep { $_ !~ $option{alerts} } @alerts if $option{alerts};
    Test::More::is("@alerts", '', 'no alert in the error log');
    Test::More::unlike($logs, qr/Sanitizer|runtime error:/, 'no sanitizer report');
    my @leaked = grep { index($logs, _utf8($_)) >= 0 } @{ $self->{canaries} };
    Test::More::is("@leaked", '', 'no person, number or secret in any log');
    Test::More::is(join("\n", splice @{ $self->{leaks} //= [] }), '', 'nor in the store, the audit or what abdm says, in any spelling');
    if (!Test::More->builder->is_passing) { Test::More::diag(_tail($log)) }
    $self->_remove;
    Test::More::done_testing();
    return;
}

sub _utf8 ($text) { utf8::encode(my $bytes = $text); return $bytes }

sub _tail ($log) { return join "\n", 'the end of error.log:', (split /\n/, $log)[-20 .. -1] }

sub _remove ($self) {
    delete $OPEN{$self};
    if   ($ENV{KEEP}) { Test::More::diag("kept: $self->{dir}") }
    else              { remove_tree($self->{dir}) }
    return;
}

# A test that died leaves no process behind, and one that did not ask what leaked is told.
END {
    my $status = $?;
    for my $self (grep { $_->{owner} == $$ } values %OPEN) {
        $self->stop;
        my @leaks = @{ $self->{leaks} // [] };
        print {*STDERR} map { "# leaked: $_\n" } @leaks;
        $status ||= 1 if @leaks;
        $self->_remove;
    }
    $? = $status;
}

1;
