#!/usr/bin/env perl

# The abdm command and the API of operators tell the same about the store; exit codes and JSON can be
# relied upon by scripts.

use strict;
use warnings;
use feature 'signatures';
use utf8;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Mojo::JSON qw(decode_json);
use Test::ABDM;
use Test::More;

Test::ABDM->need_module;
my $t     = Test::ABDM->new->start;
my @STORE = ('--store', "sqlite:$t->{dir}/abdm.db");

my $consent = $t->grant(contexts => ['OPD-25-3107']);
$t->wait_for(ack => consent => $consent->{consent_id});
my $good = $t->request($consent);
$t->wait_for(notify => transaction => $good);
$t->wait_until(sub { $t->listed($good)->{state} eq 'DONE' });
my $bad = $t->request($consent, from => '2001-01-01T00:00:00.000Z');
$t->wait_for(on_request => transaction => $bad);

sub says ($status, $pattern, @command) {
    my ($got, $out, $err) = $t->abdm(@command);
    is $got, $status, "abdm @command[0 .. $#command]: exit status $status";
    like $out, $pattern, 'and what it says' if $pattern;
    if   ($status) { like $err, qr/\S/, 'with a complaint on standard error'; is $out, '', 'and nothing on standard output' }
    else           { is $err, '', 'and no complaint' }
    return $out;
}

sub api ($path) {
    my $res = $t->ua->get($t->url . "/abdm/api/v1$path")->result;
    return ($res->code, decode_json($res->body));
}

subtest 'abdm transfers lists the newest transfers with their state and reason' => sub {
    says(0, qr/\Q$good\E +DONE +2\/2/, @STORE, 'transfers');
    says(0, qr/\Q$bad\E +REFUSED .*E_CONSENT_RANGE/, @STORE, 'transfers');
    my $one = decode_json(says(0, undef, @STORE, '--json', 'transfers', 1));
    is_deeply [map { $_->{transactionId} } @{ $one->{transfers} }], [$bad], 'transfers 1: the newest only';
};

subtest 'abdm explain tells each step of a transfer and the rule that decided' => sub {
    my $text = says(0, qr/state DONE, 1 care contexts, 2 of 2 pages delivered/, @STORE, 'explain', $good);
    like $text, qr/request allowed.*page delivered.*page delivered.*gateway notified/s, 'step by step';
    $text = says(0, qr/E_CONSENT_RANGE: the request asks for dates outside the consent/, @STORE, 'explain', $bad);
    like $text, qr/do: nothing: the requester must ask within the consent/, 'and what to do';
    says(0, qr/status GRANTED, records 2020-01-01T00:00:00.000Z to /, @STORE, 'explain', $consent->{consent_id});
};

subtest 'the API of operators gives what the command gives' => sub {
    my ($status, $list) = api('/transfers');
    is $status, 200, 'transfers';
    is_deeply $list, $t->report('transfers'), 'the same list';
    for my $id ($good, $bad, $consent->{consent_id}) {
        my ($code, $told) = api("/transfers/$id");
        is $code, 200, "transfers/$id";
        is_deeply $told, $t->explain($id), 'the same explanation';
    }
    my ($code, $told) = api('/transfers/nothing');
    is $code, 404, 'an unknown id: 404';
    is $told->{error}{code}, 'E_NOT_FOUND', 'E_NOT_FOUND';
};

subtest 'no answer holds a record, a key or a name' => sub {
    for my $id ($good, $consent->{consent_id}) {
        my $text = says(0, qr/\w/, @STORE, '--json', 'explain', $id);
        unlike $text, qr/Asha|Kumari|9000000001|asha\.k|Prescription, viral|परामर्श|hiu\/push|keyValue|%PDF/, 'ids and codes only';
    }
};

subtest 'abdm errors explains every error' => sub {
    my $all = says(0, qr/^E_CONSENT_REVOKED\n    .+\n    do: /m, 'errors');
    my $source = do { local (@ARGV, $/) = (Test::ABDM->root . '/lib/core/error.def'); <> };
    my @wanted = map { "E_$_" } $source =~ /^ABDM_ERROR\((\w+),/mg;
    is_deeply [$all =~ /^(E_\w+)$/mg], \@wanted, 'all of the table';
    my $one = says(0, qr/\AE_TOKEN_TIME\n/, 'errors', 'E_TOKEN_TIME');
    is scalar(() = $one =~ /^E_/mg), 1, 'or one';
    says(1, undef, 'errors', 'E_NOBODY');
};

subtest 'abdm secret-key makes a key that nobody else can read, and never overwrites one' => sub {
    my $file = "$t->{dir}/new.key";
    says(0, undef, 'secret-key', $file);
    is sprintf('%o', (stat $file)[2] & oct '7777'), '600', 'mode 600';
    my $key = $t->read_file('new.key');
    cmp_ok length $key, '>=', 32, 'a key';
    says(1, undef, 'secret-key', $file);
    is $t->read_file('new.key'), $key, 'it stays as it was';
    says(1, undef, 'secret-key', "$t->{dir}/no/such/directory/key");
};

subtest 'what is not understood or not there is an error with its own status' => sub {
    like says(0, undef, 'version'), qr/\A\d+\.\d+\.\d+\n\z/, 'version';
    says(0, qr/usage: abdm/, '--help');
    says(2, undef);
    says(2, undef, 'nonsense');
    says(2, undef, '--nonsense');
    says(2, undef, @STORE, 'explain');
    says(2, undef, @STORE, 'transfers', 'many');
    says(2, undef, @STORE, 'transfers', '0');
    says(1, undef, @STORE, 'explain', 'nothing');
    says(1, undef, '--store', "sqlite:$t->{dir}/elsewhere.db", 'transfers');
    says(1, undef, '--store', 'nonsense', 'transfers');
    ok !-e "$t->{dir}/elsewhere.db", 'asking makes no store';
};

subtest 'the command works while nginx is stopped' => sub {
    $t->stop_nginx;
    says(0, qr/\Q$good\E +DONE/, @STORE, 'transfers');
};

$t->finish;
