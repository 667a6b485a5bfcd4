#!/usr/bin/env perl

# abdm doctor: an installation that is as it must be has no finding, and each thing that can be wrong with
# one is named together with how to mend it. abdm register: what ABDM is told can be read back, and
# another system's URL is not overwritten unasked.

use strict;
use warnings;
use feature 'signatures';
use utf8;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Cpanel::JSON::XS ();
use Mojo::JSON qw(decode_json);
use Test::ABDM;
use Test::More;

Test::ABDM->need_module;
my $JSON  = Cpanel::JSON::XS->new->utf8->canonical;
my $ROOT  = "$FindBin::Bin/../..";
my $PUBLIC = oct '640';
my $other = Test::ABDM::free_port();
my $t     = Test::ABDM->new(push_allow => [], gateway => { jwks_url => undef });
my $dir   = $t->{dir};
my $certs = $t->certs;
my @STORE = ('--store', "sqlite:$dir/abdm.db");
my $doc   = $t->write_file('sms.json', $JSON->encode({
    path => '/sms/send', json => { to => '91{mobile}', text => '{text}' },
    success => { member => 'status', equals => 'success' },
    messages => { otp => { text => '{otp} is your code for {facility}, valid {minutes} minutes' } },
}));
my $demo = "$ROOT/conf/hmis/demo";

# Compiling its programs takes most of the time of a run, so most have those alone that are asked.
my %questions = %{ decode_json(slurp("$demo/mapping.json")) };
delete @questions{qw(save_profile send_otp verify_otp tell)};
mapping('lean', %questions);
my @FACILITY = ("hmis rest http://unix:$dir/hmis.sock:/ mapping=$dir/lean;", "sms @{[ $t->sim_url ]} template=$doc;");

# Sites that may stand under a name in the place of the module.
$t->{option}{facility} = ['name "Demo Hospital";', @FACILITY];
$t->{option}{server}   = [
    'location /moved/ { return 301 https://elsewhere.example/; }', 'location /dead/ { proxy_pass http://127.0.0.1:1; }',
    'location /site/ { return 200 "<html>Welcome</html>"; }',
    qq(location /locked/ { auth_basic "Staff"; auth_basic_user_file $dir/nobody; proxy_pass http://127.0.0.1:1; })];
$t->{option}{http} = ["server { listen 127.0.0.1:$other ssl; ssl_certificate $certs/server.pem; ssl_certificate_key $certs/server.key;",
    '    location /abdm/ { abdm_callback; deny all; } }'];
$t->write_file('nobody', '');
$t->start;

my $description = decode_json($t->read_file('abdm.conf.json'));

sub slurp ($file) {
    open my $in, '<:raw', $file or die "$file: $!\n";
    my $bytes = do { local $/ = undef; <$in> };
    close $in or die "$file: $!\n";
    return $bytes;
}

# A directory with the programs of the demo and these questions.
sub mapping ($name, %asked) {
    for my $file (glob "$demo/*.jq") { $t->write_file("$name/" . ($file =~ s{.*/}{}r), slurp($file)) }
    return $t->write_file("$name/mapping.json", $JSON->encode(\%asked));
}

# A description like that of nginx, but for some values; "gateway.url" is one of the gateway.
sub changed (%change) {
    my $config = decode_json($JSON->encode($description));
    for my $name (keys %change) {
        my ($part, $member) = $name =~ /\A(\w+)[.](\w+)\z/;
        my $object = !defined $part ? $config : $part eq 'facility' ? $config->{facility}[0] : $config->{$part};
        $object->{ $member // $name } = $change{$name};
        delete $object->{ $member // $name } if !defined $change{$name};
    }
    return ('--config', $t->write_file('changed.json', $JSON->encode($config), $PUBLIC));
}

# Runs the command; the report, with the exit status in it.
sub run_json (@command) {
    my ($status, $out, $err) = $t->abdm(@STORE, '--json', @command);
    is($err, '', 'no complaint');
    my $report = eval { decode_json($out) } // { findings => [] };
    return { %$report, status => $status };
}

sub doctor (@option) { return run_json('doctor', @option) }

sub rows ($report, $check) { return grep { $_->{check} eq $check } @{ $report->{findings} } }

# The report has such a finding, which says that, and how to mend it.
sub has ($report, $check, $state, $seen, $remedy = undef) {
    my @rows  = rows($report, $check);
    my ($row) = grep { $_->{state} eq $state && "$_->{subject}: $_->{seen}" =~ $seen } @rows;
    ok($row, "$check: $state, $seen") or diag(map { "  $_->{state} $_->{subject}: $_->{seen} -> $_->{remedy}\n" } @rows);
    like($row ? $row->{remedy} : '', $remedy, 'and the remedy') if defined $remedy;
    my $status = $report->{fail} ? 1 : $report->{warn} ? 3 : 0;
    is($report->{status}, $status, "exit status $status");
    return $row;
}

sub failing ($report) { return map { "$_->{check}: $_->{seen}" } grep { $_->{state} eq 'fail' } @{ $report->{findings} } }

# Only that fails, and nothing else.
sub only_fails ($report, @checks) {
    my %failing = map { $_->{check} => 1 } grep { $_->{state} eq 'fail' } @{ $report->{findings} };
    return is_deeply([sort keys %failing], [sort @checks], "nothing else is wrong") || diag(join "\n", failing($report));
}

# ---- a good installation ------------------------------------------------------------------------

subtest 'a good installation has no finding' => sub {
    my $report = doctor();
    is($report->{status}, 0, 'exit status 0');
    is("$report->{fail} $report->{warn}", '0 0', 'neither wrong nor to look at')
        or diag(map { "$_->{state} $_->{check} $_->{subject}: $_->{seen}\n" } grep { $_->{state} =~ /fail|warn/ } @{ $report->{findings} });
    my %areas = map { $_->{area} => 1 } @{ $report->{findings} };
    is_deeply([sort keys %areas], [qw(callbacks configuration files gateway hospital network registration store)], 'every area');
    is_deeply([map { $_->{subject} } rows($report, 'find_patients')], [map { "IN0990001234_1[$_]" } 0 .. 2], 'every question');
    is(scalar(rows($report, 'keys')), 2, 'both key sets');
    has($report, 'reachable', 'ok', qr/this module answers there/);
    has($report, 'care_contexts', 'skipped', qr/needs a real patient; try with --patient REF/);
    has(doctor(changed('facility.hmis_mapping' => $demo)), $_, 'skipped', qr/it would change something/) for qw(save_profile tell);
    my ($status, $text) = $t->abdm(@STORE, 'doctor');
    is($status, 0, 'the same as text');
    like($text, qr/^gateway\n.*session\s+SBXID_000001: given for 20 min/ms, 'by areas');
    unlike($text . $JSON->encode($report), qr/simulator-secret|eyJhbGci|Asha|900000000/, 'nothing personal and no secret');
};

subtest 'with a patient care contexts and records are counted, and nothing is told of them' => sub {
    my $report = doctor('--patient', 'UH100231');
    has($report, 'care_contexts', 'ok', qr/care contexts: [1-9]/);
    has($report, 'records', 'ok', qr/records in the first care context: [1-9]/);
    unlike($JSON->encode($report), qr/UH100231|OPD-|Asha|Kumari/, 'no reference, no name');
    has(doctor('--patient', 'UH999'), 'care_contexts', 'fail', qr/status 404/, qr/somebody whom it does not know/);
};

subtest 'a test message is sent only when it is asked for' => sub {
    is(scalar @{ $t->sim('/sms')->{sms} // [] }, 0, 'none up to now');
    has(doctor('--sms', '9876543210'), 'sms', 'ok', qr/took a test message/);
    my $last = $t->sim('/sms/last?mobile=9876543210');
    like($last->{text}, qr/\A000000 is your code for Demo Hospital/, 'it came');
    $t->sim('/faults', { path => '^/sms/', action => 'status', status => 200, body => { status => 'denied' } });
    has(doctor('--sms', '9876543210'), 'sms', 'fail', qr/did not take a test message/, qr/DLT template/);
    $t->sim_delete('/faults');
};

# ---- the description ----------------------------------------------------------------------------

subtest 'nginx leaves the description of what it loads, and of nothing else' => sub {
    my @stat = stat "$dir/abdm.conf.json";
    is($stat[4], $>, 'it belongs to whoever started nginx');
    is(sprintf('%o', $stat[2] & oct '7777'), '640', 'others cannot read it');
    unlike($t->read_file('abdm.conf.json'), qr/simulator-secret/, 'no secret is in it');
    $t->write_conf(facility => ['name "Second Hospital";', @FACILITY]);
    ok(($t->test_conf)[0], 'nginx -t');
    is((stat "$dir/abdm.conf.json")[1], $stat[1], 'writes nothing');
    $t->reload;
    ok($t->wait_until(sub { $t->read_file('abdm.conf.json') =~ /Second Hospital/ }), 'a reload does');
    $t->write_conf(facility => ['name "Demo Hospital";', @FACILITY]);
    $t->reload;
    ok($t->wait_until(sub { $t->read_file('abdm.conf.json') =~ /Demo Hospital/ }), 'and the next one too');
    is_deeply(decode_json($t->read_file('abdm.conf.json')), $description, 'with all that is configured');
};

subtest 'a description that is not there, or not to be trusted, is refused with what to do' => sub {
    my ($status, $out, $err) = $t->abdm('--store', "sqlite:$dir/none.db", 'doctor');
    is($status, 1, 'not there: status 1');
    like($err, qr/E_CONFIG: "\Q$dir\E\/none.conf.json": it is not there: nginx writes it/, 'and why');
    my (undef, $file) = changed();
    chmod oct '666', $file;
    ($status, $out, $err) = $t->abdm('doctor', '--config', $file);
    is($status, 1, 'written by anybody: status 1');
    like($err, qr/not to be trusted: run the command as the user that starts nginx/, 'and why');
    unlink $file;
};

subtest 'a description of another version is told' => sub {
    has(doctor('--offline', changed(version => '0.0.9')), 'description', 'warn', qr/0[.]0[.]9, while this is/, qr/restart nginx/);
};

# ---- this machine -------------------------------------------------------------------------------

subtest 'a secret that others can read is named, and the rest is told as skipped' => sub {
    for my $file (qw(client_secret secret.key)) {
        my $check = $file =~ s/[.]/_/r;
        chmod oct '644', "$dir/$file";
        my $report = doctor();
        has($report, $check, 'fail', qr/mode 644: others/, qr{chmod 600 \Q$dir/$file\E});
        has($report, 'loads', 'fail', qr/\Q$file\E/);
        only_fails($report, $check, 'loads');
        has($report, 'hosts', 'skipped', qr/cannot be loaded/);
        chmod oct '600', "$dir/$file";
    }
    SKIP: {
        skip 'workers are another user only for root', 2 if $> != 0;
        chown scalar(getpwnam 'www-data'), -1, "$dir/client_secret";
        has(doctor('--offline'), 'client_secret', 'warn', qr/of www-data/, qr/chown root/);
        chown 0, -1, "$dir/client_secret";
    }
};

subtest 'files that are gone, loose or of another user are named' => sub {
    has(doctor('--offline', changed('gateway.client_secret_file' => "$dir/gone")), 'client_secret', 'fail', qr/No such file/,
        qr/put it there/);
    chmod oct '666', "$dir/abdm.db";
    has(doctor('--offline'), 'store', 'warn', qr/mode 666/, qr/chmod 600/);
    chmod oct '600', "$dir/abdm.db";
    chmod oct '777', $dir;
    has(doctor('--offline'), 'directory', 'fail', qr/everybody may write/, qr/chmod 750/);
    chmod oct '755', $dir;
    SKIP: {
        skip 'workers are another user only for root', 2 if $> != 0;
        chown 0, 0, $dir;
        has(doctor('--offline'), 'directory', 'fail', qr/workers \(www-data\) cannot write/, qr/chown www-data/);
        chown scalar(getpwnam 'www-data'), scalar(getgrnam 'www-data'), $dir;
    }
};

subtest 'the key of another store is named, and nginx does not take it' => sub {
    my $right = $t->read_file('secret.key');
    my @workers = $t->workers;
    my $report = doctor('--offline', changed(secret_key_file => $t->write_file('other.key', Test::ABDM::random_key(), oct '600')));
    has($report, 'opens', 'fail', qr/another secret key.*abdm_secret_key/, qr/name that key's file/);
    only_fails($report, 'opens');
    $t->write_file('secret.key', Test::ABDM::random_key(), oct '600');
    $t->reload;
    ok($t->wait_until(sub { $t->error_log =~ /\[emerg\].*E_SECRET_KEY: store "[^"]+".*abdm_secret_key is not the file/ }), 'nginx tells it');
    is("@{[ $t->workers ]}", "@workers", 'and goes on with the old configuration');
    $t->write_file('secret.key', $right, oct '600');
    has(doctor('--offline'), 'opens', 'ok', qr/schema version/);
};

subtest 'a bundle without certificates, and networks that records may leak into, are named' => sub {
    $t->write_file('empty.pem', "nothing\n");
    has(doctor('--offline', changed('gateway.trusted_certificate' => "$dir/empty.pem")), 'trusted_certificate', 'fail',
        qr/no certificate is in it/, qr/PEM is expected/);
    my $report = doctor('--offline', changed(push_allow => ['127.0.0.0/8', '::1']));
    has($report, 'push_allow', 'warn', qr{127[.]0[.]0[.]0/8, ...}, qr/remove abdm_push_allow/);
    is($report->{status}, 3, 'warnings alone: status 3');
};

# ---- the gateway --------------------------------------------------------------------------------

subtest 'a wrong secret, environment or client is told apart from other trouble' => sub {
    my $wrong  = $t->write_file('wrong_secret', "nonsense\n", oct '600');
    my $report = doctor(changed('gateway.client_secret_file' => $wrong));
    has($report, 'session', 'fail', qr/SBXID_000001: status 401, code 900901/, qr/those of another environment/);
    has($report, 'bridge', 'skipped', qr/there is no session/);
    has($report, 'keys', 'skipped', qr/wants a session/);
    unlike($JSON->encode($report), qr/nonsense/, 'the secret is not shown');
    $report = doctor(changed('gateway.client_secret_file' => $wrong, 'gateway.preset' => 'production'));
    has($report, 'session', 'fail', qr/900901/, qr/client_id is one of the sandbox: write abdm_gateway sandbox/);
    has(doctor(changed('gateway.cm_id' => 'abdm')), 'session', 'fail', qr/status 403: "Access Denied"/, qr/cm_id/);
    for ([500, qr/try later/], [404, qr/url of abdm_gateway leads to another server/], [302, qr/name the gateway itself/]) {
        my ($status, $remedy) = @$_;
        $t->sim('/faults', { path => '/sessions$', action => 'status', status => $status, body => '<html>' });
        has(doctor(), 'session', 'fail', qr/status $status/, $remedy);
        $t->sim_delete('/faults');
    }
    $t->sim('/faults', { path => '/sessions$', action => 'status', status => 403, body => { code => '900908', message => 'no' } });
    has(doctor(), 'session', 'fail', qr/900908/, qr/only ABDM's support/);
    $t->sim_delete('/faults');
    $t->sim('/faults', { path => '/sessions$', action => 'status', status => 200, body => '<html>Welcome</html>' });
    has(doctor(), 'session', 'fail', qr/not JSON/, qr/not ABDM's gateway/);
    $t->sim_delete('/faults');
};

subtest 'the clock is held against that of the gateway' => sub {
    for ([45, 'warn', qr/4\d s behind/], [-45, 'warn', qr/4\d s ahead of/], [600, 'fail', qr/(?:59|60)\d s behind/], [0, 'ok', qr/as the gateway's/]) {
        my ($skew, $state, $seen) = @$_;
        $t->sim('/config', { date_skew_seconds => $skew });
        has(doctor(), 'clock', $state, $seen, $skew ? qr/timedatectl set-ntp true/ : undef);
    }
};

subtest 'TLS that does not hold is named by its fault' => sub {
    system $^X, "$ROOT/t/sim/certs.pl", "$dir/foreign";
    my $report = doctor(changed('gateway.trusted_certificate' => "$dir/foreign/ca.pem"));
    has($report, 'tls', 'fail', qr/certificate of "localhost" by "ngx_abdm test CA"/, qr/trusted_certificate/);
    has($report, 'session', 'fail', qr/certificate does not verify/, qr/see TLS of that host above/);
    my $port = Test::ABDM::free_port();
    has(doctor(changed('gateway.url' => "https://127.0.0.1:$port")), 'tls', 'fail', qr/no connection: Connection refused/, qr/firewall/);
    has(doctor(changed('gateway.url' => "https://127.0.0.1:$t->{hmis_port}")), 'tls', 'fail', qr/no TLS/, qr/does the port speak TLS/);
    has(doctor(changed('gateway.url' => 'https://nobody.invalid')), 'dns', 'fail', qr/nobody[.]invalid/, qr/name/);
};

subtest 'keys that cannot be had are a fault, one set of two that differ or fail a warning' => sub {
    $t->sim('/faults', { path => '/gateway/v3/certs$', action => 'status', status => 503 });
    my $report = doctor();
    has($report, 'keys', 'warn', qr{/gateway/v3/certs: status 503}, qr/try later/);
    only_fails($report);
    $t->sim('/faults', { path => '/openid-connect/certs$', action => 'garbage' });
    has(doctor(), 'keys', 'fail', qr/no key set can be had/, qr/answered 503/);
    $t->sim_delete('/faults');
};

# ---- the registration ---------------------------------------------------------------------------

subtest 'a facility is known by its service id, and the right id is named' => sub {
    my $report = doctor(changed('facility.id' => 'IN0990001234'));
    has($report, 'facility', 'fail', qr/IN0990001234: the gateway knows this facility as service IN0990001234_1/,
        qr/write abdm_facility IN0990001234_1 in nginx.conf/);
    only_fails($report, 'facility');
    $t->sim('/config', { hips => { IN0990001234 => 'Demo Hospital' } });
    has(doctor(), 'facility', 'fail', qr/IN0990001234_1: .*as service IN0990001234$/, qr/write abdm_facility IN0990001234 /);
    $t->sim('/config', { hips => { IN0990009999_1 => 'Another' } });
    $report = doctor();
    has($report, 'facility', 'fail', qr/IN0990001234_1: the gateway knows no such service/, qr/abdm register --facility IN0990001234 /);
    has($report, 'facility', 'warn', qr/IN0990009999_1: "Another" is a service of this bridge/, qr/add a block abdm_facility IN0990009999_1/);
    $t->sim('/config', { hips => {} });
    has(doctor(), 'url', 'fail', qr/no bridge URL is registered/, qr/abdm register --url/);
    $t->sim('/config', { hips => { IN0990001234_1 => 'Demo Hospital' } });
};

subtest 'a service that is not active, no provider, or of another bridge is named' => sub {
    my %good = (id => 'IN0990001234_1', serviceId => 'IN0990001234_1', bridgeId => 'SBXID_000001', name => 'Demo',
        isHip => Mojo::JSON->true, active => Mojo::JSON->true);
    for ([{ active => Mojo::JSON->false }, qr/the service is not active/, qr/make it active/],
        [{ isHip => Mojo::JSON->false }, qr/not registered as a provider/, qr/register it as a provider/],
        [{ bridgeId => 'SBXID_009999' }, qr/linked to bridge SBXID_009999, not to SBXID_000001/, qr/correct client_id/]) {
        my ($change, $seen, $remedy) = @$_;
        $t->sim('/faults', { path => '/serviceId/', action => 'status', status => 200, body => { %good, %$change } });
        my $report = doctor();
        has($report, 'facility', 'fail', $seen, $remedy);
        only_fails($report, 'facility');
        $t->sim_delete('/faults');
    }
    $t->sim('/faults', { path => '/serviceId/', action => 'status', status => 200, body => { %good, name => "\e[2Jgone\x{7}" } });
    my ($status, $text) = $t->abdm(@STORE, 'doctor');
    unlike($text, qr/[\x00-\x09\x0b-\x1f\x7f]/, 'what a server says cannot steer the terminal');
    $t->sim_delete('/faults');
};

subtest 'a bridge that is blocked, and a URL that leads elsewhere, are named' => sub {
    my %bridge = (id => 'SBXID_000001', url => $t->url . '/abdm', active => Mojo::JSON->true, blocklisted => Mojo::JSON->true);
    $t->sim('/faults', { path => '/bridge-services$', action => 'status', status => 200, body => { bridge => \%bridge, services => [] } });
    has(doctor(), 'bridge', 'fail', qr/block list/, qr/support/);
    $t->sim_delete('/faults');
    has(doctor('--url', 'https://abdm.hospital.example/abdm'), 'url', 'fail', qr{/abdm is registered, not https://abdm[.]hospital[.]example/abdm},
        qr/abdm register --url https:\S+ --force/);
    $t->sim('/config', { bridge_url => $t->url . '/other' });
    has(doctor(), 'url', 'fail', qr{/other is registered, but abdm_callback serves "/abdm/"}, qr/abdm register --url/);
    $t->sim('/config', { bridge_url => 'http://127.0.0.1/abdm' });
    has(doctor(), 'url', 'fail', qr/is not https/, qr/register an https URL/);
    $t->sim('/config', { bridge_url => $t->url . '/abdm/' });
    only_fails(doctor());
    $t->sim('/config', { bridge_url => $t->url . '/abdm' });
};

# ---- our own door -------------------------------------------------------------------------------

subtest 'whoever answers in the place of the module is told apart' => sub {
    my $url  = $t->url;
    my $free = Test::ABDM::free_port();
    for (["$url/hmis", 'fail', qr/not this module answers but \S+.*status 404/, qr/another server block or another machine/],
        ["$url/moved", 'fail', qr{status 301 to https://elsewhere[.]example/}, qr/does not follow/],
        ["$url/dead", 'fail', qr/status 502/, qr/a proxy in front cannot reach nginx/],
        ["$url/locked", 'fail', qr/status 401/, qr/wants a password/],
        ["$url/site", 'fail', qr/status 200/, qr/another site answers/],
        ["$url/abdm/abdm", 'fail', qr/E_ROUTE_UNKNOWN/, qr{has not the path of abdm_callback \("/abdm/"\)}],
        ["https://127.0.0.1:$other/abdm", 'warn', qr/E_FORBIDDEN/, qr/see that they admit ABDM's addresses/],
        ["https://127.0.0.1:$free/abdm", 'fail', qr/no connection/, qr/its own outside address.*curl -X POST/],
        ['https://nobody.invalid/abdm', 'fail', qr/cannot call it/, qr/as the line above says/]) {
        my ($place, $state, $seen, $remedy) = @$_;
        has(doctor('--url', $place), 'reachable', $state, $seen, $remedy);
    }
};

# ---- the hospital's side ------------------------------------------------------------------------

subtest 'an HMIS that is down, slow, locked or wrong is named question by question' => sub {
    for (['down', qr/status 503/, qr/see the log of the HMIS/], ['garbage', qr/cannot be used/, qr/curl URL [|] jq -f/],
        ['login', qr/cannot be used/, qr/curl URL/], ['drop', qr/status 502/, qr/the HMIS behind it is not/]) {
        my ($action, $seen, $remedy) = @$_;
        $t->hmis('/_test/fault', { path => '^/api/', action => $action });
        my $report = doctor();
        has($report, $_, 'fail', $seen, $remedy) for qw(find_patients new_contexts);
        only_fails($report, qw(find_patients new_contexts));
        $t->hmis('/_test/clear', {});
    }
    $t->hmis('/_test/fault', { path => '^/api/', action => 'status', status => 401 });
    has(doctor(), 'find_patients', 'fail', qr/status 401/, qr/proxy_set_header/);
    $t->hmis('/_test/clear', {});
    $t->hmis('/_test/fault', { path => '^/api/patients', action => 'status', status => 404 });
    has(doctor(), 'find_patients', 'warn', qr/status 404/, qr/an empty list is expected/);
    $t->hmis('/_test/clear', {});
    $t->hmis('/_test/fault', { path => '^/api/changes', action => 'slow', ms => 3300 });
    has(doctor(), 'new_contexts', 'warn', qr/in 3\d\d\d ms/, qr/within 10 s/);
    $t->hmis('/_test/clear', {});
    my $port = Test::ABDM::free_port();
    has(doctor(changed('facility.hmis_url' => "http://127.0.0.1:$port")), 'find_patients', 'fail', qr/no connection/, qr/nobody listens/);
    has(doctor(changed('facility.hmis_url' => "http://unix:$dir/gone.sock:/")), 'find_patients', 'fail', qr/nobody listens on the socket/,
        qr/is nginx up/);
};

subtest 'a mapping that finds everybody for anybody is a fault' => sub {
    my %records = (records => $questions{records});
    mapping('loose', %records, find_patients => { path => '/api/patients?tel={mobile}', map => 'patients.jq' });
    has(doctor(changed('facility.hmis_mapping' => "$dir/loose")), 'find_patients', 'fail', qr/found for values that nobody has: \d/,
        qr/every patient would be a candidate/);
    mapping('loose', %records);
    my $report = doctor(changed('facility.hmis_mapping' => "$dir/loose", 'facility.sms_url' => undef, 'facility.sms_template' => undef));
    has($report, 'find_patients', 'warn', qr/no such question/, qr/add find_patients/);
    has($report, 'sms', 'warn', qr/neither sms nor/, qr/nobody sends the OTP/);
};

subtest 'a template of SMS that is wrong is named' => sub {
    my $template = $t->write_file('bad_sms.json', '{"path":"/sms/send","messages":{"hello":{"text":"hi"}}}');
    has(doctor(changed('facility.sms_template' => $template)), 'sms', 'fail', qr/no such message/, qr/it needs the message "otp"/);
    $t->write_file('bad_sms.json', '{"path":"/sms/send","colour":"red","messages":{"otp":{"text":"{otp}"}}}');
    has(doctor(changed('facility.sms_template' => $template)), 'loads', 'fail', qr/bad_sms.json.*colour/, qr/mend what it names/);
};

# ---- the command --------------------------------------------------------------------------------

subtest 'the command line' => sub {
    for (['doctor', '--nonsense'], ['doctor', 'more'], ['doctor', '--sms', '12345'], ['doctor', '--url', 'http://x'], ['register', 'more']) {
        my ($status, $out, $err) = $t->abdm(@STORE, @$_);
        is($status, 2, "abdm @$_: status 2");
        like($err, qr/\S/, 'with a complaint');
    }
    for my $command (qw(doctor register)) {
        my ($status, $out) = $t->abdm($command, '--help');
        is($status, 0, "abdm $command --help");
        like($out, qr/\Ausage: abdm .* $command /, 'says how');
    }
    has(doctor('--facility', 'IN0990009999_1'), 'facility', 'fail', qr/no such abdm_facility/);
    is(doctor('--facility', 'IN0990001234_1')->{status}, 0, 'one facility alone');
    my $report = doctor('--offline');
    is($report->{status}, 0, '--offline');
    is_deeply([map { $_->{seen} } rows($report, 'session')], ['--offline'], 'asks nobody');
    local $ENV{LC_ALL} = 'C';
    my ($status, $text) = $t->abdm(@STORE, 'doctor', '--offline', changed(version => '0.0.9'));
    is($status, 3, 'a warning');
    unlike($text, qr/[^\n\x20-\x7e]/, 'in a plain locale it is ASCII');
    like($text, qr/^  warn description .*\n    -> restart nginx/m, 'and says the same');
    local $ENV{LC_ALL} = 'C.UTF-8';
    (undef, $text) = $t->abdm(@STORE, 'doctor', '--offline');
    like($text, qr/\xe2\x9c\x93/, 'in UTF-8 it has marks');
};

# ---- abdm register ------------------------------------------------------------------------------

sub enrol (@option) { return run_json('register', @option) }

sub registered () { return $t->sim('/config')->{bridge_url} }

my @WHO = ('--facility', 'IN0990001234', '--facility-name', 'Demo Hospital', '--hip-name', 'DEMO HOSP', '--registry', $t->sim_url);

subtest 'another URL is overwritten only by force, and what is registered is read back' => sub {
    my $own = registered();
    my $report = enrol('--url', "$own");
    is($report->{status}, 0, 'the same URL again');
    has($report, 'url', 'ok', qr/\Q$own\E is registered/);
    $t->sim('/config', { bridge_url => 'https://somebody.example/hooks' });
    $report = enrol('--url', $own);
    has($report, 'url-before', 'ok', qr{https://somebody[.]example/hooks});
    has($report, 'url', 'fail', qr/another URL is registered/, qr/add --force/);
    is(registered(), 'https://somebody.example/hooks', 'it stays');
    has(enrol('--url', $own, '--force'), 'url', 'ok', qr/\Q$own\E is registered/);
    is(registered(), $own, 'by force it is changed');
    has(enrol('--url', $t->url . '/x', '--force'), 'url', 'warn', qr{but abdm_callback serves "/abdm/"}, qr/give the location/);
    $t->sim('/config', { bridge_url => '' });
    has(enrol('--url', $own), 'url', 'ok', qr/is registered/);
    $t->sim('/faults', { path => '/bridge/url$', action => 'status', status => 202, body => '' });
    has(enrol('--url', $t->url . '/y', '--force'), 'url', 'warn', qr/took it and still says/, qr/15 minutes/);
    $t->sim_delete('/faults');
    $t->sim('/faults', { path => '/bridge/url$', action => 'status', status => 403, body => { code => '900908', message => 'no' } });
    has(enrol('--url', $t->url . '/y', '--force'), 'url', 'fail', qr/900908/, qr/only ABDM's support/);
    $t->sim_delete('/faults');
    my ($call) = @{ $t->sim('/calls?path=bridge/url$')->{calls} };
    is($call->{method}, 'PATCH', 'by PATCH');
};

subtest 'a facility is linked, or its service id told, whatever the registry answers' => sub {
    $t->sim('/config', { hips => { IN0990009999_1 => 'Another' } });
    my $report = enrol(@WHO);
    is($report->{status}, 0, 'linked');
    has($report, 'service', 'ok', qr/registered; its service id is IN0990001234_1/);
    has($report, 'facility', 'ok', qr/IN0990001234_1: active/);
    has(enrol(@WHO), 'service', 'ok', qr/it was registered already; its service id is IN0990001234_1/);
    has(enrol(@WHO, changed('facility.id' => 'IN0990001234')), 'service', 'warn', qr/IN0990001234_1/, qr/write abdm_facility IN0990001234_1/);
    has(enrol(@WHO, '--facility-name', 'Demo Hosp'), 'service', 'fail', qr/not matched/, qr/letter by letter/);
    $t->sim('/config', { registry => 'invalid' });
    has(enrol(@WHO), 'service', 'fail', qr/code HIS-1070: "invalid facilityId"/, qr/correct what it names/);
    $t->sim('/config', { registry => 'auto', hips => { IN0990001234_1 => 'Demo Hospital' } });
    my $port = Test::ABDM::free_port();
    has(enrol(@WHO, '--registry', "https://127.0.0.1:$port"), 'service', 'fail', qr/no connection/, qr/nobody listens/);
};

subtest 'what cannot be registered is refused before anything is done' => sub {
    my $after = $t->sim('/calls')->{count};
    for ([], ['--url', 'http://h/abdm'], ['--url', 'https://h/abdm/'], ['--url', 'https://h/?x'], [@WHO[0, 1]], [@WHO[0 .. 3]], [@WHO[2, 3]],
        [@WHO, '--facility', 'IN0990001234_1'], [@WHO, '--facility', 'IN099'], [@WHO, '--hip-name', 'SIXTEEN-LETTERS'],
        [@WHO, '--hip-name', 'SIXTEENLETTERSXX'], [@WHO, '--facility-name', ''], [@WHO, '--registry', 'ftp://h'], [@WHO[0 .. 5]]) {
        my ($status, $out, $err) = $t->abdm(@STORE, 'register', @$_);
        is($status, 2, "register @$_: status 2");
        like($err, qr/\Aabdm: E_USAGE: /, 'and why');
    }
    is($t->sim('/calls')->{count}, $after, 'ABDM heard nothing');
};

# ---- while nginx is down ------------------------------------------------------------------------

subtest 'that nginx does not run is noticed, and the files stay those of the workers' => sub {
    my $owner = (stat "$dir/abdm.db")[4];
    $t->stop_nginx;
    my $report = doctor();
    has($report, 'work', 'warn', qr/processes at work: 0/, qr/is nginx up/);
    has($report, 'reachable', 'fail', qr/no connection/, qr/is nginx up/);
    is((stat $_)[4], $owner, "$_ is of the workers") for glob "$dir/abdm.db*";
    $t->start_nginx;
    is(doctor()->{status}, 0, 'all is well again');
};

$t->finish(alerts => qr/E_SECRET_KEY/);
