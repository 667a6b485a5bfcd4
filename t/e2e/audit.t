#!/usr/bin/env perl

# The audit against real nginx: it verifies after work, after a kill and after pruning by the clock; an
# edited, shortened or older store is found; what it shows names nobody. And consents end by the
# bridge's own clock, also when that moment passed while nothing ran.

use strict;
use warnings;
use feature 'signatures';
use FindBin;
use lib "$FindBin::Bin/../lib";

use File::Copy qw(copy);
use Mojo::JSON qw(decode_json);
use Test::ABDM;
use Test::More;

Test::ABDM->need_module;
my $EDIT = Test::ABDM->build_dir . '/tools/store_edit';
plan skip_all => 'this build has no tools: make VARIANT=test unit' if !-x $EDIT;

my $DAY = 24 * 3600 * 1000;
my $t   = Test::ABDM->new(clock => 1)->start;
my $KEY = "$t->{dir}/secret.key";

sub audit ($file, @command) {
    my ($status, $out, $err) = $t->abdm('--store', "sqlite:$t->{dir}/$file", 'audit', @command);
    return wantarray ? ($status, $out, $err) : $out;
}

sub verifies ($name, @more) {
    my ($status, $out, $err) = audit('abdm.db', 'verify', '--key', $KEY, @more);
    is $status, 0, "$name: verifies" or diag $out, $err;
    like $out, qr/^good$/m, "$name: and says so";
    return $out =~ /^anchor (\d+:[0-9a-f]{64})$/m ? $1 : fail('no anchor');
}

sub refuted ($name, $pattern, $file, @more) {
    my ($status, $out) = audit($file, 'verify', '--key', $KEY, @more);
    is $status, 1, "$name: does not verify";
    return like $out, $pattern, "$name: and why";
}

# A copy of the store as it is now, without the processes that work on it; edited.
sub edited ($name, $sql) {
    for my $suffix ('', '-wal') { unlink "$t->{dir}/$name$suffix"; copy("$t->{dir}/abdm.db$suffix", "$t->{dir}/$name$suffix") if -e "$t->{dir}/abdm.db$suffix" }
    is system($EDIT, "$t->{dir}/$name", $sql), 0, "$name is edited";
    return $name;
}

sub is_done ($id) { return (($t->listed($id) // {})->{state} // '') eq 'DONE' }

sub transferred ($consent) {
    my $id = $t->request($consent);
    ok $t->wait_until(sub { is_done($id) }, 15), 'a transfer is done';
    return $id;
}

sub status_of ($consent) { return $t->explain($consent->{consent_id})->{consent}[0]{status} }

my $consent = $t->grant(contexts => ['OPD-25-3107']);
$t->wait_for(ack => consent => $consent->{consent_id});
my $id = transferred($consent);
my $refused = $t->request($consent, from => '2001-01-01T00:00:00.000Z');
$t->wait_for(on_request => transaction => $refused);

my $early = verifies('after a transfer');
copy("$t->{dir}/abdm.db", "$t->{dir}/old.db");
copy("$t->{dir}/abdm.db-wal", "$t->{dir}/old.db-wal");

subtest 'whoever edits the file is found' => sub {
    refuted('a changed row', qr/FAULT: row 2 was changed/, edited('changed.db', q{UPDATE audit SET subject = 'x' WHERE id = 2}));
    refuted('a removed row', qr/FAULT: row 3 is missing/, edited('removed.db', q{DELETE FROM audit WHERE id = 3}));
    refuted('two rows exchanged', qr/FAULT: row 2 is not in its place: it stands as row 4/,
        edited('moved.db', q{UPDATE audit SET id = -1 WHERE id = 2; UPDATE audit SET id = 2 WHERE id = 4; UPDATE audit SET id = 4 WHERE id = -1}));
    refuted('the end cut off', qr/FAULT: row 4 and all behind it are missing/, edited('short.db', q{DELETE FROM audit WHERE id > 3}));
    refuted('and hidden', qr/FAULT: the end of the chain was altered/,
        edited('hidden.db', q{DELETE FROM audit WHERE id > 3; UPDATE audit_head SET n = 3, mac = (SELECT mac FROM audit WHERE id = 3)}));
    $t->write_file('other.key', Test::ABDM::random_key(), oct '600');
    my ($status, $out, $err) = audit('abdm.db', 'verify', '--key', "$t->{dir}/other.key");
    is $status, 1, 'another key verifies nothing';
    like $err, qr/abdm_secret_key is not the file this store was made with/, 'and is not mistaken for an altered audit';
};

subtest 'an export has every row, and nothing of a patient' => sub {
    my @rows = map { decode_json($_) } split /\n/, audit('abdm.db', 'export');
    is_deeply [map { $_->{number} } @rows], [1 .. @rows], 'every row, in order';
    my ($allowed) = grep { $_->{what} eq 'request allowed' } @rows;
    like $allowed->{requestId}, qr/\A[0-9a-f-]{36}\z/, 'by which callback it was asked for';
    my ($kept) = grep { $_->{what} eq 'consent notice kept' } @rows;
    is $kept->{caller}, 'gateway', 'who told';
    is $allowed->{consentId}, $consent->{consent_id}, 'under which consent';
    is $allowed->{requester}, 'IN0880005678_1', 'for whom';
    my @csv = split /\r\n/, audit('abdm.db', 'export', '--format', 'csv');
    is scalar(@csv), @rows + 1, 'as CSV too';
    like $csv[0], qr/\Anumber,at,facility,/, 'with names of columns';
    is scalar(() = audit('abdm.db', 'export', '--until', '2001-01-01') =~ /\n/g), 0, 'nothing before the beginning';
    is scalar(() = audit('abdm.db', 'export', '--since', '1h', '--hip', 'IN_NOBODY') =~ /\n/g), 0, 'nothing of nobody';
    my $all = join "\n", audit('abdm.db', 'export'), @csv, audit('abdm.db', 'report', '--breach');
    unlike $all, qr/Asha|Kumari|9000000001|asha\.k|MR-|Prescription, viral|%PDF/, 'ids and codes only';
};

subtest 'a report has what a notice of a breach asks' => sub {
    my $breach = $t->report('audit', 'report', '--breach', '--since', '72h');
    is_deeply [map { $_->{transactionId} } @{ $breach->{transfers} }], [$id], 'which transfers';
    my $shared = $breach->{transfers}[0];
    is $shared->{documents}, 2, 'how many documents';
    is $shared->{consentId}, $consent->{consent_id}, 'under which consent';
    is $shared->{requester}, 'IN0880005678_1', 'to whom';
    is $shared->{facility}, $t->{hip}, 'from where';
    like $shared->{first}, qr/\A\d{4}-\d\d-\d\dT[\d:.]+Z\z/, 'when';
    is $breach->{documentCount}, 2, 'in all';
    ok scalar(grep { $_->{code} eq 'E_CONSENT_RANGE' } @{ $breach->{refusals} }), 'and what was refused';
    my $kinds = $t->report('audit', 'report');
    ok scalar(grep { $_->{what} eq 'page delivered' && $_->{times} == 2 } @{ $kinds->{kinds} }), 'or how often what happened';
    like audit('abdm.db', 'report', '--breach'), qr/2 documents left in 1 transfers/, 'as text too';
};

subtest 'what is not understood is refused' => sub {
    for my $wrong (['verify'], ['restart'], ['nonsense'], [], ['export', '--format', 'xml'], ['export', 'more'], ['verify', '--nonsense']) {
        my ($status, $out, $err) = audit('abdm.db', @$wrong);
        is $status, 2, "audit @$wrong";
        like $err, qr/\S/, 'with a complaint';
    }
    for my $wrong (['export', '--since', 'yesterday'], ['report', '--until', '5x'], ['verify', '--key', $KEY, '--anchor', '5'], ['verify', '--key', '/nowhere']) {
        my ($status, $out, $err) = audit('abdm.db', @$wrong);
        is $status, 1, "audit @$wrong";
        like $err, qr/\Aabdm: E_(?:FIELD|CONFIG): /, 'with its error';
    }
    is((audit('abdm.db', '--help'))[0], 0, 'and help is given');
};

subtest 'a kill in the middle leaves a chain that verifies and goes on' => sub {
    my $other = $t->grant(contexts => ['OPD-25-3107']);
    $t->wait_for(ack => consent => $other->{consent_id});
    my $torn = $t->request($other);
    $t->kill_nginx;
    verifies('after the kill');
    $t->start_nginx;
    ok $t->wait_until(sub { is_done($torn) }, 30), 'the transfer goes on';
    my $anchor = verifies('after the next start');
    verifies('with an earlier anchor', '--anchor', $early);
    refuted('an older copy of the store', qr/FAULT: row \d+ is in the anchor and not here/, 'old.db', '--anchor', $anchor);
};

subtest 'a revocation erases, and leaves the proof' => sub {
    $t->announce($consent, 'REVOKED');
    ok $t->wait_until(sub { status_of($consent) eq 'REVOKED' }), 'revoked';
    my $told = $t->explain($consent->{consent_id});
    ok scalar(grep { $_->{what} eq 'consent content erased' && $_->{detail} eq 'REVOKED' } @{ $told->{history} }), 'the proof';
    ok !exists $told->{consent}[0]{requester}, 'nothing of the content is told';
};

subtest 'a consent ends by the clock, also while nothing runs' => sub {
    my $short = $t->grant(contexts => ['OPD-25-3107']);
    $t->wait_for(ack => consent => $short->{consent_id});
    is status_of($short), 'GRANTED', 'granted';
    $t->stop_nginx;
    $t->advance(31 * $DAY);
    $t->start_nginx;
    ok $t->wait_until(sub { status_of($short) eq 'EXPIRED' }), 'EXPIRED without a notice';
    ok scalar(grep { $_->{what} eq 'consent content erased' && $_->{detail} eq 'dataEraseAt' } @{ $t->explain($short->{consent_id})->{history} }), 'with its proof';
    $t->announce($short, 'GRANTED');
    ok $t->wait_until(sub { grep { $_->{what} eq 'consent notice repeated' } @{ $t->explain($short->{consent_id})->{history} } }), 'a late GRANTED comes';
    is status_of($short), 'EXPIRED', 'and changes nothing';
};

subtest 'rows past their time go, and the rest verifies' => sub {
    my $before = verifies('before');
    $t->stop_nginx;
    $t->advance(402 * $DAY);
    $t->start_nginx;
    ok $t->wait_until(sub { audit('abdm.db', 'export') =~ /"what":"audit pruned"/ }), 'pruned';
    is_deeply $t->report('transfers')->{transfers}, [], 'finished transfers went too';
    verifies('after it');
    my ($status, $out) = audit('abdm.db', 'verify', '--key', $KEY, '--anchor', $before);
    is $status, 0, 'an anchor of before is no fault';
};

subtest 'with an altered end nothing happens until an operator has looked' => sub {
    $t->stop_nginx;
    is system($EDIT, "$t->{dir}/abdm.db", 'UPDATE audit_head SET n = n - 1'), 0, 'altered';
    $t->start_nginx;
    my $late = $t->grant(contexts => ['OPD-25-3107']);    # while the keys on disk are too old
    is $late->{sent}{status}, 202, 'a callback is taken';
    ok $t->wait_until(sub { $t->error_log =~ /E_AUDIT: .*consent\.notified/ }), 'the log says why nothing follows';
    ok !$t->explain($late->{consent_id}), 'nothing is known of the consent';
    my ($status) = audit('abdm.db', 'restart', '--key', $KEY);
    is $status, 0, 'a new chain is begun';
    ok $t->wait_until(sub { my $told = $t->explain($late->{consent_id}); $told && $told->{consent}[0]{status} eq 'GRANTED' }, 12), 'and the callback is looked at';
    my ($good, $out) = audit('abdm.db', 'verify', '--key', $KEY);
    is $good, 0, 'the new chain verifies';
    like $out, qr/rows outside of the chain: \d+/, 'and the rows before it are counted';
};

$t->stop_nginx;
my @anchors = $t->error_log =~ /\[notice\].*audit anchor (\d+:[0-9a-f]{64})/g;
cmp_ok scalar(@anchors), '>=', 6, 'an anchor at each start and end is in the log';
is verifies('at last', '--anchor', $anchors[-1]), $anchors[-1], 'the last one is the end';

subtest 'the law has a floor' => sub {
    $t->write_conf(abdm => ['abdm_audit_keep 180d;']);
    my ($passed, $said) = $t->test_conf;
    ok !$passed, '180 days: refused';
    like $said, qr/abdm_audit_keep is 180 days: at least 365 .*DPDP Rules 2025.*CERT-In/, 'and why';
    for my $keep ('365d', '400d', '10y') {
        $t->write_conf(abdm => ["abdm_audit_keep $keep;"]);
        ok +($t->test_conf)[0], "$keep: taken";
    }
};

$t->finish(alerts => qr/abdm_audit_keep is 180 days/);
