#!/usr/bin/env perl

# The main job for people to watch: a consented record leaves the demo hospital encrypted, through
# nginx, and the requester decrypts it. All that is printed was observed in this run: at the
# simulator (what reached the gateway and the requester), at the HMIS, in answers of nginx, and
# with the `abdm` command. The exit status is 1 when anything is not as it should be.
#
#   make demo            leaves nothing running
#   make demo KEEP=1     leaves all of it running and prints how to look at it

use strict;
use warnings;
use feature 'signatures';
use utf8;
use open qw(:std :encoding(UTF-8));
use FindBin;
use lib "$FindBin::Bin/lib";

use Crypt::Digest::SHA256 qw(sha256_hex);
use List::Util qw(max sum0 uniq);
use Mojo::JSON qw(decode_json);
use Test::ABDM;

my ($PATIENT, $VISIT) = ('UH100231', 'OPD-26-0771');
my $NOTIFY = '/api/v3/consent/request/hip/notify';

my ($wrong, $steps) = (0, 0);

local $| = 1;
local $SIG{INT}  = sub { exit 130 };
local $SIG{TERM} = sub { exit 143 };

my $t = Test::ABDM->new;
$t->write_conf(server => ['location / { proxy_pass ' . $t->hmis_url . '; }']);
$t->start;
my $dir   = $t->dir;
my $abdm  = Test::ABDM::build_dir() . '/abdm';
my $store = "sqlite:$dir/abdm.db";

show_parts();
my $papers  = show_hospital();
my $consent = show_consent();
my $id      = show_transfer($consent, $papers);
show_record_of_it($id);
show_revocation($consent);
show_conduct();
$ENV{KEEP} ? leave_running($id) : stop_all();
say_end();
exit($wrong ? 1 : 0);

# ---- the story ----------------------------------------------------------------------------------

sub show_parts () {
    my (undef, $version) = $t->abdm('version');
    chomp $version;
    my $server = $t->ua->get($t->url . '/')->result->headers->server;
    print "ngx_abdm $version in $server: a consented record leaves the hospital, encrypted\n";
    line('nginx with the module   ' . $t->url . '      the gateway calls below /abdm/');
    line('HMIS of the hospital    ' . $t->hmis_url . '       an ordinary web application, knows nothing of ABDM');
    line('gateway, phone app, HIU ' . $t->sim_url . '      one simulator, strict about every message');
    line('all on loopback, with TLS between nginx and ABDM; the working directory is ' . $dir);
    return;
}

# Gives the papers of the visit, each with its bytes.
sub show_hospital () {
    step('The hospital as it was before');
    my $front = $t->ua->get($t->url . '/')->result;
    check($front->code == 200, 'users reach the HMIS through nginx: GET / gives ' . $front->code);
    my $visit = $t->hmis("/api/visits/$VISIT");
    my @papers = map { +{ %$_, bytes => $t->hmis_bytes($_->{file}) } } @{ $visit->{papers} };
    line("visit $visit->{no} of $visit->{date}, patient $visit->{patient}{uhid}, has "
            . counted(scalar @papers, 'paper') . ':');
    line(sprintf '  %s  %-12s  %-21s  %5d bytes', $_->{id}, $_->{kind}, $_->{type}, length $_->{bytes}) for @papers;
    check(@papers > 0, 'there is something to send');
    return \@papers;
}

sub show_consent () {
    step('Keys, and who may call');
    my $keys = $t->wait_for(call => path => '/certs$');
    check($keys, 'nginx has fetched the keys of the gateway: ' . ($keys ? said($keys->{calls}[0]) : 'not yet'));
    for my $stranger (['without a token', 0], ['with a token of our own bridge', { own => 1 }]) {
        my ($who, $token) = @$stranger;
        my $got  = $t->sim('/callback', { path => $NOTIFY, body => {}, token => $token });
        my $code = code_of($got->{body});
        check($got->{status} == 401, "a caller $who gets $got->{status} $code");
    }

    step('The patient grants the consent');
    my $granted = $t->grant(contexts => [$VISIT]);
    my $sent    = $granted->{sent};
    my $permit  = $granted->{detail}{permission};
    line("consent $granted->{consent_id}: records of $permit->{dateRange}{from} to $permit->{dateRange}{to},");
    line("of visit $VISIT, until $permit->{dataEraseAt}");
    check($sent->{status} == 202, "the gateway tells nginx and gets $sent->{status} in $sent->{ms} ms; the consent is on disk");
    my $known = $t->wait_for(ack => consent => $granted->{consent_id});
    my ($session) = calls('/sessions$');
    check($session, 'to answer, nginx takes a session token: ' . ($session ? said($session) : 'none was asked for'));
    my $ack = $known ? $known->{acks}[0] : undef;
    check($ack && $ack->{body}{acknowledgement}{status} eq 'OK', 'and acknowledges the consent: ' . ($ack ? said(calls('/consent/.*on-notify$')) : 'never'));
    return $granted;
}

sub show_transfer ($granted, $papers) {
    step('A doctor elsewhere asks for the records');
    $t->hmis('/_test/clear', {});
    my ($transaction, $sent) = $t->request($granted);
    check($sent->{status} == 202, "the gateway passes the request to nginx and gets $sent->{status} in $sent->{ms} ms");
    my $done = $t->wait_for(notify => transaction => $transaction, timeout_ms => 30_000) // $t->sim("/transfers/$transaction");
    my $answer = $done->{on_request}{hiRequest}{sessionStatus} // 'nothing';
    check($answer eq 'ACKNOWLEDGED', "nginx finds it covered by the consent and answers $answer");

    step('The records are fetched from the HMIS');
    my $asked = $t->hmis('/_test/requests')->{requests};
    line("$_->{method} $_->{path} gives $_->{status}") for @$asked;
    check(@$asked > 0, counted(scalar @$asked, 'request') . ' arrived at the HMIS');

    step('They are encrypted and pushed, and the requester decrypts them');
    my @pages = @{ $done->{pages} };
    my @wire  = map { $_->{size} } calls("^\Q$done->{push_path}\E\$");
    for my $n (0 .. $#pages) {
        my $page = $pages[$n];
        line(sprintf 'page %d (of %d): %s "%s"', $page->{pageNumber}, $page->{pageCount}, $page->{hiType} // '?', $page->{title} // '');
        line(sprintf '  %d bytes on the wire, %d bytes of document; %s, nonce %s...',
            $wire[$n] // 0, $page->{size} // 0, $page->{curve}, substr $page->{nonce}, 0, 12);
        check($page->{decrypted}, '  opened with the keys of the requester');
    }
    check(@pages == @$papers, counted(scalar @pages, 'page') . ' for ' . counted(scalar @$papers, 'paper'));
    check(uniq(map { $_->{keyValue} } @pages) == @pages && uniq(map { $_->{nonce} } @pages) == @pages,
        'each with a key pair and a nonce of its own');

    step('The gateway is told that it is done');
    my $told = $done->{notify}{statusNotification} // {};
    line("$_->{careContextReference}: $_->{hiStatus}") for @{ $told->{statusResponses} // [] };
    check(($told->{sessionStatus} // '') eq 'TRANSFERRED', 'status of the transfer: ' . ($told->{sessionStatus} // 'none'));

    compare($papers, \@pages);
    figures($done, $sent, \@pages, \@wire, $papers);
    return $transaction;
}

# Byte for byte: a file is an attachment of its document, an exported document is the page itself.
sub compare ($papers, $pages) {
    step('What the requester holds is what the HMIS gave');
    for my $paper (@$papers) {
        my $here = sha256_hex($paper->{bytes});
        my @held = $paper->{type} eq 'application/fhir+json' ? @$pages
            : grep { $_->{contentType} eq $paper->{type} } map { @{ $_->{attachments} // [] } } @$pages;
        my ($there) = grep { $_ eq $here } map { $_->{sha256} // '' } @held;
        line("paper $paper->{id}, $paper->{type}, " . length($paper->{bytes}) . ' bytes');
        line("  HMIS       sha256 $here");
        line('  requester  sha256 ' . ($there // 'none of this type agrees: ' . join ' ', map { $_->{sha256} // '-' } @held));
        check(defined $there, '  the same');
    }
    return;
}

sub figures ($done, $sent, $pages, $wire, $papers) {
    step('Figures of this run');
    my $start = $done->{accepted_ms} - $sent->{ms};
    my ($on_request) = grep { ($_->{body}{hiRequest}{transactionId} // '') eq $done->{transaction_id} } calls('on-request$');
    my @arrived = sort { $a <=> $b } map { $_->{accepted_ms} } @$pages;
    figure('request to 202',                  $sent->{ms},                                     'ms');
    figure('request to acknowledgement',      $on_request ? $on_request->{ms} - $start : undef, 'ms');
    figure('request to first page delivered', @arrived ? $arrived[0] - $start : undef,          'ms');
    figure('request to last page delivered',  @arrived ? $arrived[-1] - $start : undef,         'ms');
    figure('request to final notification',   $done->{notify_ms} ? $done->{notify_ms} - $start : undef, 'ms');
    figure('pages',                           scalar @$pages,                                   '');
    figure('papers, as the HMIS has them',    sum0(map { length $_->{bytes} } @$papers),        'bytes');
    figure('documents, before encryption',    sum0(map { $_->{size} // 0 } @$pages),            'bytes');
    figure('pages, on the wire',              sum0(@$wire),                                     'bytes');
    line('(times by the clock of the simulator, its own work included)');
    return;
}

sub show_record_of_it ($transaction) {
    step('What the operator sees');
    my @command = ('--store', $store, 'explain', $transaction);
    line("abdm @command");
    my ($status, $said, $complaint) = $t->abdm(@command);
    line("  $_") for split /\n/, decoded($said . $complaint);
    check($status == 0 && $said =~ /gateway notified/, 'the whole transfer is accounted for');
    return;
}

sub show_revocation ($granted) {
    step('The patient takes the consent back');
    my $told = $t->announce($granted, 'REVOKED');
    check($told->{status} == 202, "the gateway tells nginx and gets $told->{status}");
    $t->wait_for(ack => consent => $granted->{consent_id}, count => 2);
    my $transaction = $t->request($granted);
    my $done  = $t->wait_for(on_request => transaction => $transaction) // {};
    my $error = $done->{on_request}{error} // {};
    check($done->{refused}, 'the next request is refused: ' . ($error->{code} // '') . ' ' . ($error->{message} // ''));
    check(!@{ $done->{pages} // [] }, 'and nothing is sent');
    return;
}

sub show_conduct () {
    step('Conduct');
    my $seen  = $t->sim('/violations');
    my $calls = $t->sim('/metrics')->{calls};
    line("$_->{path}: $_->{rule}: $_->{message}") for @{ $seen->{violations} };
    check($seen->{count} == 0, counted($calls, 'message') . ' at the simulator, ' . counted($seen->{count}, 'deviation') . ' from the protocol');
    my $log     = decoded($t->error_log);
    my $patient = $t->hmis("/api/patients/$PATIENT");
    my @found   = grep { index($log, $_) >= 0 } @$patient{qw(first last phone dob)}, 'simulator-secret', 'eyJ';
    check(!@found, "name, phone and birth date of the patient, secrets and tokens: none of them in nginx's error log");
    my @alarms = grep { /\[(?:error|crit|alert|emerg)\]/ && !/E_TOKEN/ } split /\n/, $log;
    line($_) for @alarms;
    check(!@alarms, 'and no other error in it than the refusals above');
    return;
}

# ---- the end ------------------------------------------------------------------------------------

sub leave_running ($transaction) {
    $t->{owner} = 0;    # so that the harness does not end its processes with this one
    my @pids = sort { $a <=> $b } values %{ $t->{pids} };
    $t->write_file('demo.pid', "@pids\n");
    my $curl = "curl --cacert $dir/certs/ca.pem";
    my $sim  = $t->sim_url . '/_sim';
    print <<"TEXT";

All of it runs on (KEEP=1). To look at it:
  $abdm --store $store transfers
  $abdm --store $store explain $transaction
  $curl @{[ $t->url ]}/abdm/status
  $curl @{[ $t->url ]}/abdm/api/v1/transfers
  $curl $sim/transfers/$transaction
  nginx.conf, error.log and access.log are in $dir
To send another visit (t/sim/README.md has all of it):
  $curl -d '{"contexts":["IPD-25-0092"]}' $sim/consents       # take its consent_id
  $curl -d '{}' $sim/consents/CONSENT_ID/notify
  $curl -d '{}' $sim/consents/CONSENT_ID/request
To stop it:
  kill \$(cat $dir/demo.pid)
and then, if nothing of it is wanted any more: rm -r $dir
TEXT
    return;
}

sub stop_all () {
    my @pids = (values %{ $t->{pids} }, $t->workers);
    $t->stop;
    my @left = grep { kill 0, $_ } @pids;
    print "\n";
    check(!@left, @left ? "still running: @left" : counted(scalar @pids, 'process') . ' stopped, nothing is left running');
    return;
}

sub say_end () {
    print $wrong ? "\nNot as it should be: " . counted($wrong, 'finding') . ", marked WRONG above.\n" : "\nAll as it should be.\n";
    return;
}

# ---- words --------------------------------------------------------------------------------------

sub step ($title) { return print "\n", ++$steps, ". $title\n" }

sub line ($text) { return print "     $text\n" }

sub check ($ok, $text) {
    $wrong++ if !$ok;
    return printf "%s%s\n", $ok ? '  ok ' : 'WRONG ', $text;
}

sub figure ($name, $value, $unit) {
    $wrong++ if !defined $value;
    return line(sprintf '%-32s %8s%s', $name, $value // 'WRONG', length $unit ? " $unit" : '');
}

sub counted ($n, $noun) {
    my $plural = $noun eq 'process' ? 'processes' : "${noun}s";
    return "$n " . ($n == 1 ? $noun : $plural);
}

# What came to the simulator, oldest first.
sub calls ($path) { return @{ $t->sim("/calls?path=" . Mojo::Util::url_escape($path))->{calls} } }

sub said ($call) { return "$call->{method} $call->{path} gives $call->{status}" }

sub code_of ($body) {
    my $error = eval { decode_json($body)->{error} };
    return ref $error eq 'HASH' ? $error->{code} : '';
}

sub decoded ($bytes) { utf8::decode($bytes); return $bytes }
